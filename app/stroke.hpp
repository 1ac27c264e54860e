// Lines as the plots want them: a colour and a width at every point, joints without lumps, dashes, halos; and the
// small figures made of them: markers, arrows, glows.
//
// Joints below 35° of turn are mitred, sharper ones get a round outer wedge, so that noise neither spikes nor thins.
#pragma once

#include "app/theme.hpp"

#include "imgui.h"

#include <span>
#include <string_view>
#include <vector>

namespace polarscope {

// Points in pixels. Colours and widths have one entry for the whole line or one per point. Neighbours nearer than
// 0.05 px are skipped; fewer than two distinct points draw nothing. Widths in pixels.
void stroke(ImDrawList* list, std::span<const ImVec2> points, std::span<const ImU32> colours,
            std::span<const float> widths, bool closed = false);
void stroke(ImDrawList* list, std::span<const ImVec2> points, ImU32 colour, float width, bool closed = false);
void stroke_line(ImDrawList* list, ImVec2 from, ImVec2 to, ImU32 colour, float width);

// `pattern`: lengths in pixels, on and off in turn; empty: solid. `phase`: how far into the pattern it starts.
void stroke_dashed(ImDrawList* list, std::span<const ImVec2> points, ImU32 colour, float width,
                   std::span<const float> pattern, float phase = 0);
// A run's dash for a line of this width: the table's lengths are for 2 px.
std::vector<float> dash_pattern(const Theme& theme, const RunStyle& style);

// Leaves out points nearer than `least` pixels to the last kept one; keeps first and last. Fills indices kept.
void thin_points(std::span<const ImVec2> points, float least, std::vector<int>& kept);

// Whole-pixel rectangles: never grey, never two pixels wide.
void crisp_horizontal(ImDrawList* list, float x0, float x1, float y, ImU32 colour, float thickness = 1);
void crisp_vertical(ImDrawList* list, float x, float y0, float y1, ImU32 colour, float thickness = 1);

// Markers have about equal area for equal radius. halo in pixels, 0 for none.
void draw_marker(ImDrawList* list, Marker marker, ImVec2 centre, float radius, ImU32 colour, ImU32 halo_colour = 0,
                 float halo = 0);

enum class ArrowHead { solid, open, bar };
struct ArrowStyle {
  ImU32 colour;
  float width; // pixels
  ArrowHead head;
  std::span<const float> dash = {}; // pixels
  ImU32 halo_colour = 0;
  float halo = 0; // pixels beyond the line
};
// From tail to tip; shorter than 1.5 px draws nothing. The head shrinks with short arrows.
void draw_arrow(ImDrawList* list, ImVec2 tail, ImVec2 tip, const ArrowStyle& style);

// The arrow kinds of an update, the same wherever an update is drawn.
enum class UpdatePart { update, tangential, radial, gradient };
// `scratch` keeps the dash lengths alive for as long as the style is used.
ArrowStyle arrow_style(const Theme& theme, UpdatePart part, ImU32 run_colour, ImU32 halo_colour,
                       std::vector<float>& scratch);
std::string_view arrow_words(UpdatePart part);

// Strokes and fills put into a draw list between begin() and end(), kept to be put into later frames as they are. Text
// and clip rectangles cannot be kept.
class DrawCache {
public:
  void begin(const ImDrawList* list);
  void end(const ImDrawList* list);
  // False when nothing is kept, or the font texture changed meanwhile, where solid colour comes from: draw anew.
  bool replay(ImDrawList* list) const;
  void clear() { vertices_.clear(), indices_.clear(), kept_ = false; }

private:
  bool kept_ = false;
  int first_vertex_ = 0, first_index_ = 0;
  ImVec2 uv_{};
  std::vector<ImDrawVert> vertices_;
  std::vector<ImDrawIdx> indices_; // from the first of its vertices
};

// A soft light: three rings, brightest in the middle.
void draw_glow(ImDrawList* list, ImVec2 centre, float radius, ImU32 colour, float strength);

} // namespace polarscope
