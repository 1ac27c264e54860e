// Icons drawn as strokes in a 12-px box, so that they are crisp at every scale and have no hue.
#pragma once

#include "app/theme.hpp"

namespace polarscope {

enum class Icon {
  none,
  restart,
  step_back,
  play,
  pause,
  step_forward,
  to_start,
  to_end,
  fork,
  add,
  remove,
  duplicate,
  fair,
  explain,
  copy,
  export_file,
  chevron_down,
  chevron_right,
  search,
  undo,
  check,
  cross,
  shown,
  hidden,
  solo,
  pin,
  warning,
  flag,
  diamond,
  target,
  more,
  folder,
  lesson,
  logo
};

// Centre in pixels; `size` in design pixels of the box (12 as designed).
void draw_icon(ImDrawList* list, const Theme& theme, Icon icon, ImVec2 centre, ImU32 colour, float size = 12);

} // namespace polarscope
