// The lesson strip: one short text, how far along, and the way on.
#include "app/caches.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

void draw_lesson(const PanelContext& c) {
  const LessonPart* part = c.caches.lesson_part;
  if (!part) return;
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetWindowWidth(), middle = at.y + std::round(t.snap(40) * 0.5f);
  const float buttons = t.px(c.caches.lesson_waiting ? 244 : 214);
  draw_icon(list, t, Icon::lesson, {at.x + t.snap(20), middle}, colour.text2);
  float x = at.x + t.snap(36);
  const float right = at.x + width - t.snap(12);

  // A narrow strip gives the text its own lines above the buttons.
  const bool narrow = width < t.px(620);
  const float wrap = narrow ? right - x : right - buttons - t.px(150) - x;
  const ImVec2 size = t.font(Face::semibold)->CalcTextSizeA(t.font_size(text::kName), wrap, wrap, part->text.c_str());
  const float top = narrow ? at.y + t.px(12) : std::round(middle - size.y * 0.5f);
  list->AddText(t.font(Face::semibold), t.font_size(text::kName), {x, top}, colour.text, part->text.c_str(), nullptr,
                wrap);
  const float row = narrow ? top + size.y + t.px(24) : middle;
  float left = narrow ? x : right - buttons;
  draw_text_aligned(list, t, text::kValue, {left - t.px(narrow ? 0 : 14), row}, colour.text2,
                    fmt::format("{} of {}", c.view.lesson.step + 1, c.caches.lesson_parts), narrow ? 0.0f : 1.0f, 0.5f);
  if (narrow) left += t.px(60);

  ImGui::SetCursorScreenPos({std::round(left), std::round(row - t.px(14))});
  ButtonOptions options;
  options.width = 64;
  options.frameless = true;
  action_button(c, "lesson.previous", "Back##lesson", options);
  ImGui::SameLine(0, t.px(6));
  options = {};
  options.primary = c.caches.lesson_waiting;
  options.icon = c.caches.lesson_waiting ? Icon::check : Icon::none;
  const bool last = c.view.lesson.step + 1 == c.caches.lesson_parts;
  options.width = c.caches.lesson_waiting ? 98.0f : 68.0f;
  if (last) options.width += 8;
  const std::string key = c.actions.key_label("lesson.next");
  options.key = key;
  const char* words = last ? "Finish##lesson" : c.caches.lesson_waiting ? "Next##lesson" : "Skip##lesson";
  action_button(c, "lesson.next", words, options);
  ImGui::SameLine(0, t.px(6));
  options = {};
  options.width = 56;
  options.frameless = true;
  action_button(c, "lesson.toggle", "Close##lesson", options);
}

std::string text_of_lesson(const PanelContext& c) {
  return c.caches.lesson_part ? c.caches.lesson_part->text : std::string();
}

} // namespace polarscope
