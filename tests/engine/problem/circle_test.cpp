#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/rig.hpp"

#include <cmath>

using namespace polarscope;
using namespace polarscope::test;

namespace {

Numbers at(double radius, double angle) { return {radius * std::cos(angle), radius * std::sin(angle)}; }

double loss_at(Rig& rig, double radius, double angle) {
  rig.write("W", at(radius, angle));
  return rig.loss();
}

// algorithms.md §G1, written out.
double g(double theta) {
  return 1 - std::exp(3 * (std::cos(theta - 2.4) - 1)) - 0.6 * std::exp(5 * (std::cos(theta + 0.9) - 1)) -
         0.35 * std::exp(8 * (std::cos(theta - 0.6) - 1));
}

} // namespace

TEST_CASE("circle: the landscape has the published minima and maxima", "[problem]") {
  Rig rig("circle");
  const double extrema[][2] = {{-0.8999, 0.3972}, {0.6185, 0.6186},  {2.4, 0.0},
                               {-2.153, 0.9498},  {-0.0202, 0.8180}, {1.1906, 0.7656}};
  for (const auto& e : extrema) {
    INFO("angle " << e[0]);
    CHECK(std::abs(loss_at(rig, 1.3, e[0]) - e[1]) < 6e-5);
    rig.write("W", at(1, e[0]));
    rig.gradient();
    CHECK(norm(rig.read("W.gradient")) < 6e-4); // the angles are given to four digits
  }
}

TEST_CASE("circle: loss and gradient are those of the formula at every norm", "[problem]") {
  Rig rig("circle");
  Dice dice(5);
  for (int k = 0; k < 50; ++k) {
    const double radius = std::exp(4 * dice.normal()), theta = 6.3 * dice.uniform() - 3.15;
    CHECK(std::abs(loss_at(rig, radius, theta) - g(theta)) < 1e-14);
    rig.gradient();
    const Numbers gradient = rig.read("W.gradient");
    const double slope = (g(theta + 1e-5) - g(theta - 1e-5)) / 2e-5;
    CHECK(std::abs(dot(gradient, at(1, theta + M_PI / 2)) * radius - slope) < 1e-9);
    CHECK(std::abs(dot(gradient, at(1, theta))) * radius < 1e-15);
  }
}

TEST_CASE("circle: the same normalised step turns less at a large radius", "[problem]") {
  // algorithms.md §G2: η = 0.6 from θ = 1.2
  for (const auto& [radius, grown, turned, after] :
       {std::tuple{1.0, 1.16619, 0.54042, 0.4637}, std::tuple{4.0, 4.04475, 0.14889, 0.7378}}) {
    Rig rig("circle");
    rig.write("W", at(radius, 1.2));
    rig.gradient();
    const double size = norm(rig.read("W.gradient"));
    Rig step("circle", {}, 1, {.lr = 0.6 / size}); // a rate that makes this one step 0.6 long
    step.write("W", at(radius, 1.2));
    step.start();
    REQUIRE(step.step());
    CHECK(std::abs(step.metric("W.frobenius_norm") - grown) < 5e-6);
    CHECK(std::abs(step.metric("W.angular_update") - turned) < 5e-6);
    CHECK(std::abs(step.metric("loss") - 0.7655) < 5e-5);
    CHECK(std::abs(step.loss() - after) < 5e-5);
  }
}

TEST_CASE("circle: a weight of norm 0 is a divergence, not a crash", "[problem]") {
  Rig rig("circle");
  rig.write("W", {0, 0});
  rig.start();
  CHECK_FALSE(rig.diverged());
  CHECK_FALSE(rig.step());
  CHECK(rig.diverged());
}

TEST_CASE("circle: start keys place the weight", "[problem]") {
  const Problem* circle = find_problem("circle");
  const auto start = circle->start_from_keys(problem_values(*circle), {{"radius", 4}, {"angle", 0.5}});
  CHECK(start.at("W")[0] == Approx(4 * std::cos(0.5)));
  CHECK(start.at("W")[1] == Approx(4 * std::sin(0.5)));
}
