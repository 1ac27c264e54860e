// Losses against their formulas, written out in double.
#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/rig.hpp"

#include <cmath>

using namespace polarscope;
using namespace polarscope::test;

TEST_CASE("sphere3: loss and gradient are those of the formula", "[problem]") {
  const double wells[3][3] = {{1, 0, 0}, {0, 1, 0.3}, {-0.5, -0.4, 1}}, depth[] = {1, 0.7, 0.5},
               sharpness[] = {4, 6, 3};
  Rig rig("sphere3");
  Dice dice(4);
  for (int trial = 0; trial < 30; ++trial) {
    const Numbers w = scaled(dice.normals(3), std::exp(dice.normal()));
    double loss = 1;
    Numbers pull(3);
    for (int k = 0; k < 3; ++k) {
      const Numbers mu =
          scaled({wells[k][0], wells[k][1], wells[k][2]}, 1 / norm({wells[k][0], wells[k][1], wells[k][2]}));
      const double e = depth[k] * std::exp(sharpness[k] * (dot(w, mu) / norm(w) - 1));
      loss -= e;
      for (std::size_t j = 0; j < 3; ++j) pull[j] += e * sharpness[k] * mu[j];
    }
    const double along = dot(pull, w) / dot(w, w);
    Numbers gradient(3);
    for (std::size_t j = 0; j < 3; ++j) gradient[j] = -(pull[j] - along * w[j]) / norm(w);
    rig.write("W", w);
    rig.gradient();
    CHECK(std::abs(rig.metric("loss") - loss) < 1e-14);
    CHECK(norm(minus(rig.read("W.gradient"), gradient)) < 1e-13 * (1 + norm(gradient)));
    // ‖∇f(2w)‖ = ½‖∇f(w)‖
    rig.write("W", scaled(w, 2));
    rig.gradient();
    CHECK(norm(rig.read("W.gradient")) == Approx(norm(gradient) / 2).epsilon(1e-12));
  }
}

TEST_CASE("rows: mean of one minus the cosines; wells are the circle's in each row's plane", "[problem]") {
  Dice dice(6);
  {
    Rig rig("rows", {{"rows", 5L}, {"cols", 3L}, {"noise", 0.0}}, 9);
    const Numbers w = dice.normals(15), u = rig.read("W.reference");
    double loss = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      double wu = 0, ww = 0, uu = 0;
      for (std::size_t j = 0; j < 3; ++j)
        wu += w[3 * i + j] * u[3 * i + j], ww += w[3 * i + j] * w[3 * i + j], uu += u[3 * i + j] * u[3 * i + j];
      CHECK(std::abs(uu - 1) < 1e-14);
      loss += (1 - wu / std::sqrt(ww)) / 5;
    }
    rig.write("W", w);
    CHECK(std::abs(rig.loss() - loss) < 1e-14);
  }
  Rig rig("rows", {{"rows", 4L}, {"cols", 6L}, {"noise", 0.0}, {"landscape", std::string("wells")}}, 9);
  Rig circle("circle");
  const Numbers e = rig.read("W.planes");
  Numbers w(24);
  double loss = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const double radius = 0.5 + dice.uniform(), theta = 6.2 * dice.uniform();
    for (std::size_t j = 0; j < 6; ++j)
      w[6 * i + j] = radius * (std::cos(theta) * e[12 * i + j] + std::sin(theta) * e[12 * i + 6 + j]);
    circle.write("W", {radius * std::cos(theta), radius * std::sin(theta)});
    loss += circle.loss() / 4;
  }
  rig.write("W", w);
  CHECK(std::abs(rig.loss() - loss) < 1e-13);
}

TEST_CASE("linear layers: the loss is that of the formula; the teacher's is 0", "[problem]") {
  for (const char* kind : {"normalized_linear", "scaled_linear"}) {
    const bool normalized = std::string(kind) == "normalized_linear";
    Rig rig(kind, {{"rows", 4L}, {"cols", 6L}, {"samples", 11L}}, 2);
    const Numbers x = rig.read("inputs"), y = rig.read("targets");
    Dice dice(1);
    const Numbers w = dice.normals(24);
    double loss = 0;
    for (std::size_t s = 0; s < 11; ++s) {
      double z[4] = {}, square = 0, targets = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 6; ++j) z[i] += w[6 * i + j] * x[6 * s + j];
        square += z[i] * z[i];
        targets += y[4 * s + i] * y[4 * s + i];
      }
      const double scale = normalized ? 1 / std::sqrt(square / 4) : 1;
      for (std::size_t i = 0; i < 4; ++i) loss += std::pow(z[i] * scale - y[4 * s + i], 2) / 22;
      if (normalized) CHECK(targets == Approx(4).epsilon(1e-12));
    }
    rig.write("W", w);
    CHECK(rig.loss() == Approx(loss).epsilon(1e-12));
    if (!normalized) continue;
    rig.write("W", scaled(rig.read("W.reference"), 3));
    CHECK(rig.loss() < 1e-28);
  }
}

TEST_CASE("quadratic: descent is stable below two over the largest curvature", "[problem]") {
  for (const double lr : {1.9, 2.1}) {
    Rig rig("quadratic", {{"dim", 5L}, {"condition", 10.0}}, 1, {.lr = lr});
    rig.start();
    REQUIRE(rig.step(200));
    CHECK((rig.metric("W.frobenius_norm") > 1e3) == (lr > 2));
  }
}
