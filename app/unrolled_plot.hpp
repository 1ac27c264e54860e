// The polar picture unrolled: net angle from the start direction to the right, as in the polar picture counted against
// the clock; log norm upwards; the loss is painted behind as columns and as a strip on top.
#pragma once

#include "app/plane_picture.hpp"
#include "app/plot.hpp"

#include <array>
#include <vector>

namespace polarscope {

struct UnrolledView {
  MeshCache field;
  DrawCache trails;
  std::array<double, 12> trails_key{};
  std::vector<int> label_slots;
  PlotAxis x; // degrees, as last drawn
};

// Angles are measured from the selected trail's start (or the first trail's). Draws into `area`.
void draw_unrolled(const Theme& theme, const Box& area, const PlanePicture& picture, bool keys, UnrolledView& view);

// Degrees between ticks at least so many pixels apart: 30 to 360, then whole turns.
double angle_tick_distance(const PlotAxis& axis, float least_pixels);

} // namespace polarscope
