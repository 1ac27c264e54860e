// Where labels go: near what they name, never over each other.
#pragma once

#include "imgui.h"

#include <span>
#include <vector>

namespace polarscope {

struct Box {
  ImVec2 min, max;
};
bool overlap(const Box& a, const Box& b, float gap = 0);

struct LabelRequest {
  ImVec2 anchor; // pixels
  ImVec2 size;
  float clearance;    // between anchor and label
  int last_slot = -1; // where it was in the frame before: kept while it is free, so that labels do not jump
};
struct PlacedLabel {
  Box box;
  int slot = -1; // −1: no room, not drawn
};
// Earlier requests choose first. No placed label overlaps another, an obstacle, or leaves the area; where there is a
// choice leaders do not cross, and each label stands nearest to what it names.
std::vector<PlacedLabel> place_labels(std::span<const LabelRequest> requests, const Box& area,
                                      std::span<const Box> obstacles, float gap);

// Centres of labels of one height along a line, as near as possible (least squares) to the wanted ones, in
// [least, most] and at least `height` apart. When not all fit, the later ones are left out: NaN.
std::vector<float> spread_labels(std::span<const float> wanted, float height, float least, float most);

} // namespace polarscope
