// What several panels share: the header with its icons, values at a step, the ring of the lesson's highlight.
#pragma once

#include "app/panel.hpp"
#include "app/widgets.hpp"

#include "engine/metric/metric.hpp"

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

struct BenchModel; // app/bench_model.hpp

// Title (unless the dock's tab shows it), note, the panel's own controls, then "?" and "copy as text". Returns the index of the
// panel's control that was used, or −1.
int show_header(const PanelContext& c, std::string_view panel, HeaderNote note,
                std::vector<HeaderControl> controls = {});

// Draws the lesson's ring around the last item when the lesson points at `mark`.
void ring_if_highlighted(const PanelContext& c, std::string_view mark);
void ring_if_highlighted(const PanelContext& c, std::string_view mark, ImVec2 min, ImVec2 max);

// A button that is an action: its label in the tooltip with its key.
bool action_button(const PanelContext& c, std::string_view action, const char* label, ButtonOptions options);

// Runs that are drawn, in the list's order; the selected one last, so that it lies on top.
std::vector<const RunFrame*> visible_runs(const PanelContext& c);

// The frame's runs as a sweep, made anew with each frame of the engine.
const BenchModel& bench_of(const PanelContext& c);
// The setting that the selected run is a member of; the first where none is selected.
std::size_t selected_setting(const PanelContext& c, const BenchModel& bench);
// The setting of a group that Bench shows: its best, or that with the selected member's numbers; nothing where there is none.
std::optional<std::size_t> shown_setting(const PanelContext& c, const BenchModel& bench, std::size_t group);
// Those of the visible runs whose losses Bench draws: all, or every run's at its best, or those with the selected
// member's numbers.
std::vector<const RunFrame*> bench_runs(const PanelContext& c);

// Column of a metric in a run's series; −1 when the run does not record it. "P.x" with the polar view's parameter P.
int column_of(const RunFrame& run, std::string_view metric, int parameter = 0);
// The stored value at a step; NaN when there is none.
double value_at(const RunFrame& run, int column, long step);

// Everything the registry and the series know about one sample.
HoverCard card_for(const PanelContext& c, const RunFrame& run, int column, long step);

inline constexpr double kDegrees = 57.29577951308232; // per radian

// Unit in which the window shows a metric: angles are stored in radians and shown in degrees, turning in degrees per
// step; everything else as it is stored.
struct DisplayUnit {
  double factor;     // shown value = factor · stored value
  std::string words; // "°/step"; empty: a pure number
};
DisplayUnit display_unit(const Metric& metric);

} // namespace polarscope
