// Curves over steps, as loss, row norms and magnitude & direction draw them: what a panel wants to show, handed to
// app/plot.hpp with the shared range, cursor and hover, and its answer taken back into the view.
#pragma once

#include "app/panel.hpp"
#include "engine/frame.hpp"

#include "imgui.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polarscope {

// One column is a curve; several are a band with a median.
struct CurveSource {
  const RunFrame* run;
  std::vector<int> columns;
};

struct StepPlot {
  std::string panel;                 // whose axis scales these are; L and Shift L act on it
  std::vector<CurveSource> curves;   // drawn in order
  std::vector<std::pair<const RunFrame*, const ExpectedLine*>> expected;
  std::optional<double> target;      // dotted, with words
  std::string empty_words = "nothing to draw yet: press play";
};

// Fills the rest of the window.
void draw_step_plot(const PanelContext& c, const StepPlot& plot);

// Marker and name at the ends of trails, pushed apart, from `left` on.
struct EndLabel {
  ImVec2 at;
  const RunFrame* run;
};
void draw_end_labels(const PanelContext& c, std::vector<EndLabel> labels, float left, float top, float bottom);

} // namespace polarscope
