// Keys, dialogs, hiding, edits taken back: what the hands of a user may do in any order.
#include "tests/app/window_fixture.hpp"

#include "imgui_internal.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

// Key events as the display hands them over, all of them between two frames.
void key(ImGuiKey modifier, ImGuiKey side, bool down) {
  ImGuiIO& io = ImGui::GetIO();
  io.AddKeyEvent(modifier, down);
  io.AddKeyEvent(side, down);
}

} // namespace

TEST_CASE("a chord counts with the modifiers of its press, however late the frame") {
  TestWindow w;
  // The modifier goes down in one frame; press and release of the key and release of the modifier come in the next.
  key(ImGuiMod_Shift, ImGuiKey_LeftShift, true);
  w.frames(1);
  ImGui::GetIO().AddKeyEvent(ImGuiKey_1, true);
  key(ImGuiMod_Shift, ImGuiKey_LeftShift, false);
  ImGui::GetIO().AddKeyEvent(ImGuiKey_1, false);
  w.frames(4);
  CHECK(w.view().solo == w.run(0).id);
  CHECK(w.view().hidden.empty());

  // Two chords and a plain key before one frame.
  for (ImGuiKey digit : {ImGuiKey_2, ImGuiKey_1}) {
    key(ImGuiMod_Shift, ImGuiKey_LeftShift, true);
    ImGui::GetIO().AddKeyEvent(digit, true);
    key(ImGuiMod_Shift, ImGuiKey_LeftShift, false);
    ImGui::GetIO().AddKeyEvent(digit, false);
  }
  ImGui::GetIO().AddKeyEvent(ImGuiKey_L, true);
  key(ImGuiMod_Shift, ImGuiKey_LeftShift, true);
  ImGui::GetIO().AddKeyEvent(ImGuiKey_L, false);
  key(ImGuiMod_Shift, ImGuiKey_LeftShift, false);
  w.frames(12);
  CHECK(w.view().solo == w.run(0).id);
  CHECK(w.view().scales["loss"].log_y);
  CHECK_FALSE(w.view().scales["loss"].log_x);
  CHECK(ImGui::GetCurrentContext()->InputEventsQueue.Size == 0);
}

TEST_CASE("solo goes from run to run, and the same key or Esc ends it") {
  TestWindow w;
  press(w, ImGuiMod_Shift | ImGuiKey_1);
  press(w, ImGuiMod_Shift | ImGuiKey_2);
  w.settle();
  CHECK(w.view().solo == w.run(1).id);
  CHECK(w.frame().selected == w.run(1).id);
  CHECK(w.view().visible(w.run(1).id));
  press(w, ImGuiKey_Escape);
  CHECK_FALSE(w.view().solo);
  CHECK(w.view().visible(w.run(0).id));
  press(w, ImGuiMod_Shift | ImGuiKey_1);
  press(w, ImGuiMod_Shift | ImGuiKey_1);
  CHECK_FALSE(w.view().solo);
  // While one is alone, a second joins it.
  press(w, ImGuiMod_Shift | ImGuiKey_1);
  press(w, ImGuiKey_2);
  CHECK(w.view().visible(w.run(0).id));
  CHECK(w.view().visible(w.run(1).id));
}

TEST_CASE("the selected run is always a visible one, and one run always is") {
  TestWindow w;
  const RunId first = w.run(0).id, second = w.run(1).id;
  w.send(command::SelectRun{first});
  press(w, ImGuiKey_1);
  w.settle();
  CHECK_FALSE(w.view().visible(first));
  CHECK(w.frame().selected == second);
  press(w, ImGuiKey_2); // the last one shown
  CHECK(w.view().visible(second));
  CHECK(w.view().notice.find("only run shown") != std::string::npos);
  press(w, ImGuiKey_PageDown); // hidden runs are passed over
  w.settle();
  CHECK(w.frame().selected == second);
  w.send(command::SelectRun{first}); // a click on its row
  w.frames(2);
  CHECK(w.view().visible(first));

  press(w, ImGuiMod_Shift | ImGuiKey_2);
  w.settle();
  w.send(command::RemoveRun{second});
  w.frames(2);
  CHECK(w.view().visible(first));
}

TEST_CASE("keys do not act behind a dialog or an open menu") {
  TestWindow w;
  w.send(command::ComputeTo{30});
  for (const int opener : {int(ImGuiKey_F1), ImGuiMod_Ctrl | ImGuiKey_O}) {
    INFO(opener);
    press(w, opener);
    w.frames(2);
    REQUIRE(w.view().dialog_open());
    for (const int chord : {int(ImGuiKey_F3), int(ImGuiKey_F10), int(ImGuiKey_LeftArrow),
                            ImGuiMod_Ctrl | ImGuiKey_Equal, int(ImGuiKey_Space)})
      press(w, chord);
    CHECK(w.view().layout == LayoutKind::study);
    CHECK_FALSE(w.view().plots_only);
    CHECK(w.frame().cursor == 30);
    CHECK_FALSE(w.frame().playing);
    CHECK(w.view().zoom == 1.0f);
    press(w, ImGuiKey_Escape);
    w.frames(2);
    CHECK_FALSE(w.view().dialog_open());
  }
  w.view().add_open = true;
  w.frames(3);
  press(w, ImGuiKey_R);
  CHECK(w.frame().head == 30);
  press(w, ImGuiKey_Escape);
  w.frames(2);
  CHECK_FALSE(w.view().add_open);

  w.play([](ImGuiTestContext& user) {
    user.SetRef("##MainMenuBar");
    user.MenuClick("View");
    CHECK(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
    user.KeyPress(ImGuiKey_R);
    user.KeyPress(ImGuiKey_Escape);
  });
  w.settle();
  CHECK(w.frame().head == 30);
}

TEST_CASE("a dialog takes the clicks beside it") {
  TestWindow w;
  w.view().help_open = true;
  w.frames(3);
  w.play([](ImGuiTestContext& user) {
    user.MouseMoveToPos({60, 60}); // over the transport
    user.MouseClick();
  });
  CHECK_FALSE(w.view().help_open);
  CHECK_FALSE(w.frame().playing);
  CHECK(w.frame().cursor == 0);
}

TEST_CASE("reload brings the file back; one setting goes back by its button, all of a run by an action") {
  TestWindow w;
  const double lr = hparam(w, 0, "lr");
  w.send(command::SetHparam{w.run(0).id, "lr", 0.3, EditMode::from_here});
  w.send(command::ComputeTo{20});
  press(w, ImGuiKey_R);
  w.settle();
  CHECK(hparam(w, 0, "lr") == 0.3);
  w.frames(2);
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("recipe").c_str());
    user.ItemClick("**/lr/reset");
  });
  w.settle();
  CHECK(hparam(w, 0, "lr") == lr);

  w.send(command::SetHparam{w.run(0).id, "lr", 0.3, EditMode::from_here});
  ActionContext context{w.frame(), w.view(), [&](Command c) { w.driver().send(std::move(c)); }};
  REQUIRE(w.shell().actions().invoke("runs.reset_settings", context));
  w.settle();
  CHECK(hparam(w, 0, "lr") == lr);

  w.send(command::SetHparam{w.run(0).id, "lr", 0.3, EditMode::from_here});
  w.send(command::AddRun{"adamw"});
  press(w, ImGuiMod_Ctrl | ImGuiKey_R);
  w.settle();
  CHECK(w.frame().runs.size() == 2);
  CHECK(hparam(w, 0, "lr") == lr);
  CHECK(w.frame().head == 0);
  CHECK(w.shell().actions().tooltip("time.restart").find("Edits are kept") != std::string::npos);
}

TEST_CASE("Esc gives up a slider's drag, also while playing") {
  TestWindow w;
  w.send(command::ComputeTo{40});
  const double before = hparam(w, 0, "lr");
  w.send(command::Play{});
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("recipe").c_str());
    user.MouseMove("**/lr/##track");
    user.MouseDown();
    user.MouseMoveToPos({ImGui::GetIO().MousePos.x + 40, ImGui::GetIO().MousePos.y});
    user.Yield(20);
    CHECK(hparam(w, 0, "lr") != before);
    CHECK(w.view().pending);
    user.KeyPress(ImGuiKey_Escape);
    user.Yield(5);
    user.MouseUp();
  });
  w.send(command::Pause{});
  CHECK_FALSE(w.view().pending);
  CHECK(w.frame().head > 55);
  CHECK(hparam(w, 0, "lr") == before);
  CHECK(std::none_of(w.frame().events.begin(), w.frame().events.end(),
                     [](const Event& e) { return e.kind == EventKind::edit; }));
  // The steps made meanwhile are those of a session that nobody touched.
  SessionOptions options;
  options.device = "cpu";
  auto untouched = Session::open(*load_scene("first_look"), options);
  REQUIRE(untouched);
  (*untouched)->advance(w.frame().head);
  CHECK(w.frame().state_hash == (*untouched)->state_hash());
}

TEST_CASE("the lesson stays with the scene it teaches, and begins from the menu") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  w.frames(2);
  const auto strip_shown = [] {
    const ImGuiWindow* strip = ImGui::FindWindowByName("##lesson");
    return strip && strip->Active;
  };
  CHECK(strip_shown());
  w.send(command::OpenScene{"start_norms"});
  w.frames(3);
  CHECK_FALSE(strip_shown());
  press(w, ImGuiKey_N);
  w.settle();
  CHECK(w.view().lesson.step == 0);
  w.send(command::OpenScene{"first_look"});
  w.frames(3);
  CHECK(strip_shown());
  w.send(command::OpenScene{"polar/growth"});
  w.frames(3);
  const Action* action = w.shell().actions().find("lesson.open.first_look");
  REQUIRE(action);
  const std::string path = action->menu + "/" + action->label + "##" + action->id;
  w.play([&](ImGuiTestContext& user) {
    user.SetRef("##MainMenuBar");
    user.MenuClick(path.c_str());
  });
  w.settle();
  w.frames(3);
  CHECK(strip_shown());
  CHECK(installed_name(*w.frame().scene) == "first_look");
}

TEST_CASE("going back in a lesson opens the scene of the part") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  w.view().lesson.step = 3; // about start_norms
  w.frames(2);
  w.settle();
  w.frames(2);
  CHECK(installed_name(*w.frame().scene) == "start_norms");
  w.view().lesson.step = 2;
  w.frames(2);
  w.settle();
  w.frames(2);
  CHECK(installed_name(*w.frame().scene) == "first_look");
  CHECK(w.view().lesson.here);
}

TEST_CASE("each panel's header explains it") {
  TestWindow w;
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("loss").c_str());
    user.ItemClick("**/explain");
    CHECK(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
    user.KeyPress(ImGuiKey_Escape);
    CHECK_FALSE(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
  });
  for (const Panel& panel : panels()) {
    INFO(panel.name);
    CHECK(panel.meaning.size() > 20);
    CHECK(panel.meaning.back() == '.');
  }
}

TEST_CASE("the ring of keyboard focus goes with the mouse") {
  TestWindow w;
  w.play([](ImGuiTestContext& user) {
    const ImGuiContext& context = *ImGui::GetCurrentContext();
    user.SetRef("//##transport");
    user.ItemClick("##time.forward");
    user.KeyPress(ImGuiKey_Tab);
    user.KeyPress(ImGuiKey_Tab);
    CHECK(context.NavCursorVisible);
    user.ItemClick("##time.back");
    CHECK_FALSE(context.NavCursorVisible);
    user.MouseMoveToPos({700, 500});
    // These are no keys of the focus.
    for (const int chord : {int(ImGuiKey_LeftArrow), int(ImGuiKey_RightArrow), int(ImGuiKey_L),
                            ImGuiMod_Shift | ImGuiKey_1, int(ImGuiKey_Escape)}) {
      user.KeyPress(chord);
      CHECK_FALSE(context.NavCursorVisible);
    }
  });
}

TEST_CASE("the keyboard reaches every panel: F6 from one to the next, Tab within") {
  TestWindow w;
  w.frames(2);
  std::set<std::string> reached;
  w.play([&](ImGuiTestContext& user) {
    const ImGuiContext& context = *ImGui::GetCurrentContext();
    REQUIRE(context.NavWindow); // from the start
    for (int i = 0; i < 14; ++i) {
      user.KeyPress(ImGuiKey_F6);
      user.Yield(2);
      REQUIRE(context.NavWindow);
      CHECK(context.NavCursorVisible);
      INFO(context.NavWindow->Name);
      CHECK(context.NavId != 0); // the ring is around something
      const std::string name = context.NavWindow->Name;
      for (const Panel& panel : panels())
        if (name.find("##" + panel.name) != std::string::npos) reached.insert(panel.name);
    }
  });
  for (const char* name :
       {"transport", "runs", "recipe", "polar", "unrolled", "loss", "row_norms", "magnitude_direction", "time_axis"}) {
    INFO(name);
    CHECK(reached.count(name) == 1);
  }
  w.play([&](ImGuiTestContext& user) {
    user.WindowFocus(("//" + w.panel("runs")).c_str());
    const ImGuiContext& context = *ImGui::GetCurrentContext();
    std::set<ImGuiID> items;
    for (int i = 0; i < 8; ++i) {
      user.KeyPress(ImGuiKey_Tab);
      items.insert(context.NavId);
    }
    CHECK(items.size() >= 7); // two icons, two rows of three, "Add run"
  });
}

TEST_CASE("a moved start is an event at step 0 that says from where to where") {
  TestWindow w;
  w.send(command::ComputeTo{30});
  w.send(command::SelectRun{w.run(1).id});
  press(w, ImGuiMod_Ctrl | ImGuiKey_DownArrow);
  w.settle();
  REQUIRE_FALSE(w.frame().events.empty());
  CHECK(w.frame().events.front().step == 0);
  CHECK(w.frame().events.front().text == "start norm 4 → 3.64");
}

TEST_CASE("the window obeys the scene's parameter and plane") {
  const std::filesystem::path file = std::filesystem::path(POLARSCOPE_PROGRAM).parent_path() / "test-view.toml";
  const auto open = [&](const char* view) {
    std::ofstream(file)
        << "[scene]\ntitle = \"view\"\nsteps = 50\n[problem]\nkind = \"scaled_linear\"\nrows = 4\ncols = 6\n"
           "[[run]]\nlabel = \"A\"\noptimizer = \"sgd\"\n[view]\n"
        << view << "\n";
    return file.string();
  };
  {
    WindowSetup setup;
    setup.scene = open("parameter = \"W\"\nplane = { rows = [2, 1] }");
    TestWindow w(setup);
    CHECK(w.view().polar.plane.kind == PlaneChoice::Kind::rows);
    CHECK(w.view().polar.plane.row_i == 2);
    CHECK(w.view().polar.plane.row_j == 1);
    CHECK(w.run(0).program->parameters()[static_cast<std::size_t>(w.view().polar.plane.parameter)].name == "W");
    w.frames(3); // the panel's drop-downs leave it so
    CHECK(w.view().polar.plane.kind == PlaneChoice::Kind::rows);
    // Another scene's wish replaces it, also when the window is open already.
    w.send(command::OpenScene{open("plane = \"weight-update\"")});
    w.frames(3);
    CHECK(w.view().polar.plane.kind == PlaneChoice::Kind::weight_update);
    w.send(command::OpenScene{"first_look"});
    w.frames(3);
    CHECK(w.view().polar.plane.kind == PlaneChoice::Kind::start_current);
  }
  std::filesystem::remove(file);
}

TEST_CASE("Esc gives up the drag of a start") {
  TestWindow w;
  w.send(command::ComputeTo{40});
  const std::uint64_t before = w.frame().state_hash;
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("polar").c_str());
    user.MouseMove("**/start of norm 4");
    user.MouseDown();
    user.MouseMoveToPos({ImGui::GetIO().MousePos.x + 50, ImGui::GetIO().MousePos.y - 50});
    user.Yield(20);
    CHECK(w.frame().state_hash != before);
    user.KeyPress(ImGuiKey_Escape);
    user.Yield(5);
    user.MouseMoveToPos({ImGui::GetIO().MousePos.x + 20, ImGui::GetIO().MousePos.y});
    user.MouseUp();
  });
  w.settle();
  CHECK(w.frame().state_hash == before);
  CHECK(std::none_of(w.frame().events.begin(), w.frame().events.end(),
                     [](const Event& e) { return e.kind == EventKind::edit; }));
}

TEST_CASE("a refusal is shown where there is no status bar") {
  TestWindow w;
  w.view().layout = LayoutKind::show;
  w.frames(3);
  const auto shown = [] {
    const ImGuiWindow* window = ImGui::FindWindowByName("##notice");
    return window && window->WasActive;
  };
  CHECK_FALSE(shown());
  w.send(command::OpenScene{"no_such_scene"});
  w.frames(3);
  CHECK(shown());
  w.play([](ImGuiTestContext& user) { user.ItemClick("//##notice/notice"); });
  w.frames(2);
  CHECK_FALSE(shown());
  w.view().layout = LayoutKind::study; // the status bar still says it
  w.frames(3);
  CHECK_FALSE(shown());
  CHECK(w.frame().notice_is_error);
}
