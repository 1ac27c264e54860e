// Colours by role, read from assets/palettes.toml, and arithmetic on them.
#pragma once

#include "engine/result.hpp"

#include "imgui.h"

#include <array>
#include <string_view>
#include <vector>

namespace polarscope {

inline constexpr int kRunStyles = 8;

struct Palette {
  bool dark = true;
  ImU32 bar, panel, input, hover, on, line, frame;
  ImU32 text, text2, text3; // values and titles; labels; captions and axes
  ImU32 kept, broken, warning;
  ImU32 well, mid, ridge; // loss field, low to high
  ImU32 grid;             // ink of grids, always with an alpha
  std::array<ImU32, kRunStyles> runs;
  std::vector<ImU32> sweep; // low to high loss

  // Shade of the loss field for a loss scaled to [0, 1].
  ImU32 field(float level) const;
  // Panel colour under not-yet-computed parts of plots.
  ImU32 not_computed() const;
};

// The table `name` of a palette file; errors name file, line and column.
Result<Palette> read_palette(std::string_view toml, std::string_view file, std::string_view name);

ImU32 with_alpha(ImU32 colour, float alpha); // replaces the alpha, 0 to 1
ImU32 fade(ImU32 colour, float factor);      // multiplies the alpha
ImU32 mix(ImU32 from, ImU32 to, float t);    // t = 0: from; all four channels
float contrast_ratio(ImU32 a, ImU32 b);      // WCAG 2.1, 1 to 21

} // namespace polarscope
