#include "app/cli_scene.hpp"

#include "app/cli.hpp"
#include "app/cli_usage.hpp"
#include "engine/csv.hpp"
#include "engine/files.hpp"
#include "engine/preset.hpp"
#include "engine/sweep.hpp"
#include "engine/trace.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <limits>
#include <map>

namespace polarscope {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSlice = 0.05;           // seconds of computing between looks at the interrupt
constexpr double kProgressAfter = 0.5;    // seconds before a progress line is worth its flicker
constexpr long kLargestBurst = 1'000'000; // steps

constexpr std::array<int, 3> kStopSignals = {SIGINT, SIGTERM, SIGHUP};
constexpr int kSignalled = 128; // plus the signal's number: the exit code that shells report

std::atomic<int> stop_signal{0}; // that asked first
static_assert(std::atomic<int>::is_always_lock_free, "set from a signal handler");

// The first asks; the second ends the program without waiting for a step that takes long.
void on_stop(int signal) {
  int none = 0;
  if (stop_signal.compare_exchange_strong(none, signal)) return;
  remove_unfinished_files();
  _exit(kSignalled + signal);
}

// "8 s", "3 min", "2.5 h"
std::string duration_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  return seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

} // namespace

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

void ProgressLine::draw(const std::string& what, double part, double seconds) {
  if (!terminal_ || seconds < kProgressAfter || !(part > 0)) return;
  fmt::print(stderr, "\r\033[K{:3.0f} %  {}  {} left", 100 * part, what, duration_text(seconds / part * (1 - part)));
  std::fflush(stderr);
  drawn_ = true;
}

struct InterruptGuard::Previous {
  std::array<struct sigaction, kStopSignals.size()> actions{};
};

InterruptGuard::InterruptGuard() : previous_(std::make_unique<Previous>()) {
  struct sigaction action {};
  action.sa_handler = on_stop;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kStopSignals.size(); ++i) {
    struct sigaction& before = previous_->actions[i];
    sigaction(kStopSignals[i], nullptr, &before);
    const bool shielded = kStopSignals[i] == SIGHUP && before.sa_handler == SIG_IGN; // by nohup
    if (!shielded) sigaction(kStopSignals[i], &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < kStopSignals.size(); ++i) sigaction(kStopSignals[i], &previous_->actions[i], nullptr);
}

bool InterruptGuard::requested() { return stop_signal != 0; }
int InterruptGuard::exit_code() { return kSignalled + stop_signal; }

namespace {

void add_shared_options(CLI::App& command, SceneArguments& arguments) {
  command
      .add_option("--set", arguments.sets,
                  "[LABEL:]key=value: a hyperparameter, an option or a key of the scene; may be repeated")
      ->allow_extra_args(false)
      ->type_name("K=V");
  command
      .add_option("--steps", arguments.steps,
                  "Where to end, earlier or later; schedules keep to scene.steps, which --set scene.steps=N changes")
      ->transform(whole_number(1, kMostSteps))
      ->type_name("N");
  command.add_option("--seed", arguments.seed, "Instead of scene.seed")
      ->transform(whole_number(0, std::numeric_limits<long>::max()))
      ->type_name("N");
  command.add_option("--device", arguments.device, "cpu, cuda, or auto: the CPU, which small scenes are fastest on")
      ->check(one_of({"cpu", "cuda", "auto"}))
      ->type_name("D");
  command.add_option("--threads", arguments.threads, "0 is one per core; results do not depend on it")
      ->transform(whole_number(0, 1024))
      ->type_name("N");
  command.add_option("--precision", arguments.precision, "f32 or f64 instead of the scene's")
      ->check(one_of({"f32", "f64"}))
      ->type_name("P");
}

} // namespace

void add_scene_options(CLI::App& command, SceneArguments& arguments) {
  command.add_option("SCENE", arguments.scene, "Path or name of a scene, with or without .toml")->required();
  add_shared_options(command, arguments);
}

void add_named_scene_options(CLI::App& command, SceneArguments& arguments) {
  command.add_option("--scene", arguments.scene, "Path or name of a scene, with or without .toml")
      ->required()
      ->type_name("SCENE");
  add_shared_options(command, arguments);
}

namespace {

void add_recording_options(CLI::App& command, SceneArguments& arguments, const std::string& where = "") {
  command.add_option("--optimizer", arguments.optimizer, where + "A preset's name or a TOML file")
      ->type_name("NAME|FILE");
  command.add_option("--run", arguments.run, where + "Which run of a recording of several")->type_name("LABEL");
  add_shared_options(command, arguments);
}

} // namespace

void add_trace_options(CLI::App& command, SceneArguments& arguments) {
  command.add_option("TRACE", arguments.scene, "A .safetensors file with gradient/<P> and weight/<P>")->required();
  add_recording_options(command, arguments);
}

void add_window_options(CLI::App& command, SceneArguments& arguments) {
  command.add_option("SCENE", arguments.scene,
                     "Scene or .safetensors recording to open in the window (default: scenes/first_look.toml)");
  add_recording_options(command, arguments, "Of a recording: ");
}

namespace {

Result<Scene> load(const SceneArguments& arguments, const std::vector<SetArgument>& sets) {
  const bool recording = arguments.scene.ends_with(".safetensors");
  if (!recording && !arguments.run.empty()) return bad_input("--run belongs to a .safetensors recording");
  if (!recording && arguments.optimizer.empty()) return load_scene(arguments.scene, sets);
  auto scene = trace_scene(arguments.scene, arguments.run, arguments.optimizer);
  if (!scene || sets.empty()) return scene;
  auto changed = parse_scene(to_toml(*scene), "--set", sets);
  if (changed) changed->path = scene->path; // not a file that could be loaded again
  return changed;
}

// A scene's own numbers stay when --set gives its runs another optimizer, which may have been meant with its own: said
// on stderr, once for all runs alike.
void explain_kept_numbers(const Scene& scene, const std::vector<SetArgument>& sets) {
  const auto changed = [&](const RunSpec& run) {
    return std::any_of(sets.begin(), sets.end(), [&](const SetArgument& set) {
      return set.key == "optimizer" && (set.label.empty() || set.label == run.label);
    });
  };
  std::vector<std::string> said;
  for (const RunSpec& run : scene.runs) {
    if (!changed(run)) continue;
    std::string kept;
    for (const Setting& hparam : optimizer_hparams(run.optimizer)) {
      const auto own = run.hparams.find(hparam.name);
      const auto place = run.hparam_places.find(hparam.name);
      const bool of_scene = place != run.hparam_places.end() && !place->second.file.starts_with("--set");
      const double value = std::get<double>(hparam.value); // the optimizer's
      if (own == run.hparams.end() || !of_scene || own->second == value) continue;
      kept += fmt::format("{}{} = {} instead of {}", kept.empty() ? "" : ", ", hparam.name, short_number(own->second),
                          short_number(value));
    }
    if (kept.empty()) continue;
    std::string line = fmt::format("{} runs with the scene's {}; --set changes it", run.optimizer.name, kept);
    if (std::find(said.begin(), said.end(), line) == said.end()) said.push_back(std::move(line));
  }
  for (const std::string& line : said) fmt::print(stderr, "polarscope: {}\n", line);
}

} // namespace

Result<Scene> open_scene(const SceneArguments& arguments) {
  std::vector<SetArgument> sets;
  for (const std::string& text : arguments.sets) {
    auto set = parse_set(text);
    if (!set) return set.error();
    sets.push_back(std::move(*set));
  }
  auto scene = load(arguments, sets);
  if (!scene) return scene;
  explain_kept_numbers(*scene, sets);
  for (ExpectSpec& expect : scene->expect)
    if (!expect.step) expect.step = scene->steps;
  if (const auto& trace = scene->problem_values.trace; trace && arguments.steps && *arguments.steps > trace->steps())
    return bad_input(fmt::format("--steps {}: the trace has {} steps", *arguments.steps, trace->steps()));
  if (arguments.steps) {
    scene->schedule_steps = scene->steps;
    scene->steps = *arguments.steps;
  }
  if (arguments.seed) scene->seed = static_cast<std::uint64_t>(*arguments.seed);
  if (!arguments.precision.empty()) scene->precision = arguments.precision == "f64" ? Precision::f64 : Precision::f32;
  return scene;
}

std::optional<WrittenScene> written_scene(const SceneArguments& arguments, const Scene& scene) {
  if (scene.expect.empty() || (arguments.sets.empty() && !arguments.seed)) return std::nullopt;
  SceneArguments plain = arguments;
  plain.sets.clear();
  plain.seed.reset();
  const auto written = open_scene(plain);
  const char* why = !arguments.seed          ? "changed by --set"
                    : arguments.sets.empty() ? "changed by --seed"
                                             : "changed by --set or --seed";
  return WrittenScene{written ? *written : Scene{}, why};
}

NotJudged changed_runs(const SceneArguments& arguments, const Scene& scene) {
  const std::optional<WrittenScene> written = written_scene(arguments, scene);
  if (!written) return {};
  if (!written->scene.sweep) return changed_runs(written->scene, scene, written->why);
  const auto members = expanded(written->scene);
  return changed_runs(members ? *members : Scene{}, scene, written->why);
}

SessionOptions session_options(const SceneArguments& arguments) {
  SessionOptions options;
  options.device = arguments.device;
  options.threads = arguments.threads;
  return options;
}

Result<Computing> compute_to_end(Session& session, const std::function<bool()>& stop) {
  ProgressLine progress;
  const Clock::time_point start = Clock::now();
  long burst = 1; // how long a step takes is not known yet
  while (!session.at_end() && !InterruptGuard::requested() && !(stop && stop())) {
    const Clock::time_point slice = Clock::now();
    if (session.advance(burst) == 0 || session.fault()) break;
    const double took = since(slice);
    if (took < kSlice / 2) burst = std::min(burst * 2, kLargestBurst);
    if (took > kSlice * 2) burst = std::max(burst / 2, 1L);
    const long head = session.head(), steps = session.scene().steps;
    progress.draw(fmt::format("step {} of {}", head, steps), static_cast<double>(head) / static_cast<double>(steps),
                  since(start));
  }
  if (const auto& fault = session.fault()) return *fault;
  return Computing{since(start), InterruptGuard::requested()};
}

std::string device_name(const Frame& frame) { return frame.device.starts_with("CPU") ? "cpu" : "cuda"; }

Result<void> save_csv(const Frame& frame, Target& target) {
  if (auto done = write_csv(frame, target.file()); !done) return done;
  if (auto done = target.file().commit(); !done) return done;
  if (const std::string thinned = thinned_rows(frame); !thinned.empty())
    fmt::print(stderr, "polarscope: CSV: rows thinned, kept only {}\n", thinned);
  return {};
}

void explain_failures(const Report& report) {
  std::map<std::string, int> not_judged; // how many for each reason
  for (const ExpectReport& e : report.expect) {
    if (!e.not_judged.empty()) ++not_judged[e.not_judged];
    else if (e.reached && !e.held)
      fmt::print(stderr, "polarscope: expected {}, but it is {}\n", e.what, short_number(e.value));
  }
  for (const auto& [why, count] : not_judged)
    fmt::print(stderr, "polarscope: {} expectation{} not judged: {}\n", count, count == 1 ? "" : "s", why);
  for (const RunReport& run : report.runs)
    for (const InvariantStatus& i : run.invariants)
      if (!i.held()) fmt::print(stderr, "polarscope: '{}' broke '{}' at step {}\n", run.label, i.name, i.broken_at);
}

void explain_end(const Report& report) {
  if (report.interrupted)
    fmt::print(stderr, "polarscope: interrupted at step {} of {}\n", report.steps, report.steps_wanted);
  if (const std::string diverged = divergence_text(report); !diverged.empty())
    fmt::print(stderr, "polarscope: {}\n", diverged);
}

} // namespace polarscope
