#include "app/panels/curves.hpp"

#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "app/plot.hpp"
#include "engine/metric/metric.hpp"
#include "engine/problem/problem.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

PlotShared shared_of(const PanelContext& c, const std::string& panel) {
  const StepRange range = c.view.steps_shown(c.frame);
  PlotShared shared;
  shared.from = range.from;
  shared.to = range.to;
  shared.log_x = c.view.scales[panel].log_x;
  shared.cursor = c.frame.cursor;
  shared.head = c.frame.head;
  shared.steps = c.frame.steps;
  shared.hover_step = c.view.hover.step;
  shared.moving = c.frame.playing || c.frame.computing;
  return shared;
}

const MetricColumn& column_info(const CurveSource& source) {
  const auto& [run, column] = source.columns.front();
  return run->program->metrics()[static_cast<std::size_t>(column)];
}

// The column of the path before an edit, which another program may have recorded; −1 when it has none of that name.
int ghost_column(const RunFrame& run, int column) {
  if (run.ghost.empty()) return -1;
  if (run.ghost_program == run.program) return column;
  return run.ghost_program->find_metric(run.program->metrics()[static_cast<std::size_t>(column)].name);
}

PlotSource source_of(const RunFrame& run, const SeriesView& series, int column, double factor) {
  PlotSource source{series, column, factor, {}};
  if (run.diverged) source.ended_at = run.diverged_at;
  return source;
}

PlotCurve curve_of(const PanelContext& c, const CurveSource& source, double factor) {
  PlotCurve curve;
  curve.style = c.theme.run(source.run->style);
  curve.name = source.name;
  curve.selected = source.run->id == c.frame.selected || c.view.hover.run == source.run->id;
  curve.sources.reserve(source.columns.size());
  for (const auto& [run, column] : source.columns)
    curve.sources.push_back(source_of(*run, run->series, column, factor));
  if (source.columns.size() > 1) {
    curve.card_place = source.name;
    return curve;
  }
  if (const int column = ghost_column(*source.run, source.columns.front().second); column >= 0)
    curve.ghost = PlotSource{source.run->ghost, column, factor, {}};
  curve.card_place = source.run->label;
  if (const int index = column_info(source).index; index >= 0) {
    curve.card_place += ", row " + format_count(index);
    curve.dimmed = c.view.hover.row && *c.view.hover.row != index;
  }
  return curve;
}

void take_result(const PanelContext& c, const StepPlot& plot, const PlotResult& result) {
  ViewState& view = c.view;
  if (result.focused) view.focused_plot = plot.panel;
  if (result.reset_range) view.range.reset();
  if (result.range) view.range = StepRange{result.range->first, result.range->second};
  if (result.hover_step) view.next_hover.step = result.hover_step;
  if (result.hovered >= 0) {
    const CurveSource& source = plot.curves[static_cast<std::size_t>(result.hovered)];
    view.next_hover.run = source.run->id;
    const int index = column_info(source).index;
    if (source.columns.size() == 1 && index >= 0) view.next_hover.row = index;
  }
  if (result.copied) view.requests.copied_text = format_exact(*result.copied);
}

} // namespace

std::vector<CurveSource> curves_of_runs(const PanelContext& c, std::string_view metric) {
  std::vector<CurveSource> curves;
  const bool bench = c.view.layout == LayoutKind::bench;
  const std::vector<const RunFrame*> runs = bench ? bench_runs(c) : visible_runs(c);
  for (const RunFrame* run : runs) {
    const int column = column_of(*run, metric, c.view.polar.plane.parameter);
    if (column < 0) continue;
    const std::string& group = run->group.empty() ? run->optimizer_name : run->group;
    const bool few = runs.size() <= kMostCurves && (!bench || run->group.empty());
    const bool alone = few || run->id == c.frame.selected;
    if (!alone || (bench && !few)) { // in Bench a band is of all its seeds, the selected one among them
      const auto band =
          std::find_if(curves.begin(), curves.end(), [&](const CurveSource& s) { return s.name == group; });
      if (band != curves.end()) band->columns.emplace_back(run, column);
      else curves.push_back({run, {{run, column}}, group});
    }
    if (alone) curves.push_back({run, {{run, column}}, run->label});
  }
  return curves;
}

void draw_step_plot(const PanelContext& c, const StepPlot& plot) {
  PlotSpec spec;
  double factor = 1;
  spec.id = "plot";
  spec.y_words = plot.y_words;
  spec.log_y = c.view.scales[plot.panel].log_y;
  spec.presenting = c.view.layout == LayoutKind::show;
  spec.empty_text = plot.empty_words;
  if (!plot.curves.empty())
    if (const Metric* metric = find_metric(column_info(plot.curves.front()).metric)) {
      spec.title = metric->title;
      const DisplayUnit unit = display_unit(*metric);
      spec.unit = unit.words;
      if (unit.factor != 1) spec.stored_unit = metric->unit;
      factor = unit.factor;
      spec.formula = metric->formula;
      spec.sentence = metric->meaning;
      if (metric->name == "loss")
        if (const Problem* problem = find_problem(c.frame.scene->problem)) spec.sentence += " " + problem->meaning;
    }
  if (plot.target) spec.targets.push_back({*plot.target, "target " + format_value(*plot.target)});
  for (const auto& [run, line] : plot.expected)
    spec.expected.push_back(
        {c.theme.run(run->style), line->points, "dotted: " + run->label + " expected, " + line->condition, factor});
  std::vector<PlotCurve> curves;
  for (const CurveSource& source : plot.curves) curves.push_back(curve_of(c, source, factor));

  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 corner{ImGui::GetWindowPos().x + ImGui::GetWindowWidth(),
                      ImGui::GetWindowPos().y + ImGui::GetWindowHeight()};
  take_result(c, plot,
              draw_plot(c.theme, {at.x + c.theme.snap(12), at.y},
                        {corner.x - c.theme.snap(4), corner.y - c.theme.snap(4)}, spec, curves,
                        shared_of(c, plot.panel), c.caches.plots[plot.panel]));
}

} // namespace polarscope
