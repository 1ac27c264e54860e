// What a run's program costs and keeps, against what a recipe by itself does; and the clock that takes a step apart.
#include "engine/program_cost.hpp"

#include "engine/compile.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/facts.hpp"
#include "engine/stage_clock.hpp"
#include "tests/support/scenes.hpp"

#include <algorithm>
#include <cmath>
#include <string>

using namespace polarscope;
using namespace polarscope::test;

namespace {

Scene parsed(const std::string& text) {
  auto scene = parse_scene(text, "test.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

std::string rows_scene(const std::string& preset, const std::string& more = {}) {
  return fmt::format("[scene]\nsteps = 100\n{}\n[problem]\nkind = \"rows\"\nrows = 6\ncols = 10\n[[run]]\noptimizer = "
                     "\"{}\"\n",
                     more, preset);
}

ProgramCost cost_of(const Scene& scene) {
  const auto program = compile(scene, scene.runs[0], {});
  if (!program) FAIL(program.error().text());
  return program_cost(**program);
}

constexpr const char* kNetwork = "[scene]\nsteps = 400\nprecision = \"{}\"\n[problem]\nkind = \"mlp\"\nwidth = 16\n"
                                 "layers = 2\nembedding = true\nhead = true\n[[run]]\noptimizer = \"{}\"\n";

} // namespace

TEST_CASE("the stages of a step are all its operations, in order", "[cost]") {
  for (const char* preset : {"sgd", "muon", "md_muon", "soap"}) {
    CAPTURE(preset);
    const Scene scene = parsed(fmt::format(kNetwork, "f32", preset));
    const auto program = compile(scene, scene.runs[0], {});
    REQUIRE(program.ok());
    const std::vector<StageRange> ranges = stage_ranges(**program);
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      CHECK(ranges[i].first == next);
      CHECK(ranges[i].last > ranges[i].first);
      if (i > 0) CHECK(ranges[i].stage != ranges[i - 1].stage);
      next = ranges[i].last;
    }
    CHECK(next == (*program)->step_ops().size());
    const ProgramCost cost = program_cost(**program);
    int operations = 0;
    double flops = 0;
    for (const StageCost& stage : cost.stages) operations += stage.operations, flops += stage.flops.count;
    CHECK(static_cast<std::size_t>(operations) == (*program)->step_ops().size());
    CHECK(flops == Approx(cost.step.count));
    CHECK(cost.problem.count + cost.optimizer.count + cost.metrics.count == Approx(cost.step.count));
    CHECK(std::is_sorted(cost.stages.begin(), cost.stages.end(),
                         [](const StageCost& a, const StageCost& b) { return a.stage < b.stage; }));
  }
}

TEST_CASE("of one matrix the optimizer's part of the program is the recipe's by itself", "[cost]") {
  int compared = 0;
  for (const std::string& preset : preset_names()) {
    CAPTURE(preset);
    const auto spec = load_optimizer(preset);
    REQUIRE(spec.ok());
    if (!spec->routes.empty() && spec->routes.front().target != "rest") continue;
    const auto scene = parse_scene(rows_scene(preset), "test.toml");
    if (!scene) continue;
    const auto program = compile(*scene, scene->runs[0], {});
    if (!program) continue; // a recipe for another kind of parameter
    ++compared;
    OptimizerSpec alone = scene->runs[0].optimizer;
    alone.routes.clear();
    forget_unknown_hparams(alone);
    const OptimizerFacts facts = optimizer_facts(alone, 6, 10);
    const ProgramCost cost = program_cost(**program);
    CHECK(cost.optimizer.count == Approx(facts.step.count));
    CHECK(cost.optimizer.kind == facts.step.kind);
    CHECK(cost.bytes_per_weight() == Approx(facts.bytes_per_weight));
    CHECK(cost.state.size() == facts.state.size());
    CHECK(cost.problem.count > 0);
    CHECK(cost.weights == 60);
  }
  CHECK(compared > 60);
}

TEST_CASE("routes keep and cost what their own recipes do, and double precision twice the bytes", "[cost]") {
  const ProgramCost muon = cost_of(parsed(fmt::format(kNetwork, "f32", "muon"))),
                    adamw = cost_of(parsed(fmt::format(kNetwork, "f32", "adamw"))),
                    sgd = cost_of(parsed(fmt::format(kNetwork, "f32", "sgd"))),
                    twice = cost_of(parsed(fmt::format(kNetwork, "f64", "adamw")));
  CHECK(sgd.state.empty());
  CHECK(sgd.state_bytes() == 0);
  CHECK(adamw.bytes_per_weight() == Approx(8).epsilon(0.01)); // two averages of four bytes, and counters
  CHECK(twice.bytes_per_weight() == Approx(2 * adamw.bytes_per_weight()));
  CHECK(twice.optimizer.count == adamw.optimizer.count);
  // one average of the matrices, two of what is no matrix
  CHECK(muon.bytes_per_weight() > 4);
  CHECK(muon.bytes_per_weight() < 8);
  CHECK(muon.weights == adamw.weights);
  CHECK(muon.problem.count == adamw.problem.count);
  CHECK(muon.optimizer.count > 10 * adamw.optimizer.count); // products of 16 × 16 matrices
  const auto momentum =
      std::find_if(muon.state.begin(), muon.state.end(), [](const KeptState& s) { return s.name == "momentum"; });
  REQUIRE(momentum != muon.state.end());
  CHECK(momentum->parameters > 1);
  CHECK_FALSE(momentum->meaning.empty());
}

TEST_CASE("metrics with a cadence count by it", "[cost]") {
  const std::string rare = rows_scene("sgd") + "[metrics]\nspectral_norm = { every = 50 }\n",
                    often = rows_scene("sgd") + "[metrics]\nspectral_norm = { every = 10 }\n";
  const ProgramCost seldom = cost_of(parsed(rare)), more = cost_of(parsed(often));
  CHECK(seldom.metrics.count < more.metrics.count);
  CHECK(seldom.optimizer.count == more.optimizer.count);
}

TEST_CASE("what a step takes is measured while runs train, and changes no bit of them", "[cost]") {
  for (const char* preset : {"sgd", "muon"})
    for (const int threads : {1, 2}) {
      CAPTURE(preset, threads);
      const Scene scene = parsed(fmt::format(kNetwork, "f32", preset));
      SessionOptions timed, plain;
      timed.threads = plain.threads = threads;
      timed.times_stages = true;
      auto a = open_session(scene, timed), b = open_session(scene, plain);
      const Frame before = frame_of(*a);
      CHECK(before.runs[0].step_seconds == 0);
      CHECK_FALSE(before.runs[0].stages);
      for (int k = 0; k < 40; ++k) a->advance(10), b->advance(10);
      const Frame f = frame_of(*a), g = frame_of(*b);
      CHECK(f.state_hash == g.state_hash);
      CHECK(f.threads == threads);
      CHECK(f.runs[0].step_seconds > 0);
      CHECK(f.runs[0].step_seconds < 0.1);
      CHECK(g.runs[0].step_seconds > 0);
      CHECK_FALSE(g.runs[0].stages);
      REQUIRE(f.runs[0].stages);
      const StageTimes& times = *f.runs[0].stages;
      const ProgramCost cost = program_cost(*f.runs[0].program);
      REQUIRE(times.stages.size() == cost.stages.size());
      double shares = 0;
      for (std::size_t i = 0; i < cost.stages.size(); ++i) {
        CHECK(times.stages[i].first == cost.stages[i].stage);
        CHECK(times.stages[i].second >= 0);
        shares += times.share(cost.stages[i].stage);
      }
      CHECK(shares == Approx(1));
      CHECK(times.peak_flops > 1e8);
      CHECK(times.share(Phase::gradient) > 0);
      if (std::string(preset) == "muon") CHECK(times.share(Phase::geometry) > times.share(Phase::apply));
    }
}

TEST_CASE("times are of a step of one run, whatever steps together with it", "[cost]") {
  // Two hundred toys stand side by side in packs; an even number of them is a whole number of steps.
  auto s = open_session(SceneText{.steps = 4000, .runs = 200});
  s->advance(4000);
  const Frame f = frame_of(*s);
  CHECK(f.runs[0].step_seconds > 0);
  CHECK(f.runs[0].step_seconds < 20e-6); // a step of a plane's point, even where another program has the cores
  CHECK(f.runs[0].step_seconds == f.runs[199].step_seconds);
}

TEST_CASE("what a start takes is not counted as a step", "[cost]") {
  const Scene scene = parsed(fmt::format(kNetwork, "f32", "muon"));
  const auto program = compile(scene, scene.runs[0]);
  REQUIRE(program.ok());
  auto backend = open_backend("cpu", 1);
  REQUIRE(backend.ok());
  auto group = (*backend)->open(*program);
  REQUIRE(group.ok());
  const int member = *(*group)->add(1);
  std::vector<std::vector<std::byte>> records;
  (*group)->start({&member, 1}, records);
  (*group)->advance({}, 1, records); // a burst of nobody
  CHECK((*group)->step_seconds() == 0);
}
