// The window's logic on the null back end: every test drives the real application as a user would.
#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "tests/app/window_fixture.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

double norm_of(const std::vector<double>& v) {
  double square = 0;
  for (double x : v) square += x * x;
  return std::sqrt(square);
}

// Everything recorded of every run at one step.
std::vector<double> numbers_at(TestWindow& w, long step) {
  std::vector<double> all;
  for (const RunFrame& run : w.frame().runs)
    for (int column = 0; column < run.series.columns(); ++column)
      all.push_back(run.series.at(column, step).value_or(-1));
  return all;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) {
           return x == y || (std::isnan(x) && std::isnan(y));
         });
}

// "Runs/Only/Only run 1##runs.solo.1"
std::string menu_path(const Action& action) { return action.menu + "/" + action.label + "##" + action.id; }

void choose_in_menu(TestWindow& w, const char* id) {
  const std::string path = menu_path(*w.shell().actions().find(id));
  w.play([&](ImGuiTestContext& user) {
    user.SetRef("##MainMenuBar");
    user.MenuClick(path.c_str());
  });
  w.settle();
}

} // namespace

TEST_CASE("Space moves the opening scene, and no dialog is in the way") {
  TestWindow w;
  CHECK(w.frame().head == 0);
  CHECK_FALSE(w.view().help_open);
  press(w, ImGuiKey_Space);
  w.frames(30); // half a second at 50 steps per second
  CHECK(w.frame().playing);
  CHECK(w.frame().head >= 15);
  press(w, ImGuiKey_Space);
  CHECK_FALSE(w.frame().playing);
}

TEST_CASE("Space plays also when a control has the keyboard, and types in a text field") {
  TestWindow w;
  w.play([&](ImGuiTestContext& user) {
    for (int i = 0; i < 6; ++i) user.KeyPress(ImGuiKey_Tab);
    user.KeyPress(ImGuiKey_Space);
  });
  CHECK(w.frame().playing);
  press(w, ImGuiKey_Space);
  REQUIRE_FALSE(w.frame().playing);
  w.view().scenes_open = true;
  w.frames(3);
  w.play([](ImGuiTestContext& user) {
    user.KeyChars("a b");
    user.KeyPress(ImGuiKey_Space);
  });
  CHECK_FALSE(w.frame().playing);
}

TEST_CASE("a step back shows identical numbers") {
  TestWindow w;
  w.send(command::ComputeTo{20});
  const auto before = numbers_at(w, 19);
  w.send(command::ComputeTo{60});
  while (w.frame().cursor > 19)
    press(w, w.frame().cursor - 19 >= 10 ? ImGuiMod_Shift | ImGuiKey_LeftArrow : ImGuiKey_LeftArrow);
  CHECK(w.frame().cursor == 19);
  CHECK(w.frame().head == 60);
  CHECK(same(numbers_at(w, 19), before));
}

TEST_CASE("arrows, Home and End move the cursor and compute nothing behind the head") {
  TestWindow w;
  w.send(command::ComputeTo{50});
  press(w, ImGuiKey_Home);
  CHECK(w.frame().cursor == 0);
  press(w, ImGuiKey_RightArrow);
  press(w, ImGuiMod_Shift | ImGuiKey_RightArrow);
  CHECK(w.frame().cursor == 11);
  CHECK(w.frame().head == 50);
  press(w, ImGuiKey_End);
  CHECK(w.frame().cursor == 50);
  press(w, ImGuiKey_RightArrow);
  CHECK(w.frame().head == 51);
  press(w, ImGuiKey_R);
  w.settle();
  CHECK(w.frame().head == 0);
}

TEST_CASE("every action of the menus runs from its menu") {
  // Actions that change what the test stands on are tested on their own.
  const std::set<std::string> elsewhere = {"file.quit",       "file.screenshot",        "view.full_screen",
                                           "view.plots_only", "lesson.open.first_look", "scene.previous",
                                           "scene.next",      "scene.reload",           "runs.remove"};
  TestWindow w;
  w.send(command::ComputeTo{30});
  w.send(command::MoveCursor{10});
  int run = 0;
  std::vector<std::string> ids;
  for (const Action& action : w.shell().actions().all()) ids.push_back(action.id);
  for (const std::string& id : ids) {
    const Action& action = *w.shell().actions().find(id);
    CommandSink send = [&](Command c) { w.driver().send(std::move(c)); };
    ActionContext context{w.shell().frame(), w.view(), send};
    if (elsewhere.count(id) || action.menu.empty() || !w.shell().actions().enabled(action, context)) continue;
    INFO(id);
    const bool was = action.checked && action.checked(context);
    choose_in_menu(w, id.c_str());
    if (action.checked && id.rfind("view.panel.", 0) == 0) {
      ActionContext after{w.shell().frame(), w.view(), send};
      CHECK(action.checked(after) != was);
      w.view().panels.clear();
    }
    ++run;
    w.view().close_dialogs();
    w.view().renaming.reset();
    w.view().layout = LayoutKind::study;
    w.view().theme = "dark";
    w.view().zoom = 1;
    w.view().solo.reset();
    w.view().hidden.clear();
    if (w.frame().playing) w.send(command::Pause{});
    w.frames(2);
  }
  CHECK(run > 40);
}

TEST_CASE("every key of the table belongs to an action, and every key acts") {
  TestWindow w;
  const Actions& actions = w.shell().actions();
  for (const auto& [id, keys] : actions.keys().all()) {
    INFO(id);
    CHECK(actions.find(id) != nullptr);
    CHECK_FALSE(keys.empty());
  }
  w.send(command::ComputeTo{30});
  press(w, ImGuiKey_1);
  CHECK_FALSE(w.view().visible(w.run(0).id));
  press(w, ImGuiKey_1);
  CHECK(w.view().visible(w.run(0).id));
  press(w, ImGuiMod_Shift | ImGuiKey_2);
  CHECK(w.view().solo == w.run(1).id);
  press(w, ImGuiMod_Shift | ImGuiKey_2);
  CHECK_FALSE(w.view().solo);
  press(w, ImGuiKey_L);
  CHECK(w.view().scales["loss"].log_y);
  press(w, ImGuiMod_Shift | ImGuiKey_L);
  CHECK(w.view().scales["loss"].log_x);
  const double speed = w.frame().speed;
  press(w, ImGuiKey_Equal);
  w.settle();
  CHECK(w.frame().speed > speed);
  press(w, ImGuiKey_Minus);
  w.settle();
  CHECK(w.frame().speed == speed);
  press(w, ImGuiKey_F3);
  CHECK(w.view().layout == LayoutKind::show);
  press(w, ImGuiKey_F2);
  CHECK(w.view().layout == LayoutKind::study);
  press(w, ImGuiKey_F10);
  CHECK(w.view().plots_only);
  press(w, ImGuiKey_Escape);
  CHECK_FALSE(w.view().plots_only);
  press(w, ImGuiMod_Ctrl | ImGuiKey_Equal);
  CHECK(w.view().zoom == Approx(1.1));
  press(w, ImGuiMod_Ctrl | ImGuiKey_0);
  CHECK(w.view().zoom == 1.0f);
  press(w, ImGuiMod_Ctrl | ImGuiKey_O);
  CHECK(w.view().scenes_open);
  press(w, ImGuiKey_Escape);
  CHECK_FALSE(w.view().scenes_open);
  const RunId selected = w.frame().selected;
  press(w, ImGuiKey_PageDown);
  w.settle();
  CHECK(w.frame().selected != selected);
}

TEST_CASE("F1 lists every action of the menus with its key") {
  TestWindow w;
  press(w, ImGuiKey_F1);
  REQUIRE(w.view().help_open);
  w.frames(2);
  CHECK(ImGui::FindWindowByName("Help and keys") != nullptr);
  for (const Action& action : w.shell().actions().all()) {
    INFO(action.id);
    CHECK_FALSE(action.help.empty());
    CHECK(action.help.back() == '.');
    const std::string key = w.shell().actions().key_label(action.id);
    CHECK(w.shell().actions().tooltip(action.id).find(key) != std::string::npos);
    CHECK(std::find(Actions::menus().begin(), Actions::menus().end(), action.menu.substr(0, action.menu.find('/'))) !=
          Actions::menus().end());
  }
}

TEST_CASE("the mouse plays, steps and switches by the transport") {
  TestWindow w;
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##transport");
    user.ItemClick("###play");
  });
  w.frames(10);
  CHECK(w.frame().playing);
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##transport");
    user.ItemClick("###play");
  });
  CHECK_FALSE(w.frame().playing);
  const long head = w.frame().head;
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##transport");
    user.ItemClick("##time.back");
  });
  CHECK(w.frame().cursor == head - 1);
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##transport");
    user.ItemClick("edits/from step 0");
  });
  CHECK(w.view().edit_mode == EditMode::from_start);
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##transport");
    user.ItemClick("layout/Show");
  });
  CHECK(w.view().layout == LayoutKind::show);
}

TEST_CASE("a drag on the time axis scrubs, with Shift it zooms") {
  TestWindow w;
  w.send(command::ComputeTo{600});
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##time_axis");
    user.MouseMove("steps");
    user.MouseClick();
  });
  CHECK(w.frame().cursor > 200);
  CHECK(w.frame().cursor < 400);
  w.play([](ImGuiTestContext& user) {
    user.SetRef("//##time_axis");
    user.KeyDown(ImGuiMod_Shift);
    user.ItemDragWithDelta("steps", {200, 0});
    user.KeyUp(ImGuiMod_Shift);
  });
  REQUIRE(w.view().range);
  CHECK(w.view().range->to > w.view().range->from + 30);
  press(w, ImGuiKey_Escape);
  CHECK_FALSE(w.view().range);
}

TEST_CASE("runs are hidden, shown alone, duplicated, renamed, added and removed") {
  TestWindow w;
  w.send(command::ComputeTo{40});
  const RunId first = w.run(0).id;
  choose_in_menu(w, "runs.duplicate");
  REQUIRE(w.frame().runs.size() == 3);
  CHECK(w.run(2).series.last_step() == 40);

  w.view().renaming = first;
  w.frames(3);
  w.play([](ImGuiTestContext& user) { user.KeyCharsReplaceEnter("small"); });
  w.settle();
  CHECK(w.run(0).label == "small");

  press(w, ImGuiKey_1);
  CHECK(w.view().hidden.count(first) == 1);

  w.view().add_open = true;
  w.frames(3);
  w.play([](ImGuiTestContext& user) { user.ItemClick("//Add a run/##adamw"); });
  w.settle();
  REQUIRE(w.frame().runs.size() == 4);
  CHECK(w.run(3).optimizer_name == "adamw");
  CHECK(w.run(3).series.last_step() == 40);

  w.send(command::SelectRun{w.run(3).id});
  choose_in_menu(w, "runs.remove");
  CHECK(w.frame().runs.size() == 3);
}

TEST_CASE("a slider acts from here, or redraws the whole path") {
  TestWindow w;
  w.send(command::ComputeTo{100});
  const int column = w.run(0).program->find_metric("loss");
  const double early = *w.run(0).series.at(column, 30);
  const auto edit = [&](const char* value) {
    w.play([&](ImGuiTestContext& user) {
      user.SetRef(w.panel("recipe").c_str());
      user.ItemClick("**/lr/##value");
      user.KeyCharsReplaceEnter(value);
    });
    w.settle();
  };
  edit("0.2");
  CHECK(w.run(0).hparams[static_cast<std::size_t>(w.run(0).program->find_hparam("lr"))] == Approx(0.2));
  CHECK(*w.run(0).series.at(column, 30) == early);
  w.view().edit_mode = EditMode::from_start;
  edit("0.05");
  CHECK(w.run(0).hparams[static_cast<std::size_t>(w.run(0).program->find_hparam("lr"))] == Approx(0.05));
  CHECK(w.frame().head == 100);
  CHECK(*w.run(0).series.at(column, 30) != early);
}

TEST_CASE("the start is dragged in the polar view and the path follows") {
  TestWindow w;
  w.send(command::ComputeTo{100});
  const double before = norm_of(w.run(1).start->front());
  w.play([&](ImGuiTestContext& user) {
    user.SetRef(w.panel("polar").c_str());
    user.ItemDragWithDelta("**/start of norm 4", {60, -60}); // the start lies lower left of the centre
  });
  w.settle();
  const double after = norm_of(w.run(1).start->front());
  CHECK(after < before * 0.95);
  CHECK(w.frame().head == 100);
  CHECK(norm_of(w.run(0).start->front()) == Approx(1));
}

TEST_CASE("the start moves by keys as well") {
  TestWindow w;
  w.send(command::SelectRun{w.run(1).id});
  const double before = norm_of(w.run(1).start->front());
  press(w, ImGuiMod_Ctrl | ImGuiKey_DownArrow);
  w.settle();
  CHECK(norm_of(w.run(1).start->front()) == Approx(before / 1.1).epsilon(1e-6));
}

TEST_CASE("a panel is copied as sentences") {
  TestWindow w;
  w.send(command::ComputeTo{20});
  const std::string text = w.panel_text("loss");
  CHECK(text.find("Run norm 1, step 20: loss") != std::string::npos);
}

TEST_CASE("another scene opens from the list") {
  TestWindow w;
  w.send(command::ComputeTo{20});
  press(w, ImGuiMod_Ctrl | ImGuiKey_O);
  w.frames(2);
  w.play([](ImGuiTestContext& user) { user.ItemClick("//Open a scene/##start_norms"); });
  w.settle();
  CHECK(w.frame().runs.size() == 8);
  CHECK(w.frame().head == 0);
  CHECK_FALSE(w.view().scenes_open);
}

TEST_CASE("the picture stays as it is while nothing happens") {
  TestWindow w;
  w.send(command::ComputeTo{50});
  w.frames(10);
  CHECK(w.shell().seconds_until_draw() == Shell::kIdleSeconds);
  CHECK_FALSE(w.driver().busy());
}

TEST_CASE("the first minutes of the lesson can be played by keys alone") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  w.frames(2);
  CHECK(w.view().lesson.step == 0);
  press(w, ImGuiKey_Space);
  w.frames(70);
  CHECK(w.view().lesson.step == 1);
  press(w, ImGuiKey_Space);
  press(w, ImGuiKey_LeftArrow);
  press(w, ImGuiKey_LeftArrow);
  w.frames(2);
  CHECK(w.view().lesson.step == 2);
  press(w, ImGuiKey_PageDown);
  w.settle();
  for (int i = 0; i < 4; ++i) {
    press(w, ImGuiMod_Ctrl | ImGuiKey_DownArrow);
    w.settle();
  }
  CHECK(norm_of(w.run(1).start->front()) < 3.0);
  CHECK(w.view().lesson.step == 2); // waits: it would change the scene
  press(w, ImGuiKey_N);
  w.settle();
  w.frames(3);
  CHECK(w.view().lesson.step == 3);
  CHECK(w.frame().runs.size() == 8);
  CHECK(w.frame().head == 20);
  CHECK(w.view().scales["magnitude_direction"].log_x);
  press(w, ImGuiKey_L);
  CHECK(w.view().scales["magnitude_direction"].log_y);
  press(w, ImGuiKey_N);
  w.frames(2);
  CHECK(w.view().lesson.step == 4);
}

TEST_CASE("the sphere turns to the action and by keys") {
  TestWindow w({.scene = "polar/sphere_three_ways"});
  REQUIRE(w.view().polar.drawing == PolarDrawing::sphere);
  w.frames(3);
  const float yaw = w.shell().caches().sphere.yaw, pitch = w.shell().caches().sphere.pitch;
  const auto start = w.run(0).start->front();
  const Point3 at = seen(w.shell().caches().sphere,
                         {static_cast<float>(start[0]), static_cast<float>(start[1]), static_cast<float>(start[2])});
  CHECK(at[2] > 0); // in front
  press(w, ImGuiMod_Alt | ImGuiKey_LeftArrow);
  w.frames(2);
  CHECK(w.shell().caches().sphere.yaw > yaw);
  press(w, ImGuiMod_Alt | ImGuiKey_UpArrow);
  w.frames(2);
  CHECK(w.shell().caches().sphere.pitch < pitch);
  CHECK(w.frame().cursor == 0); // arrows alone belong to time
}
