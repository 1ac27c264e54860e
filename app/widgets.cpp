#include "app/widgets.hpp"

#include "app/format.hpp"
#include "app/stroke.hpp"

#include "imgui_internal.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

std::string_view visible(const char* label) {
  const std::string_view words = label;
  return words.substr(0, std::min(words.find("##"), words.size()));
}

struct PlateState {
  bool hovered, held, chosen, enabled, primary = false, frameless = false;
};

// The plate of a button; returns the ink to write on it.
ImU32 draw_button_plate(ImDrawList* list, const Theme& theme, ImVec2 min, ImVec2 max, const PlateState& state,
                        float rounding) {
  const Palette& c = theme.colour();
  if (state.primary) {
    const float lift = state.held ? 0.25f : state.hovered ? 0.12f : 0;
    list->AddRectFilled(min, max, state.enabled ? mix(c.text, c.panel, lift) : c.hover, rounding);
    return state.enabled ? c.panel : c.text3;
  }
  const ImU32 pressed = c.dark ? c.on : c.frame;
  ImU32 fill = c.input;
  if (state.chosen) fill = c.dark ? c.on : c.hover;
  if (state.hovered && state.enabled && !state.chosen) fill = c.hover;
  if (state.held && state.enabled) fill = pressed;
  const bool quiet = state.frameless && !state.hovered && !state.held && !state.chosen;
  if (!quiet) {
    list->AddRectFilled(min, max, fill, rounding);
    if (!state.frameless)
      list->AddRect(min, max, state.chosen && !c.dark ? c.frame : c.line, rounding, theme.hairline());
  }
  if (!state.enabled) return with_alpha(c.text3, 0.65f);
  return state.frameless && quiet ? c.text2 : c.text;
}

// An item of at least 24 design px around a drawing of `size`, keeping the layout of `size`.
struct Hit {
  bool pressed, hovered, held;
  ImVec2 min, max; // of the drawing
};
Hit hit_area(const Theme& theme, const char* id, ImVec2 size, bool enabled) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  ImGui::BeginDisabled(!enabled);
  const float extra = std::max(0.0f, theme.px(24) - size.y) * 0.5f;
  Hit hit{};
  ImGui::PushStyleVar(ImGuiStyleVar_DisabledAlpha, 1.0f);
  if (extra > 0) {
    const ImGuiID key = ImGui::GetID(id);
    const ImRect box({at.x, at.y - extra}, {at.x + size.x, at.y + size.y + extra});
    ImGui::ItemSize(size);
    if (ImGui::ItemAdd(box, key)) {
      hit.pressed = ImGui::ButtonBehavior(box, key, &hit.hovered, &hit.held);
      ImGui::RenderNavCursor({at, {at.x + size.x, at.y + size.y}}, key);
#ifdef IMGUI_ENABLE_TEST_ENGINE
      ImGuiContext& g = *ImGui::GetCurrentContext();
      IMGUI_TEST_ENGINE_ITEM_INFO(key, id, g.LastItemData.StatusFlags);
#endif
    }
  } else {
    hit.pressed = ImGui::InvisibleButton(id, size, ImGuiButtonFlags_EnableNav);
    hit.hovered = ImGui::IsItemHovered();
    hit.held = ImGui::IsItemActive();
  }
  ImGui::PopStyleVar();
  ImGui::EndDisabled();
  hit.min = at;
  hit.max = {at.x + size.x, at.y + size.y};
  return hit;
}

} // namespace

bool button(const Theme& theme, const char* label, const ButtonOptions& options) {
  const std::string_view words = visible(label);
  const float pad = theme.px(options.frameless ? 8 : 12), icon_width = options.icon == Icon::none ? 0 : theme.px(12);
  const float gap = icon_width > 0 && !words.empty() ? theme.px(8) : 0;
  const ImVec2 text_size = measure(theme, text::kButton, words);
  const float key_width =
      options.key.empty()
          ? 0
          : std::max(theme.px(16), measure(theme, text::kTick, options.key).x + theme.px(8)) + theme.px(6);
  const float contents = icon_width + gap + text_size.x + key_width;
  const float width = options.width > 0 ? theme.snap(options.width) : std::round(contents + 2 * pad);
  const Hit hit = hit_area(theme, label, {width, theme.snap(options.height)}, options.enabled);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImU32 ink = draw_button_plate(
      list, theme, hit.min, hit.max,
      {hit.hovered, hit.held, options.chosen, options.enabled, options.primary, options.frameless}, theme.px(6));
  float x = hit.min.x + std::max(pad * 0.5f, (width - contents) * 0.5f);
  const float middle = (hit.min.y + hit.max.y) * 0.5f;
  if (icon_width > 0)
    draw_icon(list, theme, options.icon, {std::round(x + icon_width * 0.5f), std::round(middle)}, ink);
  x += icon_width + gap;
  const TextStyle style = options.primary ? TextStyle{Face::semibold, text::kButton.size} : text::kButton;
  draw_text_aligned(list, theme, style, {x, middle}, ink, words, 0, 0.5f);
  if (key_width > 0)
    draw_key_cap(list, theme, {x + text_size.x + key_width, middle}, options.key,
                 options.primary ? ink : theme.colour().text2);
  item_help(theme, options.help);
  return hit.pressed && options.enabled;
}

bool icon_button(const Theme& theme, const char* id, Icon icon, const char* help, bool framed, bool enabled,
                 float size) {
  const float side = theme.snap(size);
  const Hit hit = hit_area(theme, id, {side, side}, enabled);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImU32 ink = draw_button_plate(
      list, theme, hit.min, hit.max, {hit.hovered, hit.held, false, enabled, false, !framed}, theme.px(framed ? 6 : 4));
  draw_icon(list, theme, icon, {std::round((hit.min.x + hit.max.x) * 0.5f), std::round((hit.min.y + hit.max.y) * 0.5f)},
            ink);
  item_help(theme, help);
  return hit.pressed && enabled;
}

bool toggle(const Theme& theme, const char* label, bool* on, const char* help) {
  const std::string_view words = visible(label);
  const ImVec2 size{std::round(measure(theme, text::kButton, words).x + theme.px(12)), theme.snap(20)};
  const Hit hit = hit_area(theme, label, size, true);
  const Palette& c = theme.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImU32 fill = *on ? c.hover : hit.hovered ? c.input : with_alpha(c.input, 0);
  list->AddRectFilled(hit.min, hit.max, fill, theme.px(4));
  list->AddRect(hit.min, hit.max, *on ? c.frame : c.line, theme.px(4), theme.hairline());
  draw_text_aligned(list, theme, text::kButton, {(hit.min.x + hit.max.x) * 0.5f, (hit.min.y + hit.max.y) * 0.5f},
                    *on ? c.text : c.text2, words, 0.5f, 0.5f);
  item_help(theme, help);
  if (hit.pressed) *on = !*on;
  return hit.pressed;
}

bool segmented(const Theme& theme, const char* id, std::span<const char* const> words, int* chosen, const char* help,
               float height) {
  const Palette& c = theme.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float inset = theme.snap(2), tall = theme.snap(height);
  float part = 0;
  for (const char* word : words) part = std::max(part, measure(theme, text::kButton, word).x);
  part = std::round(part + theme.px(24));
  const ImVec2 size{part * static_cast<float>(words.size()) + 2 * inset, tall};
  list->AddRectFilled(at, {at.x + size.x, at.y + size.y}, c.input, theme.px(6));
  list->AddRect(at, {at.x + size.x, at.y + size.y}, c.line, theme.px(6), theme.hairline());
  ImGui::BeginGroup();
  ImGui::PushID(id);
  bool changed = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const ImVec2 min{at.x + inset + part * static_cast<float>(i), at.y + inset}, max{min.x + part, at.y + tall - inset};
    ImGui::SetCursorScreenPos({min.x, at.y});
    const bool pressed = ImGui::InvisibleButton(words[i], {part, tall}, ImGuiButtonFlags_EnableNav);
    const bool is_chosen = *chosen == static_cast<int>(i);
    if (is_chosen) {
      list->AddRectFilled(min, max, c.on, theme.px(4.5f));
      if (!c.dark) list->AddRect(min, max, c.frame, theme.px(4.5f), theme.hairline());
    }
    const bool hovered = ImGui::IsItemHovered();
    const TextStyle style = is_chosen ? TextStyle{Face::semibold, text::kButton.size} : text::kButton;
    draw_text_aligned(list, theme, style, {(min.x + max.x) * 0.5f, at.y + tall * 0.5f},
                      is_chosen || hovered ? c.text : c.text2, words[i], 0.5f, 0.5f);
    item_help(theme, help, true);
    if (pressed && !is_chosen) *chosen = static_cast<int>(i), changed = true;
  }
  ImGui::PopID();
  ImGui::SetCursorScreenPos(at);
  ImGui::Dummy(size);
  ImGui::EndGroup();
  return changed;
}

bool begin_dropdown(const Theme& theme, const char* id, std::string_view preview, float width, std::string_view note) {
  const Palette& c = theme.colour();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = theme.snap(24), wide = theme.snap(width);
  ImGui::SetNextItemWidth(wide);
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {theme.px(8), std::max(0.0f, (tall - ImGui::GetFontSize()) * 0.5f)});
  ImGui::PushStyleVar(ImGuiStyleVar_FrameRounding, theme.px(5));
  ImGui::PushStyleColor(ImGuiCol_Border, c.line);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {theme.px(4), theme.px(4)});
  ImGui::SetNextWindowSizeConstraints({wide, 0}, {FLT_MAX, theme.px(420)});
  ImDrawList* list = ImGui::GetWindowDrawList(); // before the popup becomes the window
  const bool open = ImGui::BeginCombo(id, "", ImGuiComboFlags_NoArrowButton | ImGuiComboFlags_HeightLargest);
#ifdef IMGUI_ENABLE_TEST_ENGINE
  if (!open) { // ImGui names its combos to no test
    ImGuiContext& g = *ImGui::GetCurrentContext();
    IMGUI_TEST_ENGINE_ITEM_INFO(g.LastItemData.ID, id, g.LastItemData.StatusFlags);
  }
#endif
  ImGui::PopStyleVar(3);
  ImGui::PopStyleColor();
  const float middle = at.y + tall * 0.5f, right = at.x + wide;
  const float note_width = note.empty() ? 0 : measure(theme, text::kLabel, note).x + theme.px(8);
  draw_text_aligned(list, theme, text::kButton, {at.x + theme.px(8), middle}, c.text,
                    fit(theme, text::kButton, preview, wide - theme.px(32) - note_width), 0, 0.5f);
  if (!note.empty())
    draw_text_aligned(list, theme, text::kLabel, {right - theme.px(24), middle}, c.text3, note, 1, 0.5f);
  draw_icon(list, theme, Icon::chevron_down, {std::round(right - theme.px(13)), std::round(middle)}, c.text2, 10);
  return open;
}

bool menu_row(const Theme& theme, const char* label, bool chosen, std::string_view note) {
  const Palette& c = theme.colour();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = theme.snap(26);
  const float needed =
      measure(theme, text::kButton, visible(label)).x + measure(theme, text::kLabel, note).x + theme.px(52);
  const float wide = std::max(ImGui::GetContentRegionAvail().x, needed);
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, 0});
  ImGui::PushStyleColor(ImGuiCol_Text, with_alpha(c.text, 0));
  const bool picked = ImGui::Selectable(label, chosen, 0, {wide, tall});
  ImGui::PopStyleColor();
  ImGui::PopStyleVar();
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (chosen)
    draw_icon(list, theme, Icon::check, {std::round(at.x + theme.px(12)), std::round(at.y + tall * 0.5f)}, c.text, 10);
  draw_text_aligned(list, theme, text::kButton, {at.x + theme.px(24), at.y + tall * 0.5f}, c.text, visible(label), 0,
                    0.5f);
  draw_text_aligned(list, theme, text::kLabel, {at.x + wide - theme.px(8), at.y + tall * 0.5f}, c.text2, note, 1, 0.5f);
  return picked;
}

void end_dropdown() { ImGui::EndCombo(); }

bool dropdown(const Theme& theme, const char* id, std::span<const std::string> words, int* chosen, float width,
              std::string_view note) {
  const bool valid = *chosen >= 0 && *chosen < static_cast<int>(words.size());
  const std::string_view preview = valid ? std::string_view(words[static_cast<std::size_t>(*chosen)]) : "";
  bool changed = false;
  if (begin_dropdown(theme, id, preview, width, note)) {
    for (std::size_t i = 0; i < words.size(); ++i)
      if (menu_row(theme, words[i].c_str(), *chosen == static_cast<int>(i))) {
        changed = *chosen != static_cast<int>(i);
        *chosen = static_cast<int>(i);
      }
    end_dropdown();
  }
  return changed;
}

void label(const Theme& theme, std::string_view words, ImU32 colour, TextStyle style) {
  const ImVec2 at = ImGui::GetCursorScreenPos(), size = measure(theme, style, words);
  draw_text(ImGui::GetWindowDrawList(), theme, style, at, colour, words);
  ImGui::Dummy(size);
}

namespace {
constexpr TextStyle kCap{Face::medium, 11};
float cap_width(const Theme& theme, std::string_view key) {
  return std::round(std::max(theme.px(16), measure(theme, kCap, key).x + theme.px(8)));
}
} // namespace

void key_cap(const Theme& theme, std::string_view key) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float wide = cap_width(theme, key), tall = theme.snap(16);
  draw_key_cap(ImGui::GetWindowDrawList(), theme, {at.x + wide, at.y + tall * 0.5f}, key, theme.colour().text2);
  ImGui::Dummy({wide, tall});
}

void draw_key_cap(ImDrawList* list, const Theme& theme, ImVec2 right_middle, std::string_view key, ImU32 ink) {
  const float wide = cap_width(theme, key), tall = theme.snap(16), top = std::round(right_middle.y - tall * 0.5f),
              left = std::round(right_middle.x - wide);
  list->AddRect({left, top}, {left + wide, top + tall}, with_alpha(ink, 0.5f), theme.px(4), theme.hairline());
  draw_text_aligned(list, theme, kCap, {left + wide * 0.5f, top + tall * 0.5f}, ink, key, 0.5f, 0.5f);
}

void meter(const Theme& theme, float share, float width, float height) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  draw_meter(ImGui::GetWindowDrawList(), theme, at, share, theme.snap(width), theme.snap(height));
  ImGui::Dummy({theme.snap(width), theme.snap(height)});
}

void draw_meter(ImDrawList* list, const Theme& theme, ImVec2 at, float share, float width, float height) {
  const Palette& c = theme.colour();
  at = {std::round(at.x), std::round(at.y)};
  const float filled = std::round(width * std::clamp(share, 0.0f, 1.0f));
  list->AddRectFilled(at, {at.x + width, at.y + height}, c.hover, height * 0.5f);
  if (filled > 0) list->AddRectFilled(at, {at.x + std::max(filled, height), at.y + height}, c.text2, height * 0.5f);
}

void check_light(const Theme& theme, Light light, std::string_view name, std::string_view note, float width) {
  const Palette& c = theme.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float line = theme.snap(26),
              room = std::max(theme.px(40), width - measure(theme, text::kTick, note).x - theme.px(34));
  const ImVec2 sign{std::round(at.x + theme.px(8)), std::round(at.y + line * 0.5f)};
  const ImU32 hue = light == Light::kept ? c.kept : light == Light::broken ? c.broken : c.warning;
  if (light == Light::not_promised) {
    list->AddCircle(sign, theme.px(6), c.frame, 0, theme.px(1.2f));
  } else {
    list->AddCircleFilled(sign, theme.px(7.5f), mix(c.panel, hue, c.dark ? 0.30f : 0.18f));
    const Icon icon = light == Light::kept ? Icon::check : light == Light::broken ? Icon::cross : Icon::warning;
    draw_icon(list, theme, icon, sign, hue, light == Light::kept ? 9 : 8);
  }
  // A long name takes several lines.
  ImFont* font = theme.font(text::kLabel.face);
  const float size = theme.font_size(text::kLabel);
  const char* begin = name.data();
  const ImVec2 block = font->CalcTextSizeA(size, FLT_MAX, room, begin, begin + name.size());
  const float one = font->CalcTextSizeA(size, FLT_MAX, 0, "x").y, top = std::round(sign.y - one * 0.5f);
  list->AddText(font, size, {std::round(at.x + theme.px(24)), top}, c.text2, begin, begin + name.size(), room);
  draw_text_aligned(list, theme, text::kTick, {at.x + width, sign.y}, light == Light::broken ? c.broken : c.text2, note,
                    1, 0.5f);
  ImGui::Dummy({width, line + std::max(0.0f, std::round(block.y - one))});
}

void run_key(ImDrawList* list, const Theme& theme, const RunStyle& style, ImVec2 left_middle, float width, float dim) {
  const ImU32 colour = mix(style.colour, theme.colour().panel, dim);
  draw_marker(list, style.marker, {left_middle.x + theme.px(7), left_middle.y}, theme.px(4.6f), colour);
  const float x0 = left_middle.x + theme.px(20), y = std::round(left_middle.y);
  if (width <= 20) return;
  const std::array<ImVec2, 2> line{ImVec2{x0, y}, {left_middle.x + theme.px(width), y}};
  stroke_dashed(list, line, colour, theme.stroke(2), dash_pattern(theme, style));
}

void draw_pill(ImDrawList* list, const Theme& theme, ImVec2 centre, std::string_view words) {
  const Palette& c = theme.colour();
  const ImVec2 size = measure(theme, text::kValue, words);
  const float half_w = std::round(size.x * 0.5f + theme.px(9)), half_h = std::round(theme.px(9));
  const ImVec2 mid{std::round(centre.x), std::round(centre.y)};
  list->AddRectFilled({mid.x - half_w, mid.y - half_h}, {mid.x + half_w, mid.y + half_h}, c.text, theme.px(6));
  draw_text_aligned(list, theme, text::kValue, mid, c.panel, words, 0.5f, 0.5f);
}

void draw_plate(ImDrawList* list, const Theme& theme, ImVec2 min, ImVec2 max, float opacity) {
  list->AddRectFilled({std::round(min.x), std::round(min.y)}, {std::round(max.x), std::round(max.y)},
                      with_alpha(theme.colour().panel, opacity), theme.px(4));
}

void item_help(const Theme& theme, const char* help, bool above) {
  if (!help || !*help ||
      !ImGui::IsItemHovered(ImGuiHoveredFlags_DelayNormal | ImGuiHoveredFlags_Stationary |
                            ImGuiHoveredFlags_AllowWhenDisabled))
    return;
  const ImVec2 padding{theme.px(8), theme.px(5)}, words = measure(theme, text::kLabel, help);
  const float right = ImGui::GetIO().DisplaySize.x - words.x - 2 * padding.x;
  const ImVec2 at{std::max(0.0f, std::min(ImGui::GetItemRectMin().x, right)),
                  ImGui::GetItemRectMin().y - theme.px(4) - words.y - 2 * padding.y};
  if (above && at.y >= 0) ImGui::SetNextWindowPos(at); // else where ImGui finds room
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, padding);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, theme.px(4));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, theme.hairline());
  if (ImGui::BeginTooltip()) {
    label(theme, help, theme.colour().text);
    ImGui::EndTooltip();
  }
  ImGui::PopStyleVar(3);
}

} // namespace polarscope
