// polarscope sweep: every member of a scene with [sweep], without a window.
#include "app/cli_sweep.hpp"

#include "app/cli.hpp"
#include "app/cli_usage.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace polarscope {

void sweep_command(Commands& commands);

namespace {

// $XDG_STATE_HOME/polarscope/sweeps, else ~/.local/state/polarscope/sweeps; "" when neither is known.
std::string state_folder() {
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg && *xdg) return std::string(xdg) + "/polarscope/sweeps";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.local/state/polarscope/sweeps";
  return {};
}

bool is_plain_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return !path.empty() && path != "-" &&
         (status.type() == std::filesystem::file_type::not_found || std::filesystem::is_regular_file(status));
}

Result<int> run_sweep(const SweepArguments& arguments) {
  const InterruptGuard guard;
  const auto scene = open_scene(arguments.scene);
  if (!scene) return scene.error();
  if (!scene->sweep) return bad_input("has no [sweep]; 'polarscope run' runs it", {scene->path});
  SweepWork work(arguments);
  if (auto done = work.open(*scene); !done) return done.error();
  const auto finished = work.run(*scene);
  if (!finished) return finished.error();
  const SweepReport report = work.report(*scene);
  const std::string text = sweep_members_table(report) + "\n" + sweep_summary(report);
  if (auto done = work.write(report, sweep_json(report), text, *finished); !done) return done.error();
  return work.exit_code(report, *finished);
}

} // namespace

void add_sweep_options(CLI::App& command, SweepArguments& arguments) {
  command.add_option("--csv", arguments.csv, "A row per member; - is stdout")->type_name("FILE");
  command.add_option("--json", arguments.json, "Members, settings, bests and differences; - is stdout")
      ->type_name("FILE");
  command.add_option("--tail", arguments.tail, "A final loss is the mean over this last part of the steps, in percent")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("PERCENT");
  command.add_flag("--fresh", arguments.fresh, "Compute what an interrupted sweep has finished again");
}

std::pair<std::string, bool> SweepWork::journal_path(std::uint64_t key) const {
  for (const std::string& file : {arguments_.json, arguments_.csv})
    if (is_plain_file(file)) return {file + ".journal", true};
  const std::string folder = state_folder();
  if (folder.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(folder, error); // opening the journal tells what is wrong with it
  return {fmt::format("{}/{}.journal", folder, hash_text(key)), false};
}

SweepWork::SweepWork(const SweepArguments& arguments) : arguments_(arguments) {
  options_.session = session_options(arguments.scene);
  options_.tail = arguments.tail / 100;
  options_.stop = [] { return InterruptGuard::requested(); };
  options_.progress = [this](const SweepProgress& p) {
    progress_.draw(fmt::format("{} of {} members", p.done, p.members), p.all_steps > 0 ? p.steps / p.all_steps : 1,
                   p.seconds);
  };
}

Result<void> SweepWork::open(const Scene& scene) {
  if (arguments_.csv == "-" && arguments_.json == "-") return bad_input("only one result can go to stdout");
  for (auto [target, path] : {std::pair{&csv_, &arguments_.csv}, std::pair{&json_, &arguments_.json}})
    if (auto done = target->open(*path); !done) return done.error();
  options_.written = written_scene(arguments_.scene, scene);
  const std::uint64_t key = sweep_key(scene, options_);
  const auto [path, beside_results] = journal_path(key);
  if (path.empty()) return {};
  auto journal = SweepJournal::open(path, key, arguments_.fresh);
  if (!journal && beside_results) return journal.error();
  if (!journal) { // nobody asked for one
    fmt::print(stderr, "polarscope: no journal, an interrupted sweep begins anew: {}\n", journal.error().text());
    return {};
  }
  journal_ = std::move(*journal);
  options_.finished = [this](const std::vector<MemberResult>& results) { return journal_->append(results); };
  known_ = journal_->take_kept();
  if (!known_.empty()) fmt::print(stderr, "polarscope: {} members are kept from before, in {}\n", known_.size(), path);
  if (journal_->replaced())
    fmt::print(stderr, "polarscope: {} was of another scene, program or machine and is begun anew\n", path);
  return {};
}

Result<bool> SweepWork::run(const Scene& scene) {
  auto done = run_members(scene, options_, known_);
  progress_.clear();
  return done;
}

SweepReport SweepWork::report(const Scene& scene) const {
  return make_sweep_report(scene, known_, options_.tail, arguments_.scene.device == "cuda" ? "cuda" : "cpu");
}

Result<void> SweepWork::write(const SweepReport& report, const std::string& json, const std::string& text,
                              bool finished) {
  if (csv_)
    if (auto done = csv_.write(sweep_csv(report)); !done) return done;
  if (json_)
    if (auto done = json_.write(json); !done) return done;
  if (arguments_.csv != "-" && arguments_.json != "-") {
    if (auto done = write_file("-", text); !done) return done;
  } else {
    fmt::print(stderr, "{}", warning_lines(report));
  }
  if (journal_ && finished) journal_->remove();
  return {};
}

int SweepWork::exit_code(const SweepReport& report, bool finished) const {
  if (!finished) {
    fmt::print(stderr, "polarscope: interrupted; {} of {} members are done{}\n", report.results.size(), report.members,
               journal_ ? ", and the same command goes on with the others" : "");
    return InterruptGuard::exit_code();
  }
  return report.good() ? 0 : static_cast<int>(ErrorKind::expectation);
}

void sweep_command(Commands& commands) {
  auto arguments = std::make_shared<SweepArguments>();
  CLI::App* command =
      commands.app.add_subcommand("sweep", "Runs every member of a scene with [sweep] and compares them");
  add_scene_options(*command, arguments->scene);
  add_sweep_options(*command, *arguments);
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = run_sweep(*arguments);
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
