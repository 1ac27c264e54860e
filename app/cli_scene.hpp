// What the commands that run a scene share: their options, opening, and computing with progress and interrupt.
#pragma once

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
  std::string precision; // "" = the scene's
  std::string device = "auto";
  int threads = 0;
};

// SCENE, --set, --steps, --seed, --device, --threads, --precision.
void add_scene_options(CLI::App& command, SceneArguments& arguments);

// The scene with the arguments applied. Expectations keep the steps that the file means, whatever --steps says.
Result<Scene> open_scene(const SceneArguments& arguments);
SessionOptions session_options(const SceneArguments& arguments);

// While one lives, SIGINT asks to stop and is answered between bursts; a second SIGINT ends the program at once.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool requested();

private:
  struct Previous;
  std::unique_ptr<Previous> previous_;
};

struct Computing {
  double seconds = 0;
  bool interrupted = false; // by SIGINT: what was computed stays
};

// Computes to the scene's last step, or until SIGINT where a guard lives, or until `stop` says so, which is asked
// between bursts. Draws a progress line with the time left when stderr is a terminal.
Computing compute_to_end(Session& session, const std::function<bool()>& stop = {});

} // namespace polarscope
