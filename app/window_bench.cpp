#include "app/window_bench.hpp"

#include "app/shell.hpp"
#include "app/thread_time.hpp"
#include "app/window.hpp"
#include "engine/bench_harness.hpp"
#include "engine/driver.hpp"
#include "engine/scene.hpp"

#include "imgui.h"
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <utility>

#include <sys/resource.h>

namespace polarscope {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr double kFrame = 1.0 / 60;
constexpr int kFrames = 200; // timed of each kind
constexpr long kRuns = 64, kSteps = 100'000;
// Budgets: a frame of 64 runs, a start, a key's picture, the redraw of a dragged run, an idle window.
constexpr double kFrameLimitMs = 2.5, kStartLimitMs = 2000, kKeyLimitFrames = 3, kRedrawLimitMs = 30,
                 kIdleLimitPercent = 2, kWatchedLimitPercent = 15;

// The application on the null back end, its engine turned by hand.
struct Bench {
  std::unique_ptr<Window> window;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<Shell> shell;

  void settle() {
    do driver->pump(0);
    while (driver->busy());
  }
  // Of this thread's processor time: what others do meanwhile is not the frame's cost.
  double timed_frame() {
    const double start = thread_cpu_seconds();
    shell->draw();
    return thread_cpu_seconds() - start;
  }
};

Result<Bench> open_bench(Scene scene, bool threaded = false) {
  Bench b;
  SessionOptions options;
  options.device = "cpu";
  auto session = Session::open(std::move(scene), options);
  if (!session) return session.error();
  WindowOptions wish;
  wish.width = 1440, wish.height = 900;
  auto window = Window::open(WindowKind::null, wish);
  if (!window) return window.error();
  b.window = std::move(*window);
  Window* w = b.window.get();
  if (threaded) b.driver = std::make_unique<Driver>(std::move(*session), options, true, [w] { w->request_redraw(); });
  else b.driver = std::make_unique<Driver>(std::move(*session), options, false);
  auto shell = Shell::make(*b.window, *b.driver, {.remember = false, .lesson = false});
  if (!shell) return shell.error();
  b.shell = std::move(*shell);
  return b;
}

// Runs of four optimizers on 8 × 16 rows, at rates from 0.001 on.
Result<Scene> scene_of_runs(long runs, long steps) {
  static constexpr const char* kOptimizers[] = {"sgd", "adamw", "momentum", "rmnp"};
  std::string text =
      fmt::format("[scene]\ntitle = \"bench\"\nseed = 1\nsteps = {}\n[problem]\nkind = \"rows\"\n", steps);
  for (long i = 0; i < runs; ++i)
    text += fmt::format("[[run]]\nlabel = \"r{}\"\noptimizer = \"{}\"\nhparam.lr = {}\n", i, kOptimizers[i % 4],
                        0.001 * static_cast<double>(1 + i));
  return parse_scene(text, "bench.toml");
}

// A row of numbers that are not rates: less is better.
BenchRow row_of(std::string id, std::string name, std::string unit, const std::vector<double>& values, double limit) {
  BenchRow row = row_of_values(std::move(id), std::move(name), std::move(unit), values);
  row.limit = limit;
  return row;
}

Result<std::vector<BenchRow>> bench_frames() {
  auto scene = scene_of_runs(kRuns, kSteps);
  if (!scene) return scene.error();
  auto opened = open_bench(std::move(*scene));
  if (!opened) return opened.error();
  Bench& b = *opened;
  b.driver->send(command::ComputeTo{kSteps});
  b.settle();
  for (int i = 0; i < 20; ++i) b.shell->draw(), b.settle();
  std::vector<double> still, scrub;
  for (int i = 0; i < kFrames; ++i) still.push_back(1e3 * b.timed_frame());
  for (int i = 0; i < kFrames; ++i) {
    b.driver->send(command::MoveCursor{kSteps - 1 - i * (kSteps / (2 * kFrames))});
    b.settle();
    scrub.push_back(1e3 * b.timed_frame());
  }
  const std::string what = fmt::format("{} runs x {} steps, building a frame, ", kRuns, kSteps);
  return std::vector<BenchRow>{row_of("B13", what + "nothing moves", "ms", still, kFrameLimitMs),
                               row_of("B13", what + "cursor moves", "ms", scrub, kFrameLimitMs)};
}

Result<std::vector<BenchRow>> bench_start() {
  std::vector<double> ms;
  for (int i = 0; i < 7; ++i) {
    const auto start = Clock::now();
    auto scene = load_scene("first_look");
    if (!scene) return scene.error();
    auto b = open_bench(std::move(*scene));
    if (!b) return b.error();
    b->shell->draw();
    ms.push_back(1e3 * seconds_since(start));
  }
  return std::vector<BenchRow>{
      row_of("B14", "first_look: scene file to first frame, null back end", "ms", ms, kStartLimitMs)};
}

Result<std::vector<BenchRow>> bench_key() {
  auto scene = load_scene("first_look");
  if (!scene) return scene.error();
  auto b = open_bench(std::move(*scene));
  if (!b) return b.error();
  for (int i = 0; i < 5; ++i) b->driver->pump(kFrame), b->shell->draw();
  std::vector<double> frames, ms;
  for (int i = 0; i < 20; ++i) {
    const long before = b->shell->frame().cursor;
    const auto start = Clock::now();
    ImGui::GetIO().AddKeyEvent(ImGuiKey_RightArrow, true);
    int count = 0;
    while (b->shell->frame().cursor == before && count < 60) {
      b->shell->draw();
      b->driver->pump(kFrame);
      ++count;
    }
    frames.push_back(count);
    ms.push_back(1e3 * seconds_since(start));
    ImGui::GetIO().AddKeyEvent(ImGuiKey_RightArrow, false);
    for (int k = 0; k < 3; ++k) b->shell->draw(), b->driver->pump(kFrame);
  }
  return std::vector<BenchRow>{
      row_of("B16", "key of one step: frames until it is in the picture", "frames", frames, kKeyLimitFrames),
      row_of("B16", "key of one step: work until it is in the picture", "ms", ms, kRedrawLimitMs)};
}

// From a start moved under the hand to the frame with its new path.
Result<std::vector<BenchRow>> bench_drag() {
  auto scene = scene_of_runs(2, 1000); // the second is AdamW
  if (!scene) return scene.error();
  auto b = open_bench(std::move(*scene));
  if (!b) return b.error();
  b->driver->send(command::ComputeTo{1000});
  b->settle();
  b->shell->draw();
  const RunFrame run = b->driver->frame()->runs.back();
  std::vector<double> point = run.start->front(), ms;
  for (int i = 0; i < 20; ++i) {
    for (double& x : point) x *= 1.01;
    const auto start = Clock::now();
    b->driver->send(command::MoveStart{run.id, run.program->parameters().front().name, point, true});
    b->settle();
    b->shell->draw();
    ms.push_back(1e3 * seconds_since(start));
  }
  return std::vector<BenchRow>{
      row_of("B16", "redraw of a dragged run: AdamW, 8 x 16, 1000 steps", "ms", ms, kRedrawLimitMs)};
}

double own_cpu_seconds() {
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  const auto seconds = [](const timeval& v) {
    return static_cast<double>(v.tv_sec) + 1e-6 * static_cast<double>(v.tv_usec);
  };
  return seconds(own.ru_utime) + seconds(own.ru_stime);
}

// The window's loop as it runs on a display, for so long.
void turn_window(Bench& b, double seconds) {
  for (const auto start = Clock::now(); seconds_since(start) < seconds;) {
    const double wait = b.shell->seconds_until_draw();
    if (b.window->wait_events(std::min(wait, seconds - seconds_since(start))) || wait < Shell::kIdleSeconds)
      b.shell->draw();
  }
}

// Nothing touched, for a second at a time.
Result<std::vector<BenchRow>> bench_idle() {
  auto scene = load_scene("first_look");
  if (!scene) return scene.error();
  auto b = open_bench(std::move(*scene), true);
  if (!b) return b.error();
  turn_window(*b, 1); // first frames, loss field
  std::vector<double> percent;
  for (int i = 0; i < 3; ++i) {
    const double before = own_cpu_seconds();
    const auto start = Clock::now();
    turn_window(*b, 1);
    percent.push_back(100 * (own_cpu_seconds() - before) / seconds_since(start));
  }
  return std::vector<BenchRow>{row_of("B16", "paused, untouched: share of one core", "%", percent, kIdleLimitPercent)};
}

// Sixteen networks of width 64 that play as fast as they can, in the window and by themselves, a second each in turns.
Result<std::vector<BenchRow>> bench_watched() {
  std::string text = "[scene]\ntitle = \"bench\"\nseed = 1\nsteps = 100000000\n"
                     "[problem]\nkind = \"mlp\"\nlayers = 3\nwidth = 64\n";
  for (int i = 0; i < 16; ++i)
    text += fmt::format("[[run]]\nlabel = \"r{}\"\noptimizer = \"adamw\"\nhparam.lr = {}\n", i, 1e-4 * (1 + i));
  auto watched = parse_scene(text, "bench.toml"), alone = watched;
  if (!watched) return watched.error();
  auto window = open_bench(std::move(*watched), true);
  if (!window) return window.error();
  SessionOptions options;
  options.device = "cpu";
  auto session = Session::open(std::move(*alone), options);
  if (!session) return session.error();
  window->driver->send(command::SetSpeed{0});
  constexpr double kTurn = 1; // seconds
  std::vector<double> percent;
  for (int turn = 0; turn < 4; ++turn) {
    window->driver->send(command::Play{});
    const long before = window->driver->frame()->head;
    turn_window(*window, kTurn);
    window->driver->send(command::Pause{});
    while (window->driver->busy()) turn_window(*window, 0.01);
    const double in_window = static_cast<double>(window->driver->frame()->head - before) / kTurn;
    const double by_itself = static_cast<double>((*session)->advance(std::numeric_limits<long>::max(), kTurn)) / kTurn;
    if (turn > 0) percent.push_back(100 * (1 - in_window / by_itself)); // the first one warms up
  }
  return std::vector<BenchRow>{row_of("B16", "16 networks of width 64: speed that the open window costs them", "%",
                                      percent, kWatchedLimitPercent)};
}

Result<std::vector<BenchRow>> bench_interaction() {
  std::vector<BenchRow> rows;
  for (const auto part : {bench_key, bench_drag, bench_idle, bench_watched}) {
    auto made = part();
    if (!made) return made.error();
    rows.insert(rows.end(), std::make_move_iterator(made->begin()), std::make_move_iterator(made->end()));
  }
  return rows;
}

} // namespace

std::vector<MoreBench> window_benchmarks() {
  return {{{"B13", fmt::format("building a frame of {} runs x {} steps, after half a minute of computing them", kRuns,
                               kSteps)},
           bench_frames},
          {{"B14", "from a scene's file to the first frame of the window"}, bench_start},
          {{"B16", "key to picture, redraw of a drag, idling, training while the window is drawn"}, bench_interaction}};
}

} // namespace polarscope
