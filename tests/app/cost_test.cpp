// The panel Cost of the layout Bench: what it says comes of the programs and of measured time; its table sorts and selects.
#include "engine/program_cost.hpp"
#include "engine/stage_clock.hpp"
#include "tests/app/window_fixture.hpp"
#include "tests/support/process.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

const std::string kScene = R"([scene]
seed = 3
steps = 4000
speed = 0
[problem]
kind = "normalized_linear"
[[run]]
label = "soap"
optimizer = "soap"
[[run]]
label = "plain"
optimizer = "sgd"
[[run]]
label = "two averages"
optimizer = "adamw"
)";

struct Cost {
  explicit Cost(const std::string& scene = kScene, int width = 1440, int height = 900, float zoom = 1)
      : path(folder.write("s.toml", scene)), w(WindowSetup{.scene = path, .width = width, .height = height}) {
    w.view().layout = LayoutKind::bench;
    w.view().zoom = zoom;
    w.frames(4);
  }
  std::vector<std::string> order() { // rows from above
    std::vector<std::pair<float, std::string>> found;
    w.play([&](ImGuiTestContext& user) {
      user.SetRef(w.panel("cost").c_str());
      for (const RunFrame& run : w.frame().runs)
        if (const ImGuiTestItemInfo item = user.ItemInfo(("**/cost of " + run.label).c_str(), ImGuiTestOpFlags_NoError);
            item.ID != 0)
          found.emplace_back(item.RectFull.Min.y, run.label);
    });
    std::sort(found.begin(), found.end());
    std::vector<std::string> labels;
    for (auto& [y, label] : found) labels.push_back(std::move(label));
    return labels;
  }

  test::TemporaryFolder folder;
  std::string path;
  TestWindow w;
};

} // namespace

TEST_CASE("the costs stand in Bench beside the loss, before and after steps are made") {
  Cost cost;
  const ImGuiWindow* window = ImGui::FindWindowByName(cost.w.panel("cost").c_str());
  REQUIRE(window);
  CHECK(window_shown(cost.w.panel("cost")));
  CHECK(window_shown(cost.w.panel("loss")));
  CHECK(window->DockId != ImGui::FindWindowByName(cost.w.panel("loss").c_str())->DockId);
  const std::string before = cost.w.panel_text("cost");
  CHECK(before.find("no time yet") != std::string::npos);
  CHECK(before.find("a step takes") == std::string::npos);
  CHECK(before.find("two averages: ") != std::string::npos); // flops and state need no time
  CHECK(before.find("8 bytes of state per weight") != std::string::npos);

  cost.w.send(command::ComputeTo{2000});
  cost.w.frames(3);
  const std::string after = cost.w.panel_text("cost");
  CHECK(after.find("a step takes") != std::string::npos);
  CHECK(after.find("of it the optimizer") != std::string::npos);
  CHECK(after.find("paused") != std::string::npos);
  for (const RunFrame& run : cost.w.frame().runs) {
    CAPTURE(run.label);
    CHECK(run.step_seconds > 0);
    REQUIRE(run.stages);
    for (const StageCost& stage : program_cost(*run.program).stages)
      CHECK(after.find(std::string("  ") + stage_title(stage.stage) + ": ") != std::string::npos);
  }
}

TEST_CASE("while runs train the speed of all of them is shown") {
  Cost cost;
  cost.w.send(command::SetSpeed{100});
  cost.w.driver().send(command::Play{});
  const auto begin = std::chrono::steady_clock::now(); // the speed is that of the last half second
  while (cost.w.frame().achieved_speed == 0 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(20))
    cost.w.frames(1);
  REQUIRE(cost.w.frame().achieved_speed > 0);
  const std::string text = cost.w.panel_text("cost");
  CHECK(text.find("steps/s × 3 runs = ") != std::string::npos);
  CHECK(text.find("run-steps/s") != std::string::npos);
  cost.w.driver().send(command::Pause{});
}

TEST_CASE("costs sort by a click on a title and select by a click on a row") {
  Cost cost;
  cost.w.send(command::ComputeTo{1000});
  cost.w.frames(3);
  using Labels = std::vector<std::string>;
  CHECK(cost.order() == Labels{"soap", "plain", "two averages"}); // the scene's
  cost.w.click("cost", "sort bytes per weight");
  CHECK(cost.order() == Labels{"plain", "two averages", "soap"});
  cost.w.click("cost", "sort bytes per weight");
  CHECK(cost.order() == Labels{"soap", "two averages", "plain"});
  cost.w.click("cost", "sort bytes per weight");
  CHECK(cost.order() == Labels{"soap", "plain", "two averages"});
  cost.w.click("cost", "sort µs per step");
  const Labels by_time = cost.order();
  CHECK(by_time.back() == "soap"); // products of matrices and their roots
  cost.w.click("cost", "cost of two averages");
  CHECK(cost.w.frame().find(cost.w.frame().selected)->label == "two averages");
  cost.w.click("cost", "cost of plain");
  CHECK(cost.w.frame().find(cost.w.frame().selected)->label == "plain");
}

TEST_CASE("members of a sweep cost as their run does, and the selected one stays selected") {
  Cost cost("[scene]\nsteps = 60\n[problem]\nkind = \"quadratic\"\n[sweep]\noptimizer = [\"sgd\", \"adamw\"]\n"
            "hparam.lr = { values = [0.001, 0.01] }\nseeds = 2\n");
  cost.w.send(command::ComputeTo{60});
  cost.w.frames(3);
  const auto rows = [&](const char* name) {
    bool there = false;
    cost.w.play([&](ImGuiTestContext& user) {
      user.SetRef(cost.w.panel("cost").c_str());
      there = user.ItemExists((std::string("**/cost of ") + name).c_str());
    });
    return there;
  };
  CHECK(rows("sgd"));
  CHECK(rows("adamw"));
  CHECK_FALSE(rows("adamw lr 0.01 seed 0"));
  const RunId third = cost.w.run(6).id;
  cost.w.send(command::SelectRun{third});
  cost.w.frames(2);
  cost.w.click("cost", "cost of adamw");
  CHECK(cost.w.frame().selected == third);
  cost.w.click("cost", "cost of sgd");
  CHECK(cost.w.frame().find(cost.w.frame().selected)->group == "sgd");
}

TEST_CASE("the costs are within reach in small windows and at any size of type") {
  for (const auto& [width, height, zoom] :
       {std::tuple{1024, 640, 1.0f}, {1024, 640, 3.0f}, {500, 400, 1.0f}, {320, 240, 1.0f}, {1440, 900, 3.0f}}) {
    CAPTURE(width, height, zoom);
    Cost cost(kScene, width, height, zoom);
    cost.w.send(command::ComputeTo{200});
    cost.w.view().requests.front_panel = "cost";
    cost.w.frames(4);
    REQUIRE(window_shown(cost.w.panel("cost")));
    const ImGuiWindow* window = ImGui::FindWindowByName(cost.w.panel("cost").c_str());
    CHECK(window->DockId != 0);
    CHECK(window->Pos.x + window->Size.x <= static_cast<float>(width) + 1);
    CHECK(window->ScrollMax.x == 0);
    cost.w.click("cost", "cost of plain");
    CHECK(cost.w.frame().find(cost.w.frame().selected)->label == "plain");
  }
}
