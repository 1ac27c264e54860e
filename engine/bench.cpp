#include "engine/bench.hpp"

#include "engine/backend.hpp"
#include "engine/bench_harness.hpp"
#include "engine/bench_kernels.hpp"
#include "engine/bench_networks.hpp"
#include "engine/bench_series.hpp"
#include "engine/bench_sweep.hpp"
#include "engine/compile.hpp"
#include "engine/thread_pool.hpp"
#include "kernels/cpu/execute.hpp"

#include <Eigen/Core>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <new>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

namespace polarscope {

namespace {

volatile double g_sink; // results go here, so that no work is optimised away

// ---- B0: the machine -----------------------------------------------------------------------------------------------

BenchRow fma_row(const BenchHarness& h, const char* isa, const kernels::CpuProbes& probes, Precision precision) {
  const bool single = precision == Precision::f32;
  const auto f = single ? probes.multiply_add_f32 : probes.multiply_add_f64;
  const double flops = static_cast<double>(single ? probes.flops_f32 : probes.flops_f64) * 1000;
  return rate_row("B0", fmt::format("multiply-add, {}, {}, one core", isa, single ? "f32" : "f64"), "GFLOP/s",
                  flops * 1e-9, h.measure([&](long n) { g_sink = f(1000 * n); }));
}

void bench_machine(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const char* widest = nullptr;
  for (const char* isa : kBenchIsas)
    if (const auto* e = kernels::cpu_executors(isa)) {
      rows.push_back(fma_row(h, isa, e->probes, Precision::f32));
      rows.push_back(fma_row(h, isa, e->probes, Precision::f64));
      widest = isa;
    }
  for (const auto& [name, kib] : {std::pair{"16 KiB (first level)", 16},
                                  {"256 KiB (second level)", 256},
                                  {"8 MiB (third level)", 8192},
                                  {"256 MiB (memory)", 262144}}) {
    const auto seconds = read_seconds(h, widest, static_cast<std::size_t>(kib));
    rows.push_back(
        rate_row("B0", fmt::format("read, {}, one core", name), "GB/s", static_cast<double>(kib) * 1024e-9, seconds));
  }
}

// ---- B1: toy steps -------------------------------------------------------------------------------------------------

// Steps of so many runs of a scene, with its default metrics recorded at every step.
Result<BenchRow> toy_row(const BenchHarness& h, const std::string& problem, const std::string& preset, int members = 1,
                         int threads = 1) {
  const auto scene = parse_scene(fmt::format("[scene]\ntitle = \"bench\"\nseed = 1\nsteps = 1000000\n[problem]\nkind = "
                                             "\"{}\"\n[[run]]\nlabel = \"run\"\noptimizer = \"{}\"\n",
                                             problem, preset),
                                 "bench.toml", {{"", "problem.noise", "0.02"}});
  if (!scene) return scene.error();
  const auto program = compile(*scene, scene->runs[0]);
  if (!program) return program.error();
  auto backend = open_backend("cpu", threads);
  if (!backend) return backend.error();
  auto group = (*backend)->open(*program);
  if (!group) return group.error();
  MemberGroup& g = **group;
  const auto contents = initial_contents(*scene, scene->runs[0], **program);
  if (!contents) return contents.error();
  std::vector<int> all;
  for (int i = 0; i < members; ++i) {
    const auto added = g.add(static_cast<std::uint64_t>(i + 1));
    if (!added) return added.error();
    g.set_hparams(*added, hparam_row(**program, scene->runs[0]));
    for (const auto& [slot, values] : contents->slots) g.write_slot(*added, slot, values);
    all.push_back(*added);
  }
  std::vector<std::vector<std::byte>> records;
  g.start(all, records);
  const std::uint64_t burst = members == 1 ? 1000 : 64;
  const auto seconds = h.measure([&](long n) {
    for (long i = 0; i < n; ++i) g.advance(all, burst, records);
  });
  if (std::any_of(all.begin(), all.end(), [&](int m) { return g.state(m).diverged; }))
    return bad_input(fmt::format("{} with {} diverged while it was measured", problem, preset));
  return rate_row("B1",
                  fmt::format("{}, {}: {} ops, {} numbers recorded, {}", problem, preset, (*program)->step_ops().size(),
                              (*program)->record_size(),
                              members == 1 ? "one core" : fmt::format("{} members, {} cores", members, threads)),
                  "Msteps/s", static_cast<double>(burst) * members * 1e-6, seconds);
}

Result<void> bench_toys(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const auto presets = preset_names();
  for (const char* problem : {"circle", "sphere3", "rows"})
    for (const char* preset : {"sgd", "adamw", "muon", "rmnp", "md_muon"}) {
      if (!find_problem(problem) || std::find(presets.begin(), presets.end(), preset) == presets.end()) continue;
      auto row = toy_row(h, problem, preset);
      if (!row) return row.error();
      rows.push_back(std::move(*row));
    }
  for (const char* preset : {"sgd", "adamw", "muon"}) {
    auto row = toy_row(h, "circle", preset, 4096, all_cores());
    if (!row) return row.error();
    rows.push_back(std::move(*row));
  }
  return {};
}

// ---- B14: from a scene's text to its first step --------------------------------------------------------------------

Result<void> first_step(const std::string& text) {
  const auto scene = parse_scene(text, "bench.toml");
  if (!scene) return scene.error();
  const auto program = compile(*scene, scene->runs[0]);
  if (!program) return program.error();
  auto backend = open_backend("cpu", 1);
  if (!backend) return backend.error();
  auto group = (*backend)->open(*program);
  if (!group) return group.error();
  if (const auto added = (*group)->add(1); !added) return added.error();
  (*group)->set_hparams(0, hparam_row(**program, scene->runs[0]));
  const auto contents = initial_contents(*scene, scene->runs[0], **program);
  if (!contents) return contents.error();
  for (const auto& [slot, values] : contents->slots) (*group)->write_slot(0, slot, values);
  std::vector<std::vector<std::byte>> records;
  (*group)->start(std::vector<int>{0}, records);
  (*group)->advance(std::vector<int>{0}, 1, records);
  return {};
}

Result<void> bench_first_step(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const std::string text =
      "[scene]\ntitle = \"bench\"\nseed = 1\nsteps = 10\n[problem]\nkind = \"circle\"\n[[run]]\nlabel = "
      "\"run\"\noptimizer = \"sgd\"\n";
  if (auto r = first_step(text); !r) return r;
  const auto seconds = h.measure([&](long n) {
    for (long i = 0; i < n; ++i) (void)first_step(text);
  });
  rows.push_back(row_of_values("B14", "scene text to first step, circle, sgd", "ms", scaled(seconds, 1e3)));
  return {};
}

// ---- what else the machine does --------------------------------------------------------------------------------------

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Seconds of all cores that were not idle, and this process's own share.
struct Busy {
  double all = 0, own = 0;
};
Busy busy_now() {
  Busy b;
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (tick > 0) b.all = busy_ticks(first_line("/proc/stat")) / tick;
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  const auto seconds = [](const timeval& v) {
    return static_cast<double>(v.tv_sec) + 1e-6 * static_cast<double>(v.tv_usec);
  };
  b.own = seconds(own.ru_utime) + seconds(own.ru_stime);
  return b;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown";
}

double clock_mhz() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("cpu MHz", 0) == 0 && line.find(": ") != std::string::npos)
      return std::strtod(line.c_str() + line.find(": ") + 2, nullptr);
  return 0;
}

std::string compiler_name() {
#ifdef __clang__
  return fmt::format("clang {}", __clang_version__);
#else
  return fmt::format("gcc {}", __VERSION__);
#endif
}

using Bench = Result<void> (*)(const BenchHarness&, std::vector<BenchRow>&);
template <void (*f)(const BenchHarness&, std::vector<BenchRow>&)>
Result<void> infallible(const BenchHarness& h, std::vector<BenchRow>& rows) {
  f(h, rows);
  return {};
}
constexpr Bench kFunctions[] = {infallible<bench_machine>,
                                bench_toys,
                                bench_single_networks,
                                bench_network_ensembles,
                                infallible<bench_products>,
                                bench_newton_schulz,
                                infallible<bench_adam>,
                                infallible<bench_rows>,
                                bench_spectra,
                                bench_telemetry,
                                bench_series,
                                bench_first_step,
                                bench_sweep,
                                bench_threads};

} // namespace

const std::vector<BenchInfo>& benchmarks() {
  static const std::vector<BenchInfo> list = {{"B0", "the machine: multiply-adds and reads per second"},
                                              {"B1", "toy steps per second on one core"},
                                              {"B2", "a training step of one small network"},
                                              {"B3", "training steps of many small networks at once"},
                                              {"B4", "small matrix products, percent of the probe"},
                                              {"B5", "Newton–Schulz of many matrices, percent of the probe"},
                                              {"B6", "the pass of Adam over memory of the second level"},
                                              {"B8", "rows there and back: RMSNorm, softmax"},
                                              {"B10", "singular values: the largest of many matrices, all of a few"},
                                              {"B11", "what measuring everything at every step costs"},
                                              {"B12", "recorded series: appending to them, drawing from them"},
                                              {"B14", "from a scene's text to its first step"},
                                              {"B15", "a sweep of six optimizers, eight rates, five seeds"},
                                              {"B17", "the same runs with one thread and with all, bits compared"}};
  return list;
}

Result<BenchReport> run_bench(const std::vector<std::string>& ids, const BenchOptions& options) {
  const auto& list = benchmarks();
  std::vector<BenchInfo> all = list;
  for (const MoreBench& more : options.more)
    if (std::none_of(all.begin(), all.end(), [&](const BenchInfo& b) { return b.id == more.info.id; }))
      all.push_back(more.info);
  for (const std::string& id : ids)
    if (std::none_of(all.begin(), all.end(), [&](const BenchInfo& b) { return b.id == id; })) {
      std::string known;
      for (const BenchInfo& b : all) known += (known.empty() ? "" : ", ") + b.id;
      return bad_input(fmt::format("unknown benchmark '{}'; {} are known", id, known));
    }
  BenchReport report;
  report.cpu = cpu_name();
  report.version = POLARSCOPE_VERSION;
  report.commit = POLARSCOPE_COMMIT;
  report.compiler = compiler_name();
  report.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  report.clock_mhz = clock_mhz();
  report.cores = static_cast<int>(std::thread::hardware_concurrency());
  for (const char* isa : kBenchIsas)
    if (kernels::cpu_executors(isa)) report.isa = isa;
  double load[1] = {0};
  if (getloadavg(load, 1) == 1) report.load = load[0];

  const auto wanted = [&](const std::string& id) {
    return ids.empty() || std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  const BenchHarness harness(options);
  const Busy before = busy_now();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t k = 0; k < list.size(); ++k)
    if (wanted(list[k].id))
      if (auto r = kFunctions[k](harness, report.rows); !r) return r.error();
  for (const MoreBench& more : options.more) {
    if (!wanted(more.info.id)) continue;
    auto rows = more.run();
    if (!rows) return rows.error();
    report.rows.insert(report.rows.end(), std::make_move_iterator(rows->begin()), std::make_move_iterator(rows->end()));
  }
  const Busy after = busy_now();
  report.others_busy =
      std::max(0.0, ((after.all - before.all) - (after.own - before.own)) /
                        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return report;
}

std::string BenchReport::to_text() const {
  std::string out = fmt::format("{}, {} cores, {}, version {}, load {:.2f}\n", cpu, cores, isa, version, load);
  out += fmt::format("{}, commit {}, governor {}, clock {:.0f} MHz\n", compiler, commit.empty() ? "unknown" : commit,
                     governor.empty() ? "unknown" : governor, clock_mhz);
  if (!idle())
    out += fmt::format("NOT IDLE: others used {:.2f} cores; do not compare or report these figures\n", others_busy);
  out += fmt::format("{:<4} {:<62} {:>10} {:>10} {:>10}  {}\n", "", "", "median", "p10", "p90", "unit");
  for (const BenchRow& r : rows) {
    out += fmt::format("{:<4} {:<62} {:>10.4g} {:>10.4g} {:>10.4g}  {}", r.id, r.name, r.median, r.p10, r.p90, r.unit);
    if (r.percent >= 0) out += fmt::format("  {:.0f} % of {}", r.percent, r.against);
    if (r.limit >= 0) out += fmt::format("  limit {:g}{}", r.limit, r.median > r.limit ? ": EXCEEDED" : "");
    out += "\n";
  }
  return out;
}

std::string BenchReport::to_json() const {
  nlohmann::ordered_json j;
  j["version"] = 1;
  j["program"] = version;
  j["commit"] = commit;
  j["compiler"] = compiler;
  j["eigen"] = fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
  j["cpu"] = cpu;
  j["cores"] = cores;
  j["isa"] = isa;
  j["governor"] = governor;
  j["clock_mhz"] = clock_mhz;
  j["load"] = load;
  j["others_busy"] = others_busy;
  j["idle"] = idle();
  j["rows"] = nlohmann::ordered_json::array();
  for (const BenchRow& r : rows) {
    nlohmann::ordered_json row = {{"id", r.id},         {"name", r.name}, {"unit", r.unit},
                                  {"median", r.median}, {"p10", r.p10},   {"p90", r.p90}};
    if (r.percent >= 0) {
      row["percent"] = r.percent;
      row["against"] = r.against;
    }
    if (r.limit >= 0) row["limit"] = r.limit;
    j["rows"].push_back(std::move(row));
  }
  return j.dump(2) + "\n";
}

} // namespace polarscope
