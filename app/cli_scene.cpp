#include "app/cli_scene.hpp"

#include "app/cli.hpp"
#include "app/cli_usage.hpp"
#include "engine/files.hpp"
#include "engine/trace.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <limits>

namespace polarscope {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSlice = 0.05;           // seconds of computing between looks at the interrupt
constexpr double kProgressAfter = 0.5;    // seconds before a progress line is worth its flicker
constexpr long kLargestBurst = 1'000'000; // steps

std::atomic<bool> interrupt_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

// The first asks; the second ends the program without waiting for a step that takes long.
void on_interrupt(int) {
  if (!interrupt_requested.exchange(true)) return;
  remove_unfinished_files();
  _exit(kExitInterrupted);
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
  struct sigaction action {};
};

InterruptGuard::InterruptGuard() : previous_(std::make_unique<Previous>()) {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_->action);
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &previous_->action, nullptr); }

bool InterruptGuard::requested() { return interrupt_requested; }

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

void add_trace_options(CLI::App& command, SceneArguments& arguments) {
  command.add_option("TRACE", arguments.scene, "A .safetensors file with gradient/<P> and weight/<P>")->required();
  command.add_option("--optimizer", arguments.optimizer, "A preset's name or a TOML file")->type_name("NAME|FILE");
  command.add_option("--run", arguments.run, "Which run of a recording of several")->type_name("LABEL");
  add_shared_options(command, arguments);
}

namespace {

Result<Scene> load(const SceneArguments& arguments, const std::vector<SetArgument>& sets) {
  if (!arguments.scene.ends_with(".safetensors") && arguments.optimizer.empty())
    return load_scene(arguments.scene, sets);
  auto scene = trace_scene(arguments.scene, arguments.run, arguments.optimizer);
  if (!scene || sets.empty()) return scene;
  return parse_scene(to_toml(*scene), "--set", sets);
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
  for (ExpectSpec& expect : scene->expect)
    if (!expect.step) expect.step = scene->steps;
  if (arguments.steps) {
    scene->schedule_steps = scene->steps;
    scene->steps = *arguments.steps;
  }
  if (arguments.seed) scene->seed = static_cast<std::uint64_t>(*arguments.seed);
  if (!arguments.precision.empty()) scene->precision = arguments.precision == "f64" ? Precision::f64 : Precision::f32;
  return scene;
}

SessionOptions session_options(const SceneArguments& arguments) {
  SessionOptions options;
  options.device = arguments.device;
  options.threads = arguments.threads;
  return options;
}

Computing compute_to_end(Session& session, const std::function<bool()>& stop) {
  ProgressLine progress;
  const Clock::time_point start = Clock::now();
  long burst = 1; // how long a step takes is not known yet
  while (!session.at_end() && !InterruptGuard::requested() && !(stop && stop())) {
    const Clock::time_point slice = Clock::now();
    if (session.advance(burst) == 0) break; // every run has diverged
    const double took = since(slice);
    if (took < kSlice / 2) burst = std::min(burst * 2, kLargestBurst);
    if (took > kSlice * 2) burst = std::max(burst / 2, 1L);
    const long head = session.head(), steps = session.scene().steps;
    progress.draw(fmt::format("step {} of {}", head, steps), static_cast<double>(head) / static_cast<double>(steps),
                  since(start));
  }
  return {since(start), InterruptGuard::requested()};
}

std::string device_name(const Frame& frame) { return frame.device.starts_with("CPU") ? "cpu" : "cuda"; }

void explain_failures(const Report& report) {
  for (const ExpectReport& e : report.expect)
    if (e.reached && !e.held)
      fmt::print(stderr, "polarscope: expected {}, but it is {}\n", e.what, short_number(e.value));
  for (const RunReport& run : report.runs)
    for (const InvariantStatus& i : run.invariants)
      if (!i.held()) fmt::print(stderr, "polarscope: '{}' broke '{}' at step {}\n", run.label, i.name, i.broken_at);
}

} // namespace polarscope
