// Curves over steps, as loss, row norms and magnitude & direction draw them: shared range and cursor, extremes kept at
// every zoom, exact values under the pointer.
#pragma once

#include "app/panel.hpp"
#include "engine/frame.hpp"

#include "imgui.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

struct CurveSource {
  const RunFrame* run;
  int column;
};
// The spread over several columns of one run: smallest, median, largest at each step.
struct BandSource {
  const RunFrame* run;
  std::vector<int> columns;
};

struct StepPlot {
  std::string panel;                 // whose axis scales these are; L and Shift L act on it
  std::vector<CurveSource> curves;   // drawn in order
  std::vector<BandSource> bands;
  std::vector<std::pair<const RunFrame*, const ExpectedLine*>> expected;
  std::optional<double> target;      // dotted, with words
  double factor = 1;                 // shown value per stored value: degrees per radian
  std::string empty_words;           // said when there is nothing to draw
};

// Fills the rest of the window.
void draw_step_plot(const PanelContext& c, const StepPlot& plot);

// ---- axes, shared with the plot against the norm ---------------------------------------------------------------------

// One direction of a plot: data to pixels.
struct PlotAxis {
  double low = 0, high = 1;
  float from = 0, to = 1; // pixels of low and high
  bool log = false;
  float pixel(double value) const;
  double value(float pixel) const;
  bool shows(double v) const { return v >= low && v <= high && (!log || v > 0); }
};
// Ticks at round values, `least` pixels apart or more.
std::vector<double> ticks(const PlotAxis& axis, float least);
// Widens [low, high] so that curves do not touch the frame; handles empty and single-valued ranges.
void pad_range(double& low, double& high, bool log);
// Horizontal grid with labels at the left; labels of x below.
void draw_grid(const PanelContext& c, const PlotAxis& x, const PlotAxis& y, bool steps, ImVec2 min, ImVec2 max);

// Marker and name at the ends of curves, pushed apart.
struct EndLabel {
  ImVec2 at;
  const RunFrame* run;
};
void draw_end_labels(const PanelContext& c, std::vector<EndLabel> labels, float left, float top, float bottom);


} // namespace polarscope
