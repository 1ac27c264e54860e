// The slider row: label, track with default mark and ticks, exact entry field. The track is ImGui's own slider, made
// invisible, so that dragging, keyboard steps, Ctrl+click and the test engine work as everywhere.
#include "app/widgets.hpp"

#include "app/format.hpp"
#include "app/stroke.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <system_error>

namespace polarscope {
namespace {

constexpr float kHandle = 6; // radius, design px

// Position of a value on the track, 0 to 1.
float position(const SliderSpec& spec, double value) {
  const double v = std::clamp(value, spec.least, spec.most);
  if (spec.log && spec.least > 0)
    return static_cast<float>(std::log(v / spec.least) / std::log(spec.most / spec.least));
  return static_cast<float>((v - spec.least) / (spec.most - spec.least));
}

void draw_ticks(ImDrawList* list, const Theme& theme, const SliderSpec& spec, float x0, float x1, float y) {
  const ImU32 ink = theme.colour().frame;
  const auto tick = [&](float t) {
    crisp_vertical(list, x0 + t * (x1 - x0), y, y + theme.px(4), ink, theme.hairline());
  };
  if (!spec.log || spec.least <= 0) {
    for (int i = 0; i <= 4; ++i) tick(static_cast<float>(i) / 4);
    return;
  }
  const int first = static_cast<int>(std::ceil(std::log10(spec.least) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(spec.most) + 1e-9));
  const int every = std::max(1, (last - first + 5) / 6);
  for (int decade = first; decade <= last; decade += every) tick(position(spec, std::pow(10.0, decade)));
}

SliderResult track(const Theme& theme, const SliderSpec& spec, double* value, ImVec2 at, float width, float tall) {
  const Palette& c = theme.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  SliderResult result;
  const double before = *value;
  const float hit = std::max(theme.snap(24), theme.snap(2 * kHandle));
  ImGui::SetCursorScreenPos({at.x, at.y + std::round((tall - hit) * 0.5f)});
  ImGui::SetNextItemWidth(width);
  const ImU32 none = with_alpha(c.panel, 0);
  for (ImGuiCol which : {ImGuiCol_FrameBg, ImGuiCol_FrameBgHovered, ImGuiCol_FrameBgActive, ImGuiCol_SliderGrab,
                         ImGuiCol_SliderGrabActive, ImGuiCol_Border})
    ImGui::PushStyleColor(which, none);
  ImGui::PushStyleVar(ImGuiStyleVar_GrabMinSize, theme.px(2 * kHandle));
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {0, (hit - ImGui::GetFontSize()) * 0.5f});
  const ImGuiSliderFlags flags = ImGuiSliderFlags_AlwaysClamp | ImGuiSliderFlags_NoRoundToFormat |
                                 (spec.log && spec.least > 0 ? ImGuiSliderFlags_Logarithmic : 0);
  ImGui::PushID(spec.label);
  const bool typing = ImGui::TempInputIsActive(ImGui::GetID("##track"));
  if (!typing) ImGui::PushStyleColor(ImGuiCol_Text, none);
  ImGui::SliderScalar("##track", ImGuiDataType_Double, value, &spec.least, &spec.most, "%.6g", flags);
  if (!typing) ImGui::PopStyleColor();
  ImGui::PopID();
  ImGui::PopStyleVar(2);
  ImGui::PopStyleColor(6);
  if (spec.integer) *value = std::round(*value);
  result.changed = *value != before;
  result.active = ImGui::IsItemActive();
  result.released = ImGui::IsItemDeactivatedAfterEdit();
  const bool hovered = ImGui::IsItemHovered();
  item_help(theme, spec.help);
  if (typing) return result;

  // The same inset that ImGui uses for its grab: 2 px and half a handle.
  const float inset = 2 + theme.px(kHandle), x0 = at.x + inset, x1 = at.x + width - inset;
  const float middle = std::round(at.y + tall * 0.5f), half = std::max(1.0f, theme.px(1.5f));
  const float x = x0 + position(spec, *value) * (x1 - x0);
  list->AddRectFilled({at.x + 2, middle - half}, {at.x + width - 2, middle + half}, c.hover, half);
  list->AddRectFilled({at.x + 2, middle - half}, {x, middle + half}, c.text2, half);
  draw_ticks(list, theme, spec, x0, x1, middle + theme.px(7));
  if (spec.default_mark) {
    const float d = std::round(x0 + position(spec, *spec.default_mark) * (x1 - x0)), top = middle + theme.px(6.5f);
    list->AddTriangleFilled({d, top}, {d + theme.px(3.6f), top + theme.px(5.5f)},
                            {d - theme.px(3.6f), top + theme.px(5.5f)}, c.text3);
  }
  const float radius = theme.px(result.active ? kHandle + 1 : hovered ? kHandle + 0.5f : kHandle);
  list->AddCircleFilled({x, middle}, radius + theme.px(1.5f), c.panel);
  list->AddCircleFilled({x, middle}, radius, c.text);
  return result;
}

// A number out of range, or none, changes nothing: it is said what is allowed.
void take_typed(const SliderSpec& spec, std::string_view typed, double* value, SliderResult& result) {
  while (!typed.empty() && typed.front() == ' ') typed.remove_prefix(1);
  while (!typed.empty() && typed.back() == ' ') typed.remove_suffix(1);
  const double least = spec.typed_least.value_or(spec.least), most = spec.typed_most.value_or(spec.most);
  if (typed.starts_with('+')) typed.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(typed.data(), typed.data() + typed.size(), number);
  const bool read = error == std::errc() && end == typed.data() + typed.size() && std::isfinite(number);
  if (read && spec.integer) number = std::round(number);
  if (!read || number < least || number > most) {
    result.refused = fmt::format("“{}” is not taken: allowed {} to {}", typed, format_value(least), format_value(most));
    return;
  }
  result.changed = number != *value;
  result.released = result.changed;
  *value = number;
}

// The number, right-aligned as text until it is being typed.
SliderResult field(const Theme& theme, const SliderSpec& spec, double* value, ImVec2 at, float tall) {
  const Palette& c = theme.colour();
  const float wide = theme.snap(spec.field_width), high = theme.snap(24), top = at.y + std::round((tall - high) * 0.5f);
  SliderResult result;
  ImGui::PushID(spec.label);
  const ImGuiID id = ImGui::GetID("##value");
  const bool typing = ImGui::GetActiveID() == id;
  ImGui::SetCursorScreenPos({at.x, top});
  ImGui::SetNextItemWidth(wide);
  ImGui::PushFont(theme.font(Face::mono), theme.font_size(text::kValue));
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {theme.px(6), (high - ImGui::GetFontSize()) * 0.5f});
  ImGui::PushStyleVar(ImGuiStyleVar_FrameRounding, theme.px(5));
  ImGui::PushStyleColor(ImGuiCol_Border, typing ? c.frame : c.line);
  ImGui::PushStyleColor(ImGuiCol_Text, typing ? c.text : with_alpha(c.text, 0));
  std::array<char, 64> typed{};
  const std::string shown = fmt::format("{:.9g}", *value); // as long as nothing else is typed, the exact value stays
  std::copy(shown.begin(), shown.end(), typed.begin());
  const bool entered = ImGui::InputText("##value", typed.data(), typed.size(),
                                        ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_AutoSelectAll);
  ImGui::PopStyleColor(2);
  ImGui::PopStyleVar(2);
  ImGui::PopFont();
  result.active = ImGui::IsItemActive();
  if (!typing && !result.active)
    draw_text_aligned(ImGui::GetWindowDrawList(), theme, text::kValue, {at.x + wide - theme.px(8), top + high * 0.5f},
                      c.text, format_value(*value), 1, 0.5f);
  ImGui::PopID();
  if (entered && shown != typed.data()) take_typed(spec, typed.data(), value, result);
  return result;
}

} // namespace

SliderResult slider(const Theme& theme, const SliderSpec& spec, double* value, float width) {
  const Palette& c = theme.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = theme.snap(32), label_width = theme.snap(spec.label_width);
  const float field_space = spec.field_width > 0 ? theme.snap(spec.field_width + 12) : 0;
  const std::string_view all = spec.label;
  const std::string_view words = all.substr(0, std::min(all.find("##"), all.size()));
  ImGui::BeginGroup();
  bool reset = false;
  if (label_width > 0) {
    draw_text_aligned(list, theme, text::kButton, {at.x, at.y + tall * 0.5f}, c.text,
                      fit(theme, text::kButton, words, label_width - theme.px(spec.differs ? 26 : 6)), 0, 0.5f);
    if (spec.differs && spec.default_mark) {
      ImGui::PushID(spec.label);
      ImGui::SetCursorScreenPos(
          {at.x + label_width - theme.snap(22), at.y + std::round((tall - theme.snap(20)) * 0.5f)});
      const std::string help = "Back to " + format_value(*spec.default_mark);
      reset = icon_button(theme, "reset", Icon::undo, help.c_str(), false, true, 20);
      ImGui::PopID();
    }
  }
  SliderResult result = track(theme, spec, value, {at.x + label_width, at.y}, width - label_width - field_space, tall);
  if (field_space > 0) {
    const SliderResult typed = field(theme, spec, value, {at.x + width - theme.snap(spec.field_width), at.y}, tall);
    result.changed |= typed.changed;
    result.released |= typed.released;
    result.active |= typed.active;
    result.refused = typed.refused;
  }
  result.reset = reset;
  ImGui::SetCursorScreenPos(at);
  ImGui::Dummy({width, tall});
  ImGui::EndGroup();
  return result;
}

} // namespace polarscope
