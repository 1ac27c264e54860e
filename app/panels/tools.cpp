#include "app/panels/tools.hpp"

#include "app/format.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace polarscope {

int show_header(const PanelContext& c, std::string_view panel, HeaderNote note, std::vector<HeaderControl> controls) {
  const Panel* self = find_panel(panel);
  const int own = static_cast<int>(controls.size());
  if (c.view.layout == LayoutKind::study)
    controls.push_back(HeaderControl::make_icon("copy as text", Icon::copy, "Copies this panel as plain sentences."));
  std::string title = c.titled ? self->title : std::string();
  if (c.view.layout == LayoutKind::show && self->name == "polar") title = "Direction";
  const int used = panel_header(c.theme, title, note, controls);
  if (used == own) c.view.requests.copied_text = self->as_text(c);
  return used < own ? used : -1;
}

void ring_if_highlighted(const PanelContext& c, std::string_view mark, ImVec2 min, ImVec2 max) {
  if (c.highlight.empty() || c.highlight != mark) return;
  const float out = c.theme.px(3);
  ImGui::GetForegroundDrawList()->AddRect({min.x - out, min.y - out}, {max.x + out, max.y + out}, c.theme.colour().text,
                                          c.theme.px(8), c.theme.stroke(2));
}

void ring_if_highlighted(const PanelContext& c, std::string_view mark) {
  ring_if_highlighted(c, mark, ImGui::GetItemRectMin(), ImGui::GetItemRectMax());
}

bool action_button(const PanelContext& c, std::string_view id, const char* label, ButtonOptions options) {
  ActionContext context = c.action();
  const Action* action = c.actions.find(id);
  options.enabled = action && c.actions.enabled(*action, context);
  const std::string help = c.actions.tooltip(id);
  options.help = help.c_str();
  const bool pressed = button(c.theme, label, options);
  ring_if_highlighted(c, id);
  if (pressed) c.actions.invoke(id, context);
  return pressed;
}

std::vector<const RunFrame*> visible_runs(const PanelContext& c) {
  std::vector<const RunFrame*> runs;
  const RunFrame* selected = nullptr;
  for (const RunFrame& run : c.frame.runs) {
    if (!c.view.visible(run.id)) continue;
    if (run.id == c.frame.selected) selected = &run;
    else runs.push_back(&run);
  }
  if (selected) runs.push_back(selected);
  return runs;
}

int column_of(const RunFrame& run, std::string_view metric, int parameter) {
  if (metric == "loss") return run.program->find_metric("loss");
  const auto& parameters = run.program->parameters();
  if (parameter < 0 || parameter >= static_cast<int>(parameters.size())) return -1;
  return run.program->find_metric(parameters[static_cast<std::size_t>(parameter)].name + "." + std::string(metric));
}

double value_at(const RunFrame& run, int column, long step) {
  if (column < 0 || run.series.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto value = run.series.at(column, step);
  return value ? *value : std::numeric_limits<double>::quiet_NaN();
}

DisplayUnit display_unit(const Metric& metric) {
  if (metric.unit != "rad") return {1, metric.unit};
  return {kDegrees, metric.name == "angular_update" ? "°/step" : "°"};
}

HoverCard card_for(const PanelContext& c, const RunFrame& run, int column, long step) {
  HoverCard card;
  const MetricColumn& info = run.program->metrics()[static_cast<std::size_t>(column)];
  const Metric* metric = find_metric(info.metric);
  card.run = c.theme.run(run.style);
  card.title = metric ? metric->title : info.name;
  card.place = run.label;
  if (info.index >= 0) card.place += fmt::format(", {} {}", metric && metric->shape == MetricShape::per_column ? "column" : "row", info.index);
  card.place += ", step " + format_count(step);
  const DisplayUnit unit = metric ? display_unit(*metric) : DisplayUnit{1, ""};
  const double value = unit.factor * value_at(run, column, step);
  card.value = format_digits(value);
  card.exact = format_exact(value);
  if (step > 0) {
    const double before = unit.factor * value_at(run, column, step - 1);
    if (std::isfinite(before) && std::isfinite(value)) card.change = format_digits(value - before, 3, true);
  }
  if (metric) {
    card.unit = unit.words;
    card.formula = metric->formula;
    card.sentence = metric->meaning;
    if (unit.factor != 1) card.sentence += " In files: " + format_digits(value / unit.factor) + " " + metric->unit + ".";
  }
  return card;
}

} // namespace polarscope
