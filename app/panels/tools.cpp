#include "app/panels/tools.hpp"

#include "app/bench_model.hpp"
#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/stroke.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

namespace polarscope {

namespace {

// The popup of the header's "?".
void draw_explanation(const Theme& theme, const Panel& panel) {
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {theme.px(14), theme.px(12)});
  ImGui::PushStyleVar(ImGuiStyleVar_PopupRounding, theme.px(8));
  ImGui::SetNextWindowSize({theme.px(330), 0});
  if (ImGui::BeginPopup("explanation")) {
    label(theme, panel.title, theme.colour().text, text::kName);
    ImGui::Dummy({1, theme.px(2)});
    ImGui::PushStyleColor(ImGuiCol_Text, theme.colour().text2);
    ImGui::TextWrapped("%s", panel.meaning.c_str());
    ImGui::PopStyleColor();
    ImGui::EndPopup();
  }
  ImGui::PopStyleVar(2);
}

// In Show a header is a title in large type, without controls.
void draw_show_title(const PanelContext& c, const Panel& panel) {
  const Theme& t = c.theme;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = t.snap(36);
  if (c.titled)
    draw_text_aligned(ImGui::GetWindowDrawList(), t, text::kShowTitle,
                      {ImGui::GetWindowPos().x + t.snap(12), at.y + tall * 0.5f}, t.colour().text,
                      panel.name == "polar" ? "Direction" : panel.title, 0, 0.5f);
  ImGui::Dummy({1, c.titled ? tall : t.snap(6)});
  ImGui::SetCursorScreenPos({at.x, at.y + (c.titled ? tall : t.snap(6))});
}

} // namespace

int show_header(const PanelContext& c, std::string_view panel, HeaderNote note, std::vector<HeaderControl> controls) {
  const Panel* self = find_panel(panel);
  const int own = static_cast<int>(controls.size());
  controls.push_back(HeaderControl::make_icon("explain", Icon::explain, "What this panel shows."));
  controls.push_back(HeaderControl::make_icon("copy as text", Icon::copy, "Copies this panel as plain sentences."));
  const std::string title = c.titled ? self->title : std::string();
  if (c.view.layout == LayoutKind::show) return draw_show_title(c, *self), -1;
  const int used = panel_header(c.theme, title, note, controls);
  if (used == own) ImGui::OpenPopup("explanation");
  if (used == own + 1) c.view.requests.copied_text = self->as_text(c);
  draw_explanation(c.theme, *self);
  return used < own ? used : -1;
}

void ring_if_highlighted(const PanelContext& c, std::string_view mark, ImVec2 min, ImVec2 max) {
  if (c.highlight.empty() || c.highlight != mark) return;
  // Dashed, so that it is not taken for the ring of the keyboard's focus.
  const float out = c.theme.px(4);
  // On the panel's own list, so that menus, dialogs and tooltips lie above it, but not cut off by the panel's edge.
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->PushClipRect({0, 0}, ImGui::GetIO().DisplaySize);
  list->PathRect({min.x - out, min.y - out}, {max.x + out, max.y + out}, c.theme.px(8));
  std::vector<ImVec2> ring(list->_Path.begin(), list->_Path.end());
  list->PathClear();
  ring.push_back(ring.front());
  const std::array<float, 2> dash{c.theme.stroke(7), c.theme.stroke(4)};
  stroke_dashed(list, ring, c.theme.colour().text, c.theme.stroke(2), dash);
  list->PopClipRect();
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

const BenchModel& bench_of(const PanelContext& c) {
  Caches& caches = c.caches;
  const bool moving = c.frame.playing || c.frame.computing;
  if (!caches.bench || caches.bench_number != c.frame.number || caches.bench_scene != c.frame.scene_generation ||
      caches.bench_thin != moving) {
    caches.bench = std::make_shared<const BenchModel>(make_bench_model(c.frame, moving));
    caches.bench_number = c.frame.number;
    caches.bench_scene = c.frame.scene_generation;
    caches.bench_thin = moving;
  }
  return *caches.bench;
}

std::size_t selected_setting(const PanelContext& c, const BenchModel& bench) {
  for (std::size_t r = 0; r < c.frame.runs.size(); ++r)
    if (c.frame.runs[r].id == c.frame.selected) return bench.setting_of[r];
  return 0;
}

std::optional<std::size_t> shown_setting(const PanelContext& c, const BenchModel& bench, std::size_t group) {
  if (c.view.bench.shown == 1) return bench.same(group, bench.settings[selected_setting(c, bench)]);
  return bench.groups[group].best;
}

std::vector<const RunFrame*> bench_runs(const PanelContext& c) {
  if (c.view.bench.shown == 2) return visible_runs(c);
  const BenchModel& bench = bench_of(c);
  std::set<std::size_t> settings;
  for (std::size_t g = 0; g < bench.groups.size(); ++g)
    if (const auto one = shown_setting(c, bench, g)) settings.insert(*one);
  std::vector<const RunFrame*> runs = visible_runs(c);
  std::erase_if(runs, [&](const RunFrame* run) {
    return !settings.contains(bench.setting_of[static_cast<std::size_t>(run - c.frame.runs.data())]);
  });
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
  if (info.index >= 0)
    card.place +=
        fmt::format(", {} {}", metric && metric->shape == MetricShape::per_column ? "column" : "row", info.index);
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
    if (unit.factor != 1)
      card.sentence += " In files: " + format_digits(value / unit.factor) + " " + metric->unit + ".";
  }
  return card;
}

} // namespace polarscope
