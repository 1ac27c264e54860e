// Curves over steps. The step range, cursor and head are shared by all plots; each value drawn is a stored one, at most
// two points per pixel and never without the extremes; the pointer reads the exact stored sample.
#pragma once

#include "app/stroke.hpp"
#include "app/theme.hpp"
#include "app/widgets.hpp"
#include "engine/series.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
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
  bool moving = false;            // playing or computing: bands may lag behind by a tenth of a second
};

struct PlotSource {
  SeriesView series;
  int column = -1;
  double factor = 1;                 // what is drawn is factor · stored value: degrees of radians
  std::optional<long> ended_at = {}; // the run diverged at this step
  bool operator==(const PlotSource&) const = default;
  bool empty() const { return column < 0 || series.empty(); }
  Sample nearest(double step) const; // drawn value; {−1, NaN} when there is none
};

// One source: a curve. Several (rows of a matrix, seeds, a group of runs): a band from least to greatest and a median,
// of those that have not diverged where any is left.
struct PlotCurve {
  RunStyle style{};
  std::string name; // at the curve's end: "A"
  bool selected = false, dimmed = false;
  std::vector<PlotSource> sources;
  std::optional<PlotSource> ghost; // the path before the last edit from step 0
  std::string card_title;          // "Row norm"; empty: the plot's
  std::string card_place;          // before the step: "A, row 3"
  bool band() const { return sources.size() > 1; }
  bool ended() const; // every source diverged
};

// A closed form to compare with: dotted, drawn in the run's colour.
struct PlotExpected {
  RunStyle style{};
  std::span<const Sample> points;
  std::string words; // "dotted: A expected, 1/√t"
  double factor = 1; // as of PlotSource
};
struct PlotTarget {
  double value;
  std::string words; // "target 0.30"
};

struct PlotSpec {
  const char* id;                             // of the ImGui item
  std::string title, unit, formula, sentence; // of the metric, for the hover card
  std::string stored_unit;                    // where files have another unit than the plot: "rad"
  bool log_y = false;
  bool presenting = false; // Show: larger marks, nothing to hover
  std::vector<PlotTarget> targets;
  std::vector<PlotExpected> expected;
  std::string empty_text = "nothing to draw yet: press play";
  std::string y_words; // below, left: "↑ angular update, °/step"; empty: the panel's title says it
};

// Maps a value range to pixels, linear or logarithmic; `first` and `last` are pixel positions of the ends.
struct PlotAxis {
  double least = 0, most = 1;
  float first = 0, last = 1;
  bool log = false;
  float pixel(double value) const;
  double value(float pixel) const;
  bool shows(double value) const { return !log || value > 0; }
  bool operator==(const PlotAxis&) const = default;
};

struct PlotExtent {
  double least = INFINITY, most = -INFINITY;
  void add(double value) {
    if (!std::isfinite(value)) return;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  bool empty() const { return !(least <= most); }
};

// Kept by the panel between frames: what follows from the data and the axes, made again when these change.
struct PlotCache {
  struct Band {
    std::vector<double> step, least, median, greatest;
  };
  struct Curve {                     // by position
    std::vector<PlotSource> sources; // that extent and band were made from
    PlotAxis x;
    bool log_y = false;
    PlotExtent extent;
    Band band;
    double made_at = -1;    // seconds of ImGui's clock
    long not_shown = -1;    // values ≤ 0 that a log axis cannot show; −1: not counted
    std::uint64_t made = 0; // changes with extent and band

    std::uint64_t drawn_of = 0; // `made` that the drawing shows
    PlotAxis drawn_x, drawn_y;
    std::optional<PlotSource> ghost;
    ImU32 colour = 0;
    float width = 0;
    DrawCache drawing;
  };
  std::vector<Curve> curves;
  std::uint64_t made = 0;

  // Where each curve's name stands, as last drawn.
  struct End {
    int curve;
    ImVec2 at;  // of the curve's last point
    bool ended; // ✕: the run diverged there
    bool below; // its last value is ≤ 0 on a log axis: at the lower edge
  };
  std::vector<End> ends;
  std::vector<ImVec2> cursor_marks; // one for each curve that has a value there, as last drawn
};

struct PlotResult {
  std::optional<std::pair<double, double>> range; // zoomed or panned: the new shared range
  bool reset_range = false;                       // double click
  std::optional<long> hover_step;
  int hovered = -1;             // curve whose sample is shown
  std::optional<double> copied; // the hovered value was clicked
  bool focused = false;         // under the pointer or with keyboard focus
  long not_shown = 0;           // values ≤ 0 that a log axis cannot show
  std::string not_shown_words;  // "2 values of A not above 0, not shown"
};

// Fills the rectangle of pixels.
PlotResult draw_plot(const Theme& theme, ImVec2 min, ImVec2 max, const PlotSpec& spec,
                     std::span<const PlotCurve> curves, const PlotShared& shared, PlotCache& cache);

// ---- parts used by other plots and by tests ------------------------------------------------------------------------

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
