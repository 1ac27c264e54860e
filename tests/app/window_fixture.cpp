#include "tests/app/window_fixture.hpp"

#include "imgui_internal.h"

#include <utility>

namespace polarscope::testing {

TestWindow::TestWindow(WindowSetup setup) {
  auto scene = load_scene(setup.scene);
  REQUIRE(scene);
  SessionOptions options;
  options.device = "cpu";
  options.threads = 1;
  options.times_stages = true; // as the program's window has it
  auto session = Session::open(std::move(*scene), options);
  REQUIRE(session);
  WindowOptions wish;
  wish.width = setup.width;
  wish.height = setup.height;
  wish.scale = setup.scale;
  auto window = Window::open(setup.kind, wish);
  if (!window) FAIL(window.error().text());
  window_ = std::move(*window);
  driver_ = std::make_unique<Driver>(std::move(*session), options, false);
  auto shell = Shell::make(*window_, *driver_, setup.shell);
  if (!shell) FAIL(shell.error().text());
  shell_ = std::move(*shell);

  engine_ = ImGuiTestEngine_CreateContext();
  ImGuiTestEngineIO& io = ImGuiTestEngine_GetIO(engine_);
  io.ConfigRunSpeed = ImGuiTestRunSpeed_Fast;
  io.ConfigNoThrottle = true;
  io.ConfigSavedSettings = false;
  io.ConfigVerboseLevel = ImGuiTestVerboseLevel_Silent;
  io.ConfigVerboseLevelOnError = ImGuiTestVerboseLevel_Info;
  io.ConfigLogToTTY = true;
  ImGuiTestEngine_Start(engine_, ImGui::GetCurrentContext());
  frames(3);
}

TestWindow::~TestWindow() {
  if (engine_) {
    ImGuiTestEngine_Stop(engine_);
    ImGuiTestEngine_DestroyContext(engine_);
  }
}

void TestWindow::one_frame() {
  driver_->pump(1.0 / 60);
  shell_->draw();
  if (engine_) ImGuiTestEngine_PostSwap(engine_);
}

void TestWindow::frames(int count) {
  for (int i = 0; i < count; ++i) one_frame();
}

void TestWindow::settle() {
  do driver_->pump(0);
  while (driver_->busy() && !driver_->frame()->playing);
  one_frame();
}

void TestWindow::play(const std::function<void(ImGuiTestContext&)>& script) {
  ImGuiTest* test = ImGuiTestEngine_RegisterTest(engine_, "window", "script", __FILE__, __LINE__);
  test->TestFunc = [&script](ImGuiTestContext* context) { script(*context); };
  ImGuiTestEngine_QueueTest(engine_, test, ImGuiTestRunFlags_RunFromCommandLine);
  while (!ImGuiTestEngine_IsTestQueueEmpty(engine_)) one_frame();
  const ImGuiTestStatus status = test->Output.Status;
  ImGuiTestEngine_UnregisterTest(engine_, test);
  CHECK(status == ImGuiTestStatus_Success);
}

void TestWindow::click(const char* panel_name, const std::string& item) {
  play([&](ImGuiTestContext& user) {
    user.SetRef(panel(panel_name).c_str());
    user.ItemClick(("**/" + item).c_str());
  });
  settle();
  frames(2);
}

std::string TestWindow::panel_text(const char* panel_name) {
  std::string text;
  play([&](ImGuiTestContext& user) {
    user.SetRef(panel(panel_name).c_str());
    user.ItemClick("**/copy as text");
    user.Yield(2);
    text = ImGui::GetClipboardText();
  });
  return text;
}

std::string TestWindow::panel(const char* name) const {
  const Panel* found = find_panel(name);
  REQUIRE(found);
  return shell_->layout().window_name(*found);
}

void press(TestWindow& window, int chord) {
  window.play([chord](ImGuiTestContext& user) { user.KeyPress(chord); });
}

double hparam(TestWindow& window, std::size_t run, const char* name) {
  const RunFrame& frame = window.run(run);
  return frame.hparams[static_cast<std::size_t>(frame.program->find_hparam(name))];
}

bool window_shown(const std::string& name) {
  const ImGuiWindow* window = ImGui::FindWindowByName(name.c_str());
  return window && window->Active && !window->Hidden;
}

} // namespace polarscope::testing
