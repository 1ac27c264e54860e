// The runs: mark, label, loss, norm and turning per step at the cursor; hide, solo, rename, duplicate, remove, add.
#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "app/run_numbers.hpp"
#include "app/short_label.hpp"
#include "app/stroke.hpp"
#include "app/visibility.hpp"

#include "imgui_internal.h"
#include "misc/cpp/imgui_stdlib.h"
#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <vector>

namespace polarscope {
namespace {

constexpr float kRow = 28, kMark = 36, kMore = 22, kValue = 43;

struct Values {
  double loss, norm, degrees; // at the cursor
};

Values values_of(const PanelContext& c, const RunFrame& run) {
  const int parameter = c.view.polar.plane.parameter;
  const long step = run.diverged ? std::min(c.frame.cursor, run.diverged_at) : c.frame.cursor;
  return {value_at(run, column_of(run, "loss"), step), value_at(run, column_of(run, "frobenius_norm", parameter), step),
          value_at(run, column_of(run, "angular_update", parameter), step) * kDegrees};
}

// The parameter that norm and turning are of; "" where there is none such.
std::string parameter_name(const PanelContext& c, const RunFrame& run) {
  const auto& parameters = run.program->parameters();
  const auto p = static_cast<std::size_t>(c.view.polar.plane.parameter);
  return p < parameters.size() ? parameters[p].name : "";
}

void draw_column_titles(const PanelContext& c, float right) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float y = ImGui::GetCursorScreenPos().y + t.px(8);
  float x = right;
  for (const char* words : {"°/step", "norm", "loss"}) {
    draw_text_aligned(list, t, text::kLabel, {x, y}, t.colour().text3, words, 1, 0.5f);
    x -= t.px(kValue + 4);
  }
  ImGui::Dummy({ImGui::GetContentRegionAvail().x, t.snap(18)});
  if (const std::string name = c.frame.runs.empty() ? "" : parameter_name(c, c.frame.runs.front()); !name.empty())
    item_help(t, fmt::format("Norm and °/step are of {}, the parameter that Polar shows.", name).c_str());
}

// Duplicate, rename, hide … of one run: the menu of its "more" button and of a right click on its row.
void draw_run_menu(const PanelContext& c, const RunFrame& run) {
  ViewState& view = c.view;
  if (ImGui::MenuItem("Rename")) view.renaming = run.id;
  if (ImGui::MenuItem("Duplicate")) c.send(command::DuplicateRun{run.id});
  if (ImGui::MenuItem("Remove", nullptr, false, c.frame.runs.size() > 1)) c.send(command::RemoveRun{run.id});
  ImGui::Separator();
  const std::string number = fmt::format("{}", run.order + 1);
  ActionContext action = c.action();
  if (ImGui::MenuItem("Shown", c.actions.key_label("runs.toggle." + number).c_str(), view.visible(run.id)))
    toggle_shown(action, run.id);
  if (ImGui::MenuItem("Only this run", c.actions.key_label("runs.solo." + number).c_str(), view.solo == run.id))
    toggle_solo(action, run.id);
}

// Of a label without room: what tells it from the runs of its style.
std::string short_label(const PanelContext& c, const RunFrame& run) {
  std::vector<std::string_view> like;
  for (const RunFrame& other : c.frame.runs)
    if (other.style == run.style) like.push_back(other.label);
  return differing_part(run.label, like);
}

std::string accuracy_text(const PanelContext& c, const RunFrame& run) {
  const double accuracy = run_numbers(run, c.frame.cursor).accuracy;
  return "held-out accuracy " + (std::isfinite(accuracy) ? format_value(accuracy, 4) : "–");
}

void draw_name_field(const PanelContext& c, const RunFrame& run, float width) {
  std::string label = run.label;
  ImGui::SetNextItemWidth(width);
  if (c.caches.name_field != run.id) ImGui::SetKeyboardFocusHere(); // once: then the user may go elsewhere
  c.caches.name_field = run.id;
  if (ImGui::InputText("##name", &label, ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_AutoSelectAll)) {
    if (!label.empty() && label != run.label) c.send(command::RenameRun{run.id, label});
    c.view.renaming.reset();
  } else if (ImGui::IsItemDeactivated()) {
    c.view.renaming.reset(); // Esc, or a click elsewhere
  }
}

void draw_values(const PanelContext& c, const RunFrame& run, float right, float middle, bool shown) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const Values v = values_of(c, run);
  if (run.diverged && c.frame.cursor >= run.diverged_at) {
    const std::string words = "stopped at " + format_count(run.diverged_at);
    draw_text_aligned(list, t, text::kButton, {right, middle}, colour.broken, words, 1, 0.5f);
    draw_icon(list, t, Icon::cross, {right - measure(t, text::kButton, words).x - t.px(10), middle}, colour.broken, 10);
    return;
  }
  float x = right;
  for (double value : {v.degrees, v.norm, v.loss}) {
    const std::string words =
        std::isfinite(value) ? format_value(value, std::abs(value) < 0.1 ? 2 : 3) : "–"; // 2.3e−2 is as wide as 0.231
    draw_text_aligned(list, t, text::kValue, {x, middle}, shown ? colour.text : colour.text3, words, 1, 0.5f);
    x -= t.px(kValue + 4);
  }
}

void draw_run(const PanelContext& c, const RunFrame& run) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  ImGui::PushID(static_cast<int>(run.id));
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x, tall = t.snap(kRow), middle = at.y + std::round(tall * 0.5f);
  const bool selected = run.id == c.frame.selected, shown = c.view.visible(run.id);
  const RunStyle style = t.run(run.style);
  const bool renaming = c.view.renaming == run.id;

  // The row selects; the mark at its left shows and hides; "more" is at its right.
  ImGui::SetNextItemAllowOverlap();
  if (ImGui::InvisibleButton(("row " + run.label).c_str(), {width, tall}, ImGuiButtonFlags_EnableNav))
    c.send(command::SelectRun{run.id});
  // A run that was selected elsewhere comes into sight, once: then the user may scroll away.
  if (selected && c.caches.listed_selection != run.id) {
    ImGui::ScrollToItem(ImGuiScrollFlags_KeepVisibleEdgeY);
    if (!ImGui::IsWindowAppearing()) c.caches.listed_selection = run.id; // its size may not be known yet
  }
  if (!ImGui::IsItemVisible() && !renaming) { // scrolled out of sight: focus reaches it by its row
    ImGui::PopID();
    return;
  }
  const bool hovered = ImGui::IsItemHovered(ImGuiHoveredFlags_AllowWhenOverlappedByItem);
  if (hovered) c.view.next_hover.run = run.id;
  if (hovered && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) c.view.renaming = run.id;
  std::string help = run.label == run.optimizer_name ? run.label : run.label + ", " + run.optimizer_name;
  if (hovered && measures_accuracy(run)) help += "\n" + accuracy_text(c, run);
  item_help(t, (help + "\nClick: select. Double click: rename.").c_str());
  // As other menus are, not as the rows; keys stand apart from the words.
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(t.px(16), t.px(8)));
  if (ImGui::BeginPopupContextItem("run menu")) {
    draw_run_menu(c, run);
    ImGui::EndPopup();
  }
  ImGui::PopStyleVar();
  ring_if_highlighted(c, "run." + run.label);
  if (selected || hovered || c.view.hover.run == run.id)
    list->AddRectFilled(at, {at.x + width, at.y + tall}, colour.hover);
  if (selected) list->AddRectFilled(at, {at.x + t.snap(3), at.y + tall}, style.colour);

  ImGui::SetCursorScreenPos({at.x + t.px(8), at.y});
  if (ImGui::InvisibleButton("shown", {t.px(kMark), tall}, ImGuiButtonFlags_EnableNav)) {
    ActionContext action = c.action();
    toggle_shown(action, run.id);
  }
  item_help(t, shown ? "Hide this run" : "Show this run");
  run_key(list, t, style, {at.x + t.px(14), middle}, kMark - 8, shown ? 0.0f : 0.7f);
  if (!shown) draw_icon(list, t, Icon::hidden, {at.x + t.px(14 + 18), middle}, colour.text2, 11);

  const float more_left = at.x + width - t.px(kMore + 4);
  const float label_left = at.x + t.px(14 + kMark + 6);
  const float values_right = more_left - t.px(4);
  const float values_left = values_right - 3 * t.px(kValue + 4);
  if (renaming) {
    ImGui::SetCursorScreenPos({label_left, at.y + t.px(2)});
    draw_name_field(c, run, more_left - label_left);
  } else {
    const float room = std::max(t.px(20), values_left - label_left);
    std::string label = run.label;
    if (measure(t, text::kName, label).x > room) label = fit(t, text::kName, short_label(c, run), room);
    draw_text_aligned(list, t, text::kName, {label_left, middle}, shown ? colour.text : colour.text3, label, 0, 0.5f);
    const float after = label_left + measure(t, text::kName, label).x + t.px(6);
    if (run.optimizer && label == run.label && values_left - after > t.px(28) && run.optimizer_name != run.label)
      draw_text_aligned(list, t, text::kLabel, {after, middle}, colour.text2,
                        fit(t, text::kLabel, run.optimizer_name, values_left - after), 0, 0.5f);
    draw_values(c, run, values_right, middle, shown);
  }
  ImGui::SetCursorScreenPos({more_left, std::round(middle - t.px(kMore) * 0.5f)});
  if (icon_button(t, "more", Icon::more, "Rename, duplicate, remove, show alone", false, true, kMore))
    ImGui::OpenPopup("run menu");
  ImGui::SetCursorScreenPos({at.x, at.y + tall});
  ImGui::Dummy({0, 0});
  ImGui::PopID();
}

} // namespace

void draw_runs(const PanelContext& c) {
  show_header(c, "runs", {});
  if (!c.view.renaming) c.caches.name_field.reset();
  const Theme& t = c.theme;
  const float width = ImGui::GetContentRegionAvail().x;
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  draw_column_titles(c, ImGui::GetCursorScreenPos().x + width - t.px(kMore + 8));
  for (const RunFrame& run : c.frame.runs) draw_run(c, run);
  ImGui::PopStyleVar();
  ImGui::Dummy({1, t.px(4)});
  ImGui::SetCursorScreenPos({ImGui::GetWindowPos().x + t.snap(12), ImGui::GetCursorScreenPos().y});
  ButtonOptions options;
  options.icon = Icon::add;
  options.width = 92;
  action_button(c, "runs.add", "Add run", options);
}

std::string text_of_runs(const PanelContext& c) {
  std::string text;
  for (const RunFrame& run : c.frame.runs) {
    const Values v = values_of(c, run);
    const std::string name = parameter_name(c, run);
    text += fmt::format("Run {} ({}), step {}: loss {:.6g}, norm{} {:.6g}, turned {:.4g} degrees in the last step{}.",
                        run.label, run.optimizer_name, c.frame.cursor, v.loss, name.empty() ? "" : " of " + name,
                        v.norm, v.degrees, measures_accuracy(run) ? ", " + accuracy_text(c, run) : "");
    if (run.diverged) text += fmt::format(" It stopped at step {}: a number was no longer finite.", run.diverged_at);
    text += "\n";
  }
  return text;
}

} // namespace polarscope
