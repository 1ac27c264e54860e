// What holds for every problem.
#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/rig.hpp"

#include <algorithm>
#include <cmath>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Values = std::map<std::string, SettingValue>;

struct Variant {
  std::string name, kind;
  Values values;
};

// Every problem at a few shapes, the odd ones included.
std::vector<Variant> variants() {
  const std::string wells = "wells";
  std::vector<Variant> all = {{"circle", "circle", {}}, {"sphere3", "sphere3", {}}};
  Dice dice(3);
  for (int k = 0; k < 3; ++k) {
    const long rows = dice.integer(2, 9), cols = dice.integer(2, 19), samples = dice.integer(3, 40);
    all.push_back({"rows", "rows", {{"rows", rows}, {"cols", cols}, {"noise", 0.0}}});
    all.push_back({"rows, wells", "rows", {{"rows", rows}, {"cols", cols}, {"noise", 0.0}, {"landscape", wells}}});
    all.push_back({"normalized_linear", "normalized_linear", {{"rows", rows}, {"cols", cols}, {"samples", samples}}});
    all.push_back({"scaled_linear", "scaled_linear", {{"rows", rows}, {"cols", cols}, {"samples", samples}}});
    all.push_back({"quadratic", "quadratic", {{"dim", cols}}});
  }
  all.push_back({"rows of one", "rows", {{"rows", 1L}, {"cols", 5L}, {"noise", 0.0}}});
  return all;
}

Numbers random_weight(const Rig& rig, Dice& dice, double size) {
  return scaled(dice.normals(rig.read("W").size()), size);
}

double loss_at(Rig& rig, const Numbers& w) {
  rig.write("W", w);
  return rig.loss();
}

Numbers gradient_at(Rig& rig, const Numbers& w) {
  rig.write("W", w);
  rig.gradient();
  return rig.read("W.gradient");
}

Numbers row_of(const Numbers& a, std::size_t i, std::size_t cols) {
  return {a.begin() + static_cast<long>(i * cols), a.begin() + static_cast<long>((i + 1) * cols)};
}

// The blocks in which a parameter is scale-invariant: the whole matrix or each row.
std::vector<Numbers> blocks(const ParamInfo& p, const Numbers& a) {
  if (p.invariance == Invariance::matrix) return {a};
  std::vector<Numbers> out;
  for (std::size_t i = 0; i < p.rows; ++i) out.push_back(row_of(a, i, p.cols));
  return out;
}

} // namespace

TEST_CASE("problems: the gradient is the loss's derivative", "[problem]") {
  for (const Variant& v : variants())
    for (const std::uint64_t seed : {1u, 7u}) {
      Rig rig(v.kind, v.values, seed);
      Dice dice(seed);
      const Numbers w = random_weight(rig, dice, 1.5);
      const Numbers numeric = finite_difference([&](const Numbers& x) { return loss_at(rig, x); }, w);
      const Numbers exact = gradient_at(rig, w);
      INFO(v.name << ", " << rig.program().parameters()[0].rows << " × " << rig.program().parameters()[0].cols);
      REQUIRE(norm(exact) > 1e-6);
      // a central difference is good to about h² of the third derivative
      CHECK(norm(minus(numeric, exact)) < 2e-7 * (1 + norm(exact)));
      CHECK(rig.padding_is_zero());
    }
}

TEST_CASE("problems: what is declared scale-invariant is, and the controls are not", "[problem]") {
  for (const Variant& v : variants()) {
    Rig rig(v.kind, v.values, 3);
    const ParamInfo& p = rig.program().parameters()[0];
    Dice dice(11);
    const Numbers w = random_weight(rig, dice, 1);
    INFO(v.name);
    const double change = std::abs(loss_at(rig, scaled(w, 1.7)) - loss_at(rig, w));
    if (p.invariance == Invariance::none) {
      CHECK(change > 1e-3);
      continue;
    }
    CHECK(change < 1e-12);
    if (p.invariance == Invariance::row) {
      Numbers uneven = w;
      for (std::size_t i = 0; i < p.rows; ++i)
        for (std::size_t j = 0; j < p.cols; ++j) uneven[i * p.cols + j] *= 0.3 + static_cast<double>(i);
      CHECK(std::abs(loss_at(rig, uneven) - loss_at(rig, w)) < 1e-12);
    }
    // ∇f(cw) = ∇f(w)/c
    const Numbers near = gradient_at(rig, w), far = gradient_at(rig, scaled(w, 4));
    CHECK(norm(minus(scaled(far, 4), near)) < 1e-12 * (1 + norm(near)));
  }
}

TEST_CASE("problems: the gradient stays orthogonal to the weight, noise included", "[problem]") {
  for (Variant v : variants()) {
    if (find_problem(v.kind)->keys.back().name == "condition" || v.kind == "scaled_linear") continue;
    for (const Precision precision : {Precision::f64, Precision::f32}) {
      v.values["noise"] = 0.7;
      Rig rig(v.kind, v.values, 5, {.precision = precision, .lr = 0.02});
      const ParamInfo& p = rig.program().parameters()[0];
      REQUIRE(rig.program().invariants().size() == 1);
      const InvariantColumn& promise = rig.program().invariants()[0];
      const std::string column = rig.program().metrics()[static_cast<std::size_t>(promise.column)].name;
      CHECK(rig.program().metrics()[static_cast<std::size_t>(promise.column)].hidden);
      INFO(v.name << (precision == Precision::f32 ? ", f32" : ", f64"));
      rig.start();
      double worst = 0;
      for (int step = 0; step < 200; ++step) {
        const Numbers w = rig.read("W");
        REQUIRE(rig.step());
        const Numbers g = rig.read("W.gradient");
        const std::vector<Numbers> ws = blocks(p, w), gs = blocks(p, g);
        double violation = 0;
        for (std::size_t b = 0; b < ws.size(); ++b)
          violation = std::max(violation, std::abs(dot(ws[b], gs[b])) / (1 + norm(ws[b]) * norm(gs[b])));
        const double measured = rig.metric(column);
        CHECK(std::abs(measured - violation) < (precision == Precision::f32 ? 1e-6 : 1e-15));
        worst = std::max(worst, measured);
      }
      CHECK(worst <= promise.tolerance / 3);
    }
  }
}

TEST_CASE("problems: the invariant notices a gradient that is not tangential", "[problem]") {
  Rig tilted("circle", {}, 1);
  tilted.write("W", {1, 0});
  tilted.gradient();
  tilted.write("W", {1, 0.001}); // the gradient of another weight
  tilted.run_op(OpCode::gradient_tangency);
  CHECK(tilted.metric("W.gradient_tangency") > 1e-6);
}

TEST_CASE("problems: loss ops alone give the noise-free loss of the present weight", "[problem]") {
  for (Variant v : variants()) {
    if (!problem_values(*find_problem(v.kind)).values.count("noise")) continue;
    Rig quiet(v.kind, v.values, 2);
    v.values["noise"] = 1.0;
    Rig noisy(v.kind, v.values, 2);
    Dice dice(9);
    const Numbers w = random_weight(quiet, dice, 1);
    INFO(v.name);
    CHECK(loss_at(noisy, w) == loss_at(quiet, w));
  }
}

TEST_CASE("problems: gradient noise is tangential, of the stated strength, and new at each step", "[problem]") {
  // ‖σ P⊥(z)/‖w‖‖² has mean σ²(n−1)/‖w‖² per invariant block
  for (const auto& [kind, values, dimensions] :
       {std::tuple{"circle", Values{}, 1.0}, std::tuple{"sphere3", Values{}, 2.0},
        std::tuple{"rows", Values{{"rows", 4L}, {"cols", 7L}}, 6.0}}) {
    Values quiet_values = values, noisy_values = values;
    quiet_values["noise"] = 0.0;
    noisy_values["noise"] = 0.5;
    Rig quiet(kind, quiet_values, 4, {.lr = 0}), noisy(kind, noisy_values, 4, {.lr = 0});
    const ParamInfo& p = quiet.program().parameters()[0];
    Dice dice(2);
    const Numbers w = random_weight(quiet, dice, 3);
    quiet.write("W", w);
    noisy.write("W", w);
    quiet.start();
    noisy.start();
    constexpr int kSteps = 20000;
    double square = 0, along = 0, repeat = 0;
    Numbers before, mean(w.size());
    for (int step = 0; step < kSteps; ++step) {
      REQUIRE(quiet.step());
      REQUIRE(noisy.step());
      const Numbers noise = minus(noisy.read("W.gradient"), quiet.read("W.gradient"));
      const auto ws = blocks(p, w), ns = blocks(p, noise);
      for (std::size_t b = 0; b < ws.size(); ++b) {
        square += dot(ns[b], ns[b]) * dot(ws[b], ws[b]) / static_cast<double>(ws.size());
        along = std::max(along, std::abs(dot(ws[b], ns[b])));
      }
      if (!before.empty()) repeat += dot(before, noise) / (norm(before) * norm(noise));
      for (std::size_t i = 0; i < w.size(); ++i) mean[i] += noise[i] / kSteps;
      before = noise;
    }
    INFO(kind);
    const double expected = 0.25 * dimensions;
    const auto count = static_cast<double>(blocks(p, w).size());
    // five standard errors of a mean of χ²: √(2/(dimensions · steps))
    CHECK(std::abs(square / kSteps / expected - 1) < 5 * std::sqrt(2 / (dimensions * count * kSteps)));
    CHECK(along < 1e-14);
    CHECK(std::abs(repeat) / kSteps < 5 / std::sqrt(dimensions * kSteps));
    CHECK(norm(mean) < 5 * std::sqrt(square / kSteps / kSteps) * count / norm(w) * 4);
  }
}

TEST_CASE("problems: data and start depend on the seed and on nothing else", "[problem]") {
  for (const Problem& problem : problems()) {
    const ProblemValues values = problem_values(problem);
    INFO(problem.kind);
    CHECK(problem.start(values, 3) == problem.start(values, 3));
    if (problem.data) CHECK(problem.data(values, 3) == problem.data(values, 3));
    if (problem.kind != "circle" && !problem.from_trace) CHECK(problem.start(values, 3) != problem.start(values, 4));
  }
}

TEST_CASE("problems: keys are documented and every default lies in its range", "[problem]") {
  for (const Problem& problem : problems()) {
    INFO(problem.kind);
    CHECK_FALSE(problem.title.empty());
    CHECK_FALSE(problem.meaning.empty());
    CHECK_FALSE(problem.formula.empty());
    const ProblemValues values = problem_values(problem);
    CHECK(problem.elements(values) > 0);
    std::vector<Setting> keys = problem.keys;
    keys.insert(keys.end(), problem.start_keys.begin(), problem.start_keys.end());
    for (const Setting& key : keys) {
      INFO(key.name);
      CHECK_FALSE(key.meaning.empty());
      CHECK(std::count(key.meaning.begin(), key.meaning.end(), ' ') < 20);
      if (key.kind == SettingKind::word) {
        CHECK((key.words.empty() || std::any_of(key.words.begin(), key.words.end(), [&](const SettingWord& w) {
                 return w.word == std::get<std::string>(key.value);
               })));
        continue;
      }
      if (key.kind == SettingKind::boolean) continue;
      const double value = key.kind == SettingKind::integer ? static_cast<double>(std::get<long>(key.value))
                                                            : std::get<double>(key.value);
      CHECK(key.min <= value);
      CHECK(value <= key.max);
    }
  }
}

TEST_CASE("problems: elements() counts the largest slot without making it", "[problem]") {
  for (const Variant& v : variants()) {
    Rig rig(v.kind, v.values);
    double largest = 0;
    for (const SlotInfo& s : rig.program().slots())
      if (s.role == Role::data || s.role == Role::param) largest = std::max(largest, double(s.rows) * s.cols);
    INFO(v.name);
    CHECK(find_problem(v.kind)->elements(problem_values(*find_problem(v.kind), v.values)) >= largest);
  }
  const Problem& linear = *find_problem("normalized_linear");
  CHECK(linear.elements(problem_values(linear, {{"rows", 4096L}, {"cols", 4096L}, {"samples", 65536L}})) ==
        65536.0 * 4096);
}

TEST_CASE("problems: a weight of norm 0 freezes a scale-invariant run and leaves the controls alone", "[problem]") {
  for (const Problem& problem : problems()) {
    Rig rig(problem.kind);
    const ParamInfo& p = rig.program().parameters()[0];
    rig.write(p.name, Numbers(std::size_t{p.rows} * p.cols, 0.0));
    rig.start();
    rig.step();
    INFO(problem.kind);
    // a normalisation with an ε has a value at 0
    const auto& promises = rig.program().invariants();
    CHECK(rig.diverged() == (p.invariance != Invariance::none && promises.at(0).exact));
  }
}

TEST_CASE("problems: the reference direction is a minimum of the loss", "[problem]") {
  for (const Variant& v : variants()) {
    Rig rig(v.kind, v.values, 6);
    const ParamInfo& p = rig.program().parameters()[0];
    INFO(v.name);
    if (p.invariance == Invariance::none) {
      CHECK(p.reference == kNone);
      continue;
    }
    const Numbers reference = rig.read(p.name + ".reference");
    // wells overlap a little: the deepest point lies within a degree or so of the deepest well's centre
    CHECK(loss_at(rig, reference) < 2e-2);
    Dice dice(8);
    for (int k = 0; k < 20; ++k) {
      Numbers away = reference;
      const Numbers push = dice.normals(away.size());
      for (std::size_t i = 0; i < away.size(); ++i) away[i] += 0.5 * norm(reference) / norm(push) * push[i];
      if (angle(away, reference) > 0.1 && v.kind != "sphere3") CHECK(loss_at(rig, away) > loss_at(rig, reference));
    }
  }
}
