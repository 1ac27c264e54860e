// A parameter of three numbers on its sphere: direction is a point of the sphere, painted with the loss; the norm is
// how far the path stands off it. Orthographic, turned by dragging.
#pragma once

#include "app/plane_picture.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace polarscope {

using Point3 = std::array<float, 3>;

// Loss on a grid of directions: rows from the north pole (w₃ up) to the south pole, both included; columns are
// longitudes 0 … 2π, the last one left out.
struct SphereField {
  int rows = 0, cols = 0;
  std::vector<float> loss; // rows × cols; empty: not known
  float low = 0, high = 1;
  std::uint64_t generation = 0;
  bool empty() const { return loss.empty(); }
  float level(Point3 direction) const; // 0 to 1, of a unit vector, interpolated
};
void set_field_range(SphereField& field);

struct SphereTrail {
  RunStyle style{};
  std::string name, short_name;
  bool selected = false, dimmed = false;
  std::vector<long> step;
  std::vector<Point3> point; // the weight itself
};
struct SpherePicture {
  std::vector<SphereTrail> trails;
  SphereField field;
  float unit = 1; // norm that the painted sphere stands for
  std::string empty_text;
};

struct SphereView {
  float yaw = 0.6f, pitch = 0.45f; // radians: turn about the vertical, tilt towards the viewer
  std::vector<int> label_slots;
  // contours of the loss every tenth of its range, as chains of unit vectors
  std::vector<std::vector<Point3>> contours;
  std::vector<float> levels; // of the drawing mesh's corners
  MeshCache back, front;     // the painted halves, kept until turned
  std::uint64_t levels_of = 0;
};

// Draws into `area`; the item "sphere" takes the drags, arrow keys turn it when it has focus. Returns true when the
// view was turned.
bool draw_sphere(const Theme& theme, const Box& area, const SpherePicture& picture, bool keys, SphereView& view);

} // namespace polarscope
