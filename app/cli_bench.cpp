// polarscope bench: measurements of this program on this machine.
#include "app/cli.hpp"
#include "engine/bench.hpp"
#include "engine/files.hpp"
#if POLARSCOPE_WINDOW
#  include "app/window_bench.hpp"
#endif

#include <CLI/CLI.hpp>

#include <memory>

namespace polarscope {

void bench_command(Commands& commands);

namespace {

struct BenchArguments {
  std::vector<std::string> ids;
  std::string json;
};

std::vector<MoreBench> more_benchmarks() {
#if POLARSCOPE_WINDOW
  return window_benchmarks();
#else
  return {};
#endif
}

Result<void> measure(const BenchArguments& arguments) {
  BenchOptions options;
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
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto done = measure(*arguments);
      return done ? 0 : complain(done.error());
    };
  });
}

} // namespace polarscope
