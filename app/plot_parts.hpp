// Shared by the parts of a plot over steps (plot.cpp, plot_band.cpp, plot_marks.cpp, plot_pointer.cpp) only.
#pragma once

#include "app/plot.hpp"

#include <optional>
#include <span>
#include <string>

namespace polarscope {

inline constexpr double kBandSeconds = 0.1; // while data grow, bands and counts are renewed at most this often

struct PlotFrame { // everything a part of the plot needs
  ImDrawList* list;
  const Theme& theme;
  const PlotSpec& spec;
  std::span<const PlotCurve> curves;
  const PlotShared& shared;
  PlotCache& cache;
  PlotAxis x, y;
};

ImU32 curve_colour(const Theme& theme, const PlotCurve& curve);

// Extent and band of every curve, made again where the data or the range of steps changed.
void update_curves(const PlotFrame& f);
void draw_band(const PlotFrame& f, const PlotCurve& curve, const PlotCache::Band& band);

// Value of a curve at a step: of the stored sample nearest to it, the median for bands.
std::optional<double> value_at(const PlotFrame& f, std::size_t index, double step);
void draw_expected(const PlotFrame& f);
void draw_targets(const PlotFrame& f);
void draw_cursor(const PlotFrame& f);
// Marker and name at each curve's end, pushed apart, with a leader; ✕ where a run diverged.
void draw_end_labels(const PlotFrame& f, float right_edge);
// Counts the values that a log axis cannot show and says whose they are.
void note_not_shown(const PlotFrame& f, PlotResult& result);

// The invisible ImPlot under the drawing: wheel and drag change the step range.
void plot_input(const PlotFrame& f, PlotResult& result);
// The stored sample under the pointer, with its card.
void read_pointer(const PlotFrame& f, PlotResult& result);

} // namespace polarscope
