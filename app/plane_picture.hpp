// What the polar, unrolled and sphere drawings need, as plain numbers: no engine type, so that they draw anything.
// And the parts that these drawings have in common.
#pragma once

#include "app/labels.hpp"
#include "app/stroke.hpp"
#include "app/theme.hpp"

#include "imgui.h"

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

// One run's path, oldest point first; the last one is where it is now (at the cursor).
struct PlaneTrail {
  RunStyle style{};
  std::string name;       // "A  SGD", written beside the point; empty: not written
  std::string short_name; // "A"
  bool selected = false;
  bool dimmed = false; // parent of a fork, or another run is soloed
  std::vector<long> step;
  std::vector<float> angle;                     // radians in the plane, unwrapped
  std::vector<float> radius;                    // full norm
  std::vector<float> ghost_angle, ghost_radius; // the path before the last edit from step 0, drawn faint
  bool draggable = true;                        // its start has a handle
  bool ended = false;                           // diverged: the last point is where it was last finite
};

// The loss as a function of the angle: value k at angle 2πk/n. Empty: not known (yet).
struct PlaneField {
  std::vector<float> loss;
  float low = 0, high = 1;      // values of the palest and the deepest shade
  std::uint64_t generation = 0; // changes with the numbers
  std::optional<double> norm;   // of the weights it was computed at, where the loss depends on it
  bool empty() const { return loss.empty(); }
  float level(float angle) const; // 0 to 1, interpolated
};
// "loss", or "loss at norm 3" where it depends on the norm.
std::string field_words(const PlaneField& field);
// Sets low and high from the numbers; low is 0 when the smallest value is near 0.
void set_field_range(PlaneField& field);
struct Well {
  float angle, loss;
};
// Local minima that are at least 5 % of the range deep, lowest first, at most `most`.
std::vector<Well> find_wells(const PlaneField& field, std::size_t most);

// The last update of one run, in the plane. Radial is along the direction of the weight in the plane, tangential
// towards growing angle, in units of the weight.
struct PlaneUpdate {
  int trail = 0;
  float radial = 0, tangential = 0;
  float gradient_radial = 0, gradient_tangential = 0; // −∇L, its direction counts only; both 0: not known
};

struct PlanePicture {
  std::vector<PlaneTrail> trails;
  PlaneField field;
  std::optional<PlaneUpdate> update;
  double share = std::numeric_limits<double>::quiet_NaN(); // of the last update in the plane; NaN: no update yet
  bool whole_space = false;                                // the parameter has two elements: nothing is hidden
  float radius_least = 0, radius_most = 1;                 // over every stored point, so that the rings keep still
  std::string empty_text;                                  // what to say when there is nothing to draw
  std::string note;                                        // one line: why the plane is another than was chosen
  std::string field_note;                                  // one line: why there is no field yet; "" for none
  std::uint64_t generation = 0; // changes with the trails; 0: not known, so nothing drawn is kept
};
// Arrows of an update that the plane hardly shows are drawn faint: below this share.
inline constexpr double kFaintShare = 0.1;

// A start point being dragged, in data coordinates.
struct StartDrag {
  int trail = 0;
  float angle = 0, radius = 0;
  bool released = false; // the last report of this drag
  bool given_up = false; // by Esc: the start goes back to where it was
};

// ---- parts that the drawings share --------------------------------------------------------------------------------

// A path whose age fades by mixing towards the colour behind each point; oldest point first. `step` empty: a ghost, of
// one faint age. Points may be a part of the path: age runs from step `oldest` to `newest`.
struct FadingPath {
  std::span<const ImVec2> points;
  std::span<const long> step;
  long oldest = 0, newest = 0;
  const std::function<ImU32(std::size_t)>& under; // colour behind point i
};
void draw_fading_path(ImDrawList* list, const Theme& theme, const FadingPath& path, ImU32 colour, bool selected,
                      bool dimmed, float opacity = 1);

void draw_now_marker(ImDrawList* list, const Theme& theme, ImVec2 at, const RunStyle& style, bool selected,
                     bool dimmed);
// ✕ where a run diverged.
void draw_ended(ImDrawList* list, const Theme& theme, ImVec2 at);
// How starts that stand close together are told apart.
struct StartLook {
  bool drawn = true;   // one of several at the same point stands for all
  bool shared = false; // it does: drawn in ink, not in one run's colour
  bool alone = true;   // no other start so near that its chevrons would be crossed
  float glow = 1;      // 0 to 1: of neighbours only the first glows, and less the more starts there are
};
void start_looks(const Theme& theme, std::span<const ImVec2> starts, std::vector<StartLook>& looks);
// Ring over a glow; with `along` (unit vector in pixels) also two chevrons that say how it can be dragged.
void draw_start_handle(ImDrawList* list, const Theme& theme, ImVec2 at, ImU32 colour, std::optional<ImVec2> along,
                       bool active, float glow = 1);

// Name and norm on plates with leaders, pushed apart; `slots` remembers places between frames. `crossable`: kept free as
// well while every label finds room.
struct NowLabel {
  ImVec2 at;
  std::string name, norm;             // norm empty: only the name
  std::optional<RunStyle> style = {}; // marker before the name
};
void draw_now_labels(ImDrawList* list, const Theme& theme, std::span<const NowLabel> labels, const Box& area,
                     std::span<const Box> obstacles, bool one_line, std::vector<int>& slots,
                     std::span<const Box> crossable = {});

// "last update of C, ×20" and the four arrows; returns the height used. `bottom_left` in pixels. `faint`: as they are
// drawn where the plane hardly shows the update.
float draw_arrow_key(ImDrawList* list, const Theme& theme, ImVec2 bottom_left, ImU32 run_colour, std::string_view title,
                     bool with_gradient, bool faint = false);
float arrow_key_height(const Theme& theme, bool with_gradient); // with its title
// The style's colour mixed towards `ground`, for arrows that must not be read at full strength.
ArrowStyle faint_arrow(ArrowStyle style, ImU32 ground);
// Gradient bar with its ends' values, ending at `bottom_right`.
void draw_field_key(ImDrawList* list, const Theme& theme, ImVec2 bottom_right, const PlaneField& field,
                    std::string_view words);
// The ends of a range with two digits, or as many as tell them apart.
std::pair<std::string, std::string> end_words(double low, double high);
// "this plane shows 21 % of the last update" and a meter, from `at` (left, middle) or ending there.
void draw_share(ImDrawList* list, const Theme& theme, ImVec2 at, double share, bool ends_here);
float share_width(const Theme& theme, double share); // of that line
void draw_empty_text(ImDrawList* list, const Theme& theme, const Box& area, std::string_view words);

// Vertices that stay the same from frame to frame.
class MeshCache {
public:
  // True when `key` differs from the one it was built for; then build between start() and the next append().
  bool stale(std::span<const double> key);
  void clear();
  unsigned vertex(ImVec2 at, ImU32 colour); // returns its index
  void triangle(unsigned a, unsigned b, unsigned c);
  void quad(unsigned a, unsigned b, unsigned c, unsigned d);
  void append(ImDrawList* list) const;
  std::size_t vertices() const { return vertices_.size(); }

private:
  struct Vertex {
    ImVec2 at;
    ImU32 colour;
  };
  std::vector<double> key_;
  std::vector<Vertex> vertices_;
  std::vector<unsigned> indices_;
};

// A round number near `value`: 1, 2 or 5 times a power of ten, the largest not above it.
double nice_below(double value);
std::uint64_t theme_key(const Theme& theme); // changes when any colour or size may

} // namespace polarscope
