// How everything looks: palette, fonts, sizes for one UI scale, and the styles of Dear ImGui and ImPlot made from them.
// Sizes in the code that draws are in design pixels (100 %); px() turns them into pixels of the window.
#pragma once

#include "app/palette.hpp"
#include "engine/result.hpp"

#include "imgui.h"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace polarscope {

enum class ThemeName { dark, light, projector };
std::string_view theme_word(ThemeName name);
std::optional<ThemeName> find_theme(std::string_view word);

inline constexpr float kLeastScale = 0.75f, kMostScale = 3.0f;

enum class Marker { disc, triangle, square, diamond, pentagon, triangle_down, plus, cross };

// Colour, marker and dash of one run; dash lengths alternate on and off, for a line 2 px wide. Empty: solid.
struct RunStyle {
  ImU32 colour;
  Marker marker;
  std::span<const float> dash;
};

struct Fonts {
  ImFont* regular = nullptr; // Inter, with DejaVu Sans for the signs it lacks
  ImFont* medium = nullptr;
  ImFont* semibold = nullptr;
  ImFont* mono = nullptr; // JetBrains Mono, for every number
};
// Adds the embedded fonts to the current ImGui context; once per context.
Fonts load_fonts();

enum class Face { regular, medium, semibold, mono };

// A face and a size in design pixels.
struct TextStyle {
  Face face;
  float size;
};
namespace text {
inline constexpr TextStyle kSection{Face::semibold, 11}; // capitals, spaced
inline constexpr TextStyle kName{Face::semibold, 13};    // runs, stages
inline constexpr TextStyle kBody{Face::regular, 13};
inline constexpr TextStyle kLabel{Face::regular, 12};
inline constexpr TextStyle kButton{Face::medium, 12};
inline constexpr TextStyle kValue{Face::mono, 12};
inline constexpr TextStyle kTick{Face::mono, 11};
inline constexpr TextStyle kCounter{Face::mono, 15};
inline constexpr TextStyle kCardValue{Face::mono, 22};
inline constexpr TextStyle kShowTitle{Face::semibold, 15}; // of the layout Show: scene and panels
inline constexpr TextStyle kShow{Face::regular, 14};
} // namespace text

class Theme {
public:
  // ui_scale: 1 = 100 %, clamped to 75–300 %. The projector theme enlarges type and sizes by 18/13 on top.
  static Result<Theme> make(ThemeName name, float ui_scale, const Fonts& fonts);

  ThemeName name() const { return name_; }
  bool projector() const { return name_ == ThemeName::projector; }
  const Palette& colour() const { return palette_; }
  float ui_scale() const { return ui_scale_; }

  // Design pixels to window pixels: sizes and distances, rounded or not; stroke widths (thicker on a projector).
  float px(float design) const { return design * size_scale_; }
  float snap(float design) const;
  float stroke(float design) const { return design * stroke_scale_; }
  float hairline() const; // whole pixels, at least 1

  float curve_width(bool selected) const;
  float marker_radius(bool selected) const; // of "now" markers

  ImFont* font(Face face) const;
  float font_size(TextStyle style) const; // whole pixels
  RunStyle run(int style) const;          // repeats after kRunStyles

  // Sets the styles of the current ImGui and ImPlot contexts. Not between NewFrame and Render.
  void apply() const;
  // Must be called once per frame after NewFrame: rasterises each font at the window's density.
  void begin_frame() const;

private:
  void apply_imgui() const;
  void apply_implot() const;

  ThemeName name_ = ThemeName::dark;
  Palette palette_{};
  Fonts fonts_{};
  float ui_scale_ = 1, size_scale_ = 1, stroke_scale_ = 1;
};

// Text on a draw list. y of `at` is the top of the line; the baseline falls on a whole pixel.
ImVec2 measure(const Theme& theme, TextStyle style, std::string_view words);
void draw_text(ImDrawList* list, const Theme& theme, TextStyle style, ImVec2 at, ImU32 colour, std::string_view words);
// Aligned inside: x_align 0 left … 1 right of `at.x`, y_align likewise.
void draw_text_aligned(ImDrawList* list, const Theme& theme, TextStyle style, ImVec2 at, ImU32 colour,
                       std::string_view words, float x_align, float y_align);
// Capitals with 0.08 em between letters.
float measure_capitals(const Theme& theme, TextStyle style, std::string_view words);
void draw_capitals(ImDrawList* list, const Theme& theme, TextStyle style, ImVec2 at, ImU32 colour,
                   std::string_view words);
// Cut with an ellipsis so that it is no wider than `width`.
std::string fit(const Theme& theme, TextStyle style, std::string_view words, float width);

} // namespace polarscope
