// polarscope docs: reference pages from the registries, or a scene's step program.
#include "app/cli.hpp"
#include "engine/compile.hpp"
#include "engine/docs.hpp"
#include "engine/files.hpp"
#include "engine/scene.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <set>

namespace polarscope {

void docs_command(Commands& commands);

namespace {

struct DocsArguments {
  bool check = false;
  std::string program;
};

// assets/docs/ of the working folder, or of the source tree that the program was built in.
Result<std::string> docs_folder() {
  std::vector<std::string> folders = installed_folders();
  folders.insert(folders.begin(), ".");
  for (const std::string& folder : folders)
    if (file_exists(folder + "/assets/docs")) return folder + "/assets/docs/";
  return bad_input("no folder assets/docs here: start this in the source tree");
}

Result<int> write_pages(bool only_check) {
  const auto folder = docs_folder();
  if (!folder) return folder.error();
  int stale = 0;
  for (const DocPage& page : reference_pages()) {
    const std::string path = *folder + page.name;
    const auto committed =
        file_exists(path) ? read_file(path, std::size_t{1} << 24) : Result<std::string>(std::string());
    if (!committed) return committed.error();
    if (*committed == page.text) continue;
    ++stale;
    if (only_check) {
      fmt::print(stderr, "polarscope: {} is stale: run polarscope docs\n", path);
      continue;
    }
    if (auto done = write_file(path, page.text); !done) return done.error();
    fmt::print(stderr, "{}\n", path);
  }
  return only_check && stale > 0 ? static_cast<int>(ErrorKind::expectation) : 0;
}

// Each distinct program once, with the runs that share it.
Result<int> print_program(const std::string& name) {
  const auto scene = load_scene(name);
  if (!scene) return scene.error();
  std::string out;
  std::set<std::uint64_t> seen;
  for (const RunSpec& run : scene->runs) {
    const auto program = compile(*scene, run);
    if (!program) return program.error();
    out += fmt::format("run {} ({})\n", run.label, run.optimizer.name);
    if (seen.insert((*program)->fingerprint()).second) out += program_text(**program) + "\n";
    else out += "the same program as above, with other numbers\n\n";
  }
  return print_result(out);
}

} // namespace

void docs_command(Commands& commands) {
  auto arguments = std::make_shared<DocsArguments>();
  CLI::App* command = commands.app.add_subcommand(
      "docs", "Writes the reference pages to assets/docs/, or prints a scene's step program");
  auto* check = command->add_flag("--check", arguments->check, "Write nothing; exit 1 when a page is stale");
  command->add_option("--program", arguments->program, "Print the operations of one step of this scene's runs")
      ->type_name("SCENE")
      ->excludes(check);
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = arguments->program.empty() ? write_pages(arguments->check) : print_program(arguments->program);
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
