// The window's content: menu, strips, docked panels, lesson and overlays, drawn from the newest Frame; keys; what the
// window remembers. Everything on screen comes from here, whether for a display, a test or a picture.
#pragma once

#include "app/actions.hpp"
#include "app/layout.hpp"
#include "app/lesson.hpp"
#include "app/panel.hpp"
#include "app/theme.hpp"
#include "app/view_state.hpp"
#include "app/window.hpp"
#include "engine/driver.hpp"
#include "engine/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct ImGuiWindow;

namespace polarscope {

struct ShellOptions {
  bool remember = true; // reads and writes the configuration folder
  bool lesson = true;   // the scene's lesson is open at the start
};

class Shell {
public:
  static Result<std::unique_ptr<Shell>> make(Window& window, Driver& driver, ShellOptions options = {});
  ~Shell(); // remembers theme, size and hidden panels

  // One picture: reads the newest Frame, draws, sends the commands of the user's input.
  void draw();

  bool quit_requested() const { return view_.requests.quit; }
  // How long the picture stays right without input or a new Frame: 0 while docks or a hover settle, short while help
  // is about to appear under a resting pointer, kIdleSeconds otherwise.
  double seconds_until_draw() const;
  static constexpr double kIdleSeconds = 60;
  // A loss field was asked for and is not answered yet.
  bool waits_for_field() const;

  ViewState& view() { return view_; }
  const Actions& actions() const { return actions_; }
  const Frame& frame() const { return *frame_; }
  const Layout& layout() const { return layout_; }
  const Theme& theme() const { return *theme_; }
  const Caches& caches() const { return *caches_; }

private:
  Shell(Window& window, Driver& driver, ShellOptions options, KeyMap keys);
  float show_growth() const;
  Result<void> follow_theme();
  void hold_layout(std::optional<LayoutKind>& next);
  void follow_scene();
  void follow_lesson();
  void draw_menu(ActionContext& context);
  float draw_strip(const Panel& panel, const PanelContext& context, float top, float height);
  void draw_docked(const PanelContext& context);
  std::vector<ImGuiWindow*> keyboard_windows() const;
  void follow_focus();
  void draw_overlays(const PanelContext& context);
  void front_lesson_panel(LayoutForm form);
  void take_requests();
  void write_picture();

  Window& window_;
  Driver& driver_;
  ShellOptions options_;
  Actions actions_;
  ViewState view_;
  Fonts fonts_;
  std::optional<Theme> theme_;
  float theme_scale_ = 0;
  LayoutKind theme_layout_ = LayoutKind::study; // that the theme was made for
  float study_unit_ = 0;                        // pixels per design pixel in Study, when it was last shown
  Layout layout_;
  std::optional<LessonGuide> guide_;
  std::string guide_name_; // of its lesson
  std::unique_ptr<Caches> caches_;
  std::shared_ptr<const Frame> frame_;
  CommandSink send_;
  PlaneSource plane_;
  std::optional<Driver::PlaneRequest> asked_;
  std::uint64_t scene_generation_ = 0;
  std::string engine_notice_; // its last one
  LayoutKind drawn_layout_ = LayoutKind::study;
  float transport_height_ = 0;              // of the last frame: its controls wrap
  std::string lesson_fronted_;              // the part and layout whose panel was last brought to the front
  int frames_to_picture_ = 0;               // 0: none is asked for
  double seconds_of_notice_ = kIdleSeconds; // until it fades
  int unsettled_ = 0;
  bool first_picture_ = true;
};

} // namespace polarscope
