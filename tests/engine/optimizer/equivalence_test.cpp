// Pairs of optimizers that are one and the same by algebra.
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

const std::vector<std::pair<int, int>> kShapes = {{5, 16}, {16, 5}, {9, 9}, {1, 7}, {7, 1}};

ProgramRig started(const OptimizerSpec& spec, int rows, int cols, const std::vector<double>& w) {
  const auto program = program_for(spec, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(cols));
  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", w);
  rig.start();
  return rig;
}

// How far apart the two are after 50 steps of one sequence of gradients, relative to the way gone.
double apart(const OptimizerSpec& a, const OptimizerSpec& b, int rows, int cols, double scale_of_b = 1) {
  Dice dice(static_cast<unsigned long long>(100 * rows + cols));
  const auto count = static_cast<std::size_t>(rows * cols);
  const auto w = dice.normals(count);
  ProgramRig first = started(a, rows, cols, w),
             second = started(b, rows, cols, scaled(w, scale_of_b / (scale_of_b == 1 ? 1 : norm(w))));
  const auto origin = first.read("W");
  for (int t = 0; t < 50; ++t) {
    const auto g = dice.normals(count);
    REQUIRE((first.step(g) && second.step(g)));
  }
  const double way = norm(minus(first.read("W"), origin)), whole = norm(origin);
  return norm(minus(first.read("W"), second.read("W"))) /
         std::max({way, 1e-9 * whole, 1e-300}); // rows of one number move by rounding alone
}

bool has_option(const OptimizerSpec& spec, Part part, const std::string& name) {
  const auto& options = stage_of(spec, part).options;
  return std::any_of(options.begin(), options.end(), [&](const Setting& s) { return s.name == name; });
}

} // namespace

TEST_CASE("an average and a sum of past gradients are one direction wherever its size is dropped", "[equivalence]") {
  const std::set<std::string> keeps_size = {"momentum", "nesterov", "sgdp", "sgdp_nesterov", "lars"};
  int compared = 0;
  for (const std::string& preset : preset_names()) {
    OptimizerSpec average = preset_spec(preset);
    if (!has_option(average, Part::direction, "momentum_form") || keeps_size.count(preset)) continue;
    ++compared;
    // An ε added to the norm would show: 1e-7 over the buffer's norm.
    if (has_option(average, Part::geometry, "ns_eps_form"))
      average.part(Part::geometry).options["ns_eps_form"] = std::string("clamp");
    OptimizerSpec sum = average;
    average.part(Part::direction).options["momentum_form"] = std::string("ema");
    sum.part(Part::direction).options["momentum_form"] = std::string("heavy_ball");
    for (const auto& [rows, cols] : kShapes) {
      CAPTURE(preset, rows, cols);
      CHECK(apart(average, sum, rows, cols) <= 1e-6);
    }
  }
  CHECK(compared >= 4);
}

TEST_CASE("the fused magnitude–direction step is that of separate parameters", "[equivalence]") {
  for (const std::string& preset : preset_names()) {
    if (preset.rfind("md_", 0) != 0) continue;
    const auto separate = make_oracle(preset);
    REQUIRE(separate);
    const OptimizerSpec spec = preset_spec(preset);
    for (const Setting& setting : hparam_settings(spec)) separate->hparams[setting.name] = spec.value_of(setting);
    for (const auto& [rows, cols] : kShapes) {
      Dice dice(static_cast<unsigned long long>(100 * rows + cols));
      const auto count = static_cast<std::size_t>(rows * cols);
      const auto w = dice.normals(count);
      ProgramRig fused = started(spec, rows, cols, w);
      const auto oracle = make_oracle(preset);
      oracle->hparams = separate->hparams;
      Matrix weight = oracle->start(matrix(w, rows, cols));
      double worst = 0;
      for (int t = 0; t < 50; ++t) {
        const auto g = dice.normals(count);
        REQUIRE(fused.step(g));
        weight = oracle->step(weight, matrix(g, rows, cols));
        worst = std::max(worst, (matrix(fused.read("W"), rows, cols) - weight).norm() / weight.norm());
      }
      CAPTURE(preset, rows, cols, worst);
      CHECK(worst <= 1e-12);
    }
  }
}

TEST_CASE("magnitude–direction with frozen unit gains is the hyperball of the same radius", "[equivalence]") {
  OptimizerSpec frozen = preset_spec("md_muon"), ball = preset_spec("muonh");
  frozen.part(Part::direction) = ball.part(Part::direction);
  frozen.part(Part::geometry).options["ns_coefficients"] = std::string("exact");
  ball.part(Part::geometry).options = {{"ns_coefficients", std::string("exact")}};
  frozen.hparams["gain_lr"] = 0;
  for (const char* number : {"lr", "momentum"}) ball.hparams[number] = frozen.hparams.at(number);
  for (const auto& [rows, cols] : kShapes) {
    CAPTURE(rows, cols);
    CHECK(apart(frozen, ball, rows, cols, std::sqrt(static_cast<double>(std::max(rows, cols)))) <= 1e-11);
  }
}
