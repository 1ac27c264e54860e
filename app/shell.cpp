#include "app/shell.hpp"

#include "app/caches.hpp"
#include "app/image.hpp"
#include "app/notice.hpp"
#include "app/overlays.hpp"
#include "app/picture_name.hpp"
#include "app/settings.hpp"
#include "app/visibility.hpp"
#include "app/widgets.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace polarscope {
namespace {

// Strips, design pixels.
constexpr float kMenuHeight = 32, kTransportRow = 44, kLessonHeight = 40, kTimeAxisHeight = 76, kStatusHeight = 28;
constexpr float kCompactTimeAxisHeight = 64,
                kStatusFrom = 400; // in a compact window lower than that there is no status bar
// The layout Show is designed for this much room, 15 % larger than a desk needs it; with more, everything grows.
constexpr float kShowWidth = 1280, kShowHeight = 720, kShowGrowth = 1.15f, kMostShowGrowth = 3;
// Frames before a picture is read: menus close, and docks settle without the lesson's strip.
constexpr int kFramesToPicture = 4;
// A panel smaller than this scrolls instead of squeezing its controls.
constexpr ImVec2 kLeastPanel{280, 150}, kLeastPolar{430, 330};
constexpr float kLeastList = 90;

std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string layout_file(const ShellOptions& options) {
  const std::string folder = options.remember ? config_folder() : std::string();
  return folder.empty() ? folder : folder + "/layout.ini";
}

ImVec2 least_size(const Panel& panel, LayoutKind layout, bool compact) {
  if (panel.is_strip()) return {280, 0};
  if (layout == LayoutKind::show) return {160, 120};        // nothing there needs more
  if (panel.name == "polar" && compact) return kLeastPanel; // a small picture rather than a part of one
  // lists scroll by themselves
  if (panel.name == "cost" || panel.name == "table" || panel.name == "runs" || panel.name == "recipe")
    return {kLeastPanel.x, kLeastList};
  return panel.name == "polar" ? kLeastPolar : kLeastPanel;
}

} // namespace

Result<std::unique_ptr<Shell>> Shell::make(Window& window, Driver& driver, ShellOptions options) {
  std::string complaint;
  auto keys = load_keys(options.remember, complaint);
  if (!keys) return keys.error();
  std::unique_ptr<Shell> shell(new Shell(window, driver, options, std::move(*keys)));
  if (auto themed = shell->follow_theme(); !themed) return themed.error();
  if (!complaint.empty()) shell->view_.say(complaint, true);
  return shell;
}

Shell::Shell(Window& window, Driver& driver, ShellOptions options, KeyMap keys)
    : window_(window), driver_(driver), options_(options), actions_(std::move(keys)), fonts_(load_fonts()),
      layout_(layout_file(options)), caches_(std::make_unique<Caches>()), frame_(driver.frame()) {
  if (options_.remember) read_settings(read_whole(config_folder() + "/settings.toml"), view_);
  if (!options_.lesson) view_.lesson.open = false;
  send_ = [this](Command command) { driver_.send(std::move(command)); };
  plane_.request = [this](Driver::PlaneRequest request) {
    asked_ = request;
    driver_.request_plane(std::move(request));
  };
  ImGuiIO& io = ImGui::GetIO();
  io.ConfigDockingWithShift = false;
  io.ConfigWindowsMoveFromTitleBarOnly = true;
  io.ConfigInputTextCursorBlink = false; // no animation while paused
  io.ConfigNavCaptureKeyboard = false;
}

Shell::~Shell() {
  if (!options_.remember) return;
  layout_.save_if_moved();
  // A read-only folder is no reason to complain while closing.
  static_cast<void>(write_to_config_folder("settings.toml", settings_text(view_)));
}

// In Show type and lines grow with the window, in steps of a sixteenth so that dragging its edge does not make the theme
// again for every pixel.
float Shell::show_growth() const {
  if (view_.layout != LayoutKind::show) return 1;
  const float unit = window_.scale();
  const float fits = std::min(static_cast<float>(window_.width()) / (kShowWidth * unit),
                              static_cast<float>(window_.height()) / (kShowHeight * unit));
  return std::floor(std::clamp(kShowGrowth * fits, 1.0f, kMostShowGrowth) * 16) / 16;
}

// Makes the theme again when its name or the scale changed.
Result<void> Shell::follow_theme() {
  const ThemeName name = find_theme(view_.current_theme()).value_or(ThemeName::dark);
  const float scale = std::clamp(window_.scale() * view_.zoom * show_growth(), kLeastScale, kMostScale);
  theme_layout_ = view_.layout;
  if (theme_ && theme_->name() == name && theme_scale_ == scale) return {};
  auto made = Theme::make(name, scale, fonts_);
  if (!made) return made.error();
  theme_ = std::move(*made);
  theme_scale_ = scale;
  theme_->apply();
  ImGui::GetStyle().TabMinWidthShrink = FLT_MAX; // tabs that do not fit scroll; shrunk to dots they say nothing
  const ImVec4 ground = ImGui::ColorConvertU32ToFloat4(theme_->colour().bar);
  window_.clear_colour = {ground.x, ground.y, ground.z, 1};
  if (view_.layout != LayoutKind::show) { // Show divides the window, whatever the size of its type
    if (study_unit_ > 0 && study_unit_ != theme_->px(1)) layout_.rescale(theme_->px(1) / study_unit_);
    study_unit_ = theme_->px(1);
  }
  transport_height_ = 0;
  unsettled_ = 3;
  return {};
}

void Shell::follow_lesson() {
  if (guide_name_ == view_.lesson.name) return;
  guide_name_ = view_.lesson.name;
  guide_.reset();
  if (auto loaded = load_lesson(guide_name_)) guide_.emplace(std::move(*loaded));
  else view_.say(loaded.error().text(), true);
}

// Another scene: what was said about its runs no longer means anything.
void Shell::follow_scene() {
  if (frame_->scene_generation == scene_generation_ && !first_picture_) return;
  scene_generation_ = frame_->scene_generation;
  view_.hidden.clear();
  view_.solo.reset();
  view_.followed_selection = frame_->selected;
  view_.renaming.reset();
  view_.compare_with.reset();
  view_.range.reset();
  view_.inspector_cell.reset();
  view_.polar.plane = {};
  const ViewSpec& wished = frame_->scene->view;
  const auto& runs = frame_->runs;
  if (!runs.empty()) {
    const auto& parameters = runs.front().program->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].name == wished.parameter) view_.polar.plane.parameter = static_cast<int>(i);
  }
  PlaneChoice& plane = view_.polar.plane;
  if (wished.plane == "start-reference") plane.kind = PlaneChoice::Kind::start_reference;
  else if (wished.plane == "weight-update") plane.kind = PlaneChoice::Kind::weight_update;
  else if (wished.plane == "rows") {
    plane.kind = PlaneChoice::Kind::rows;
    plane.row_i = wished.row_i;
    plane.row_j = wished.row_j;
  }
  view_.polar.drawing = has_sphere(*frame_) ? PolarDrawing::sphere : PolarDrawing::polar;
}

// A layout chosen while a frame is drawn appears in the next: it has a theme of its own, and themes do not change within
// a frame.
void Shell::hold_layout(std::optional<LayoutKind>& next) {
  if (view_.layout == theme_layout_) return;
  next = view_.layout;
  view_.layout = theme_layout_;
}

void Shell::draw() {
  frame_ = driver_.frame();
  plane_.latest = driver_.plane();
  static_cast<void>(follow_theme()); // the palette was readable before: the theme stays as it was
  constexpr double kKeptUp = 0.9;    // of the speed asked for; 0 asks for all there is
  window_.leave_cores(frame_->playing && (frame_->speed == 0 || frame_->achieved_speed < kKeptUp * frame_->speed));
  window_.begin_frame();
  theme_->begin_frame();
  follow_scene();
  if (frame_->notice != engine_notice_) {
    engine_notice_ = frame_->notice;
    view_.notice.clear();
    view_.notice_seen.clear();
  }
  view_.hover = std::exchange(view_.next_hover, Hover{});

  ActionContext action{*frame_, view_, send_};
  follow_selection(action);
  follow_lesson();
  if (guide_) guide_->update(action);
  std::optional<LayoutKind> next_layout;
  actions_.handle_keys(action);
  hold_layout(next_layout);
  follow_focus(); // before the windows, whose first item answers

  const bool picturing = frames_to_picture_ > 0; // of the experiment: without lesson and notices
  const LessonPart* part = guide_ && !picturing ? guide_->part(view_) : nullptr;
  caches_->lesson_part = part;
  caches_->lesson_parts = guide_ ? guide_->lesson().parts.size() : 0;
  caches_->lesson_waiting = guide_ && guide_->waiting();
  PanelContext context{*frame_, view_, send_, *theme_, actions_, plane_, *caches_, part ? part->highlight : "",
                       true,    false};

  const ImVec2 size = ImGui::GetIO().DisplaySize;
  const LayoutForm form = Layout::form_for(size, *theme_, view_.layout);
  context.compact = form == LayoutForm::compact || form == LayoutForm::tiny;
  context.tabbed = form == LayoutForm::tiny;
  float top = 0, bottom = size.y;
  bool status_drawn = false;
  if (!view_.plots_only && view_.layout != LayoutKind::show) {
    draw_menu(action);
    hold_layout(next_layout);
    top = ImGui::GetFrameHeight() > 0 ? theme_->snap(kMenuHeight) : 0;
  }
  if (!context.tabbed) {
    const auto strip = [&](const char* name, float height, bool at_top) {
      const Panel* panel = find_panel(name);
      if (!panel_shown(view_, name)) return 0.0f;
      status_drawn |= panel->place == PanelPlace::status;
      if (!at_top) bottom -= height;
      const float used = draw_strip(*panel, context, at_top ? top : bottom, height);
      if (at_top) top += height;
      return used;
    };
    const float row = theme_->snap(kTransportRow);
    const float wanted = strip("transport", std::max(row, transport_height_), true);
    if (wanted != transport_height_ && wanted > 0) unsettled_ = 2;
    transport_height_ = wanted;
    if (part) strip("lesson", theme_->snap(kLessonHeight), true);
    if (!context.compact || size.y >= theme_->px(kStatusFrom)) strip("status", theme_->snap(kStatusHeight), false);
    const bool low = context.compact && view_.layout != LayoutKind::show;
    strip("time_axis", theme_->snap(low ? kCompactTimeAxisHeight : kTimeAxisHeight), false);
  }
  hold_layout(next_layout);
  layout_.submit(view_.layout, form, {0, top}, {size.x, std::max(1.0f, bottom - top)}, view_, *theme_,
                 std::exchange(view_.requests.reset_layout, false));
  draw_docked(context);
  if (part && !context.tabbed) front_lesson_panel(form);
  draw_overlays(context);
  seconds_of_notice_ = status_drawn || picturing ? kIdleSeconds : draw_notice(context);
  if (next_layout) view_.layout = *next_layout;

  const bool moved = view_.next_hover.run != view_.hover.run || view_.next_hover.step != view_.hover.step ||
                     view_.next_hover.row != view_.hover.row;
  unsettled_ = moved || first_picture_ ? 2 : std::max(0, unsettled_ - 1);
  if (std::exchange(drawn_layout_, view_.layout) != view_.layout) unsettled_ = 3;
  first_picture_ = false;
  if (options_.remember) layout_.save_if_moved();
  window_.end_frame();
  take_requests();
}

double Shell::seconds_until_draw() const {
  if (unsettled_ > 0) return 0;
  const ImGuiContext& context = *ImGui::GetCurrentContext();
  const bool help_is_due = context.HoverItemDelayId != 0 && context.HoverItemDelayTimer < 1.0f;
  return std::min(help_is_due ? 0.1 : kIdleSeconds, seconds_of_notice_);
}

bool Shell::waits_for_field() const {
  const auto answer = driver_.plane();
  return caches_->sphere_asks || (asked_ && (!answer || !(answer->request == *asked_)));
}

// ---- menu ---------------------------------------------------------------------------------------------------------

namespace {

void menu_items(const Actions& actions, const std::string& menu, ActionContext& context, const Theme& theme) {
  std::vector<std::string> inner; // menus inside, in the order they are met
  for (const Action& action : actions.all()) {
    if (action.menu != menu) {
      if (action.menu.rfind(menu + "/", 0) == 0 && std::find(inner.begin(), inner.end(), action.menu) == inner.end())
        inner.push_back(action.menu);
      continue;
    }
    if (action.separator) ImGui::Separator();
    const bool checked = action.checked && action.checked(context);
    const std::string label = action.label + "##" + action.id;
    if (ImGui::MenuItem(label.c_str(), actions.key_label(action.id).c_str(), checked, actions.enabled(action, context)))
      action.run(context);
    item_help(theme, action.help.c_str());
  }
  if (!inner.empty()) ImGui::Separator();
  for (const std::string& path : inner)
    if (ImGui::BeginMenu(path.substr(menu.size() + 1).c_str())) {
      menu_items(actions, path, context, theme);
      ImGui::EndMenu();
    }
}

} // namespace

void Shell::draw_menu(ActionContext& context) {
  const float pad = std::round((theme_->snap(kMenuHeight) - ImGui::GetFontSize()) * 0.5f);
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(theme_->px(10), pad));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(theme_->px(8), theme_->px(8)));
  ImGui::PushStyleColor(ImGuiCol_MenuBarBg, theme_->colour().bar);
  if (ImGui::BeginMainMenuBar()) {
    ImGui::PopStyleVar();
    ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(theme_->px(8), theme_->px(4)));
    const float width = ImGui::GetWindowWidth();
    if (width / theme_->px(1) > 560) {
      ImDrawList* list = ImGui::GetWindowDrawList();
      const float middle = std::round(theme_->snap(kMenuHeight) * 0.5f);
      draw_icon(list, *theme_, Icon::logo, {theme_->px(20), middle}, theme_->colour().text, 14);
      draw_text_aligned(list, *theme_, text::kName, {theme_->px(34), middle}, theme_->colour().text, "Polarscope", 0,
                        0.5f);
      ImGui::SetCursorPosX(theme_->px(34) + measure(*theme_, text::kName, "Polarscope").x + theme_->px(14));
    }
    for (const std::string& menu : Actions::menus())
      if (ImGui::BeginMenu(menu.c_str())) {
        ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(theme_->px(8), theme_->px(8))); // rows of 24 to hit
        menu_items(actions_, menu, context, *theme_);
        ImGui::PopStyleVar();
        ImGui::EndMenu();
      }
    const std::string scene = installed_name(*frame_->scene);
    const ImVec2 words = measure(*theme_, text::kLabel, scene);
    if (ImGui::GetCursorPosX() + words.x + theme_->px(24) < width)
      draw_text_aligned(ImGui::GetWindowDrawList(), *theme_, text::kLabel,
                        {width - theme_->px(12), std::round(theme_->snap(kMenuHeight) * 0.5f)}, theme_->colour().text2,
                        scene, 1, 0.5f);
    ImGui::EndMainMenuBar();
  }
  ImGui::PopStyleColor();
  ImGui::PopStyleVar(2);
}

// ---- panels -------------------------------------------------------------------------------------------------------

namespace {

constexpr ImGuiWindowFlags kStripFlags = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                                         ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_NoSavedSettings |
                                         ImGuiWindowFlags_NoBringToFrontOnFocus;

// Panels place things by SetCursorScreenPos; ImGui wants an item after the last of them.
void end_of_drawing() {
  ImGui::SetCursorScreenPos(ImGui::GetWindowPos());
  ImGui::Dummy({0, 0});
}

} // namespace

// Returns the height that the strip's contents took.
float Shell::draw_strip(const Panel& panel, const PanelContext& context, float top, float height) {
  const Palette& colour = theme_->colour();
  const ImVec2 size{ImGui::GetIO().DisplaySize.x, height};
  ImGui::SetNextWindowPos({0, top});
  ImGui::SetNextWindowSize(size);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowMinSize, ImVec2(1, 1));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0.0f);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0.0f);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colour.bar);
  ImGui::Begin(("##" + panel.name).c_str(), nullptr, kStripFlags);
  ImGui::PopStyleVar(4);
  panel.draw(context);
  const float used = ImGui::GetCursorPosY() - ImGui::GetStyle().ItemSpacing.y; // after the last item
  end_of_drawing();
  const bool below = panel.place == PanelPlace::transport || panel.place == PanelPlace::lesson;
  ImGui::GetWindowDrawList()->AddRectFilled({0, below ? top + height - 1 : top},
                                            {size.x, (below ? top + height : top + 1)}, colour.line);
  ImGui::End();
  ImGui::PopStyleColor();
  return used;
}

void Shell::draw_docked(const PanelContext& outer) {
  for (const Panel& panel : panels()) {
    if (panel.is_strip() && !outer.tabbed) continue;
    if (!panel_shown(view_, panel.name)) continue;
    if (panel.name == "lesson" && !caches_->lesson_part) continue;
    PanelContext context = outer;
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
    ImGui::PushStyleColor(ImGuiCol_WindowBg, panel.is_strip() ? theme_->colour().bar : theme_->colour().panel);
    // The corner that brings a hidden tab bar back shows itself only under the pointer.
    ImGui::PushStyleColor(ImGuiCol_Button, IM_COL32(0, 0, 0, 0));
    const bool open = ImGui::Begin(layout_.window_name(panel).c_str(), nullptr,
                                   ImGuiWindowFlags_NoCollapse | ImGuiWindowFlags_HorizontalScrollbar |
                                       ImGuiWindowFlags_NoFocusOnAppearing);
    ImGui::PopStyleColor();
    ImGui::PopStyleVar();
    if (open) {
      const ImGuiDockNode* node = ImGui::GetCurrentWindow()->DockNode;
      context.titled = node && (node->IsHiddenTabBar() || node->IsNoTabBar());
      const ImVec2 room = ImGui::GetContentRegionAvail(), least = least_size(panel, view_.layout, context.compact);
      const ImVec2 size{std::max(room.x, theme_->snap(least.x)), std::max(room.y, theme_->snap(least.y))};
      ImGui::PushStyleColor(ImGuiCol_ChildBg, IM_COL32(0, 0, 0, 0));
      if (ImGui::BeginChild("content", size, ImGuiChildFlags_NavFlattened)) { // Tab goes through it
        panel.draw(context);
        end_of_drawing();
      }
      ImGui::EndChild();
      ImGui::PopStyleColor();
    }
    ImGui::End();
    ImGui::PopStyleColor();
  }
}

// The windows that the keyboard can be in, in reading order.
std::vector<ImGuiWindow*> Shell::keyboard_windows() const {
  std::vector<ImGuiWindow*> windows;
  for (const Panel& panel : panels()) {
    if (panel.name == "status") continue; // has no control
    ImGuiWindow* strip = panel.is_strip() ? ImGui::FindWindowByName(("##" + panel.name).c_str()) : nullptr;
    ImGuiWindow* docked = ImGui::FindWindowByName(layout_.window_name(panel).c_str());
    for (ImGuiWindow* window : {strip, docked})
      if (window && window->WasActive && !window->Hidden) windows.push_back(window);
  }
  return windows;
}

// Once for each part and layout, so that the user may turn to another tab meanwhile.
void Shell::front_lesson_panel(LayoutForm form) {
  const std::string key = fmt::format("{}/{}/{}/{}", view_.lesson.name, view_.lesson.step,
                                      static_cast<int>(view_.layout), static_cast<int>(form));
  const Panel* panel = find_panel(panel_of(*caches_->lesson_part));
  if (!panel || panel->is_strip() || key == lesson_fronted_) return;
  ImGuiWindow* window = ImGui::FindWindowByName(layout_.window_name(*panel).c_str());
  if (!window || !window->WasActive || !window->DockNode) return;
  ImGui::FocusWindow(window);
  lesson_fronted_ = key;
  unsettled_ = 3;
}

// Tab stays within a window, so the keyboard needs one from the start, and a way from each to the next.
void Shell::follow_focus() {
  const int direction = std::exchange(view_.requests.focus_panel, 0);
  if (const Panel* front = find_panel(view_.requests.front_panel)) { // one that was hidden has its window a frame later
    ImGuiWindow* window = ImGui::FindWindowByName(layout_.window_name(*front).c_str());
    if (window && window->WasActive) {
      ImGui::FocusWindow(window);
      view_.requests.front_panel.clear();
    }
    unsettled_ = 3;
  }
  const std::vector<ImGuiWindow*> windows = keyboard_windows();
  if (windows.empty() || view_.dialog_open()) return;
  ImGuiContext& context = *ImGui::GetCurrentContext();
  const auto now = std::find_if(windows.begin(), windows.end(), [&](const ImGuiWindow* window) {
    return context.NavWindow && context.NavWindow->RootWindow == window->RootWindow &&
           ImGui::IsWindowChildOf(context.NavWindow, const_cast<ImGuiWindow*>(window), false, true);
  });
  if (direction == 0) {
    if (!context.NavWindow) ImGui::FocusWindow(windows.front());
    return;
  }
  const auto count = static_cast<std::ptrdiff_t>(windows.size());
  const std::ptrdiff_t index =
      now == windows.end() ? (direction > 0 ? 0 : count - 1) : (now - windows.begin() + direction + count) % count;
  ImGuiWindow* next = windows[static_cast<std::size_t>(index)];
  ImGui::FocusWindow(next);
  ImGui::NavInitWindow(next, true);
  ImGui::SetNavCursorVisible(true);
  unsettled_ = 3;
}

void Shell::draw_overlays(const PanelContext& context) { polarscope::draw_overlays(context); }

void Shell::write_picture() {
  std::error_code unknown; // then the name alone has to do
  const std::string name = free_picture_name(*frame_->scene, view_.layout, frame_->cursor);
  const std::filesystem::path whole = std::filesystem::absolute(name, unknown);
  const std::string path = unknown ? name : whole.string();
  auto image = window_.read_pixels();
  Result<void> written = image ? write_png(*image, path) : Result<void>(image.error());
  view_.say(written ? "picture written to " + path : written.error().text(), !written.ok());
}

void Shell::take_requests() {
  WindowRequests& requests = view_.requests;
  if (std::exchange(requests.screenshot, false)) frames_to_picture_ = kFramesToPicture;
  else if (frames_to_picture_ > 0 && --frames_to_picture_ == 0) write_picture(), unsettled_ = 3;
  if (frames_to_picture_ > 0) unsettled_ = 2;
  if (std::exchange(requests.toggle_fullscreen, false)) window_.toggle_full_screen();
  if (!requests.copied_text.empty()) {
    ImGui::SetClipboardText(requests.copied_text.c_str());
    requests.copied_text.clear();
    view_.say("copied as text");
    unsettled_ = 2;
  }
}

} // namespace polarscope
