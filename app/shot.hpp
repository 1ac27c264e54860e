// A picture of the program's window, drawn without a display.
#pragma once

#include "app/image.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"
#include "engine/session.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace polarscope {

struct ShotOptions {
  std::optional<long> step; // the scene is computed to its end or this step, which is the one shown; absent: the end
  std::string layout = "study";   // study | show | bench
  std::string theme;              // dark | light | projector; "" = dark for Study, projector for Show
  int width = 1440, height = 900; // pixels
  float scale = 1;                // 1 = 100 %
  SessionOptions session = {};
  std::function<bool()> stop = {}; // asked between frames of the window: true gives the picture up
};

// The same scene, step and options give the same picture on one machine. Errors: no OpenGL (machine_lacks), a scene that
// cannot run, an unknown layout or theme (bad_input).
Result<Image> render_shot(Scene scene, const ShotOptions& options);
// The same of a session that may have computed it already.
Result<Image> render_shot(std::unique_ptr<Session> session, const ShotOptions& options);
// And writes it as a PNG file; "-" is standard output.
Result<void> write_shot(Scene scene, const ShotOptions& options, const std::string& path);
Result<void> write_shot(std::unique_ptr<Session> session, const ShotOptions& options, const std::string& path);

} // namespace polarscope
