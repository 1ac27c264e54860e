#include "app/overlays.hpp"

#include "app/pickers.hpp"
#include "app/widgets.hpp"

#include "imgui_internal.h"

#include <algorithm>

namespace polarscope {
namespace {

// Behind a dialog: dims the panels and takes the clicks that were meant for them.
void draw_shade(const PanelContext& c) {
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(ImGui::GetIO().DisplaySize);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, with_alpha(c.theme.colour().bar, 0.55f));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0.0f);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0.0f);
  ImGui::Begin("##shade", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoDocking |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoNav | ImGuiWindowFlags_NoFocusOnAppearing);
  if (ImGui::IsWindowAppearing()) ImGui::BringWindowToDisplayFront(ImGui::GetCurrentWindow());
  ImGui::End();
  ImGui::PopStyleVar(2);
  ImGui::PopStyleColor();
}

void draw_help(const PanelContext& c) {
  if (begin_overlay(c, "Help and keys", {760, 640}, &c.view.help_open)) {
    ImGui::TextWrapped(
        "Each run is a colour, a marker and a dash, the same everywhere. Rest the pointer on a number or a "
        "curve to read its exact value, unit and formula. Tab moves the keyboard focus, Enter presses; "
        "Space always plays.");
    std::string menu;
    for (const Action& action : c.actions.all()) {
      const std::string top = action.menu.substr(0, action.menu.find('/'));
      if (top != menu) {
        if (!menu.empty()) ImGui::EndTable();
        menu = top;
        ImGui::Dummy({1, c.theme.px(8)});
        section_title(c.theme, menu);
        if (!ImGui::BeginTable(menu.c_str(), 3, ImGuiTableFlags_SizingFixedFit)) return end_overlay();
        ImGui::TableSetupColumn("key", ImGuiTableColumnFlags_WidthFixed, c.theme.px(110));
        ImGui::TableSetupColumn("label", ImGuiTableColumnFlags_WidthFixed, c.theme.px(190));
        ImGui::TableSetupColumn("help", ImGuiTableColumnFlags_WidthStretch);
      }
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      const std::string key = c.actions.key_label(action.id);
      if (!key.empty()) key_cap(c.theme, key);
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(action.label.c_str());
      ImGui::TableNextColumn();
      ImGui::PushStyleColor(ImGuiCol_Text, c.theme.colour().text2);
      ImGui::TextWrapped("%s", action.help.c_str());
      ImGui::PopStyleColor();
    }
    if (!menu.empty()) ImGui::EndTable();
    ImGui::Dummy({1, c.theme.px(8)});
    section_title(c.theme, "Panels");
    if (ImGui::BeginTable("panels", 2, ImGuiTableFlags_SizingFixedFit)) {
      ImGui::TableSetupColumn("title", ImGuiTableColumnFlags_WidthFixed, c.theme.px(170));
      ImGui::TableSetupColumn("meaning", ImGuiTableColumnFlags_WidthStretch);
      for (const Panel& panel : panels()) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        ImGui::TextUnformatted(panel.title.c_str());
        ImGui::TableNextColumn();
        ImGui::PushStyleColor(ImGuiCol_Text, c.theme.colour().text2);
        ImGui::TextWrapped("%s", panel.meaning.c_str());
        ImGui::PopStyleColor();
      }
      ImGui::EndTable();
    }
  }
  end_overlay();
}

} // namespace

bool begin_overlay(const PanelContext& c, const char* title, ImVec2 design, bool* open) {
  const ImVec2 room = ImGui::GetIO().DisplaySize;
  const ImVec2 size{std::min(room.x, c.theme.px(design.x)), std::min(room.y, c.theme.px(design.y))};
  ImGui::SetNextWindowPos({(room.x - size.x) * 0.5f, (room.y - size.y) * 0.5f}, ImGuiCond_Always);
  ImGui::SetNextWindowSize(size, ImGuiCond_Always);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(c.theme.px(16), c.theme.px(12)));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, c.theme.px(8));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 1.0f);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, c.theme.colour().panel);
  ImGui::PushStyleColor(ImGuiCol_Border, c.theme.colour().frame);
  const bool filled =
      ImGui::Begin(title, open,
                   ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_NoSavedSettings |
                       ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoResize);
  if (!ImGui::IsWindowFocused(ImGuiFocusedFlags_RootAndChildWindows)) ImGui::SetWindowFocus();
  // Also while its filter is being typed in, which takes Esc from the table of keys.
  if (ImGui::IsKeyPressed(ImGuiKey_Escape, false)) *open = false;
  if (!ImGui::IsWindowAppearing() && ImGui::IsMouseClicked(ImGuiMouseButton_Left) &&
      !ImGui::IsWindowHovered(ImGuiHoveredFlags_RootAndChildWindows))
    *open = false;
  return filled;
}

void end_overlay() {
  ImGui::End();
  ImGui::PopStyleColor(2);
  ImGui::PopStyleVar(3);
}

void draw_overlays(const PanelContext& context) {
  if (context.view.dialog_open()) draw_shade(context);
  if (context.view.help_open) draw_help(context);
  if (context.view.scenes_open) draw_scene_picker(context);
  if (context.view.add_open) draw_optimizer_picker(context);
  if (context.view.save_open) draw_save_recipe(context);
}

} // namespace polarscope
