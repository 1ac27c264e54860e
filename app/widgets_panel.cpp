// Panel headers and the hover card.
#include "app/widgets.hpp"

#include "app/stroke.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

constexpr float kHeader = 32, kPadding = 12, kIconStep = 20;

float control_width(const Theme& theme, const HeaderControl& control) {
  switch (control.kind) {
  case HeaderControl::Kind::icon: return theme.snap(kIconStep);
  case HeaderControl::Kind::toggle: return std::round(measure(theme, text::kButton, control.id).x + theme.px(12));
  case HeaderControl::Kind::dropdown: return theme.snap(control.width);
  case HeaderControl::Kind::segmented: break;
  }
  float part = 0;
  for (const char* word : control.words) part = std::max(part, measure(theme, text::kButton, word).x);
  return std::round(part + theme.px(24)) * static_cast<float>(control.words.size()) + 2 * theme.snap(2);
}

float gap_after(const Theme& theme, const HeaderControl& control) {
  return control.kind == HeaderControl::Kind::icon ? 0
                                                   : theme.snap(control.kind == HeaderControl::Kind::toggle ? 8 : 10);
}

bool show_control(const Theme& theme, const HeaderControl& control) {
  switch (control.kind) {
  case HeaderControl::Kind::icon:
    return icon_button(theme, control.id, control.icon, control.help, false, true, kIconStep);
  case HeaderControl::Kind::toggle: return toggle(theme, control.id, control.on, control.help);
  case HeaderControl::Kind::dropdown:
    return dropdown(theme, control.id, control.choices, control.chosen, control.width);
  case HeaderControl::Kind::segmented: break;
  }
  return segmented(theme, control.id, control.words, control.chosen, control.help, 24);
}

float control_height(const HeaderControl& control) {
  return control.kind == HeaderControl::Kind::icon || control.kind == HeaderControl::Kind::toggle ? 20 : 24;
}

// Title and note; returns the x after them.
float draw_title(ImDrawList* list, const Theme& theme, std::string_view title, const HeaderNote& note,
                 ImVec2 left_middle, float room) {
  const Palette& c = theme.colour();
  const ImVec2 size = measure(theme, text::kSection, title);
  draw_capitals(list, theme, text::kSection, {left_middle.x, left_middle.y - size.y * 0.5f}, c.text, title);
  float x = left_middle.x + measure_capitals(theme, text::kSection, title) + theme.px(10);
  if (note.run) {
    draw_marker(list, note.run->marker, {x + theme.px(5), std::round(left_middle.y)}, theme.px(4.4f), note.run->colour);
    x += theme.px(15);
  }
  const std::string words = fit(theme, text::kLabel, note.words, left_middle.x + room - x);
  draw_text_aligned(list, theme, text::kLabel, {x, left_middle.y}, c.text2, words, 0, 0.5f);
  return words.empty() ? x : x + measure(theme, text::kLabel, words).x + theme.px(10);
}

} // namespace

HeaderControl HeaderControl::make_icon(const char* id, Icon icon, const char* help) {
  HeaderControl control{Kind::icon, id};
  control.icon = icon;
  control.help = help;
  return control;
}
HeaderControl HeaderControl::make_toggle(const char* label, bool* on, const char* help) {
  HeaderControl control{Kind::toggle, label};
  control.on = on;
  control.help = help;
  return control;
}
HeaderControl HeaderControl::make_switch(const char* id, std::span<const char* const> words, int* chosen) {
  HeaderControl control{Kind::segmented, id};
  control.words = words;
  control.chosen = chosen;
  return control;
}
HeaderControl HeaderControl::make_dropdown(const char* id, std::span<const std::string> choices, int* chosen,
                                           float width) {
  HeaderControl control{Kind::dropdown, id};
  control.left = true;
  control.choices = choices;
  control.chosen = chosen;
  control.width = width;
  return control;
}

int panel_header(const Theme& theme, std::string_view title, HeaderNote note, std::span<const HeaderControl> controls) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 start = ImGui::GetCursorScreenPos();
  const float left = ImGui::GetWindowPos().x + theme.snap(kPadding);
  const float right = ImGui::GetWindowPos().x + ImGui::GetWindowWidth() - theme.snap(kPadding);
  const float tall = theme.snap(kHeader), middle = start.y + std::round(tall * 0.5f);
  float right_width = 0, left_width = 0;
  for (const HeaderControl& control : controls)
    (control.left ? left_width : right_width) += control_width(theme, control) + gap_after(theme, control);
  const float title_width = measure_capitals(theme, text::kSection, title) + theme.px(10);
  // the note gives way first, then controls from the left
  float room = right - left - title_width;
  std::vector<bool> shown(controls.size(), true);
  for (std::size_t i = 0; i < controls.size() && left_width + right_width > room; ++i) {
    shown[i] = false;
    (controls[i].left ? left_width : right_width) -= control_width(theme, controls[i]) + gap_after(theme, controls[i]);
  }
  const float after =
      draw_title(list, theme, title, note, {left, middle}, right - left - left_width - right_width - theme.px(8));
  int used = -1;
  float x = after;
  for (bool at_left : {true, false}) {
    if (!at_left) x = right - right_width + theme.px(4); // icons have 4 px of air inside
    for (std::size_t i = 0; i < controls.size(); ++i) {
      if (!shown[i] || controls[i].left != at_left) continue;
      ImGui::SetCursorScreenPos({std::round(x), middle - std::round(theme.snap(control_height(controls[i])) * 0.5f)});
      if (show_control(theme, controls[i])) used = static_cast<int>(i);
      x += control_width(theme, controls[i]) + gap_after(theme, controls[i]);
    }
  }
  int line = 0; // below the title's
  x = right;
  for (std::size_t i = 0; i < controls.size(); ++i) {
    if (shown[i] || !controls[i].wraps) continue;
    const float wide = control_width(theme, controls[i]);
    if (x + wide > right) ++line, x = left;
    ImGui::SetCursorScreenPos({std::round(x), middle + static_cast<float>(line) * tall -
                                                  std::round(theme.snap(control_height(controls[i])) * 0.5f)});
    if (show_control(theme, controls[i])) used = static_cast<int>(i);
    x += wide + gap_after(theme, controls[i]);
  }
  const float height = tall * static_cast<float>(1 + line);
  ImGui::SetCursorScreenPos({start.x, start.y});
  ImGui::Dummy({1, height});
  ImGui::SetCursorScreenPos({start.x, start.y + height});
  return used;
}

void section_title(const Theme& theme, std::string_view title, HeaderNote note) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = theme.snap(28), wide = ImGui::GetContentRegionAvail().x;
  draw_title(ImGui::GetWindowDrawList(), theme, title, note, {at.x, at.y + std::round(tall * 0.5f)}, wide);
  ImGui::Dummy({wide, tall});
}

void show_hover_card(const Theme& theme, const HoverCard& card) {
  const Palette& c = theme.colour();
  const float wide = theme.snap(340), pad = theme.snap(16);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, theme.px(8));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, theme.hairline());
  ImGui::PushStyleColor(ImGuiCol_PopupBg, c.dark ? c.input : c.panel);
  ImGui::PushStyleColor(ImGuiCol_Border, c.frame);
  if (ImGui::BeginTooltip()) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float x = at.x + pad, right = at.x + wide - pad;
    float y = at.y + theme.px(22);
    float name = x;
    if (card.run) {
      draw_marker(list, card.run->marker, {x + theme.px(4), std::round(y)}, theme.px(4.8f), card.run->colour);
      name += theme.px(18);
    }
    draw_text_aligned(list, theme, text::kName, {name, y}, c.text, card.title, 0, 0.5f);
    draw_text_aligned(list, theme, text::kLabel, {name + measure(theme, text::kName, card.title).x + theme.px(14), y},
                      c.text2, card.place, 0, 0.5f);
    y = at.y + theme.px(54);
    draw_text_aligned(list, theme, text::kCardValue, {x, y}, c.text, card.value, 0, 0.5f);
    if (!card.change.empty()) {
      const float change =
          std::max(x + theme.px(112), x + measure(theme, text::kCardValue, card.value).x + theme.px(16));
      draw_text_aligned(list, theme, text::kValue, {change, y + theme.px(2)}, c.text2, card.change, 0, 0.5f);
      draw_text_aligned(list, theme, text::kLabel, {right, y + theme.px(2)}, c.text2, "since the last step", 1, 0.5f);
    }
    y = at.y + theme.snap(80);
    crisp_horizontal(list, x, right, y, c.frame, theme.hairline());
    y += theme.px(18);
    const std::string_view unit = card.unit.empty() ? std::string_view("no unit") : std::string_view(card.unit);
    draw_text_aligned(list, theme, text::kLabel, {right, y}, c.text2, unit, 1, 0.5f);
    draw_text_aligned(
        list, theme, text::kBody, {x, y}, c.text,
        fit(theme, text::kBody, card.formula, right - x - measure(theme, text::kLabel, unit).x - theme.px(12)), 0,
        0.5f);
    y += theme.px(16);
    ImFont* font = theme.font(Face::regular);
    const float size = theme.font_size(text::kLabel);
    const ImVec2 block = font->CalcTextSizeA(size, FLT_MAX, right - x, card.sentence.data(),
                                             card.sentence.data() + card.sentence.size());
    list->AddText(font, size, {x, std::round(y)}, c.text2, card.sentence.data(),
                  card.sentence.data() + card.sentence.size(), right - x);
    y += block.y + theme.px(14);
    if (card.exact.empty()) y -= theme.px(14);
    else draw_text_aligned(list, theme, text::kLabel, {x, y}, c.text2, "Click copies all digits", 0, 0.5f);
    ImGui::Dummy({wide, y + theme.px(16) - at.y});
    ImGui::EndTooltip();
  }
  ImGui::PopStyleColor(2);
  ImGui::PopStyleVar(3);
}

} // namespace polarscope
