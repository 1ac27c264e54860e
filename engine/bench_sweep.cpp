#include "engine/bench_sweep.hpp"

#include "engine/sweep_run.hpp"
#include "engine/thread_pool.hpp"
#include "engine/workload.hpp"
#include "kernels/cpu/execute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace polarscope {

namespace {

constexpr std::uint32_t kWidth = 64, kBatch = 64;
constexpr std::uint32_t kSeeds = 5;
constexpr long kSweepSteps = 1000, kPartOfSteps = 20, kQuickSteps = 1;

double seconds_of_steps(WorkloadRuns& runs, long steps) {
  const auto start = std::chrono::steady_clock::now();
  runs.advance(steps);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Seconds for all steps of one optimizer's runs, one number for each block; of fewer steps, scaled.
Result<std::vector<double>> seconds_of_optimizer(const BenchHarness& h, const std::string& optimizer, int threads) {
  WorkloadOptions options;
  options.threads = threads;
  auto runs = WorkloadRuns::open(random_workload(optimizer, kWidth, kBatch, kWorkloadRates * kSeeds, 7), options);
  if (!runs) return runs.error();
  std::vector<double> seconds;
  if (h.full()) seconds.push_back(seconds_of_steps(*runs, kSweepSteps));
  const long steps = h.quick() ? kQuickSteps : kPartOfSteps;
  const int blocks = h.full() ? -1 : h.quick() ? 1 : 7;
  for (int block = 0; block <= blocks; ++block) {
    const double took = seconds_of_steps(*runs, steps) * static_cast<double>(kSweepSteps) / static_cast<double>(steps);
    if (block > 0) seconds.push_back(took); // the first one warms up
  }
  if (const int stopped = runs->diverged())
    return bad_input(fmt::format("{} runs of {} diverged while they were measured", stopped, optimizer));
  return seconds;
}

// Seconds that `polarscope sweep` takes for these runs: opening, every default metric, what the runs keep, results.
Result<double> seconds_as_sweep(const std::string& optimizer, long steps, int threads) {
  const auto start = std::chrono::steady_clock::now();
  const auto scene = parse_scene(workload_sweep(optimizer, kWidth, kBatch, kSeeds, steps), "workload.toml");
  if (!scene) return scene.error();
  SweepRunOptions options;
  options.session.device = "cpu";
  options.session.threads = threads;
  KnownResults results;
  if (const auto made = run_members(*scene, options, results); !made) return made.error();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& [label, member] : results)
    if (member.diverged) return bad_input(fmt::format("{}: {} diverged while it was measured", optimizer, label));
  return seconds;
}

std::string amount(const BenchHarness& h) {
  if (h.full()) return fmt::format("{} steps", kSweepSteps);
  return fmt::format("{} steps, from {}", kSweepSteps, h.quick() ? kQuickSteps : kPartOfSteps);
}

// Bits, so that a difference in the last one is a difference; a run that has diverged has NaN, which is equal to itself.
bool same_bits(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
  });
}

} // namespace

// The runs of one optimizer are an ensemble; the ensembles follow one another.
Result<void> bench_sweep(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const int cores = all_cores();
  const char* isa = kernels::choose_isa(kWidth);
  const double peak = multiply_add_peak(h, isa, cores);
  const double run_steps = double{kWorkloadRates} * kSeeds * kSweepSteps;
  std::vector<double> total;
  double floor = 0; // seconds
  for (const std::string& optimizer : workload_optimizers()) {
    auto seconds = seconds_of_optimizer(h, optimizer, cores);
    if (!seconds) return seconds.error();
    const double least = run_steps * workload_flops(optimizer, kWidth, kBatch, false) * 1e-9 / peak;
    BenchRow row =
        row_of_values("B15", fmt::format("{}: {} rates × {} seeds × {}", optimizer, kWorkloadRates, kSeeds, amount(h)),
                      "s", *seconds);
    row.percent = 100 * least / row.median;
    row.against = fmt::format("multiply-add, {}, {} cores, symmetric floor", isa, cores);
    rows.push_back(std::move(row));
    floor += least;
    total.resize(seconds->size());
    for (std::size_t k = 0; k < total.size(); ++k) total[k] += (*seconds)[k];
  }
  BenchRow row = row_of_values(
      "B15", fmt::format("all six: {} runs × {}, {} cores", 6 * kWorkloadRates * kSeeds, amount(h), cores), "s", total);
  row.percent = 100 * floor / row.median;
  row.against = fmt::format("multiply-add, {}, {} cores, symmetric floor", isa, cores);
  rows.push_back(std::move(row));
  if (!h.full() && !h.quick()) return {}; // of a part of the steps the opening would be most
  double seconds = 0;
  for (const std::string& optimizer : workload_optimizers()) {
    const auto took = seconds_as_sweep(optimizer, h.full() ? kSweepSteps : kQuickSteps, cores);
    if (!took) return took.error();
    seconds += *took;
  }
  BenchRow sweep =
      row_of_values("B15", fmt::format("all six as polarscope sweep makes them, all default metrics, {} cores", cores),
                    "s", {seconds});
  if (h.full()) {
    sweep.percent = 100 * floor / seconds;
    sweep.against = rows.back().against;
  }
  rows.push_back(std::move(sweep));
  return {};
}

// The fixed order of sums cannot be switched off, so its cost is no measurement. What can be: that more threads change no
// bit, and what they gain all the same.
Result<void> bench_threads(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const int cores = all_cores();
  const long steps = h.quick() ? 4 : 64;
  const std::uint32_t count = 8;
  for (const std::string optimizer : {"adam", "muon"}) {
    const Workload workload = random_workload(optimizer, kWidth, kBatch, count, 7);
    WorkloadOptions alone, together;
    alone.threads = 1;
    together.threads = cores;
    auto a = WorkloadRuns::open(workload, alone), b = WorkloadRuns::open(workload, together);
    if (!a) return a.error();
    if (!b) return b.error();
    std::vector<double> times_faster;
    for (int block = 0; block < (h.quick() ? 1 : 7); ++block) {
      const double one = seconds_of_steps(*a, steps), all = seconds_of_steps(*b, steps);
      if (!same_bits(a->losses(), b->losses()))
        return bad_input(fmt::format("{}: losses with 1 and with {} threads differ", optimizer, cores));
      times_faster.push_back(one / all);
    }
    rows.push_back(row_of_values(
        "B17",
        fmt::format("width {}, {}: {} runs, the same bits with 1 and {} threads", kWidth, optimizer, count, cores),
        "times as fast", times_faster));
  }
  return {};
}

} // namespace polarscope
