// The polar picture unrolled: angle travelled from the start direction to the right, log norm upwards; the loss is
// painted behind as columns and as a strip on top.
#pragma once

#include "app/plane_picture.hpp"

#include <vector>

namespace polarscope {

struct UnrolledView {
  MeshCache field;
  std::vector<int> label_slots;
};

// Angles are measured from the selected trail's start (or the first trail's). Draws into `area`.
void draw_unrolled(const Theme& theme, const Box& area, const PlanePicture& picture, bool keys, UnrolledView& view);

} // namespace polarscope
