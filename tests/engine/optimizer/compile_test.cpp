// From a scene to a program: what is compiled, what is refused.
#include "engine/compile.hpp"
#include "engine/optimizer/stage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_rig.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace polarscope;
using namespace polarscope::test;

namespace {

Scene circle_scene() {
  Scene scene;
  scene.problem = "circle";
  scene.seed = 11;
  scene.steps = 600;
  return scene;
}

RunSpec run_of(const std::string& preset) {
  RunSpec run;
  run.optimizer = preset_spec(preset);
  run.label = preset;
  return run;
}

} // namespace

TEST_CASE("a scene with plain gradient descent compiles and follows the formula", "[compile]") {
  Scene scene = circle_scene();
  scene.precision = Precision::f64;
  RunSpec run = run_of("sgd");
  run.start.keys = {{"radius", 4.0}, {"angle", -2.35}};
  const auto program = compile(scene, run);
  REQUIRE(program.ok());
  CHECK((*program)->find_metric("loss") == 0);
  CHECK((*program)->find_hparam("lr") == 0);
  CHECK(hparam_row(**program, run) == std::vector<double>{0.1});
  run.hparams["lr"] = 0.25;
  CHECK(hparam_row(**program, run) == std::vector<double>{0.25});

  const auto contents = initial_contents(scene, run, **program);
  REQUIRE(contents.ok());
  const auto weight = std::find_if(contents->slots.begin(), contents->slots.end(),
                                   [&](const auto& s) { return s.first == (*program)->parameters()[0].weight; });
  REQUIRE(weight != contents->slots.end());
  CHECK(std::hypot(weight->second[0], weight->second[1]) == Approx(4).epsilon(1e-15));

  ProgramRig rig(*program, hparam_row(**program, run), 11);
  rig.load(*contents);
  rig.start();
  const auto before = rig.read("W");
  REQUIRE(rig.step());
  const auto after = rig.read("W"), gradient = rig.read("W.gradient");
  for (int k = 0; k < 2; ++k) CHECK(after[k] == before[k] - 0.25 * gradient[k]);
  CHECK(rig.read("W.previous") == before);
}

TEST_CASE("the weight before the step is kept only where something compares it, and nothing else changes",
          "[compile]") {
  Scene scene = circle_scene();
  const RunSpec run = run_of("sgd");
  const auto all = compile(scene, run);
  for (const char* name : {"angular_update", "relative_update", "radial_update", "radial_gradient", "angle",
                           "angle_travelled", "effective_lr"})
    scene.metric_every[name] = 0;
  const auto sizes = compile(scene, run);
  REQUIRE(all.ok());
  REQUIRE(sizes.ok());
  const auto copies = [](const StepProgram& p) {
    const SlotId previous = p.parameters()[0].previous;
    return std::count_if(p.step_ops().begin(), p.step_ops().end(),
                         [&](const Op& op) { return op.code == OpCode::copy && op.slot[1] == previous; });
  };
  CHECK(copies(**all) == 1);
  CHECK(copies(**sizes) == 0);
  REQUIRE((*sizes)->step_text().size() == (*sizes)->step_ops().size());
  CHECK((*sizes)->loss_ops() == (*all)->loss_ops());
  ProgramRig a(*all, hparam_row(**all, run), 11), b(*sizes, hparam_row(**sizes, run), 11);
  for (ProgramRig* rig : {&a, &b}) {
    rig->load(*initial_contents(scene, run, rig == &a ? **all : **sizes));
    rig->start();
    for (int k = 0; k < 5; ++k) REQUIRE(rig->step());
  }
  CHECK(a.read("W") == b.read("W"));
}

TEST_CASE("runs that differ in numbers share a program; runs that differ in stages do not", "[compile]") {
  const Scene scene = circle_scene();
  RunSpec a = run_of("sgd"), b = run_of("sgd");
  b.hparams["lr"] = 3;
  b.start.norm = 2;
  b.seed = 5;
  CHECK((*compile(scene, a))->fingerprint() == (*compile(scene, b))->fingerprint());
  b.optimizer.part(Part::decay).kind = "decoupled";
  CHECK((*compile(scene, a))->fingerprint() != (*compile(scene, b))->fingerprint());
}

TEST_CASE("starts: norm, point, keys, and what is refused", "[compile]") {
  const Scene scene = circle_scene();
  RunSpec run = run_of("sgd");
  const auto program = *compile(scene, run);
  const auto start = [&](const StartSpec& spec) -> Result<std::vector<double>> {
    run.start = spec;
    const auto contents = initial_contents(scene, run, *program);
    if (!contents) return contents.error();
    for (const auto& [slot, values] : contents->slots)
      if (slot == program->parameters()[0].weight) return values;
    return bad_input("no weight");
  };
  StartSpec spec;
  spec.norm = 3;
  CHECK(std::hypot((*start(spec))[0], (*start(spec))[1]) == Approx(3).epsilon(1e-15));
  spec = {};
  spec.point = {0.5, -2};
  CHECK(*start(spec) == std::vector<double>{0.5, -2});
  spec.point = {1, 2, 3};
  CHECK(start(spec).error().message.find("3 numbers") != std::string::npos);
  spec = {};
  spec.point = {0, 0};
  spec.norm = 1;
  CHECK_FALSE(start(spec).ok());
  spec = {};
  spec.parameters["V"] = {};
  CHECK_FALSE(start(spec).ok());
}

TEST_CASE("unknown and ill-fitting words are errors that name what is near", "[compile]") {
  Scene scene = circle_scene();
  const auto message = [&](auto change) {
    RunSpec run = run_of("sgd");
    change(run);
    const auto program = compile(scene, run);
    return program.ok() ? std::string("compiled") : program.error().message;
  };
  CHECK(message([](RunSpec& r) { r.optimizer.part(Part::geometry).kind = "identiti"; }).find("'identity'") !=
        std::string::npos);
  CHECK(message([](RunSpec& r) { r.optimizer.part(Part::decay).options["lambda"] = 1.0; }).find("no option") !=
        std::string::npos);
  CHECK(message([](RunSpec& r) { r.hparams["momentun"] = 1.0; }).find("no hyperparameter") != std::string::npos);
  CHECK(message([](RunSpec& r) { r.hparams["lr"] = -1.0; }).find("out of range") != std::string::npos);
  CHECK(message([](RunSpec& r) { r.optimizer.schedules["lr"].kind = "cosin"; }).find("'cosine'") != std::string::npos);
  CHECK(message([](RunSpec& r) { r.optimizer.schedules["beta1"] = {}; }).find("beta1") != std::string::npos);
  scene.problem = "circel";
  CHECK(message([](RunSpec&) {}).find("'circle'") != std::string::npos);
}

TEST_CASE("every stage is documented", "[registry]") {
  for (const Stage& stage : stages()) {
    CAPTURE(stage.kind);
    CHECK_FALSE(stage.meaning.empty());
    CHECK_FALSE(stage.formula.empty());
    CHECK_FALSE(stage.source.empty());
    std::vector<Setting> all = stage.options;
    all.insert(all.end(), stage.hparams.begin(), stage.hparams.end());
    for (const Setting& s : all) {
      CAPTURE(s.name);
      CHECK_FALSE(s.meaning.empty());
      CHECK(std::count(s.meaning.begin(), s.meaning.end(), ' ') < 20);
      CHECK(check_value(s, s.value, s.name, {}).ok());
      for (const SettingWord& w : s.words) CHECK_FALSE(w.meaning.empty());
    }
  }
}

TEST_CASE("the memory estimate holds what a session takes, scratch only where an op needs it", "[compile]") {
  Scene scene;
  scene.problem = "rows";
  scene.problem_values.values = {{"rows", 1024L}, {"cols", 1024L}};
  constexpr double kMatrix = 1024.0 * 1024 * 4;
  const auto plain = compile(scene, run_of("sgd")), muon = compile(scene, run_of("muon"));
  REQUIRE(plain.ok());
  REQUIRE(muon.ok());
  CHECK((*plain)->view().scratch_size * 4.0 < 0.1 * kMatrix);
  CHECK((*muon)->view().scratch_size * 4.0 >= 4 * kMatrix);
  // Block, doubles of the start twice and of the reference, keyframes.
  const double one = memory_estimate({*muon}, 1000, 4);
  const double scratch = (*muon)->view().scratch_size * 4.0;
  CHECK(one >= static_cast<double>((*muon)->block_bytes()) + scratch + 6 * kMatrix + 3 * kMatrix);
  // Two runs of one program on one thread share the scratch.
  CHECK(memory_estimate({*muon, *muon}, 1000, 1) == Approx(2 * one - scratch));
  CHECK(memory_estimate({*muon, *muon}, 1000, 2) == Approx(2 * one));
  // A record as large as the weight passes by one at a time, and is kept only where the series is asked to.
  RecordOptions record;
  record.weight_limit = std::numeric_limits<std::uint32_t>::max();
  const auto passing = compile(scene, run_of("muon"), {record});
  record.kept_limit = record.kept_per_step = record.weight_limit;
  const auto keeping = compile(scene, run_of("muon"), {record});
  REQUIRE(passing.ok());
  REQUIRE(keeping.ok());
  CHECK(memory_estimate({*passing}, 1000, 4) < one + 1.1 * kMatrix);
  CHECK(memory_estimate({*keeping}, 1000, 4) > one + 20 * kMatrix);
}
