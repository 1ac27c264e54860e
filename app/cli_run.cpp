// polarscope run: a scene without a window.
#include "app/cli.hpp"
#include "app/cli_scene.hpp"
#include "app/cli_usage.hpp"
#include "engine/files.hpp"
#include "engine/recording.hpp"
#include "engine/report.hpp"

#if POLARSCOPE_WINDOW
#  include "app/shot.hpp"
#endif

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace polarscope {

void run_command(Commands& commands);

namespace {

struct RunArguments {
  SceneArguments scene;
  std::string csv, json, png, record;
  long record_every = 1;
  bool report = false;
  std::optional<long> step;
};

Result<void> check_arguments(const RunArguments& a) {
  const std::vector<std::string> files = {a.csv, a.json, a.png, a.record};
  if (std::count(files.begin(), files.end(), "-") > 1) return bad_input("only one result can go to stdout");
  if (a.step && !a.report) return bad_input("--step belongs to --report");
  if (a.record_every != 1 && a.record.empty()) return bad_input("--record-every belongs to --record");
  return {};
}

// Of what has been computed. The session is used up.
Result<void> write_png(const RunArguments& arguments, std::unique_ptr<Session> session) {
#if POLARSCOPE_WINDOW
  ShotOptions options;
  options.session = session_options(arguments.scene);
  options.layout = session->scene().view.layout;
  options.stop = InterruptGuard::requested;
  return write_shot(std::move(session), options, arguments.png);
#else
  (void)session;
  return machine_lacks(fmt::format("{} needs the window's code, which this program was built without", arguments.png));
#endif
}

// The part of `run` between opening and the exit code.
class Runner {
public:
  explicit Runner(const RunArguments& arguments) : arguments_(arguments) {}

  Result<int> run() {
    if (auto done = check_arguments(arguments_); !done) return done.error();
    const InterruptGuard guard;
    auto scene = open_scene(arguments_.scene);
    if (!scene) return scene.error();
    if (arguments_.step && *arguments_.step > scene->steps)
      return bad_input(fmt::format("--step {} is beyond the last step, {}", *arguments_.step, scene->steps));
    scene_ = std::move(*scene);
    for (auto [target, path] : {std::pair{&csv_, &arguments_.csv}, std::pair{&json_, &arguments_.json}})
      if (auto done = target->open(*path); !done) return done.error();
    if (auto done = open_session(); !done) return done.error();
    const auto computing = compute_to_end(*session_, [this] { return recording_ && recording_->failed(); });
    if (!computing) return computing.error();
    computing_ = *computing;
    if (recording_ && recording_->failed()) return recording_->finish(frame_, scene_, *session_).error();
    session_->fill(frame_);
    if (auto done = write_files(); !done) return done.error();
    return finish();
  }

private:
  Result<void> open_session() {
    SessionOptions options = session_options(arguments_.scene);
    if (!arguments_.record.empty()) {
      auto recording = Recording::open(arguments_.record, arguments_.record_every, {});
      if (!recording) return recording.error();
      recording_ = std::move(*recording);
      options.record = recording_->options();
      options.sink = [this](RunId run, const StepProgram& program, long first, std::span<const std::byte> records) {
        recording_->take(run, program, first, records);
      };
    }
    auto session = Session::open(scene_, options);
    if (!session) return session.error();
    session_ = std::move(*session);
    scene_ = session_->scene(); // with a run for every member of a sweep
    session_->fill(frame_);
    std::vector<std::shared_ptr<const StepProgram>> programs;
    for (const RunFrame& run : frame_.runs) programs.push_back(run.program);
    changed_ = changed_runs(arguments_.scene, scene_);
    return check_expectations(scene_, programs, changed_);
  }

  Result<void> write_files() {
    report_ = make_report(frame_, device_name(frame_), computing_.seconds);
    report_.interrupted = computing_.interrupted;
    report_.expect = evaluate_expectations(frame_, scene_, changed_);
    if (recording_) // the largest first: what a full disk would break is broken before anything has its name
      if (auto done = recording_->finish(frame_, scene_, *session_); !done) return done;
    if (csv_)
      if (auto done = save_csv(frame_, csv_); !done) return done;
    if (json_)
      if (auto done = json_.write(report_json(report_)); !done) return done;
    if (arguments_.png.empty() || computing_.interrupted) return {};
    auto drawn = write_png(arguments_, std::move(session_));
    if (drawn || !InterruptGuard::requested()) return drawn;
    computing_.interrupted = report_.interrupted = true;
    return {};
  }

  Result<int> finish() {
    const bool to_stdout =
        arguments_.csv == "-" || arguments_.json == "-" || arguments_.png == "-" || arguments_.record == "-";
    std::string text;
    if (arguments_.report) {
      auto sentences = report_sentences(frame_, arguments_.step);
      if (!sentences) return sentences.error();
      text = *sentences;
    } else if (!to_stdout) {
      text = report_table(report_);
    }
    if (!text.empty())
      if (auto done = write_file("-", text); !done) return done.error();
    if (to_stdout && !computing_.interrupted) explain_failures(report_);
    explain_end(report_);
    if (computing_.interrupted) return InterruptGuard::exit_code();
    return report_.good() ? 0 : static_cast<int>(ErrorKind::expectation);
  }

  const RunArguments& arguments_;
  Scene scene_;
  Target csv_, json_;
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<Session> session_;
  Computing computing_;
  NotJudged changed_;
  Frame frame_;
  Report report_;
};

} // namespace

void run_command(Commands& commands) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = commands.app.add_subcommand("run", "Runs a scene without a window and prints a table");
  add_scene_options(*command, arguments->scene);
  command->add_option("--csv", arguments->csv, "Every recorded value; - is stdout")->type_name("FILE");
  command->add_option("--json", arguments->json, "The result for other programs; - is stdout")->type_name("FILE");
  command->add_option("--png", arguments->png, "A picture of the window at the last step; - is stdout")
      ->type_name("FILE");
  command->add_option("--record", arguments->record, "Weights and gradients as .safetensors; - is stdout")
      ->type_name("FILE");
  command->add_option("--record-every", arguments->record_every, "Record every Nth step only")
      ->transform(whole_number(1, kMostSteps))
      ->type_name("N");
  command->add_flag("--report", arguments->report, "Plain sentences instead of the table");
  command->add_option("--step", arguments->step, "The step that --report tells of; default: the last")
      ->transform(whole_number(0, kMostSteps))
      ->type_name("N");
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = Runner(*arguments).run();
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
