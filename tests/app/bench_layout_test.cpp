// The layout Bench: what it says of a sweep is what `sweep` says, and its table and map select runs.
#include "app/bench_model.hpp"
#include "app/format.hpp"
#include "app/run_numbers.hpp"
#include "engine/sweep.hpp"
#include "engine/sweep_report.hpp"
#include "tests/app/window_fixture.hpp"
#include "tests/support/process.hpp"

#include "imgui_internal.h"

#include <algorithm>
#include <cmath>
#include <string>

using namespace polarscope;
using namespace polarscope::testing;

namespace {

const std::string kScene = R"([scene]
seed = 3
steps = 80
[problem]
kind = "quadratic"
[sweep]
optimizer = ["sgd", "adamw"]
hparam.lr = { values = [0.001, 0.01, 1e6] }
seeds = 3
)";

const std::string kTwoNumbers = R"([scene]
steps = 40
[problem]
kind = "quadratic"
[sweep]
optimizer = ["adamw", "lion"]
hparam.weight_decay = { values = [0.001, 0.1] }
hparam.lr = { values = [0.001, 0.01, 0.1] }
)";

const std::string kNetwork = R"([scene]
steps = 25
[problem]
kind = "digits"
[sweep]
optimizer = ["adamw", "muon"]
hparam.lr = { values = [0.005, 0.02] }
hparam.rest.lr = { values = [0.001, 0.003] }
)";

// The members of a scene as `sweep` computes them.
KnownResults members_of(const Scene& scene) {
  KnownResults known;
  SweepRunOptions options;
  options.session = {"cpu", 1};
  REQUIRE(run_members(scene, options, known).ok());
  return known;
}

// The scene computed to its end in the layout Bench.
struct Bench {
  explicit Bench(const std::string& scene = kScene, int width = 1440, int height = 900)
      : path(folder.write("s.toml", scene)), w(WindowSetup{.scene = path, .width = width, .height = height}) {
    w.send(command::ComputeTo{w.frame().steps});
    w.view().layout = LayoutKind::bench;
    w.frames(4);
  }
  const RunFrame& selected() { return *w.frame().find(w.frame().selected); }

  polarscope::test::TemporaryFolder folder;
  std::string path;
  TestWindow w;
};

} // namespace

TEST_CASE("F4 is the layout Bench, with its own panels in docks") {
  Bench bench;
  bench.w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_F2); });
  CHECK(bench.w.view().layout == LayoutKind::study);
  CHECK_FALSE(panel_shown(bench.w.view(), "sweep_map"));
  bench.w.play([](ImGuiTestContext& user) { user.KeyPress(ImGuiKey_F4); });
  bench.w.frames(4);
  CHECK(bench.w.view().layout == LayoutKind::bench);
  CHECK_FALSE(panel_shown(bench.w.view(), "polar"));
  for (const char* name : {"table", "sweep_map", "loss"}) {
    INFO(name);
    const ImGuiWindow* window = ImGui::FindWindowByName(bench.w.panel(name).c_str());
    REQUIRE(window);
    CHECK(window->DockId != 0);
    CHECK(window->Size.x > 300);
  }
  for (const auto& [width, height] : {std::pair{1024, 640}, std::pair{500, 400}, std::pair{320, 240}}) {
    REQUIRE(bench.w.window().resize(width, height));
    bench.w.frames(4);
    CHECK(ImGui::FindWindowByName(bench.w.panel("table").c_str())->DockId != 0);
  }
}

TEST_CASE("Bench finds the bests that the report of the sweep finds") {
  Bench bench;
  const BenchModel model = make_bench_model(bench.w.frame(), false);
  const auto scene = load_scene(bench.path);
  REQUIRE(scene.ok());
  const KnownResults known = members_of(*scene);
  const SweepReport report = make_sweep_report(*scene, known, 0.1, "cpu");
  CHECK(model.swept == std::vector<std::string>{"lr"});
  CHECK(model.from == 73);
  CHECK(model.to == 80);
  REQUIRE(model.groups.size() == 2);
  REQUIRE(model.settings.size() == report.settings.size());
  for (std::size_t s = 0; s < model.settings.size(); ++s) {
    INFO(report.settings[s].text);
    CHECK(model.settings[s].diverged == report.settings[s].diverged);
    CHECK(model.settings[s].loss.count == report.settings[s].loss.count);
    if (model.settings[s].loss.count > 0)
      CHECK(model.settings[s].loss.mean == Approx(report.settings[s].loss.mean).epsilon(1e-12));
  }
  for (std::size_t g = 0; g < 2; ++g) {
    CHECK(model.groups[g].name == report.best[g].label);
    CHECK(model.groups[g].best == report.best[g].setting);
    CHECK(model.groups[g].edges.size() == report.best[g].edges.size());
  }
  REQUIRE(report.differences.size() == 1);
  const Estimate d =
      model.difference(bench.w.frame(), model.settings[*model.groups[0].best], model.settings[*model.groups[1].best]);
  CHECK(d.count == 3);
  CHECK(d.mean == Approx(report.differences[0].loss.mean).epsilon(1e-9));
  // the other run's setting with the same rate
  const BenchSetting& like = model.settings[*model.groups[0].best];
  CHECK(model.settings[*model.same(1, like)].values == like.values);
  // SGD diverges at the largest rate, and is never averaged
  CHECK(model.settings[2].diverged == 3);
  CHECK(model.settings[2].loss.count == 0);
}

TEST_CASE("Bench shows norm, turning and accuracy of all parameters together, as sweep does") {
  Bench bench(kNetwork);
  const Frame& frame = bench.w.frame();
  const BenchModel model = make_bench_model(frame, false);
  const auto scene = load_scene(bench.path);
  REQUIRE(scene.ok());
  const KnownResults known = members_of(*scene);
  REQUIRE(frame.runs.size() == 6);
  REQUIRE(frame.runs.front().program->parameters().size() > 1);
  CHECK(model.accuracy);
  for (std::size_t r = 0; r < frame.runs.size(); ++r) {
    INFO(frame.runs[r].label);
    const MemberResult& member = known.at(frame.runs[r].label);
    CHECK(model.numbers[r].start_norm == Approx(member.start_norm).epsilon(1e-6));
    CHECK(model.numbers[r].norm == Approx(member.norm).epsilon(1e-12));
    CHECK(model.numbers[r].angular_update == Approx(member.angular_update).epsilon(1e-9));
    CHECK(model.numbers[r].accuracy == member.value("accuracy")); // of step 20
  }
  // Before the first step nothing has turned or been measured.
  const RunNumbers start = run_numbers(frame.runs.front(), 0);
  CHECK(start.norm == start.start_norm);
  CHECK(std::isnan(start.angular_update));
  CHECK(std::isnan(start.accuracy));
  const SweepReport report = make_sweep_report(*scene, known, 0.1, "cpu");
  REQUIRE(report.best.front().setting);
  const double accuracy = report.settings[*report.best.front().setting].mean_of("accuracy");
  CHECK(bench.w.panel_text("table").find(", accuracy " + format_value(accuracy, 4) + ", ") != std::string::npos);
  bench.w.view().bench.table = 1;
  bench.w.frames(3);
  bench.w.click("table", "sort accuracy");
  CHECK(bench.w.view().bench.sort.column == "accuracy");
  bench.w.view().layout = LayoutKind::study;
  bench.w.frames(4);
  CHECK(bench.w.panel_text("runs").find("held-out accuracy 0.") != std::string::npos);
}

TEST_CASE("Bench warns of the edges that sweep warns of, and not where what is allowed ends") {
  Bench bench(R"([scene]
steps = 40
[problem]
kind = "quadratic"
[sweep]
optimizer = ["adamw", "lion"]
hparam.lr = { values = [0.001, 0.01] }
hparam.weight_decay = { values = [0, 0.5] }
)");
  const BenchModel model = make_bench_model(bench.w.frame(), false);
  const auto scene = load_scene(bench.path);
  REQUIRE(scene.ok());
  const KnownResults known = members_of(*scene);
  const SweepReport report = make_sweep_report(*scene, known, 0.1, "cpu");
  for (std::size_t g = 0; g < report.best.size(); ++g) {
    INFO(report.best[g].label);
    std::vector<std::string> expected, found;
    for (const EdgeWarning& e : report.best[g].edges) expected.push_back(e.hparam + (e.largest ? " up" : " down"));
    for (const BenchEdge& e : model.groups[g].edges)
      found.push_back(model.swept[e.number] + (e.largest ? " up" : " down"));
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    CHECK(found == expected);
    CHECK(std::find(found.begin(), found.end(), "weight_decay down") == found.end());
  }
}

TEST_CASE("the norm of a run that diverged is the last finite one, as sweep has it") {
  Bench bench;
  const Frame& frame = bench.w.frame();
  const auto scene = load_scene(bench.path);
  REQUIRE(scene.ok());
  const KnownResults known = members_of(*scene);
  std::size_t diverged = 0;
  for (const RunFrame& run : frame.runs) {
    if (!run.diverged) continue;
    INFO(run.label);
    ++diverged;
    const double norm = run_numbers(run, frame.cursor).norm;
    CHECK(std::isfinite(norm));
    CHECK(norm == Approx(known.at(run.label).norm).epsilon(1e-12));
  }
  CHECK(diverged >= 3);
  CHECK_FALSE(make_bench_model(frame, false).accuracy); // this problem measures none
}

TEST_CASE("a cell of the map selects its run, and again its next seed") {
  Bench bench;
  bench.w.click("sweep_map", "cell adamw lr 1e−2");
  CHECK(bench.selected().label == "adamw lr 0.01 seed 3");
  bench.w.click("sweep_map", "cell adamw lr 1e−2");
  CHECK(bench.selected().label == "adamw lr 0.01 seed 4");
  bench.w.click("sweep_map", "cell sgd lr 1e−3");
  CHECK(bench.selected().label == "sgd lr 0.001 seed 3");
}

TEST_CASE("the map of an optimizer that lacks the second number has the runs for rows") {
  Bench bench(R"([scene]
steps = 40
[problem]
kind = "quadratic"
[sweep]
optimizer = ["sgd", "adamw"]
hparam.lr = { values = [0.001, 0.01] }
hparam.beta2 = { values = [0.9, 0.99] }
)");
  CHECK(bench.selected().group == "sgd");
  bench.w.click("sweep_map", "cell sgd lr 1e−2");
  CHECK(bench.selected().label == "sgd lr 0.01");
  // AdamW has two settings at this rate: the better one stands there
  const BenchModel model = make_bench_model(bench.w.frame(), false);
  const BenchSetting* best = nullptr;
  for (const BenchSetting& s : model.settings)
    if (model.groups[s.group].name == "adamw" && *s.values[0] == 0.001 && (!best || s.loss.mean < best->loss.mean))
      best = &s;
  REQUIRE(best);
  bench.w.click("sweep_map", "cell adamw " + model.words(*best));
  CHECK(bench.selected().label == bench.w.frame().runs[best->runs[0]].label);
}

TEST_CASE("the table sorts its members, the diverged last") {
  Bench bench;
  bench.w.click("table", "best adamw");
  CHECK(bench.selected().group == "adamw");
  bench.w.view().bench.table = 1;
  bench.w.frames(3);
  const auto order = [&] { // members from above
    std::vector<std::pair<float, std::string>> found;
    bench.w.play([&](ImGuiTestContext& user) {
      user.SetRef(bench.w.panel("table").c_str());
      for (const RunFrame& run : bench.w.frame().runs)
        if (const ImGuiTestItemInfo item = user.ItemInfo(("**/member " + run.label).c_str(), ImGuiTestOpFlags_NoError);
            item.ID != 0)
          found.emplace_back(item.RectFull.Min.y, run.label);
    });
    std::sort(found.begin(), found.end());
    std::vector<std::string> labels;
    for (const auto& [y, label] : found) labels.push_back(label);
    return labels;
  };
  const BenchModel model = make_bench_model(bench.w.frame(), false);
  const auto loss = [&](const std::string& label) {
    for (std::size_t r = 0; r < bench.w.frame().runs.size(); ++r)
      if (bench.w.frame().runs[r].label == label) return model.loss[r];
    return std::nan("");
  };
  bench.w.click("table", "sort final loss");
  const auto rising = order();
  REQUIRE(rising.size() >= 4);
  for (std::size_t i = 1; i < rising.size(); ++i)
    CHECK((std::isnan(loss(rising[i])) || loss(rising[i - 1]) <= loss(rising[i])));
  bench.w.click("table", "sort final loss");
  const auto falling = order();
  CHECK_FALSE(std::isnan(loss(falling.front())));
  for (std::size_t i = 1; i < falling.size(); ++i)
    CHECK((std::isnan(loss(falling[i])) || loss(falling[i - 1]) >= loss(falling[i])));
  bench.w.click("table", "member " + falling.front());
  CHECK(bench.selected().label == falling.front());
}

TEST_CASE("members of a sweep have the colour of their run, and its bands") {
  Bench bench;
  for (const RunFrame& run : bench.w.frame().runs) CHECK(run.style == (run.group == "sgd" ? 0 : 1));
}

TEST_CASE("at the same values every run stands at the selected member's numbers, in table and curves") {
  Bench bench;
  const std::string best = bench.w.panel_text("table");
  CHECK(best.find("adamw at its best, lr 1e−2") != std::string::npos);
  bench.w.click("sweep_map", "cell adamw lr 1e−3");
  bench.w.view().bench.shown = 1;
  bench.w.frames(2);
  const std::string same = bench.w.panel_text("table");
  CHECK(same.find("sgd at lr 1e−3: loss ") != std::string::npos);
  CHECK(same.find("adamw at lr 1e−3: loss ") != std::string::npos);
  bench.w.click("sweep_map", "cell sgd lr 1e6");
  const std::string lost = bench.w.panel_text("table");
  CHECK(lost.find("sgd at lr 1e6: 3 of 3 seeds diverged.") != std::string::npos);
  CHECK(lost.find("lowest") == std::string::npos); // nothing to be compared with
}

TEST_CASE("at the same values a run with a swept number that the selected one lacks is left out") {
  Bench bench(kNetwork);
  bench.w.view().bench.shown = 1;
  bench.w.frames(2);
  CHECK(bench.selected().group == "adamw");
  const BenchModel model = make_bench_model(bench.w.frame(), false);
  CHECK(model.swept == std::vector<std::string>{"lr", "rest.lr"});
  const BenchSetting& of_adamw = model.settings[model.setting_of.front()];
  CHECK(model.lacking(0, of_adamw).empty());
  CHECK(model.lacking(1, of_adamw) == "rest.lr");
  CHECK_FALSE(model.same(1, of_adamw));
  const std::string left_out = bench.w.panel_text("table");
  CAPTURE(left_out);
  CHECK(left_out.find("adamw at lr 5e−3: loss ") != std::string::npos);
  CHECK(left_out.find("muon was left out: the selected run has no rest.lr.") != std::string::npos);
  // The other way round nothing is open: AdamW has one setting with Muon's rate.
  bench.w.send(command::SelectRun{bench.w.frame().runs.back().id});
  bench.w.frames(2);
  const BenchSetting& of_muon = model.settings[model.setting_of.back()];
  REQUIRE(model.same(0, of_muon));
  CHECK(model.settings[*model.same(0, of_muon)].values[0] == of_muon.values[0]);
  const std::string both = bench.w.panel_text("table");
  CAPTURE(both);
  CHECK(both.find("adamw at lr 2e−2: loss ") != std::string::npos);
  CHECK(both.find("muon at lr 2e−2, rest.lr 3e−3: loss ") != std::string::npos);
}

TEST_CASE("the list of runs scrolls once to the run that was selected in Bench") {
  Bench bench;
  const RunId first = bench.w.frame().runs.front().id, last = bench.w.frame().runs.back().id;
  bench.w.send(command::SelectRun{last});
  bench.w.view().layout = LayoutKind::study;
  bench.w.frames(6);
  ImGuiWindow* list = nullptr;
  const auto in_sight = [&](RunId id) {
    bool seen = false;
    bench.w.play([&](ImGuiTestContext& user) {
      user.SetRef(bench.w.panel("runs").c_str());
      const std::string row = "**/row " + bench.w.frame().find(id)->label;
      const ImGuiTestItemInfo item = user.ItemInfo(row.c_str(), ImGuiTestOpFlags_NoError);
      if (item.ID != 0) list = item.Window;
      seen = item.ID != 0 && item.RectClipped.GetHeight() > 0.9f * item.RectFull.GetHeight();
    });
    return seen;
  };
  CHECK(in_sight(last));
  CHECK_FALSE(in_sight(first));
  REQUIRE(list);
  ImGui::SetScrollY(list, 0);
  bench.w.frames(3);
  CHECK(in_sight(first)); // and stays where the user takes it
  CHECK_FALSE(in_sight(last));
  bench.w.send(command::SelectRun{first});
  bench.w.frames(3);
  CHECK(in_sight(first));
  bench.w.send(command::SelectRun{last});
  bench.w.frames(3);
  CHECK(in_sight(last));
}

TEST_CASE("what is not decided has no rank") {
  {
    // The same twice: whatever the seeds say, there is no difference.
    Bench near(R"([scene]
seed = 5
steps = 60
[problem]
kind = "rows"
noise = 0.3
[[run]]
label = "one"
optimizer = "sgd"
[[run]]
label = "another"
optimizer = "sgd"
[sweep]
hparam.lr = { values = [0.01, 0.1, 1.0] }
seeds = 3
)");
    const std::string text = near.w.panel_text("table");
    CHECK(text.find("; lowest, not decided.") != std::string::npos);
    CHECK(text.find("lowest.") == std::string::npos);
    CHECK(text.find(", not decided.") != std::string::npos);
  }
  Bench apart("[scene]\nseed = 5\nsteps = 200\n[problem]\nkind = \"rows\"\nnoise = 0.02\n[sweep]\n"
              "optimizer = [\"adamw\", \"muon\"]\nhparam.lr = { values = [0.001, 0.004, 0.016] }\nseeds = 3\n");
  const std::string text = apart.w.panel_text("table");
  CAPTURE(text);
  CHECK(text.find("; lowest.") != std::string::npos);
  CHECK(text.find("not decided") == std::string::npos);
}

TEST_CASE("two swept numbers are a pad of the selected run, and the axes change places") {
  Bench bench(kTwoNumbers);
  const BenchModel model = make_bench_model(bench.w.frame(), false);
  CHECK(model.swept == std::vector<std::string>{"lr", "weight_decay"});
  bench.w.click("sweep_map", "cell adamw lr 1e−2, weight_decay 0.1");
  CHECK(bench.selected().label == "adamw weight_decay 0.1 lr 0.01");
  bench.w.click("sweep_map", "cell adamw lr 0.1, weight_decay 1e−3");
  CHECK(bench.selected().label == "adamw weight_decay 0.001 lr 0.1");
  const auto corner = [&](const char* item) {
    ImVec2 at{};
    bench.w.play([&](ImGuiTestContext& user) {
      user.SetRef(bench.w.panel("sweep_map").c_str());
      at = user.ItemInfo(item).RectFull.Min;
    });
    return at;
  };
  const char* cell = "**/cell adamw lr 0.1, weight_decay 1e−3";
  const char* first = "**/cell adamw lr 1e−3, weight_decay 1e−3";
  CHECK(corner(cell).x > corner(first).x); // rates to the right
  CHECK(corner(cell).y == corner(first).y);
  bench.w.play([&](ImGuiTestContext& user) {
    user.SetRef(bench.w.panel("sweep_map").c_str());
    user.ItemClick("**/##columns");
    user.ItemClick("//$FOCUSED/columns: weight_decay");
  });
  bench.w.frames(3);
  CHECK(corner(cell).x == corner(first).x);
  CHECK(corner(cell).y < corner(first).y); // rates upward
  bench.w.play([&](ImGuiTestContext& user) {
    user.SetRef(bench.w.panel("sweep_map").c_str());
    user.ItemClick("**/##rows");
    user.ItemClick("//$FOCUSED/rows: run");
  });
  bench.w.frames(3);
  // Rows are runs, and the rate is that of the selected member.
  bench.w.click("sweep_map", "cell lion lr 0.1, weight_decay 0.1");
  CHECK(bench.selected().label == "lion weight_decay 0.1 lr 0.1");
}

TEST_CASE("the switches and axes of Bench are within reach in a small window at 300 %") {
  Bench bench(kTwoNumbers, 1024, 640);
  bench.w.view().zoom = 3;
  bench.w.frames(3);
  const auto front = [&](const char* panel) {
    bench.w.view().requests.front_panel = panel;
    bench.w.frames(4);
    REQUIRE(window_shown(bench.w.panel(panel)));
  };
  front("table");
  bench.w.click("table", "curves/same");
  CHECK(bench.w.view().bench.shown == 1);
  bench.w.click("table", "table/members");
  CHECK(bench.w.view().bench.table == 1);
  bench.w.click("table", "sort final loss"); // the column that matters has room
  CHECK(bench.w.view().bench.sort.column == "final loss");
  front("sweep_map");
  for (const char* list : {"**/##rows", "**/##columns"})
    bench.w.play([&](ImGuiTestContext& user) {
      user.SetRef(bench.w.panel("sweep_map").c_str());
      user.ItemClick(list);
      CHECK(ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel));
      user.KeyPress(ImGuiKey_Escape);
    });
  bench.w.click("sweep_map", "cell adamw lr 0.1, weight_decay 0.1");
  CHECK(bench.selected().label == "adamw weight_decay 0.1 lr 0.1");
}
