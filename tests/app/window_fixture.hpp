// The real application without a display: a null (or off-screen) window, the engine pumped by hand, and imgui_test_engine
// as the user.
#pragma once

#include "app/shell.hpp"
#include "app/window.hpp"
#include "engine/driver.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"

#include "imgui_te_context.h"
#include "imgui_te_engine.h"

#include <functional>
#include <memory>
#include <string>

namespace polarscope::testing {

struct WindowSetup {
  std::string scene = "first_look";
  WindowKind kind = WindowKind::null;
  int width = 1440, height = 900;
  float scale = 1;
  ShellOptions shell = {.remember = false, .lesson = false};
};

class TestWindow {
public:
  explicit TestWindow(WindowSetup setup = {});
  ~TestWindow();

  // Plays a script as the user; failures of the script are failures of the test.
  void play(const std::function<void(ImGuiTestContext&)>& script);
  // Frames without input; the engine works in between.
  void frames(int count);
  // Until the engine has nothing left to do.
  void settle();

  Shell& shell() { return *shell_; }
  ViewState& view() { return shell_->view(); }
  const Frame& frame() { return *driver_->frame(); }
  Driver& driver() { return *driver_; }
  Window& window() { return *window_; }
  void send(Command command) {
    driver_->send(std::move(command));
    settle();
  }
  // Clicks an item of a docked panel, by its name below the panel's window; what follows of it is done on return.
  void click(const char* panel, const std::string& item);
  // What the panel's "copy as text" leaves on the clipboard.
  std::string panel_text(const char* panel);
  // ImGui's window of a docked panel, as the test engine names it.
  std::string panel(const char* name) const;
  const RunFrame& run(std::size_t index) { return frame().runs.at(index); }

private:
  void one_frame();

  std::unique_ptr<Window> window_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Shell> shell_;
  ImGuiTestEngine* engine_ = nullptr;
};

// The user presses a key with its modifiers.
void press(TestWindow& window, int chord);
// A hyperparameter's present value.
double hparam(TestWindow& window, std::size_t run, const char* name);
// Is ImGui's window of this name on screen, not behind a tab?
bool window_shown(const std::string& name);

} // namespace polarscope::testing
