// Unrolled: net angle to the right, norm upward on a log scale, the loss painted behind.
#include "app/panels/drawings.hpp"
#include "app/panels/tools.hpp"

namespace polarscope {

void draw_unrolled(const PanelContext& c) {
  show_header(c, "unrolled", {{}, "angle to the right, log norm upward"});
  if (c.frame.runs.empty()) return;
  const ImVec2 at = ImGui::GetCursorScreenPos(), window = ImGui::GetWindowPos();
  draw_unrolled_in(c, "unrolled", {at, {window.x + ImGui::GetWindowWidth(), window.y + ImGui::GetWindowHeight()}});
}

std::string text_of_unrolled(const PanelContext& c) { return text_of_drawing(c); }

} // namespace polarscope
