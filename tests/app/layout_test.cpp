// Layouts: forms by the room there is, what is remembered, and that nothing gets out of reach.
#include "app/settings.hpp"
#include "tests/app/window_fixture.hpp"

#include "imgui_internal.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

// A configuration folder of this test's own.
struct ConfigFolder {
  std::filesystem::path path;
  ConfigFolder() : path(std::filesystem::path(POLARSCOPE_PROGRAM).parent_path() / "test-config") {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    ::setenv("POLARSCOPE_CONFIG", path.c_str(), 1);
  }
  ~ConfigFolder() {
    ::unsetenv("POLARSCOPE_CONFIG");
    std::filesystem::remove_all(path);
  }
  void write(const char* name, const std::string& text) const { std::ofstream(path / name) << text; }
};

WindowSetup remembering() {
  WindowSetup setup;
  setup.shell.remember = true;
  return setup;
}

bool every_panel_is_docked(TestWindow& w) {
  for (const Panel& panel : panels()) {
    if (panel.is_strip() || !panel.in_layout(w.view().layout)) continue;
    const ImGuiWindow* window = ImGui::FindWindowByName(w.panel(panel.name.c_str()).c_str());
    if (!window || window->DockId == 0) return false;
  }
  return true;
}

} // namespace

TEST_CASE("a small window at 300 % keeps every control within reach") {
  WindowSetup setup;
  setup.width = 1024;
  setup.height = 640;
  setup.scale = 3;
  TestWindow w(setup);
  REQUIRE(Layout::form_for({1024, 640}, w.shell().theme(), LayoutKind::study) == LayoutForm::tiny);
  for (const char* name : {"transport", "runs", "recipe", "polar", "unrolled", "inspector", "loss", "row_norms",
                           "magnitude_direction", "time_axis", "status"}) {
    INFO(name);
    w.play([&](ImGuiTestContext& user) { user.WindowFocus(("//" + w.panel(name)).c_str()); });
    w.frames(2);
    const ImGuiWindow* window = ImGui::FindWindowByName(w.panel(name).c_str());
    REQUIRE(window);
    CHECK(window->DockTabIsVisible);
  }
  const auto click = [&](const char* panel, const char* item) {
    INFO(item);
    w.play([&](ImGuiTestContext& user) {
      user.WindowFocus(("//" + w.panel(panel)).c_str());
      user.SetRef(user.WindowInfo(("//" + w.panel(panel) + "/content").c_str()).ID);
      user.ItemClick(item);
    });
  };
  click("transport", "edits/from step 0");
  CHECK(w.view().edit_mode == EditMode::from_start);
  click("transport", "###play");
  w.frames(10);
  CHECK(w.frame().head > 0);
  click("transport", "###play");
  click("runs", "Add run");
  CHECK(w.view().add_open);
}

TEST_CASE("at 200 % the transport and the time axis stay on screen, below them one dock of tabs") {
  WindowSetup setup;
  setup.scale = 2;
  TestWindow w(setup);
  REQUIRE(Layout::form_for({1440, 900}, w.shell().theme(), LayoutKind::study) == LayoutForm::compact);
  for (const char* strip : {"##transport", "##time_axis", "##status"}) {
    INFO(strip);
    const ImGuiWindow* window = ImGui::FindWindowByName(strip);
    REQUIRE(window);
    CHECK(window->Active);
  }
  CHECK(ImGui::FindWindowByName("##transport")->Size.y <= w.shell().theme().px(45)); // one row
  for (const char* item : {"##time.restart", "##time.back", "###play", "##time.forward", "edits/from step 0"}) {
    INFO(item);
    w.play([&](ImGuiTestContext& user) {
      user.SetRef("//##transport");
      CHECK(user.ItemInfo(item, ImGuiTestOpFlags_NoError).ID != 0);
    });
  }
  const ImGuiWindow* polar = ImGui::FindWindowByName(w.panel("polar").c_str());
  REQUIRE(polar);
  CHECK(polar->DockTabIsVisible);
}

TEST_CASE("Show has no menu, and its type grows with the window") {
  WindowSetup setup;
  setup.width = 1280;
  setup.height = 720;
  TestWindow w(setup);
  w.view().layout = LayoutKind::show;
  w.frames(4);
  const float small = w.shell().theme().px(1);
  CHECK_FALSE(ImGui::FindWindowByName("##MainMenuBar")->Active);
  REQUIRE(w.window().resize(1920, 1080));
  w.frames(4);
  CHECK(w.shell().theme().px(1) == Approx(1.5f * small).epsilon(0.05));
  const auto share = [&w](const char* panel) { // of the window's width
    return ImGui::FindWindowByName(w.panel(panel).c_str())->Size.x / ImGui::GetIO().DisplaySize.x;
  };
  CHECK(share("polar") == Approx(0.56).margin(0.01));
  w.play([](ImGuiTestContext& user) { user.ItemClick("//##transport/Study"); });
  w.frames(3);
  CHECK(w.view().layout == LayoutKind::study);
  CHECK(w.shell().theme().px(1) == 1);
  CHECK(share("runs") == Approx(296.0 / 1920).margin(0.01));
  w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_F3); });
  w.frames(3);
  CHECK(share("polar") == Approx(0.56).margin(0.01));
}

TEST_CASE("panels that were hidden and docks that were moved are remembered and reset") {
  ConfigFolder folder;
  {
    TestWindow w(remembering());
    w.view().panels["loss"] = false;
    w.view().theme = "light";
    w.frames(3);
  }
  TestWindow w(remembering());
  CHECK(w.view().theme == "light");
  CHECK_FALSE(panel_shown(w.view(), "loss"));
  w.view().requests.reset_layout = true;
  w.view().panels.clear();
  w.frames(4);
  CHECK(every_panel_is_docked(w));
}

TEST_CASE("an old or broken layout file leaves every panel within reach") {
  ConfigFolder folder;
  for (const char* text :
       {"; polarscope layout 0\n[Window][###loss@study-wide]\nPos=9000,9000\nSize=10,10\n",
        "; polarscope layout 1\n[Window][###loss@study-wide]\nPos=9000,9000\nSize=10,10\nDockId=0x00000BAD,0\n",
        "; polarscope layout 1\n[Docking][Data]\nDockNode ID=0x1 Parent=0x77 SizeRef=-5,nan\n\x01\x02", ""}) {
    folder.write("layout.ini", text);
    folder.write("settings.toml", "version = \x03 [[");
    TestWindow w(remembering());
    w.frames(3);
    CHECK(every_panel_is_docked(w));
  }
}

TEST_CASE("keys of the user's own count only where the configuration folder is read") {
  ConfigFolder folder;
  folder.write("keys.toml", "no keys");
  {
    TestWindow pictures;
    CHECK(pictures.view().notice.empty());
  }
  TestWindow w(remembering());
  CHECK(w.view().notice.find("keys.toml") != std::string::npos);
  CHECK(w.view().notice_is_error);
}
