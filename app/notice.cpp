#include "app/notice.hpp"

#include "app/caches.hpp"
#include "app/shell.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

constexpr double kShown = 4, kFading = 0.4, kFadeFrame = 1.0 / 30; // seconds

// The plate with its sign; true when it was clicked.
bool draw_plate(const PanelContext& c, const std::string& notice, bool error) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  const ImVec2 room = ImGui::GetIO().DisplaySize;
  const float pad = t.snap(12), mark = t.snap(28), most = room.x - 4 * pad;
  const std::string words = fit(t, text::kLabel, notice, most - mark - 2 * pad);
  const ImVec2 size{measure(t, text::kLabel, words).x + mark + 2 * pad, t.snap(36)};
  ImGui::SetNextWindowPos({std::round((room.x - size.x) * 0.5f), room.y - size.y - 2 * pad});
  ImGui::SetNextWindowSize(size);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colour.panel);
  ImGui::PushStyleColor(ImGuiCol_Border, error ? colour.broken : colour.frame);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, t.px(8));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, t.hairline());
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
  ImGui::Begin("##notice", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoDocking |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoNav | ImGuiWindowFlags_NoFocusOnAppearing);
  const ImVec2 at = ImGui::GetWindowPos();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float middle = at.y + std::round(size.y * 0.5f);
  draw_icon(list, t, error ? Icon::cross : Icon::check, {at.x + pad + mark * 0.3f, middle},
            error ? colour.broken : colour.kept);
  draw_text_aligned(list, t, text::kLabel, {at.x + pad + mark, middle}, colour.text, words, 0, 0.5f);
  const bool clicked = ImGui::InvisibleButton("notice", size);
  item_help(t, (notice + "\nClick to put it away").c_str());
  ImGui::End();
  ImGui::PopStyleVar(3);
  ImGui::PopStyleColor(2);
  return clicked;
}

} // namespace

double draw_notice(const PanelContext& c) {
  ViewState& view = c.view;
  const bool own = !view.notice.empty();
  const std::string& notice = own ? view.notice : c.frame.notice;
  const bool error = own ? view.notice_is_error : c.frame.notice_is_error;
  Caches::Notice& shown = c.caches.notice;
  if (shown.number != view.notice_number) shown = {view.notice_number, ImGui::GetTime()};
  if (notice.empty() || (!own && !error) || view.notice_seen == notice) return Shell::kIdleSeconds;
  const double left = error ? Shell::kIdleSeconds : shown.since + kShown - ImGui::GetTime();
  if (left <= 0) return Shell::kIdleSeconds;
  ImGui::PushStyleVar(ImGuiStyleVar_Alpha, static_cast<float>(std::min(1.0, left / kFading)));
  if (draw_plate(c, notice, error)) view.notice_seen = notice;
  ImGui::PopStyleVar();
  return error ? Shell::kIdleSeconds : left > kFading ? left - kFading : kFadeFrame;
}

} // namespace polarscope
