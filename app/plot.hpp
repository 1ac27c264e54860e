// Curves over steps. The step range, cursor and head are shared by all plots; each value drawn is a stored one, at most
// two points per pixel and never without the extremes; the pointer reads the exact stored sample.
#pragma once

#include "app/stroke.hpp"
#include "app/theme.hpp"
#include "app/widgets.hpp"
#include "engine/series.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

// The same for every plot over steps.
struct PlotShared {
  double from = 0, to = 1; // steps shown
  bool log_x = false;
  long cursor = 0, head = 0, steps = 1;
  std::optional<long> hover_step; // under the pointer in another panel
};

struct PlotSource {
  SeriesView series;
  int column = -1;
};

// One source: a curve. Several (rows of a matrix, seeds, a group of runs): a band from least to greatest and a median.
struct PlotCurve {
  RunStyle style{};
  std::string name; // at the curve's end: "A"
  bool selected = false, dimmed = false;
  std::vector<PlotSource> sources;
  std::optional<PlotSource> ghost; // the path before the last edit from step 0
  std::string card_title;          // "Row norm"; empty: the plot's
  std::string card_place;          // before the step: "A, row 3"
};

// A closed form to compare with: dotted, drawn in the run's colour.
struct PlotExpected {
  RunStyle style{};
  std::span<const Sample> points;
  std::string words; // "dotted: A expected, 1/√t"
};
struct PlotTarget {
  double value;
  std::string words; // "target 0.30"
};

struct PlotSpec {
  const char* id; // of the ImGui item
  std::string title, unit, formula, sentence; // of the metric, for the hover card
  bool log_y = false;
  bool presenting = false; // Show: larger marks, nothing to hover
  std::vector<PlotTarget> targets;
  std::vector<PlotExpected> expected;
  std::string empty_text = "nothing to draw yet: press play";
  std::string x_words;     // "step", where no time axis is near
};

// Kept by the panel: medians and extremes of bands, computed when data or range change.
struct PlotCache {
  struct Band {
    std::vector<double> key;
    std::vector<double> step, least, median, greatest;
    double made_at = -1; // seconds of ImGui's clock
  };
  std::map<std::size_t, Band> bands; // by position of the curve
  std::array<double, 3> not_shown_key{};
  double not_shown_at = -1;
  long not_shown = 0;
};

struct PlotResult {
  std::optional<std::pair<double, double>> range; // zoomed or panned: the new shared range
  bool reset_range = false;                       // double click
  std::optional<long> hover_step;
  int hovered = -1;                               // curve whose sample is shown
  std::optional<double> copied;                   // the hovered value was clicked
  bool focused = false;                           // under the pointer or with keyboard focus
  long not_shown = 0;                             // values ≤ 0 that a log axis cannot show
};

// Fills the rectangle of pixels.
PlotResult draw_plot(const Theme& theme, ImVec2 min, ImVec2 max, const PlotSpec& spec, std::span<const PlotCurve> curves,
                     const PlotShared& shared, PlotCache& cache);

// ---- parts used by other plots and by tests ------------------------------------------------------------------------

// Maps a value range to pixels, linear or logarithmic; `first` and `last` are pixel positions of the ends.
struct PlotAxis {
  double least = 0, most = 1;
  float first = 0, last = 1;
  bool log = false;
  float pixel(double value) const;
  double value(float pixel) const;
  bool shows(double value) const { return !log || value > 0; }
};
struct PlotTick {
  double value;
  std::string words;
};
// The range that shows these values with some room around them.
void fit_axis(PlotAxis& axis, double least, double most);
// Three to `most` round ticks inside the axis.
std::vector<PlotTick> axis_ticks(const PlotAxis& axis, int most);
// The polyline of one source over the steps of `x`, at most two points per pixel; values that the axes cannot show are
// left out. Every extreme of the stored values is in it.
void trace_curve(const PlotSource& source, const PlotAxis& x, const PlotAxis& y, std::vector<ImVec2>& points);
// Grid, tick labels, not-yet-computed ground. `left` is where the numbers end.
void draw_axes(ImDrawList* list, const Theme& theme, const PlotAxis& x, const PlotAxis& y, bool step_axis);

} // namespace polarscope
