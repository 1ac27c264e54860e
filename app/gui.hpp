// The program's window: opens a scene and lets the user work with it until the window is closed.
#pragma once

#include "engine/result.hpp"
#include "engine/scene.hpp"
#include "engine/session.hpp"

#include <string>

namespace polarscope {

struct GuiOptions {
  std::string layout; // study | show; "" = the scene's
  std::string theme;  // dark | light | projector; "" = as remembered
  float scale = 0;    // 1 = 100 %; 0 = the monitor's
  SessionOptions session = {};
  std::string notice = {}; // what the status bar says first
};

// Returns when the window was closed and the engine thread has ended. A missing display or device is an error of kind
// machine_lacks, a scene that cannot run one of kind bad_input.
Result<void> run_window(Scene scene, const GuiOptions& options = {});

} // namespace polarscope
