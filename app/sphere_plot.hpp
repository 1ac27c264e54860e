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
// The loss at every tenth of its range, as chains of unit vectors.
void make_contours(const SphereField& field, std::vector<std::vector<Point3>>& chains);

struct SphereTrail {
  RunStyle style{};
  std::string name, short_name;
  bool selected = false, dimmed = false;
  bool ended = false; // diverged
  std::vector<long> step;
  std::vector<Point3> point; // the weight itself
};
struct SpherePicture {
  std::vector<SphereTrail> trails;
  SphereField field;
  float unit = 1; // norm that the painted sphere stands for
  std::string empty_text, note;
  std::uint64_t scene = 0; // the camera turns to `aim` when it changes
  Point3 aim{};            // where the runs are; zero: unknown
};
struct SphereWell {
  Point3 direction;
  float loss;
};
// Local minima on the grid at least 5 % of the range below what surrounds them, lowest first, at most `most`.
std::vector<SphereWell> find_wells(const SphereField& field, std::size_t most);

struct SphereView {
  float yaw = 0.6f, pitch = 0.45f; // radians: turn about the vertical, tilt towards the viewer
  float reach = 1;                 // of what is seen, in units of the sphere; grows only until aimed anew
  std::uint64_t aimed_at = 0;      // scene whose action the camera was turned to
  std::vector<int> label_slots;
  // contours of the loss every tenth of its range, as chains of unit vectors
  std::vector<std::vector<Point3>> contours;
  std::vector<float> levels; // of the drawing mesh's corners
  std::vector<SphereWell> wells;
  MeshCache back, front; // the painted halves, kept until turned
  DrawCache lines[2];    // graticule and contours, behind and in front
  std::array<double, 7> lines_key[2]{};
  std::uint64_t levels_of = 0;
};
// Turns the camera so that `direction` faces the viewer.
void aim(SphereView& view, const Point3& direction);
// By radians; false when that is nothing.
bool turn(SphereView& view, float yaw, float pitch);
// Where a direction is seen: x right, y up, z towards the viewer.
Point3 seen(const SphereView& view, const Point3& direction);

// Draws into `area`; the item "sphere" takes drags. Returns true when they turned the view.
bool draw_sphere(const Theme& theme, const Box& area, const SpherePicture& picture, bool keys, SphereView& view);

} // namespace polarscope
