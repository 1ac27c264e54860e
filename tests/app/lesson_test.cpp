// The lesson: what it brings to the front, and that its key always answers.
#include "app/caches.hpp"
#include "tests/app/window_fixture.hpp"

#include "imgui_internal.h"

#include <string>

using namespace polarscope;
using namespace polarscope::testing;

TEST_CASE("the lesson brings the panel it speaks of to the front in every layout, and L acts there") {
  struct Size {
    int width, height;
    float scale;
    LayoutKind layout;
  };
  for (const Size& size : {Size{1440, 900, 1, LayoutKind::study}, Size{1024, 640, 1, LayoutKind::study},
                           Size{1440, 900, 1.25f, LayoutKind::study}, Size{1440, 900, 1, LayoutKind::show}}) {
    INFO(size.width << " " << size.scale << " " << static_cast<int>(size.layout));
    WindowSetup setup;
    setup.shell.lesson = true;
    setup.width = size.width, setup.height = size.height, setup.scale = size.scale;
    TestWindow w(setup);
    w.view().layout = size.layout;
    w.frames(3);
    w.view().lesson.step = 3;
    w.frames(2);
    w.settle();
    w.frames(6);
    CHECK(window_shown(w.panel("magnitude_direction")));
    w.view().focused_plot = "loss"; // where the pointer was last
    press(w, ImGuiKey_L);
    CHECK(w.view().scales["magnitude_direction"].log_y);
    CHECK_FALSE(w.view().scales["loss"].log_y);
    w.view().lesson.step = 4;
    w.frames(4);
    if (size.layout == LayoutKind::show) CHECK_FALSE(window_shown(w.panel("magnitude_direction")));
  }
}

TEST_CASE("F5 shows and hides the lesson, also after its end and after another scene") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  w.frames(2);
  press(w, ImGuiKey_F5);
  CHECK_FALSE(window_shown("##lesson"));
  press(w, ImGuiKey_F5);
  CHECK(window_shown("##lesson"));

  w.view().lesson.step = 3; // about start_norms
  w.frames(2);
  w.settle();
  w.frames(3);
  for (int i = 0; i < 2; ++i) press(w, ImGuiKey_N);
  w.frames(3);
  CHECK(w.view().lesson.finished);
  CHECK_FALSE(window_shown("##lesson"));
  press(w, ImGuiKey_F5);
  w.settle();
  w.frames(4);
  CHECK(window_shown("##lesson"));
  CHECK(w.view().lesson.step == 0);
  CHECK(installed_name(*w.frame().scene) == "first_look");

  w.view().lesson.step = 3;
  w.frames(2);
  w.settle();
  w.frames(2);
  w.send(command::OpenScene{"first_look"}); // while the part is about another scene
  w.frames(3);
  CHECK_FALSE(window_shown("##lesson"));
  press(w, ImGuiKey_F5);
  w.frames(3);
  CHECK(window_shown("##lesson"));
  CHECK(w.view().lesson.step == 0);

  w.send(command::OpenScene{"polar/growth"});
  w.frames(3);
  press(w, ImGuiKey_F5);
  CHECK(w.view().notice.find("no lesson") != std::string::npos);
}

TEST_CASE("a lesson that begins where its part is done already waits, and drops nothing") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  w.view().lesson.open = false;
  w.send(command::ComputeTo{100});
  w.send(command::SetHparam{w.run(0).id, "lr", 0.2, EditMode::from_here});
  w.view().lesson.finished = true;
  w.frames(2);
  press(w, ImGuiKey_F5);
  w.settle();
  w.frames(4);
  CHECK(w.view().lesson.step == 0);
  CHECK(w.shell().caches().lesson_waiting);
  CHECK(hparam(w, 0, "lr") == 0.2);
  CHECK(w.frame().head == 100);
}
