// Scenes: defaults, --set, and writing back.
#include "engine/preset.hpp"
#include "engine/scene.hpp"

#include "tests/support/catch.hpp"

#include <string>
#include <vector>

using namespace polarscope;

namespace {

const std::string kTwoRuns = R"([scene]
seed = 3
[problem]
kind = "rows"
[[run]]
label = "A"
optimizer = "muon"
[[run]]
label = "B"
optimizer = "adamw"
hparam.weight_decay = 0.1
[[run]]
optimizer = "muon"
)";

Result<Scene> with_sets(const std::vector<std::string>& texts) {
  std::vector<SetArgument> sets;
  for (const std::string& text : texts) {
    auto set = parse_set(text);
    if (!set) return set.error();
    sets.push_back(*set);
  }
  return parse_scene(kTwoRuns, "s.toml", sets);
}

double hparam(const RunSpec& run, const std::string& name) {
  for (const Setting& s : optimizer_hparams(run.optimizer))
    if (s.name == name) return run.hparams.contains(name) ? run.hparams.at(name) : std::get<double>(s.value);
  FAIL("no hyperparameter " + name);
  return 0;
}

void check_same(const Scene& a, const Scene& b) {
  CHECK(a.title == b.title);
  CHECK(a.description == b.description);
  CHECK(a.seed == b.seed);
  CHECK(a.steps == b.steps);
  CHECK(a.speed == b.speed);
  CHECK(a.precision == b.precision);
  CHECK(a.problem == b.problem);
  CHECK(a.problem_values.values == b.problem_values.values);
  CHECK(a.metric_every == b.metric_every);
  CHECK(a.view.layout == b.view.layout);
  CHECK(a.view.parameter == b.view.parameter);
  CHECK(a.view.plane == b.view.plane);
  CHECK(a.view.row_i == b.view.row_i);
  CHECK(a.view.row_j == b.view.row_j);
  CHECK(a.view.target == b.view.target);
  REQUIRE(a.runs.size() == b.runs.size());
  for (std::size_t i = 0; i < a.runs.size(); ++i) {
    const RunSpec &x = a.runs[i], &y = b.runs[i];
    CHECK(x.label == y.label);
    CHECK(x.hparams == y.hparams);
    CHECK(x.seed == y.seed);
    CHECK(x.start.norm == y.start.norm);
    CHECK(x.start.point == y.start.point);
    CHECK(x.start.file == y.start.file);
    CHECK(x.start.keys == y.start.keys);
    CHECK(x.optimizer.name == y.optimizer.name);
    CHECK(x.optimizer.title == y.optimizer.title);
    CHECK(x.optimizer.hparams == y.optimizer.hparams);
    for (const Part part : kRecipeParts) {
      CHECK(x.optimizer.part(part).kind == y.optimizer.part(part).kind);
      CHECK(x.optimizer.part(part).options == y.optimizer.part(part).options);
    }
    REQUIRE(x.optimizer.schedules.size() == y.optimizer.schedules.size());
    for (const auto& [name, s] : x.optimizer.schedules) {
      const ScheduleSpec& t = y.optimizer.schedules.at(name);
      CHECK(s.kind == t.kind);
      CHECK(s.warmup == t.warmup);
      CHECK(s.cooldown == t.cooldown);
      CHECK(s.shape == t.shape);
      CHECK(s.final_value == t.final_value);
      CHECK(s.floor == t.floor);
    }
  }
  REQUIRE(a.expect.size() == b.expect.size());
  for (std::size_t i = 0; i < a.expect.size(); ++i) {
    CHECK(a.expect[i].metric == b.expect[i].metric);
    CHECK(a.expect[i].run == b.expect[i].run);
    CHECK(a.expect[i].step == b.expect[i].step);
    CHECK(a.expect[i].test == b.expect[i].test);
    CHECK(a.expect[i].value == b.expect[i].value);
    CHECK(a.expect[i].within == b.expect[i].within);
  }
}

Scene must(Result<Scene> scene) {
  INFO((scene ? std::string() : scene.error().text()));
  REQUIRE(scene.ok());
  return *scene;
}

} // namespace

TEST_CASE("the opening scene reads as it is written", "[scene]") {
  const Scene scene = must(load_scene("first_look"));
  CHECK(scene.title == "Two weights that mean the same thing");
  CHECK(scene.seed == 11);
  CHECK(scene.steps == 600);
  CHECK(scene.speed == 50);
  CHECK(scene.problem == "circle");
  CHECK(scene.problem_values.number("noise") == 0.5);
  REQUIRE(scene.runs.size() == 2);
  CHECK(scene.runs[1].label == "norm 4");
  CHECK(scene.runs[1].optimizer.name == "sgd");
  CHECK(scene.runs[1].hparams.at("lr") == 0.1);
  CHECK(scene.runs[1].start.keys.at("radius") == 4.0);
  CHECK(scene.runs[1].start.keys.at("angle") == -2.35);
}

TEST_CASE("runs without a label are named after their optimizer", "[scene]") {
  const Scene scene = must(parse_scene("[problem]\nkind='rows'\n[[run]]\noptimizer='muon'\n[[run]]\noptimizer='muon'\n"
                                       "[[run]]\nlabel='muon 2'\noptimizer='muon'\n[[run]]\noptimizer.base='muon'\n"
                                       "optimizer.direction.nesterov=false\n",
                                       "s.toml"));
  CHECK(scene.runs[0].label == "muon");
  CHECK(scene.runs[1].label == "muon 3");
  CHECK(scene.runs[2].label == "muon 2");
  CHECK(scene.runs[3].label == "muon 4");
  CHECK(scene.runs[3].optimizer.name == "muon*");
}

TEST_CASE("--set reaches hyperparameters, options and keys of the scene", "[scene][set]") {
  CHECK(hparam(must(with_sets({"lr=0.25"})).runs[0], "lr") == 0.25);
  CHECK(hparam(must(with_sets({"lr=0.25"})).runs[1], "lr") == 0.25);
  CHECK(hparam(must(with_sets({"B:lr=0.25"})).runs[0], "lr") != 0.25);
  CHECK(hparam(must(with_sets({"B:lr=0.25"})).runs[1], "lr") == 0.25);
  CHECK(hparam(must(with_sets({"muon:hparam.lr=0.25"})).runs[2], "lr") == 0.25);
  CHECK(hparam(must(with_sets({"lr=0.1", "A:lr=0.2"})).runs[0], "lr") == 0.2);
  // only Muon has momentum; AdamW is left alone
  const Scene momentum = must(with_sets({"momentum=0.5"}));
  CHECK(hparam(momentum.runs[0], "momentum") == 0.5);
  CHECK(momentum.runs[1].hparams.count("momentum") == 0);

  const Scene quintic = must(with_sets({"ns_coefficients=quintic"}));
  CHECK(std::get<std::string>(quintic.runs[0].optimizer.part(Part::geometry).options.at("ns_coefficients")) ==
        "quintic");
  CHECK(quintic.runs[0].optimizer.name == "muon*");
  CHECK(quintic.runs[0].label == "A");
  CHECK(quintic.runs[2].label == "muon");
  CHECK(quintic.runs[1].optimizer.name == "adamw");
  const Scene plain = must(with_sets({"nesterov=false"}));
  CHECK(std::get<bool>(plain.runs[0].optimizer.part(Part::direction).options.at("nesterov")) == false);
  const Scene ball = must(with_sets({"A:magnitude.kind=hyperball"}));
  CHECK(ball.runs[0].optimizer.part(Part::magnitude).kind == "hyperball");
  CHECK(ball.runs[2].optimizer.part(Part::magnitude).kind == "free");
  CHECK(must(with_sets({"magnitude=hyperball"})).runs[2].optimizer.part(Part::magnitude).kind == "hyperball");

  CHECK(must(with_sets({"problem.cols=64"})).problem_values.integer("cols") == 64);
  CHECK(must(with_sets({"scene.steps=7"})).steps == 7);
  CHECK(must(with_sets({"scene.seed=8"})).seed == 8);
  CHECK(must(with_sets({"A:seed=8"})).runs[0].seed == 8u);
  CHECK(must(with_sets({"start.norm=2.5"})).runs[2].start.norm == 2.5);
  CHECK(must(with_sets({"A:optimizer=sgd", "A:lr=0.3"})).runs[0].optimizer.name == "sgd");
  CHECK(must(with_sets({"schedule.lr.kind=cosine"})).runs[0].optimizer.schedules.at("lr").kind == "cosine");
}

TEST_CASE("a --set that fits nothing is refused with the nearest word", "[scene][set]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"lrr=1", "--set lrr=1: no run has the key 'lrr'; did you mean 'lr'?"},
      {"steps=4", "--set steps=4: no run has the key 'steps'; did you mean 'scene.steps'?"},
      {"C:lr=1", "--set C:lr=1: no run is labelled 'C'"},
      {"A:scene.seed=1", "--set A:scene.seed=1: a label goes with a run's key, not with the scene's"},
      {"B:momentum=0.9", "--set B:momentum=0.9: no run has the key 'momentum'"},
      {"lr=nan", "--set lr=nan: 'lr' must be a finite number, not nan"},
      {"lr=fast", "--set lr=fast: 'lr' must be a number, not 'fast'"},
      {"lr=-1", "--set lr=-1: 'lr' = -1 is out of range"},
      {"ns_coefficients=quintc",
       "--set ns_coefficients=quintc: 'ns_coefficients' has no value 'quintc'; did you mean 'quintic'?"},
      {"nesterov=3", "--set nesterov=3: 'nesterov' must be true or false, not 3"},
      {"problem.colz=64", "--set problem.colz=64: unknown key 'colz' in [problem]; did you mean 'cols'?"},
      {"problem.cols=1e9", "--set problem.cols=1e9: 'cols' = 1000000000 is out of range"},
      {"lr", "--set lr: must be [LABEL:]key=value"},
      {"=3", "--set =3: must be [LABEL:]key=value"},
      {"lr=", "--set lr=: the value is empty"},
      {":lr=3", "--set :lr=3: the label before ':' is empty"},
      {"a..b=3", "--set a..b=3: must be [LABEL:]key=value"},
      {"optimizer=muom", "--set optimizer=muom: unknown optimizer 'muom'; did you mean 'muon'?"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const auto scene = with_sets({text});
    REQUIRE_FALSE(scene.ok());
    INFO(scene.error().text());
    CHECK(scene.error().text().find(expected) == 0);
  }
}

TEST_CASE("every installed scene is written back as an equal scene", "[scene]") {
  const auto entries = installed_scenes();
  REQUIRE(entries.size() >= 8);
  for (const SceneEntry& entry : entries) {
    INFO(entry.name);
    CHECK_FALSE(entry.title.empty());
    CHECK_FALSE(entry.description.empty());
    const Scene scene = must(load_scene(entry.name));
    INFO(to_toml(scene));
    const Scene again = must(parse_scene(to_toml(scene), "again.toml"));
    check_same(scene, again);
    CHECK(to_toml(again) == to_toml(scene));
  }
}

TEST_CASE("everything a scene may say survives writing back", "[scene]") {
  const Scene scene = must(parse_scene(R"([scene]
title = "quotes \" and \\ and tab \t and ü"
steps = 77
speed = 0
precision = "f64"
[problem]
kind = "rows"
noise = 0.125
[[run]]
label = "a, \"b\""
optimizer.base = "md_muon"
optimizer.magnitude = { gains = "none" }
optimizer.title = "Own title"
hparam.lr = 1e-300
schedule.lr = { kind = "wsd", warmup = 5, cooldown = 0.5, shape = "linear", final = 0.125 }
schedule.momentum = { kind = "linear", floor = 1e-8 }
seed = 9223372036854775807
[[run]]
optimizer = { direction = "adam", geometry = "sign", hparam.lr = 0.3 }
start = { norm = 3.5 }
[metrics]
row_norm = { every = 4 }
[view]
layout = "show"
parameter = "W"
plane = { rows = [1, 2] }
target = -0.5
[expect]
loss = [{ below = 3.0 }, { run = "custom", step = 5, near = 1.0, within = 0.25 }]
W.frobenius_norm = { above = 0 }
"W.row_norm[3]" = { above = 0 }
)",
                                       "s.toml"));
  CHECK(scene.runs[1].label == "custom");
  CHECK(scene.expect.size() == 4);
  check_same(scene, must(parse_scene(to_toml(scene), "again.toml")));
}

TEST_CASE("bytes at random never crash the reader", "[scene][fuzz]") {
  const std::string good = to_toml(must(load_scene("first_look")));
  unsigned long long state = 12345;
  const auto next = [&](unsigned long long n) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % n;
  };
  const std::string spice = "[]{}=\"'.,#\n0123456789eE-+_truefalsnai \\\t\xff\x00";
  int scenes = 0, errors = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = good;
    for (unsigned long long edits = 1 + next(6); edits > 0; --edits) {
      const std::size_t at = next(text.size());
      switch (next(4)) {
      case 0: text[at] = spice[next(spice.size())]; break;
      case 1: text.insert(at, 1, spice[next(spice.size())]); break;
      case 2: text.erase(at, 1 + next(8)); break;
      default: text.insert(at, text.substr(next(text.size()), next(40))); break;
      }
      if (text.empty()) text = " ";
    }
    const auto scene = parse_scene(text, "f.toml");
    scene ? ++scenes : ++errors;
    if (!scene) {
      CHECK(scene.error().kind == ErrorKind::bad_input);
      CHECK_FALSE(scene.error().message.empty());
      CHECK(scene.error().text().find('\n') == std::string::npos);
    }
  }
  CHECK(scenes > 0);
  CHECK(errors > 1000);
}
