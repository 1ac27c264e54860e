// The lesson: what it brings to the front, and that its key always answers.
#include "app/caches.hpp"
#include "tests/app/window_fixture.hpp"

#include "imgui_internal.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

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

namespace {

// Degrees per step, mean over the steps that the panel averages.
double turning(TestWindow& w, const std::string& label) {
  for (const RunFrame& run : w.frame().runs) {
    if (run.label != label) continue;
    const int column = run.program->find_metric("W.angular_update");
    REQUIRE(column >= 0);
    std::vector<Sample> samples;
    run.series.samples(column, std::max(1L, w.frame().cursor - 49), w.frame().cursor, samples);
    double sum = 0;
    for (const Sample& sample : samples) sum += sample.value;
    return sum / static_cast<double>(samples.size());
  }
  FAIL(label);
  return 0;
}

} // namespace

TEST_CASE("the points of the lesson's question show its answer, and each has its name") {
  for (const auto& [width, height] : {std::pair{1440, 900}, {1024, 640}}) {
    INFO(width);
    WindowSetup setup;
    setup.shell.lesson = true;
    setup.width = width, setup.height = height;
    TestWindow w(setup);
    w.view().lesson.step = 3;
    w.frames(2);
    w.settle();
    w.frames(4);
    // "One optimizer turns 16 times slower at norm 4, the other 4 times."
    CHECK(turning(w, "SGD 1") / turning(w, "SGD 4") == Approx(16).epsilon(0.15));
    CHECK(turning(w, "AdamW 1") / turning(w, "AdamW 4") == Approx(4).epsilon(0.15));
    for (const bool log_y : {false, true}) {
      INFO(log_y);
      if (log_y) press(w, ImGuiKey_L);
      w.frames(3);
      const std::vector<int>& slots = w.shell().caches().motion.label_slots;
      CHECK(slots.size() == 8);
      if (width == 1440) CHECK(std::none_of(slots.begin(), slots.end(), [](int slot) { return slot < 0; }));
    }
  }
}

TEST_CASE("the lesson gives the axes back when its scene goes") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  w.view().lesson.step = 3;
  w.frames(2);
  w.settle();
  w.frames(3);
  press(w, ImGuiKey_L);
  CHECK(w.view().scales["magnitude_direction"].log_x);
  CHECK(w.view().scales["magnitude_direction"].log_y);
  w.view().scales["loss"].log_x = true; // the user's own
  press(w, ImGuiKey_N);
  w.frames(2);
  CHECK(w.view().scales["magnitude_direction"].log_x); // the last part speaks of the same scene
  w.send(command::OpenScene{"polar/growth"});
  w.frames(2);
  CHECK_FALSE(w.view().scales["magnitude_direction"].log_x);
  CHECK_FALSE(w.view().scales["magnitude_direction"].log_y);
  CHECK(w.view().scales["loss"].log_x);
}
