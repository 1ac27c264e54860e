// Every preset of the first release against slow float64 optimizers written from the formulas.
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

const std::vector<std::string> kPresets = {"sgd",  "momentum", "nesterov", "normalized_sgd", "signsgd", "adam",    "adamw",
                                           "muon", "rmnp",     "muonh",    "adamh",          "md_muon", "md_adam", "muown"};
const std::vector<std::pair<int, int>> kShapes = {{5, 20}, {19, 6}, {8, 8}, {1, 7}, {9, 1}, {1, 2}, {17, 33}};

// Gradients of widely varying size, one scale per step, elements with scales of their own.
std::vector<double> random_gradient(Dice& dice, int rows, int cols) {
  const double size = std::pow(10, 2 * dice.uniform() - 1);
  std::vector<double> g = dice.normals(static_cast<std::size_t>(rows * cols));
  for (double& x : g) x *= size;
  return g;
}

double relative_distance(const Matrix& a, const Matrix& b) { return (a - b).norm() / b.norm(); }

// The largest relative distance from the oracle over the steps.
double distance_from_oracle(const std::string& preset, int rows, int cols, Precision precision, int steps, double lr, double* promise) {
  OptimizerSpec spec = preset_spec(preset);
  spec.hparams["lr"] = lr;
  const auto program = program_for(spec, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(cols), precision);
  ProgramRig rig(program, hparams_of(*program, spec));
  Dice dice(static_cast<unsigned long long>(rows * 100 + cols));
  std::vector<double> start = dice.normals(static_cast<std::size_t>(rows * cols));
  if (precision == Precision::f32)
    for (double& x : start) x = static_cast<float>(x);
  rig.write("W", start);
  rig.start();
  const auto reference = oracle(preset, lr);
  Matrix w = reference->start(matrix(start, rows, cols));
  double worst = relative_distance(matrix(rig.read("W"), rows, cols), w);
  for (int t = 0; t < steps; ++t) {
    std::vector<double> g = random_gradient(dice, rows, cols);
    if (precision == Precision::f32)
      for (double& x : g) x = static_cast<float>(x);
    w = reference->step(w, matrix(g, rows, cols));
    REQUIRE(rig.step(g));
    worst = std::max(worst, relative_distance(matrix(rig.read("W"), rows, cols), w));
  }
  CHECK(rig.padding_is_zero());
  *promise = rig.worst_promise();
  return worst;
}

} // namespace

TEST_CASE("the first release's presets are there and name their source", "[preset]") {
  const std::vector<std::string> names = preset_names();
  for (const std::string& preset : kPresets) {
    CAPTURE(preset);
    CHECK(std::find(names.begin(), names.end(), preset) != names.end());
    const OptimizerSpec spec = preset_spec(preset);
    CHECK_FALSE(spec.title.empty());
    CHECK_FALSE(spec.description.empty());
    CHECK_FALSE(spec.source.empty());
    CHECK_FALSE(spec.not_promised.empty());
  }
}

TEST_CASE("every preset follows its formula in f64", "[preset]") {
  for (const std::string& preset : kPresets)
    for (const auto& [rows, cols] : kShapes) {
      CAPTURE(preset, rows, cols);
      double promise = 0;
      CHECK(distance_from_oracle(preset, rows, cols, Precision::f64, 60, 0.02, &promise) <= 1e-10);
      CHECK(promise <= 1);
    }
}

TEST_CASE("every preset follows its formula in f32", "[preset]") {
  for (const std::string& preset : kPresets)
    for (const auto& [rows, cols] : kShapes) {
      CAPTURE(preset, rows, cols);
      double promise = 0;
      CHECK(distance_from_oracle(preset, rows, cols, Precision::f32, 50, 0.002, &promise) <= 1e-5);
      CHECK(promise <= 1);
    }
}
