// Scenes that read well but ask for what their problem, recipes or records do not have; and what --steps and
// expectations mean.
#include "engine/compile.hpp"
#include "engine/report.hpp"
#include "tests/support/scenes.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

Scene read(const std::string& text) {
  auto scene = parse_scene(text, "s.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

std::string compile_error(const std::string& text) {
  const Scene scene = read(text);
  const auto program = compile(scene, scene.runs[0]);
  if (program) return "";
  CHECK(program.error().kind == ErrorKind::bad_input);
  return program.error().text();
}

std::string with_run(const std::string& lines) {
  return "[problem]\nkind = \"rows\"\nrows = 4\n[[run]]\nlabel = \"r\"\n" + lines;
}

std::string with_view(const std::string& lines) { return with_run("optimizer = \"sgd\"\n[view]\n" + lines); }

std::string expectation_error(const std::string& expect) {
  const Scene scene =
      read(with_run("optimizer = \"sgd\"\n[metrics]\nspectral_norm = { every = 10 }\n[expect]\n" + expect));
  auto program = compile(scene, scene.runs[0]);
  REQUIRE(program.ok());
  const auto checked = check_expectations(scene, {*program});
  return checked ? "" : checked.error().text();
}

} // namespace

TEST_CASE("a number set for all runs reaches those that use it, and is refused where none does", "[scene][compile]") {
  const std::string two =
      "[scene]\nsteps = 5\n[problem]\nkind = \"rows\"\n"
      "[[run]]\nlabel = \"a\"\noptimizer.base = \"md_muon\"\noptimizer.magnitude.target = \"value\"\n"
      "[[run]]\nlabel = \"b\"\noptimizer = \"md_muon\"\n[[run]]\nlabel = \"c\"\noptimizer = \"sgd\"\n";
  const auto set = [&](const char* text) { return parse_scene(two, "s.toml", {std::move(parse_set(text)).value()}); };
  const auto all = set("radius=3");
  REQUIRE(all.ok());
  CHECK(all->runs[0].hparams.at("radius") == 3);
  CHECK(all->runs[1].hparams.empty());
  for (const RunSpec& run : all->runs) CHECK(compile(*all, run).ok());
  const auto one = set("b:radius=3"); // asked for by name: not left out silently
  REQUIRE(one.ok());
  CHECK(compile(*one, one->runs[1]).error().text() ==
        "--set b:radius=3: run 'b' does not use 'radius'; it is used with magnitude.target = value");
  const auto none =
      parse_scene(with_run("optimizer = \"md_muon\"\n"), "s.toml", {std::move(parse_set("radius=3")).value()});
  REQUIRE(none.ok());
  CHECK_FALSE(compile(*none, none->runs[0]).ok());
}

TEST_CASE("a number that the chosen options do not use is refused with the option that would", "[scene][compile]") {
  CHECK(compile_error(with_run("optimizer = { base = \"md_muon\", hparam = { radius = 3 } }\n")) ==
        "s.toml:6:44: run 'r' does not use 'radius'; it is used with magnitude.target = value");
  CHECK(compile_error(with_run("optimizer = \"md_muon\"\nhparam.radius = 3\n")) ==
        "s.toml:7:8: run 'r' does not use 'radius'; it is used with magnitude.target = value");
  CHECK(compile_error(
            with_run("optimizer.base = \"md_muon\"\noptimizer.magnitude.gains = \"none\"\nhparam.gain_lr = 0.1\n")) ==
        "s.toml:8:8: run 'r' does not use 'gain_lr'; it is used with magnitude.gains = scalar or row or column or "
        "row_column or low_rank");
  CHECK(compile_error(with_run(
            "optimizer.base = \"md_muon\"\noptimizer.magnitude.target = \"value\"\nhparam.radius = 3\n")) == "");
  CHECK(compile_error(with_run("optimizer = \"md_muon\"\nhparam.gain_lr = 0.1\n")) == "");
}

TEST_CASE("a view shows only what the problem has", "[scene][compile]") {
  CHECK(compile_error(with_view("parameter = \"W\"\nplane = { rows = [0, 3] }\n")) == "");
  CHECK(compile_error(with_view("parameter = \"V\"\n")) ==
        "s.toml:8:13: [view]: the problem has no parameter 'V'; it has W");
  CHECK(compile_error(with_view("plane = { rows = [0, 4] }\n")) ==
        "s.toml:8:9: [view]: W has no row 4; rows are 0 to 3");
  CHECK(compile_error(with_view("plane = { rows = [900, 1] }\n")) ==
        "s.toml:8:9: [view]: W has no row 900; rows are 0 to 3");
}

TEST_CASE("an expectation of a value that is never recorded is refused", "[scene][expect]") {
  CHECK(expectation_error("loss = { step = 0, below = 1 }\n") ==
        "s.toml:10:8: 'loss' has no value at step 0: it is of a step, and the first is step 1");
  CHECK(expectation_error("W.angular_update = { step = 0, below = 1 }\n")
            .find("s.toml:10:20: 'W.angular_update' has no value at step 0") == 0);
  CHECK(expectation_error("W.frobenius_norm = { step = 0, above = 0 }\n") == "");
  CHECK(expectation_error("loss = { step = 1, above = 0 }\n") == "");
  CHECK(expectation_error("spectral_norm = { step = 15, above = 0 }\n").find("recorded every 10 steps") !=
        std::string::npos);
}

TEST_CASE("expectations are tested at their own step, also when the series has thinned it away", "[scene][expect]") {
  constexpr long kStep = 1237;
  SceneText text;
  text.steps = 20'000;
  auto complete = open_session(text);
  complete->advance(text.steps);
  const Frame all = frame_of(*complete);
  const int loss = all.runs[0].program->find_metric("loss");
  const double truth = all.runs[0].series.at(loss, kStep).value();

  text.extra = fmt::format("\n[expect]\nloss = {{ step = {}, near = {}, within = 0.0 }}\n", kStep, truth);
  const Scene scene = scene_of(text);
  SessionOptions options;
  options.memory_budget = std::size_t{1} << 20;
  auto thinned = open_session(scene, options);
  thinned->advance(text.steps);
  const Frame frame = frame_of(*thinned);
  REQUIRE_FALSE(frame.runs[0].series.at(loss, kStep).has_value());
  REQUIRE(frame.runs[0].series.nearest(loss, kStep).value != truth);
  const auto expected = evaluate_expectations(frame, scene);
  REQUIRE(expected.size() == 1);
  CHECK(expected[0].value == truth);
  CHECK(expected[0].held);
}

TEST_CASE("a run that ends elsewhere keeps the schedules of the whole scene", "[scene]") {
  SceneText text;
  text.steps = 600;
  const std::string schedule = "schedule.lr = { kind = \"wsd\", warmup = 0.1, cooldown = 0.5 }\n";
  const auto rows = [](const Scene& scene) {
    auto session = open_session(scene);
    session->advance(scene.steps);
    return frame_of(*session).runs[0].series;
  };
  Scene scene = read(text_of(text) + schedule);
  const SeriesView whole = rows(scene);
  scene.schedule_steps = scene.steps;
  scene.steps = 400; // beyond the start of the cooldown
  CHECK(read(to_toml(scene)).steps == 600);
  const SeriesView part = rows(scene);
  REQUIRE(part.last_step() == 400);
  for (const long step : {100L, 400L})
    for (int column = 0; column < whole.columns(); ++column) {
      const double a = whole.at(column, step).value(), b = part.at(column, step).value();
      CHECK((a == b || (std::isnan(a) && std::isnan(b))));
    }
  scene.schedule_steps.reset(); // a shorter scene has a shorter schedule
  CHECK(rows(scene).at(0, 400) != whole.at(0, 400));
}
