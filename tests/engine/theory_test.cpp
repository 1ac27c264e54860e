// Closed forms: their values, and that runs obey them.
#include "tests/support/catch.hpp"
#include "tests/support/hand_run.hpp"

#include "engine/optimizer/theory_lines.hpp"
#include "engine/theory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::shared_ptr<const StepProgram> with_hparams(const std::vector<std::string>& names) {
  ProgramBuilder build(Precision::f64);
  for (const std::string& name : names) build.hparam(number(name, 0, 0, 1, "Test."), "direction");
  return build.finish();
}

double value(const std::string& kind, const std::vector<double>& numbers, const std::map<std::string, double>& hparams,
             long t = 100) {
  std::vector<std::string> names;
  std::vector<double> row;
  for (const auto& [name, x] : hparams) names.push_back(name), row.push_back(x);
  const auto program = with_hparams(names);
  const std::vector<HparamsFrom> rows = {{0, row}};
  const std::vector<long> steps = {t};
  return evaluate_theory({"W.frobenius_norm", kind, "", "", numbers}, {*program, 2, rows, steps}).at(0);
}

// The declared line of a run for one metric, evaluated at one step.
double expected(const HandRun& run, const std::string& metric, double start_norm, long t) {
  const auto& lines = run.program().theory();
  const auto line = std::find_if(lines.begin(), lines.end(), [&](const TheoryLine& l) { return l.metric == metric; });
  REQUIRE(line != lines.end());
  const std::vector<HparamsFrom> rows = {{0, run.hparams()}};
  const std::vector<long> steps = {t};
  return evaluate_theory(*line, {run.program(), start_norm, rows, steps}).at(0);
}

struct Mean {
  double norm = 0, angle = 0; // root mean squares over the steps measured
};

Mean mean_of(HandRun& run, long settle, long measure) {
  REQUIRE(run.step(settle));
  double norm = 0, angle = 0;
  for (long t = 0; t < measure; ++t) {
    REQUIRE(run.step());
    norm += std::pow(run.metric("W.frobenius_norm"), 2) / static_cast<double>(measure);
    angle += std::pow(run.metric("W.angular_update"), 2) / static_cast<double>(measure);
  }
  return {std::sqrt(norm), std::sqrt(angle)};
}

std::string scene(const std::string& problem, const std::string& run) {
  return "[scene]\ntitle = \"t\"\nseed = 3\nsteps = 100000\nprecision = \"f64\"\n[problem]\n" + problem +
         "\n[[run]]\n" + run;
}

} // namespace

TEST_CASE("theory: values of the closed forms", "[theory]") {
  CHECK(value("norm_constant", {}, {}) == 2);
  CHECK(value("norm_normalized_growth", {3.0}, {{"lr", 0.1}}, 50) == Approx(std::sqrt(4 + 50 * 0.09)).epsilon(1e-14));
  CHECK(value("norm_normalized_growth", {3.0}, {{"lr", 0.1}}, 0) == 2);
  CHECK(value("adamw_equilibrium_norm", {64}, {{"lr", 0.01}, {"weight_decay", 0.1}}) ==
        Approx(std::sqrt(0.01 * 64 / 0.2)));
  CHECK(value("adamw_equilibrium_angle", {64}, {{"lr", 0.01}, {"weight_decay", 0.1}, {"beta1", 0.9}}) ==
        Approx(std::sqrt(2 * 0.01 * 0.1 * 0.1 / 1.9)));
  // algorithms.md §G2: η = 0.05, λ = 0.1: r* = 0.50063, angle 0.10004
  CHECK(value("fixed_step_equilibrium_norm", {1, 0}, {{"lr", 0.05}, {"weight_decay", 0.1}}) ==
        Approx(0.50063).epsilon(1e-5));
  CHECK(value("fixed_step_equilibrium_angle", {1, 0}, {{"lr", 0.05}, {"weight_decay", 0.1}}) ==
        Approx(0.10004).epsilon(5e-5));
  // τ of the table in §B7: 39 for a plain average with β = 0.95; Nesterov 32.9, and 14.16 with β = 0.9
  const auto tau = [](double form, double beta) {
    return std::pow(
        value("fixed_step_equilibrium_norm", {1, form}, {{"lr", 0.02}, {"weight_decay", 0.01}, {"momentum", beta}}), 2);
  };
  CHECK(tau(1, 0.95) == Approx(39).epsilon(1e-12));
  CHECK(tau(2, 0.95) == Approx(32.9).epsilon(1e-3));
  CHECK(tau(2, 0.9) == Approx(14.16).epsilon(1e-3));
  // every row of the table: the turn times the norm is the root mean square of one step, η‖U‖
  for (const double form : {1.0, 2.0}) {
    const std::map<std::string, double> h = {{"lr", 0.02}, {"weight_decay", 0.01}, {"momentum", 0.95}};
    CHECK(value("fixed_step_equilibrium_norm", {4, form}, h) * value("fixed_step_equilibrium_angle", {4, form}, h) ==
          Approx(0.08).epsilon(1e-12));
  }
}

TEST_CASE("theory: without decay there is no equilibrium to predict", "[theory]") {
  CHECK(std::isnan(value("adamw_equilibrium_norm", {64}, {{"lr", 0.01}, {"weight_decay", 0}})));
  CHECK(std::isnan(value("fixed_step_equilibrium_angle", {1, 0}, {{"lr", 0.01}})));
}

TEST_CASE("theory: a learning rate edited while running counts from its step", "[theory]") {
  const auto program = with_hparams({"lr"});
  const std::vector<HparamsFrom> rows = {{0, {0.1}}, {10, {0.3}}};
  const std::vector<long> steps = {5, 10, 11, 20};
  const auto points = evaluate_theory({"", "norm_normalized_growth", "", "", {1.0}}, {*program, 1, rows, steps});
  CHECK(points[0] == Approx(std::sqrt(1 + 5 * 0.01)));
  CHECK(points[1] == Approx(std::sqrt(1 + 10 * 0.01)));
  CHECK(points[2] == Approx(std::sqrt(1 + 10 * 0.01 + 0.09)));
  CHECK(points[3] == Approx(std::sqrt(1 + 10 * 0.01 + 10 * 0.09)));
}

TEST_CASE("theory: tangential steps of fixed size grow the norm as predicted", "[theory]") {
  for (const double start : {1.0, 4.0}) {
    HandRun run(scene(
        "kind = \"circle\"\nnoise = 0.5",
        fmt::format("optimizer = \"normalized_sgd\"\nhparam.lr = 0.6\nstart = {{ radius = {}, angle = 1.2 }}", start)));
    for (const long t : {1L, 10L, 1000L}) {
      REQUIRE(run.step(t - (t == 1 ? 0 : t == 10 ? 1 : 10)));
      CHECK(run.metric("W.frobenius_norm") ==
            Approx(std::sqrt(start * start + static_cast<double>(t) * 0.36)).epsilon(1e-12));
      CHECK(run.metric("W.frobenius_norm") == Approx(expected(run, "W.frobenius_norm", start, t)).epsilon(1e-12));
    }
  }
}

TEST_CASE("theory: a held norm is the declared constant", "[theory]") {
  HandRun run(scene("kind = \"rows\"", "optimizer = \"muonh\""));
  const double start = run.metric("W.frobenius_norm");
  REQUIRE(run.step(50));
  CHECK(run.metric("W.frobenius_norm") == Approx(expected(run, "W.frobenius_norm", start, 50)).epsilon(1e-12));
}

TEST_CASE("theory: tangential steps with decay settle where predicted", "[theory]") {
  HandRun run(scene("kind = \"rows\"\nrows = 1\ncols = 32\nnoise = 3.0",
                    "optimizer.base = \"normalized_sgd\"\noptimizer.decay.kind = \"decoupled\"\nhparam.lr = "
                    "0.05\nhparam.weight_decay = 0.1"));
  const Mean settled = mean_of(run, 2000, 200);
  CHECK(settled.norm == Approx(expected(run, "W.frobenius_norm", 1, 2200)).epsilon(1e-6));
  CHECK(settled.angle == Approx(expected(run, "W.angular_update", 1, 2200)).epsilon(1e-6));
}

TEST_CASE("theory: AdamW in noise settles at its rotational equilibrium", "[theory]") {
  HandRun run(scene("kind = \"normalized_linear\"\nrows = 16\ncols = 32\nsamples = 8\nnoise = 100.0",
                    "optimizer = \"adamw\"\nhparam.lr = 0.01\nhparam.weight_decay = 0.1"));
  const Mean settled = mean_of(run, 5000, 2000);
  CHECK(settled.norm == Approx(expected(run, "W.frobenius_norm", 1, 7000)).epsilon(0.03));
  CHECK(settled.angle == Approx(expected(run, "W.angular_update", 1, 7000)).epsilon(0.03));
}

TEST_CASE("theory: Muon in noise settles at its rotational equilibrium", "[theory]") {
  // Wide, where orthogonalising is nearly linear in the momentum; at 16 × 32 the norm settles 7 % lower than predicted.
  HandRun run(scene("kind = \"normalized_linear\"\nrows = 4\ncols = 128\nsamples = 8\nnoise = 100.0",
                    "optimizer.base = \"muon\"\noptimizer.geometry.ns_coefficients = \"exact\"\n"
                    "hparam.lr = 0.02\nhparam.weight_decay = 0.1"));
  const Mean settled = mean_of(run, 2500, 2500);
  CHECK(settled.norm == Approx(expected(run, "W.frobenius_norm", 1, 5000)).epsilon(0.03));
  CHECK(settled.angle == Approx(expected(run, "W.angular_update", 1, 5000)).epsilon(0.03));
}

TEST_CASE("theory: an equilibrium of orthogonalised steps is declared only where it holds", "[theory]") {
  const auto muon = [](int rows, int cols) {
    return HandRun(
        scene(fmt::format("kind = \"normalized_linear\"\nrows = {}\ncols = {}\nsamples = 8\nnoise = 100.0", rows, cols),
              "optimizer.base = \"muon\"\noptimizer.geometry.ns_coefficients = \"exact\"\n"
              "hparam.lr = 0.02\nhparam.weight_decay = 0.1"));
  };
  CHECK(muon(16, 32).program().theory().empty());
  CHECK(muon(4, 63).program().theory().empty());
  HandRun edge = muon(4, 64); // the squarest that is declared
  const Mean settled = mean_of(edge, 2500, 2500);
  CHECK(settled.norm == Approx(expected(edge, "W.frobenius_norm", 1, 5000)).epsilon(0.03));
  CHECK(settled.angle == Approx(expected(edge, "W.angular_update", 1, 5000)).epsilon(0.03));
}

TEST_CASE("theory: lines follow from the facts that stages state, and from no unknown one", "[theory]") {
  ParamInfo p;
  p.name = "W";
  p.rows = 4;
  p.cols = 64;
  p.invariance = Invariance::matrix;
  const auto kinds = [&](const Motion& m, bool constant = true) {
    std::set<std::string> found;
    for (const TheoryLine& line : theory_lines(p, m, constant)) found.insert(line.kind);
    return found;
  };
  using Kinds = std::set<std::string>;
  using M = Motion;
  const Motion adamw = {M::Follows::adam, M::Shape::kept, M::Norm::free, M::Decay::decoupled, 0, 0};
  const Motion growth = {M::Follows::gradient, M::Shape::scaled, M::Norm::free, M::Decay::none, 3, 256};
  const Motion muon = {M::Follows::nesterov_average, M::Shape::sliced, M::Norm::free, M::Decay::decoupled, 2, 16};
  CHECK(kinds({}).empty());
  CHECK(kinds(adamw) == Kinds{"adamw_equilibrium_norm", "adamw_equilibrium_angle"});
  CHECK(kinds(growth) == Kinds{"norm_normalized_growth"});
  CHECK(kinds(muon) == Kinds{"fixed_step_equilibrium_norm", "fixed_step_equilibrium_angle"});
  for (const Motion& whole : {adamw, growth, muon}) {
    CHECK(kinds(whole, false).empty());
    Motion m = whole;
    m.follows = M::Follows::unknown;
    CHECK(kinds(m).empty());
    m = whole;
    m.shape = M::Shape::unknown;
    CHECK(kinds(m).empty());
    m = whole;
    m.norm = M::Norm::unknown;
    CHECK(kinds(m).empty());
    m = whole;
    m.decay = M::Decay::unknown;
    CHECK(kinds(m).empty());
  }
  Motion held;
  held.norm = M::Norm::held;
  CHECK(kinds(held, false) == Kinds{"norm_constant"});
  p.invariance = Invariance::none; // a control problem: only what the recipe holds by itself
  for (const Motion& whole : {adamw, growth, muon}) CHECK(kinds(whole).empty());
  CHECK(kinds(held) == Kinds{"norm_constant"});
}

TEST_CASE("theory: thousands of edits cost one pass", "[theory]") {
  const auto program = with_hparams({"lr"});
  std::vector<HparamsFrom> rows;
  std::vector<long> steps;
  for (long k = 0; k < 200000; ++k) {
    rows.push_back({k, {k % 2 ? 0.1 : 0.2}});
    steps.push_back(k);
  }
  const auto points = evaluate_theory({"", "norm_normalized_growth", "", "", {1.0}}, {*program, 1, rows, steps});
  for (const long t : {0L, 1L, 2L, 99999L, 199999L}) {
    const double slow = static_cast<double>(t / 2), fast = static_cast<double>(t - t / 2);
    CHECK(points[static_cast<std::size_t>(t)] == Approx(std::sqrt(1 + slow * 0.01 + fast * 0.04)).epsilon(1e-10));
  }
}

TEST_CASE("theory: the registry is documented and holds every declared kind", "[theory]") {
  std::set<std::string> kinds;
  for (const Theory& t : theories()) {
    INFO(t.kind);
    CHECK(kinds.insert(t.kind).second);
    CHECK_FALSE(t.formula.empty());
    CHECK_FALSE(t.condition.empty());
    CHECK_FALSE(t.source.empty());
  }
  for (const std::string& preset : preset_names()) {
    HandRun run(scene("kind = \"rows\"", "optimizer = \"" + preset + "\""));
    for (const TheoryLine& line : run.program().theory()) {
      INFO(preset << ", " << line.kind);
      CHECK(find_theory(line.kind));
      CHECK(run.program().find_metric(line.metric) >= 0);
    }
  }
}
