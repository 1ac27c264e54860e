// What is said of an optimizer's state and cost, against counts by hand; and the trial of its promises.
#include "engine/optimizer/facts.hpp"

#include "engine/optimizer/given_gradients.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/optimizer/trial.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_rig.hpp"

#include <cmath>
#include <map>
#include <string>

using namespace polarscope;
using namespace polarscope::test;

namespace {

OptimizerFacts facts_of(const std::string& preset, std::uint32_t rows = 64, std::uint32_t cols = 64) {
  return optimizer_facts(preset_spec(preset), rows, cols);
}

} // namespace

TEST_CASE("state and memory are those of the sources", "[facts]") {
  // algorithms' own counts: momentum of m × n, Adam's two, Muown's 4m, magnitude–direction's 3 per gain, a factor per side
  const std::map<std::string, std::string> memory = {{"sgd", "0"},
                                                     {"momentum", "mn"},
                                                     {"adam", "2mn"},
                                                     {"adamw", "2mn"},
                                                     {"muon", "mn"},
                                                     {"lion", "mn"},
                                                     {"ademamix", "3mn"},
                                                     {"muonh", "mn + 1"},
                                                     {"shampoo", "m² + n²"},
                                                     {"muown", "mn + 4m"},
                                                     {"normuon", "mn + m"},
                                                     {"md_muon", "mn + 3m + 3n + 1"},
                                                     {"md_low_rank", "mn + 12m + 12n + 1"}};
  for (const auto& [preset, wanted] : memory) {
    CAPTURE(preset);
    CHECK(facts_of(preset).memory == wanted);
  }
  const OptimizerFacts adam = facts_of("adam", 32, 48);
  REQUIRE(adam.state.size() == 2);
  CHECK(adam.state[0].name == "first_moment");
  CHECK(adam.state[0].shape == "m × n");
  CHECK(adam.state[0].kind == "matrix");
  CHECK(adam.state[0].rows == 32);
  CHECK(adam.state[0].cols == 48);
  CHECK(adam.bytes_per_weight == 8);
  CHECK(state_text(adam) == "first_moment (m × n), second_moment (m × n)");
  CHECK(state_text(facts_of("sgd")) == "none");
  CHECK(memory_text(facts_of("muown", 32, 64)) == "mn + 4m numbers, 4.25 bytes per weight at 32 × 64");
  const OptimizerFacts muown = facts_of("muown");
  for (const StateFact& s : muown.state) CHECK(s.kind == (s.name == "momentum" ? "matrix" : "column"));
}

TEST_CASE("flops are those of the formulas", "[facts]") {
  // W ← W − ηU: 2. SGD has nothing else; heavy ball as written, with shares for gradient and buffer: 6 more.
  CHECK(facts_of("sgd").flops_per_weight == 2);
  CHECK(facts_of("momentum").flops_per_weight == 8);
  // m 4, v 5, numerator 3, denominator 4, quotient 1; the decay that joins the gradient 2, the step 2
  CHECK(facts_of("adam").flops_per_weight == 21);
  CHECK(facts_of("adamw").flops_per_weight == 20); // a step that also decays: 3
  // Five Newton–Schulz steps of a square: Gram matrix n³ and its square n³ by halves, then a product 2n³.
  const OptimizerFacts muon = facts_of("muon", 256, 256);
  CHECK(muon.step.count == Approx(5 * 4 * std::pow(256.0, 3)).epsilon(0.03));
  CHECK(muon.step.kind == Flops::Kind::exact);
  CHECK(muon.rises_with_size);
  CHECK_FALSE(facts_of("adam").rises_with_size);
  CHECK(muon.costs.front().phase == Phase::geometry);
  // On the smaller side: r²(M + …) however the matrix lies.
  CHECK(facts_of("muon", 64, 512).step.count == Approx(facts_of("muon", 512, 64).step.count).epsilon(1e-9));
  CHECK(facts_of("muon", 64, 512).step.count == Approx(5 * (3 * 64 * 64 * 512.0 + std::pow(64.0, 3))).epsilon(0.05));
  CHECK(facts_of("shampoo").step.kind == Flops::Kind::about);
  CHECK(facts_of("manifold_muon").step.kind == Flops::Kind::at_most);
  // Checks are not part of a step, however dear they are: an exact σ every ten steps to hold Scion's ball against.
  const double scion = facts_of("scion", 256, 256).step.count,
               plain = facts_of("scion_unconstrained", 256, 256).step.count;
  CHECK(scion == Approx(plain).epsilon(0.01));
}

TEST_CASE("every preset tells its state, cost and promises", "[facts]") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const OptimizerFacts facts = facts_of(name, 24, 36);
    CHECK(facts.step.count > 0);
    CHECK_FALSE(cost_text(facts).empty());
    for (const StateFact& s : facts.state) {
      CAPTURE(s.name, s.shape);
      CHECK_FALSE(s.meaning.empty());
      const bool thin = s.name.find("left_gain") == 0 || s.name.find("right_gain") == 0; // as wide as an option says
      CHECK((s.shape.find_first_of("23456789") != std::string::npos) == thin);           // others in terms of m and n
    }
  }
}

TEST_CASE("promises hold on random matrices of six shapes, and a broken one shows", "[trial]") {
  for (const std::string& name : preset_names())
    for (const Precision precision : {Precision::f32, Precision::f64}) {
      CAPTURE(name, precision == Precision::f32);
      const Trial trial = try_promises(preset_spec(name), precision);
      REQUIRE(trial.shapes.size() == 6);
      for (const TrialPromise& p : trial.promises) {
        CAPTURE(p.name, p.tolerance, p.worst);
        CHECK(p.held());
      }
      CHECK(trial.good());
    }
  Trial trial = try_promises(preset_spec("muonh"), Precision::f32);
  REQUIRE_FALSE(trial.promises.empty());
  trial.promises[0].worst[2] = 2 * trial.promises[0].tolerance;
  CHECK_FALSE(trial.promises[0].held());
  CHECK_FALSE(trial.good());
  OptimizerSpec wild = preset_spec("sgd");
  wild.hparams["lr"] = 1e38;
  const Trial lost = try_promises(wild, Precision::f32);
  CHECK(lost.shapes[0].diverged_at > 0);
  CHECK_FALSE(lost.good());
}
