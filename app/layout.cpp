#include "app/layout.hpp"

#include "engine/files.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace polarscope {
namespace {

// Changes when places or names change so much that an old file would mislead.
constexpr const char* kHeader = "; polarscope layout 1\n";

// Room in design pixels below which a form gives way to the next.
constexpr float kWideWidth = 1180, kMediumWidth = 760, kMediumHeight = 480;
constexpr float kShowWidth = 560, kShowHeight = 320;
constexpr float kStripsWidth = 400, kStripsHeight = 280;
constexpr float kLeftWidth = 296, kRightWidth = 428;

constexpr std::array kKinds = {LayoutKind::study, LayoutKind::show, LayoutKind::bench};
constexpr std::array kForms = {LayoutForm::wide, LayoutForm::medium, LayoutForm::compact, LayoutForm::tiny};

std::string key_of(LayoutKind kind, LayoutForm form) {
  const char* forms[] = {"wide", "medium", "compact", "tiny"};
  const char* kinds[] = {"study", "show", "bench"};
  return fmt::format("{}-{}", kinds[static_cast<int>(kind)], forms[static_cast<int>(form)]);
}

ImGuiID dock_id(LayoutKind kind, LayoutForm form) { return ImHashStr(("dock " + key_of(kind, form)).c_str()); }

bool belongs(const Panel& panel, LayoutKind kind, LayoutForm form) {
  // plots may come as a guest
  if (!panel.in_layout(kind) && !(kind == LayoutKind::show && panel.plot)) return false;
  return form == LayoutForm::tiny || !panel.is_strip();
}

} // namespace

Layout::Layout(std::string file) : file_(std::move(file)) {
  std::ifstream in(file_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (text.rfind(kHeader, 0) == 0) ImGui::LoadIniSettingsFromMemory(text.data(), text.size());
}

LayoutForm Layout::form_for(ImVec2 size, const Theme& theme, LayoutKind kind) {
  const float unit = theme.px(1);
  const float width = size.x / unit, height = size.y / unit;
  if (width < kStripsWidth || height < kStripsHeight) return LayoutForm::tiny;
  if (kind == LayoutKind::show)
    return width < kShowWidth || height < kShowHeight ? LayoutForm::compact : LayoutForm::wide;
  if (width < kMediumWidth || height < kMediumHeight) return LayoutForm::compact;
  return width < kWideWidth ? LayoutForm::medium : LayoutForm::wide;
}

std::string Layout::window_name(const Panel& panel, LayoutKind kind, LayoutForm form) {
  const char* title = kind == LayoutKind::show && panel.name == "polar" ? "Direction" : panel.title.c_str();
  return fmt::format("{}###{}@{}", title, panel.name, key_of(kind, form));
}

std::string Layout::window_name(const Panel& panel) const { return window_name(panel, kind_, form_); }

void Layout::build(LayoutKind kind, LayoutForm form, ImVec2 size, const Theme& theme) const {
  const ImGuiID root = dock_id(kind, form);
  ImGui::DockBuilderRemoveNode(root);
  ImGui::DockBuilderAddNode(root, ImGuiDockNodeFlags_DockSpace);
  ImGui::DockBuilderSetNodeSize(root, size);
  std::array<ImGuiID, 14> at;
  at.fill(root);
  const auto place = [&at](PanelPlace p) -> ImGuiID& { return at[static_cast<std::size_t>(p)]; };
  if (form == LayoutForm::wide && kind == LayoutKind::show) {
    ImGuiID right = 0, rest = 0;
    ImGui::DockBuilderSplitNode(root, ImGuiDir_Right, 0.44f, &right, &rest);
    place(PanelPlace::centre) = place(PanelPlace::centre_bottom) = rest;
    place(PanelPlace::right_top) = place(PanelPlace::right_middle) = place(PanelPlace::right_bottom) = right;
  } else if (kind == LayoutKind::bench && (form == LayoutForm::wide || form == LayoutForm::medium)) {
    ImGuiID bottom = 0;
    ImGui::DockBuilderSplitNode(root, ImGuiDir_Up, 0.36f, &place(PanelPlace::bench_top), &bottom);
    if (form == LayoutForm::wide) {
      ImGuiID rest = 0;
      ImGui::DockBuilderSplitNode(bottom, ImGuiDir_Right, 0.255f, &place(PanelPlace::bench_right), &rest);
      bottom = rest;
    }
    ImGui::DockBuilderSplitNode(bottom, ImGuiDir_Left, form == LayoutForm::wide ? 0.52f : 0.45f,
                                &place(PanelPlace::bench_left), &place(PanelPlace::right_top));
    if (form == LayoutForm::medium) place(PanelPlace::bench_right) = place(PanelPlace::right_top);
  } else if (form == LayoutForm::wide) {
    ImGuiID left = 0, right = 0, rest = 0, centre = 0, top = 0, middle = 0;
    ImGui::DockBuilderSplitNode(root, ImGuiDir_Left, theme.px(kLeftWidth) / size.x, &left, &rest);
    ImGui::DockBuilderSplitNode(rest, ImGuiDir_Right, theme.px(kRightWidth) / (size.x - theme.px(kLeftWidth)), &right,
                                &centre);
    ImGui::DockBuilderSplitNode(left, ImGuiDir_Up, 0.30f, &place(PanelPlace::left_top),
                                &place(PanelPlace::left_bottom));
    ImGui::DockBuilderSplitNode(centre, ImGuiDir_Down, 0.31f, &place(PanelPlace::centre_bottom),
                                &place(PanelPlace::centre));
    ImGui::DockBuilderSplitNode(right, ImGuiDir_Up, 0.333f, &top, &rest);
    ImGui::DockBuilderSplitNode(rest, ImGuiDir_Up, 0.5f, &middle, &place(PanelPlace::right_bottom));
    place(PanelPlace::right_top) = top;
    place(PanelPlace::right_middle) = middle;
  } else if (form == LayoutForm::medium) {
    ImGuiID right = 0, centre = 0, top = 0, bottom = 0;
    ImGui::DockBuilderSplitNode(root, ImGuiDir_Right, 0.44f, &right, &centre);
    ImGui::DockBuilderSplitNode(right, ImGuiDir_Up, 0.5f, &top, &bottom);
    for (PanelPlace p : {PanelPlace::centre, PanelPlace::centre_bottom}) place(p) = centre;
    for (PanelPlace p : {PanelPlace::left_top, PanelPlace::left_bottom}) place(p) = bottom;
    for (PanelPlace p : {PanelPlace::right_top, PanelPlace::right_middle, PanelPlace::right_bottom}) place(p) = top;
  }
  for (const Panel& panel : panels())
    if (belongs(panel, kind, form))
      ImGui::DockBuilderDockWindow(window_name(panel, kind, form).c_str(), place(panel.place));
  // The first plot of every dock is the one in front; where there is none, the first panel.
  std::set<ImGuiID> fronted;
  for (const bool plots : {true, false})
    for (const Panel& panel : panels()) {
      if (!belongs(panel, kind, form) || panel.is_strip() || panel.plot != plots) continue;
      if (kind == LayoutKind::show && !panel.in_show) continue;
      if (!fronted.insert(place(panel.place)).second) continue;
      if (ImGuiDockNode* node = ImGui::DockBuilderGetNode(place(panel.place)))
        node->SelectedTabId = ImHashStr("#TAB", 0, ImHashStr(window_name(panel, kind, form).c_str()));
    }
  ImGui::DockBuilderFinish(root);
}

// Every shown panel stands in a dock of this dock space: a remembered file may have left some elsewhere.
bool Layout::all_reachable(LayoutKind kind, LayoutForm form, const ViewState& view) const {
  ImGuiDockNode* root = ImGui::DockBuilderGetNode(dock_id(kind, form));
  if (!root) return false;
  for (const Panel& panel : panels()) {
    if (!belongs(panel, kind, form) || !panel_shown(view, panel.name)) continue;
    const ImGuiWindowSettings* remembered =
        ImGui::FindWindowSettingsByID(ImHashStr(window_name(panel, kind, form).c_str()));
    if (!remembered) return false;
    ImGuiDockNode* node = remembered->DockId ? ImGui::DockBuilderGetNode(remembered->DockId) : nullptr;
    while (node && node != root) node = node->ParentNode;
    if (!node) return false;
  }
  return true;
}

namespace {
void rescale_node(ImGuiDockNode* node, ImVec2 ratio) {
  if (!node) return;
  node->SizeRef = ImVec2(node->SizeRef.x * ratio.x, node->SizeRef.y * ratio.y);
  for (ImGuiDockNode* child : node->ChildNodes) rescale_node(child, ratio);
}

// Where tabs do not fit they scroll, and names would end in the middle of a letter: they fade out there.
void fade_cut_tabs(const ImGuiDockNode* node, const Theme& theme) {
  if (!node) return;
  for (const ImGuiDockNode* child : node->ChildNodes) fade_cut_tabs(child, theme);
  const ImGuiTabBar* bar = node->TabBar;
  if (!bar || !node->HostWindow || !node->IsVisible || node->IsHiddenTabBar()) return;
  const float from = bar->ScrollingRectMinX, to = bar->ScrollingRectMaxX;
  if (bar->WidthAllTabs <= to - from) return;
  const ImU32 ground = theme.colour().bar, none = with_alpha(ground, 0);
  const float wide = theme.px(22);
  ImDrawList* list = node->HostWindow->DrawList;
  if (bar->ScrollingAnim + (to - from) < bar->WidthAllTabs - 1)
    list->AddRectFilledMultiColor({to - wide, bar->BarRect.Min.y}, {to, bar->BarRect.Max.y}, none, ground, ground,
                                  none);
  if (bar->ScrollingAnim > 1)
    list->AddRectFilledMultiColor({from, bar->BarRect.Min.y}, {from + wide, bar->BarRect.Max.y}, ground, none, none,
                                  ground);
}
} // namespace

void Layout::submit(LayoutKind kind, LayoutForm form, ImVec2 position, ImVec2 size, const ViewState& view,
                    const Theme& theme, bool reset) {
  kind_ = kind;
  form_ = form;
  const std::string key = key_of(kind, form);
  const bool first = checked_.insert(key + view.guest_panel).second;
  if (reset || (first && !all_reachable(kind, form, view))) build(kind, form, size, theme);
  if (kind == LayoutKind::show) { // its parts keep their shares of the window
    if (show_size_.x > 0 && (show_size_.x != size.x || show_size_.y != size.y))
      for (LayoutForm f : kForms)
        rescale_node(ImGui::DockBuilderGetNode(dock_id(kind, f)), {size.x / show_size_.x, size.y / show_size_.y});
    show_size_ = size;
  }

  ImGui::SetNextWindowPos(position);
  ImGui::SetNextWindowSize(size);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0.0f);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0.0f);
  ImGui::Begin("##docks", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoDocking |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoBringToFrontOnFocus |
                   ImGuiWindowFlags_NoNavFocus);
  for (LayoutKind k : kKinds)
    for (LayoutForm f : kForms) {
      const bool shown = k == kind && f == form;
      if (!shown && !ImGui::DockBuilderGetNode(dock_id(k, f))) continue;
      ImGuiDockNodeFlags flags = shown ? ImGuiDockNodeFlags_AutoHideTabBar : ImGuiDockNodeFlags_KeepAliveOnly;
      ImGui::PushStyleVar(ImGuiStyleVar_FrameBorderSize, 0.0f); // of the arrows that scroll tabs
      ImGui::DockSpace(dock_id(k, f), ImVec2(0, 0), flags);
      ImGui::PopStyleVar();
      if (shown) fade_cut_tabs(ImGui::DockBuilderGetNode(dock_id(k, f)), theme);
    }
  ImGui::End();
  ImGui::PopStyleVar(3);
}

void Layout::rescale(float ratio) {
  for (LayoutKind kind : {LayoutKind::study, LayoutKind::bench})
    for (LayoutForm form : kForms) rescale_node(ImGui::DockBuilderGetNode(dock_id(kind, form)), {ratio, ratio});
}

void Layout::save_if_moved() {
  ImGuiIO& io = ImGui::GetIO();
  if (!io.WantSaveIniSettings || file_.empty()) return;
  io.WantSaveIniSettings = false;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), ignored);
  std::size_t size = 0;
  const char* text = ImGui::SaveIniSettingsToMemory(&size);
  // A read-only folder is no reason to disturb: the layout just is not remembered.
  static_cast<void>(write_file(file_, kHeader + std::string(text, size)));
}

} // namespace polarscope
