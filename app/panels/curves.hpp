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

// One stored column is a curve; several (rows of a matrix, runs of an optimizer) are a band with a median.
struct CurveSource {
  const RunFrame* run; // whose colour and marker it has
  std::vector<std::pair<const RunFrame*, int>> columns;
  std::string name; // at the curve's end
};

// The visible runs' values of one metric: a curve each, or beyond kMostCurves, and of a sweep in Bench, a band
// per run that [sweep] repeats, or per optimizer, and the selected run.
inline constexpr std::size_t kMostCurves = 8;
std::vector<CurveSource> curves_of_runs(const PanelContext& c, std::string_view metric);

// Norms of the rows of the shown parameter: curves while there are few, one band per run (or optimizer) beyond that.
struct RowCurves {
  std::vector<CurveSource> curves;
  std::size_t rows = 0; // of the parameter that has most
  bool bands = false;
};
RowCurves curves_of_rows(const PanelContext& c);

struct StepPlot {
  std::string panel;               // whose axis scales these are; L and Shift L act on it
  std::vector<CurveSource> curves; // drawn in order
  std::vector<std::pair<const RunFrame*, const ExpectedLine*>> expected;
  std::optional<double> target; // dotted, with words
  std::string y_words;          // axis name and unit, where the panel's title does not say them
  std::string empty_words = "nothing to draw yet: press play";
};

// Fills the rest of the window.
void draw_step_plot(const PanelContext& c, const StepPlot& plot);

} // namespace polarscope
