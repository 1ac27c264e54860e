// polarscope bench: measurements of this program on this machine.
#include "app/cli.hpp"
#include "engine/bench.hpp"
#include "engine/files.hpp"
#include "engine/workload.hpp"
#if POLARSCOPE_WINDOW
#  include "app/window_bench.hpp"
#endif

#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>

namespace polarscope {

void bench_command(Commands& commands);

namespace {

struct BenchArguments {
  std::vector<std::string> ids;
  std::string json, workload;
  int threads = 0;
  bool full = false;
};

// Losses and time of the workload in a file: what peers are compared by.
Result<void> run_workload(const BenchArguments& arguments) {
  const auto workload = read_workload(arguments.workload);
  if (!workload) return workload.error();
  WorkloadOptions options;
  options.threads = arguments.threads;
  auto runs = WorkloadRuns::open(*workload, options);
  if (!runs) return runs.error();
  const auto start = std::chrono::steady_clock::now();
  runs->advance(workload->steps);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto losses = runs->losses();
  if (!arguments.json.empty())
    if (auto done = write_file(arguments.json, workload_json(*workload, losses, seconds)); !done) return done;
  return arguments.json == "-" ? Result<void>{} : write_file("-", workload_csv(losses));
}

std::vector<MoreBench> more_benchmarks() {
#if POLARSCOPE_WINDOW
  return window_benchmarks();
#else
  return {};
#endif
}

Result<void> measure(const BenchArguments& arguments) {
  BenchOptions options;
  options.full = arguments.full;
  options.more = more_benchmarks();
  const auto report = run_bench(arguments.ids, options);
  if (!report) return report.error();
  if (!arguments.json.empty())
    if (auto done = write_file(arguments.json, report->to_json()); !done) return done;
  return arguments.json == "-" ? Result<void>{} : write_file("-", report->to_text());
}

std::string known_benchmarks() {
  std::string out = "Which ones; default: all of";
  for (const MoreBench& more : more_benchmarks()) out += " " + more.info.id + " (" + more.info.what + ")";
  for (const BenchInfo& info : benchmarks()) out += " " + info.id + " (" + info.what + ")";
  return out;
}

} // namespace

void bench_command(Commands& commands) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = commands.app.add_subcommand("bench", "Measures speed on this machine");
  command->add_option("ID", arguments->ids, known_benchmarks());
  command->add_option("--json", arguments->json, "The measurements; - is stdout")->type_name("FILE");
  command->add_flag(
      "--full", arguments->full,
      "B15 at its full length rather than from a part of its steps, and as a sweep; B12 with ten million steps");
  auto* workload = command->add_option("--workload", arguments->workload,
                                       "Instead: losses of the peers' workload in a .safetensors file");
  workload->type_name("FILE")->excludes("ID");
  command->add_option("--threads", arguments->threads, "Threads of --workload; 0: one per core")
      ->check(CLI::Range(0, 1024))
      ->needs(workload);
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto done = arguments->workload.empty() ? measure(*arguments) : run_workload(*arguments);
      return done ? 0 : complain(done.error());
    };
  });
}

} // namespace polarscope
