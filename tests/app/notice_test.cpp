// Pictures, and what the window says of what was done or refused.
#include "app/picture_name.hpp"
#include "tests/app/window_fixture.hpp"

#include "imgui_internal.h"

#include <filesystem>
#include <fstream>
#include <string>

using namespace polarscope;
using namespace polarscope::testing;

TEST_CASE("a picture's name says scene and layout, and no picture is overwritten") {
  const std::filesystem::path before = std::filesystem::current_path();
  const std::filesystem::path folder = std::filesystem::path(POLARSCOPE_PROGRAM).parent_path() / "test-pictures";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::filesystem::current_path(folder);
  const auto scene = load_scene("interference/gains");
  REQUIRE(scene);
  const std::string first = free_picture_name(*scene, LayoutKind::show, 40);
  CHECK(first == "polarscope-interference-gains-show-step-40.png");
  CHECK(free_picture_name(*scene, LayoutKind::study, 40) == "polarscope-interference-gains-study-step-40.png");
  for (const char* next :
       {"polarscope-interference-gains-show-step-40-2.png", "polarscope-interference-gains-show-step-40-3.png"}) {
    std::ofstream(free_picture_name(*scene, LayoutKind::show, 40)) << "taken";
    CHECK(free_picture_name(*scene, LayoutKind::show, 40) == next);
  }
  Scene own = *scene;
  own.path = "/somewhere/my experiment.toml";
  CHECK(free_picture_name(own, LayoutKind::study, 7) == "polarscope-my-experiment-study-step-7.png");
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
}

TEST_CASE("what the window did is said over the picture in Show, for some seconds, and not in the picture") {
  WindowSetup setup;
  setup.shell.lesson = true;
  TestWindow w(setup);
  press(w, ImGuiKey_F3);
  w.frames(3);
  CHECK(window_shown("##lesson"));
  CHECK_FALSE(window_shown("##notice"));
  w.view().say("done");
  w.frames(2);
  CHECK(window_shown("##notice"));
  w.view().requests.screenshot = true;
  w.frames(3);
  CHECK_FALSE(window_shown("##notice"));
  CHECK_FALSE(window_shown("##lesson"));
  w.frames(4); // the null window has no pixels, and says so
  CHECK(window_shown("##lesson"));
  CHECK(w.view().notice_is_error);
  CHECK(window_shown("##notice"));
  w.view().say("done again");
  w.frames(60 * 5);
  CHECK_FALSE(window_shown("##notice"));
  CHECK(w.shell().seconds_until_draw() == Shell::kIdleSeconds);
}

TEST_CASE("a number that is not allowed is refused with what is") {
  TestWindow w;
  const double lr = hparam(w, 0, "lr");
  for (const char* typed : {"abc", "-5", "1e38", "1e400"}) {
    INFO(typed);
    w.view().notice.clear();
    w.play([&](ImGuiTestContext& user) {
      user.SetRef(w.panel("recipe").c_str());
      user.ItemClick("**/lr/##value");
      user.KeyCharsReplaceEnter(typed);
    });
    w.settle();
    CHECK(hparam(w, 0, "lr") == lr);
    CHECK(w.view().notice.find("allowed 0 to") != std::string::npos);
    CHECK(w.view().notice.find(typed) != std::string::npos);
  }
}
