// polarscope conform: does a device compute what the double-precision CPU computes?
#include "app/cli.hpp"
#include "app/cli_usage.hpp"
#include "engine/conform.hpp"
#include "engine/files.hpp"

#include <memory>

namespace polarscope {

void conform_command(Commands& commands);

namespace {

struct ConformArguments {
  std::string device = "cpu", json;
};

Result<int> check_device(const ConformArguments& arguments) {
  const auto report = conform(arguments.device);
  if (!report) return report.error();
  if (!arguments.json.empty())
    if (auto done = write_file(arguments.json, report->to_json()); !done) return done.error();
  if (arguments.json != "-")
    if (auto done = write_file("-", report->to_text()); !done) return done.error();
  return report->passed() ? 0 : static_cast<int>(ErrorKind::expectation);
}

} // namespace

void conform_command(Commands& commands) {
  auto arguments = std::make_shared<ConformArguments>();
  CLI::App* command =
      commands.app.add_subcommand("conform", "Compares a device with the double-precision CPU, operation by operation");
  command->add_option("--device", arguments->device, "cpu (default) or cuda")
      ->check(one_of({"cpu", "cuda"}))
      ->type_name("D");
  command->add_option("--json", arguments->json, "The record; - is stdout")->type_name("FILE");
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = check_device(*arguments);
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
