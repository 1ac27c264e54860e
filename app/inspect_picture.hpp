// A picture of an inspected checkpoint, in the window's own look, drawn without a display: for each matrix its row
// norms and singular values by rank, a second checkpoint on top, and how far each row moved along and across its
// direction.
#pragma once

#include "app/image.hpp"
#include "engine/inspect.hpp"
#include "engine/result.hpp"

namespace polarscope {

inline constexpr std::size_t kMostPictured = 12; // matrices; the picture says how many it leaves out

// No OpenGL is an error of kind machine_lacks; a checkpoint without a matrix gives a picture that says so.
Result<Image> render_inspection(const InspectReport& report);

} // namespace polarscope
