// What the commands that run a scene share: their options, opening, and computing with progress and interrupt.
#pragma once

#include "engine/files.hpp"
#include "engine/report.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"
#include "engine/session.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace polarscope {

struct SceneArguments {
  std::string scene;
  std::vector<std::string> sets;
  std::optional<long> steps, seed;
  std::string precision;      // "" = the scene's
  std::string optimizer, run; // of a trace: what it goes through, and which run of several; "" as trace_scene has it
  std::string device = "auto";
  int threads = 0;
};

// SCENE, --set, --steps, --seed, --device, --threads, --precision.
void add_scene_options(CLI::App& command, SceneArguments& arguments);
// The same with --scene SCENE.
void add_named_scene_options(CLI::App& command, SceneArguments& arguments);
// TRACE, --optimizer, --run and those of the former that a trace has.
void add_trace_options(CLI::App& command, SceneArguments& arguments);
// Of the window, which opens either: the same with SCENE optional.
void add_window_options(CLI::App& command, SceneArguments& arguments);

// The scene, or the recorded gradients of a .safetensors file as one, with the arguments applied. Expectations keep the
// steps that the file means, whatever --steps says.
Result<Scene> open_scene(const SceneArguments& arguments);
SessionOptions session_options(const SceneArguments& arguments);

// The scene without --set and --seed, where these may have changed runs that it expects something of.
std::optional<WrittenScene> written_scene(const SceneArguments& arguments, const Scene& scene);
// The runs of the scene, a sweep's members among them, that --set or --seed made other experiments than those its
// expectations were written for.
NotJudged changed_runs(const SceneArguments& arguments, const Scene& scene);

// While one lives, SIGINT, SIGTERM and SIGHUP ask to stop and are answered between bursts; a second one ends the program
// at once. Either way nothing half-written stays behind.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool requested();
  static int exit_code(); // as a shell reports the signal that asked: 130, 143

private:
  struct Previous;
  std::unique_ptr<Previous> previous_;
};

// One line on stderr that is drawn over and over, on a terminal only, once there is time for it.
class ProgressLine {
public:
  ProgressLine();
  ~ProgressLine(); // takes the line away
  // `part` of all is done after so many seconds, 0 to 1.
  void draw(const std::string& what, double part, double seconds);
  void clear();

private:
  bool terminal_, drawn_ = false;
};

struct Computing {
  double seconds = 0;
  bool interrupted = false; // by a signal: what was computed stays
};

// Computes to the scene's last step, or until a signal where a guard lives, or until `stop` says so, which is asked
// between bursts. Draws a progress line with the time left when stderr is a terminal. An error where the session has a
// fault: then nothing of it is to be written.
Result<Computing> compute_to_end(Session& session, const std::function<bool()>& stop = {});

// A file that is opened before the run starts, so that a bad name costs no computing.
class Target {
public:
  Result<void> open(const std::string& path) {
    if (path.empty()) return {};
    auto file = OutputFile::open(path);
    if (!file) return file.error();
    file_ = std::make_unique<OutputFile>(std::move(*file));
    return {};
  }
  explicit operator bool() const { return file_ != nullptr; }
  OutputFile& file() { return *file_; }
  Result<void> write(const std::string& text) {
    if (auto done = file_->write(text); !done) return done;
    return file_->commit();
  }

private:
  std::unique_ptr<OutputFile> file_;
};

std::string device_name(const Frame& frame); // as --device takes it

// Writes the series; on stderr one line where rows were thinned.
Result<void> save_csv(const Frame& frame, Target& target);

// On stderr what the report's table would say of expectations and broken invariants, where the table is not printed.
void explain_failures(const Report& report);
// On stderr, as the last lines: that computing was interrupted, and which runs diverged.
void explain_end(const Report& report);

} // namespace polarscope
