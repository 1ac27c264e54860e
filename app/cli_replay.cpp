// polarscope replay: recorded weights and gradients through any optimizer.
#include "app/cli.hpp"
#include "app/cli_scene.hpp"
#include "engine/recording.hpp"
#include "engine/trace.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace polarscope {

void replay_command(Commands& commands);

namespace {

// Series of a replay are thinned beyond this, so that a trace larger than memory streams through.
constexpr std::size_t kMemoryBudget = std::size_t{64} << 20;

struct ReplayArguments {
  SceneArguments scene; // of which `scene` is the trace
  std::string out, csv;
  bool states = false;
};

class Replay {
public:
  explicit Replay(const ReplayArguments& arguments) : arguments_(arguments) {}

  Result<int> run() {
    if (arguments_.states && arguments_.out.empty()) return bad_input("--states belongs to --out");
    if (arguments_.out == "-" && arguments_.csv == "-") return bad_input("only one result can go to stdout");
    const InterruptGuard guard;
    auto scene = open_scene(arguments_.scene);
    if (!scene) return scene.error();
    scene_ = std::move(*scene);
    if (auto done = csv_.open(arguments_.csv); !done) return done.error();
    if (auto done = open_session(); !done) return done.error();
    const auto computing = compute_to_end(*session_, [this] { return recording_ && recording_->failed(); });
    if (!computing) return computing.error();
    if (recording_ && recording_->failed()) return recording_->finish(frame_, scene_, *session_).error();
    session_->fill(frame_);
    return write(*computing);
  }

private:
  Result<void> open_session() {
    SessionOptions options = session_options(arguments_.scene);
    options.memory_budget = kMemoryBudget;
    if (!arguments_.out.empty()) {
      auto recording = Recording::open(arguments_.out, 1, {.gradients = false, .states = arguments_.states});
      if (!recording) return recording.error();
      recording_ = std::move(*recording);
      options.record = recording_->options();
      options.sink = [this](RunId run, const StepProgram& program, long first, std::span<const std::byte> records) {
        recording_->take(run, program, first, records);
      };
    }
    options.record.kept_limit = 0; // weights go to the file, not to memory
    if (!recording_) options.record.weight_limit = 0;
    auto session = Session::open(scene_, options);
    if (!session) return session.error();
    session_ = std::move(*session);
    return {};
  }

  Result<int> write(const Computing& computing) {
    Report report = make_report(frame_, device_name(frame_), computing.seconds);
    report.interrupted = computing.interrupted;
    if (recording_)
      if (auto done = recording_->finish(frame_, scene_, *session_); !done) return done.error();
    if (csv_)
      if (auto done = save_csv(frame_, csv_); !done) return done.error();
    if (arguments_.out == "-" || arguments_.csv == "-") explain_failures(report);
    else if (auto done = write_file("-", report_table(report)); !done) return done.error();
    explain_end(report);
    if (computing.interrupted) return InterruptGuard::exit_code();
    return report.good() ? 0 : static_cast<int>(ErrorKind::expectation);
  }

  const ReplayArguments& arguments_;
  Scene scene_;
  Target csv_;
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<Session> session_;
  Frame frame_;
};

} // namespace

void replay_command(Commands& commands) {
  auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* command =
      commands.app.add_subcommand("replay", "Pushes recorded weights and gradients through an optimizer");
  add_trace_options(*command, arguments->scene);
  command->get_option("--optimizer")->required();
  command->add_option("--out", arguments->out, "The weights of every step as .safetensors; - is stdout")
      ->type_name("FILE");
  command->add_flag("--states", arguments->states, "In --out also the optimizer's state after the last step");
  command->add_option("--csv", arguments->csv, "Every recorded value; - is stdout")->type_name("FILE");
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = Replay(*arguments).run();
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
