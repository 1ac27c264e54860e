// The inspector: one matrix of the selected run at the cursor as a heat map with its numbers; click pins a cell.
#include "app/format.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

bool shown_role(Role role) {
  return role == Role::param || role == Role::grad || role == Role::state || role == Role::data;
}

std::vector<const SlotValues*> shown_slots(const StateView& state) {
  std::vector<const SlotValues*> slots;
  for (Role role : {Role::param, Role::grad, Role::state, Role::data})
    for (const SlotValues& slot : state.slots)
      if (slot.role == role && shown_role(slot.role) && !slot.values.empty()) slots.push_back(&slot);
  return slots;
}

// Negative, zero and positive by one diverging map: cold, panel, warm.
ImU32 cell_colour(const Palette& colour, double value, double largest) {
  if (!std::isfinite(value)) return colour.input;
  const float t = largest > 0 ? static_cast<float>(std::sqrt(std::abs(value) / largest)) : 0.0f;
  return mix(colour.input, value < 0 ? colour.sweep[2] : colour.warning, 0.85f * t);
}

ImU32 ink_on(const Palette& colour, ImU32 ground) {
  const ImU32 dark = colour.dark ? colour.bar : colour.text, light = colour.dark ? colour.text : colour.panel;
  return contrast_ratio(dark, ground) > contrast_ratio(light, ground) ? dark : light;
}

struct Grid {
  ImVec2 origin;
  float cell_w, cell_h;
  int rows, cols;
};

// A tall vector is laid out as lines of cells; matrices keep their shape.
Grid make_grid(const PanelContext& c, const SlotValues& slot) {
  const ImVec2 at = ImGui::GetCursorScreenPos(), room = ImGui::GetContentRegionAvail();
  const float pad = c.theme.snap(12);
  Grid grid;
  grid.rows = static_cast<int>(slot.rows);
  grid.cols = static_cast<int>(slot.cols);
  grid.origin = {at.x + pad, at.y};
  const float footer = c.theme.px(44);
  grid.cell_w = std::clamp((room.x - 2 * pad) / static_cast<float>(grid.cols), 2.0f, c.theme.px(86));
  grid.cell_h = std::clamp((room.y - footer) / static_cast<float>(grid.rows), c.theme.px(4), c.theme.px(30));
  return grid;
}

void draw_cells(const PanelContext& c, const SlotValues& slot, const Grid& grid) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  double largest = 0;
  for (double v : slot.values)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  const bool words = grid.cell_w >= t.px(44) && grid.cell_h >= t.px(15);
  const float gap = grid.cell_w > t.px(8) && grid.cell_h > t.px(8) ? 1.0f : 0.0f;
  for (int i = 0; i < grid.rows; ++i)
    for (int j = 0; j < grid.cols; ++j) {
      const double value = slot.values[static_cast<std::size_t>(i * grid.cols + j)];
      const ImVec2 min{std::floor(grid.origin.x + grid.cell_w * static_cast<float>(j)),
                       std::floor(grid.origin.y + grid.cell_h * static_cast<float>(i))};
      const ImVec2 max{std::floor(grid.origin.x + grid.cell_w * static_cast<float>(j + 1)) - gap,
                       std::floor(grid.origin.y + grid.cell_h * static_cast<float>(i + 1)) - gap};
      const ImU32 ground = cell_colour(t.colour(), value, largest);
      list->AddRectFilled(min, max, ground);
      if (words)
        draw_text_aligned(list, t, text::kTick, {(min.x + max.x) * 0.5f, (min.y + max.y) * 0.5f},
                          ink_on(t.colour(), ground), format_value(value, 3), 0.5f, 0.5f);
      if (c.view.hover.row == i && slot.role == Role::param)
        list->AddRect(min, max, with_alpha(t.colour().text, 0.5f), 0, 1);
    }
}

std::string cell_name(const SlotValues& slot, int i, int j) {
  return slot.rows == 1 ? fmt::format("{}[{}]", slot.name, j) : fmt::format("{}[{}, {}]", slot.name, i, j);
}

void take_input(const PanelContext& c, const SlotValues& slot, const Grid& grid) {
  ImGui::SetCursorScreenPos(grid.origin);
  const ImVec2 size{grid.cell_w * static_cast<float>(grid.cols), grid.cell_h * static_cast<float>(grid.rows)};
  const bool pressed =
      ImGui::InvisibleButton("cells", {std::max(1.0f, size.x), std::max(1.0f, size.y)}, ImGuiButtonFlags_EnableNav);
  auto& cell = c.view.inspector_cell;
  if (!ImGui::IsItemHovered()) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const int i = std::clamp(static_cast<int>((mouse.y - grid.origin.y) / grid.cell_h), 0, grid.rows - 1);
  const int j = std::clamp(static_cast<int>((mouse.x - grid.origin.x) / grid.cell_w), 0, grid.cols - 1);
  if (slot.role == Role::param || slot.role == Role::grad) c.view.next_hover.row = i;
  if (pressed) cell = cell == std::pair(i, j) ? std::nullopt : std::optional(std::pair(i, j));
  HoverCard card;
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (run) card.run = c.theme.run(run->style);
  card.title = cell_name(slot, i, j);
  card.place = fmt::format("{}, step {}", run ? run->label : "", format_count(c.frame.state->step));
  const double value = slot.values[static_cast<std::size_t>(i * grid.cols + j)];
  card.value = format_digits(value);
  card.exact = format_exact(value);
  card.sentence = slot.meaning;
  show_hover_card(c.theme, card);
}

void draw_footer(const PanelContext& c, const SlotValues& slot, const Grid& grid) {
  const Theme& t = c.theme;
  const float y = grid.origin.y + grid.cell_h * static_cast<float>(grid.rows) + t.px(14);
  ImDrawList* list = ImGui::GetWindowDrawList();
  std::string words = fmt::format("{} × {}  {}", slot.rows, slot.cols, slot.meaning);
  const auto& cell = c.view.inspector_cell;
  if (cell && cell->first < grid.rows && cell->second < grid.cols) {
    const double value = slot.values[static_cast<std::size_t>(cell->first * grid.cols + cell->second)];
    const std::string exact = cell_name(slot, cell->first, cell->second) + " = " + format_exact(value);
    draw_text_aligned(list, t, text::kValue, {grid.origin.x, y}, t.colour().text, exact, 0, 0.5f);
    words.clear();
  }
  draw_text_aligned(list, t, text::kLabel, {grid.origin.x, y}, t.colour().text3,
                    fit(t, text::kLabel, words, ImGui::GetWindowWidth() - t.px(24)), 0, 0.5f);
  ImGui::SetCursorScreenPos({grid.origin.x, y + t.px(12)});
  ImGui::Dummy({1, 1});
}

const SlotValues* chosen_slot(const PanelContext& c, const std::vector<const SlotValues*>& slots) {
  if (slots.empty()) return nullptr;
  return slots[static_cast<std::size_t>(std::clamp(c.view.inspector_slot, 0, static_cast<int>(slots.size()) - 1))];
}

} // namespace

void draw_inspector(const PanelContext& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run || !c.frame.state) {
    show_header(c, "inspector", {{}, run ? "no values at this step yet" : "no run selected"});
    return;
  }
  const auto slots = shown_slots(*c.frame.state);
  std::vector<std::string> names;
  for (const SlotValues* slot : slots) names.push_back(slot->name);
  c.view.inspector_slot = std::clamp(c.view.inspector_slot, 0, std::max(0, static_cast<int>(slots.size()) - 1));
  const std::string note = fmt::format("of {}, step {}", run->label, format_count(c.frame.state->step));
  show_header(c, "inspector", {c.theme.run(run->style), note},
              {HeaderControl::make_dropdown("##slot", names, &c.view.inspector_slot, 130)});
  const SlotValues* slot = chosen_slot(c, slots);
  if (!slot) return;
  const Grid grid = make_grid(c, *slot);
  draw_cells(c, *slot, grid);
  take_input(c, *slot, grid);
  draw_footer(c, *slot, grid);
}

std::string text_of_inspector(const PanelContext& c) {
  if (!c.frame.state) return "No values at this step.";
  const auto slots = shown_slots(*c.frame.state);
  const SlotValues* slot = chosen_slot(c, slots);
  if (!slot) return "Nothing small enough to show.";
  const RunFrame* run = c.frame.find(c.frame.state->run);
  std::string text = fmt::format("{} of run {} at step {}, {} rows, {} columns:\n", slot->name, run ? run->label : "",
                                 c.frame.state->step, slot->rows, slot->cols);
  for (std::uint32_t i = 0; i < slot->rows; ++i) {
    for (std::uint32_t j = 0; j < slot->cols; ++j)
      text += (j ? " " : "") + format_exact(slot->values[static_cast<std::size_t>(i) * slot->cols + j]);
    text += "\n";
  }
  return text;
}

} // namespace polarscope
