// Where the key that saves a picture writes it.
#pragma once

#include "app/view_state.hpp"
#include "engine/scene.hpp"

#include <string>

namespace polarscope {

// "polarscope-interference-gains-show-step-40.png" in the working directory; where that is taken "…-step-40-2.png", "-3"
// and so on, so that nothing is overwritten.
std::string free_picture_name(const Scene& scene, LayoutKind layout, long step);

} // namespace polarscope
