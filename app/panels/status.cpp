// The status bar: what was done last; seed, state hash and device.
#include "app/format.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

void draw_status(const PanelContext& c) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float middle = at.y + std::round(t.snap(28) * 0.5f), width = ImGui::GetWindowWidth();

  std::string facts =
      fmt::format("seed {}   state at step {}: {}", c.frame.scene->seed, format_count(c.frame.head),
                  c.frame.state_hash ? fmt::format("{:08x}", c.frame.state_hash >> 32) : std::string("…"));
  const std::string device = c.frame.device_note.empty() ? c.frame.device : c.frame.device_note;
  const float device_width = measure(t, text::kLabel, device).x, facts_width = measure(t, text::kValue, facts).x;
  float right = at.x + width - t.snap(12);
  const bool wide = width > t.px(560);
  draw_text_aligned(list, t, text::kLabel, {right, middle}, colour.text2, device, 1, 0.5f);
  right -= device_width + t.px(24);
  if (wide) {
    list->AddRectFilled({right + t.px(12), middle - t.px(7)}, {right + t.px(12) + t.hairline(), middle + t.px(7)},
                        colour.frame);
    draw_text_aligned(list, t, text::kValue, {right, middle}, colour.text2, facts, 1, 0.5f);
    right -= facts_width + t.px(24);
  }
  const bool own = !c.view.notice.empty();
  const std::string& notice = own ? c.view.notice : c.frame.notice;
  const bool error = own ? c.view.notice_is_error : c.frame.notice_is_error;
  if (!notice.empty()) {
    draw_icon(list, t, error ? Icon::cross : Icon::check, {at.x + t.snap(18), middle},
              error ? colour.broken : colour.kept);
    const float left = at.x + t.snap(30);
    draw_text_aligned(list, t, text::kLabel, {left, middle}, colour.text, fit(t, text::kLabel, notice, right - left), 0,
                      0.5f);
  }
  ImGui::SetCursorScreenPos(at);
  ImGui::InvisibleButton("notice", {width, t.snap(28)});
  item_help(t, fmt::format("{}\nState hash of all runs at step {}: {:016x}\nSeries and keyframes: {:.1f} MB",
                           notice.empty() ? "Nothing done yet." : notice, format_count(c.frame.head),
                           c.frame.state_hash, static_cast<double>(c.frame.memory_bytes) / 1e6)
                   .c_str());
}

std::string text_of_status(const PanelContext& c) {
  return fmt::format("{} Seed {}, state at step {} {:016x}, device {}. {}", c.frame.notice, c.frame.scene->seed,
                     c.frame.head, c.frame.state_hash, c.frame.device, c.frame.device_note);
}

} // namespace polarscope
