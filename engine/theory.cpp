#include "engine/theory.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace polarscope {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kFixedStep =
    "λ > 0, constant η, after about 1/(2ηλ) steps; tangential steps, or with momentum noise that "
    "dominates and what is normalised is long (orthogonalised: a shape of 16 : 1 or more)";
constexpr const char* kEquilibrium = "Kosson, Messmer, Jaggi 2305.17212";

using Numbers = std::vector<double>;

// One value per wanted step from the hyperparameters of that step alone.
template <class F> std::vector<double> at_each(const TheoryInputs& in, F value) {
  std::vector<double> out;
  out.reserve(in.steps.size());
  for (const long t : in.steps) out.push_back(value(t));
  return out;
}

// An equilibrium needs decay: without it nothing is predicted.
template <class F> std::vector<double> at_equilibrium(const TheoryInputs& in, F value) {
  return at_each(in, [&](long t) {
    const double lr = in.hparam("lr", t), decay = in.hparam("weight_decay", t);
    return lr > 0 && decay > 0 && lr * decay < 1 ? value(t, lr, decay) : kNothing;
  });
}

std::vector<double> norm_constant(const Numbers&, const TheoryInputs& in) {
  return at_each(in, [&](long) { return in.start_norm; });
}

// r² grows by η²‖U‖² at every step, because the step is orthogonal to the weight. Steps and rows both ascend: one pass.
std::vector<double> normalized_growth(const Numbers& numbers, const TheoryInputs& in) {
  const double update = numbers.at(0);
  const int column = in.program.find_hparam("lr");
  const auto gain = [&](const HparamsFrom& h) { // of one step
    const double length = column < 0 ? 0 : h.row.at(static_cast<std::size_t>(column)) * update;
    return length * length;
  };
  double square = in.start_norm * in.start_norm; // after `done` steps
  long done = 0;
  auto row = in.hparams.begin();
  return at_each(in, [&](long t) {
    for (auto next = row + 1; next != in.hparams.end() && next->after < t; row = next++) {
      square += static_cast<double>(next->after - done) * gain(*row);
      done = next->after;
    }
    square += static_cast<double>(t - done) * gain(*row);
    done = t;
    return std::sqrt(square);
  });
}

std::vector<double> adamw_norm(const Numbers& numbers, const TheoryInputs& in) {
  return at_equilibrium(in, [&](long, double lr, double decay) { return std::sqrt(lr * numbers.at(0) / (2 * decay)); });
}

std::vector<double> adamw_angle(const Numbers&, const TheoryInputs& in) {
  return at_equilibrium(in, [&](long t, double lr, double decay) {
    const double beta = in.hparam("beta1", t);
    return std::sqrt(2 * lr * decay * (1 - beta) / (1 + beta));
  });
}

// For how many steps in a row an averaged, noisy update points the same way: τ of algorithms.md §B7. `form`: 1 a plain
// average, 2 Nesterov's.
double persistence(double form, double beta) {
  if (form == 1) return (1 + beta) / (1 - beta);
  const double now = 1 - beta * beta, past = (1 - beta) * (1 - beta) * std::pow(beta, 4) / (1 - beta * beta);
  return 1 / (now * now + past);
}

// numbers: ‖U‖, form of the momentum (0 none: the step is the gradient's direction and exactly tangential).
std::vector<double> fixed_step_norm(const Numbers& numbers, const TheoryInputs& in) {
  return at_equilibrium(in, [&](long t, double lr, double decay) {
    const double update = numbers.at(0), form = numbers.at(1), keep = 1 - lr * decay;
    if (form == 0) return lr * update / std::sqrt(1 - keep * keep);
    return update * std::sqrt(lr * persistence(form, in.hparam("momentum", t)) / (2 * decay));
  });
}

std::vector<double> fixed_step_angle(const Numbers& numbers, const TheoryInputs& in) {
  return at_equilibrium(in, [&](long t, double lr, double decay) {
    const double form = numbers.at(1), keep = 1 - lr * decay;
    if (form == 0) return std::acos(keep); // the fixed point's triangle: keep · r and the step enclose r
    return std::sqrt(2 * lr * decay / persistence(form, in.hparam("momentum", t)));
  });
}

std::vector<Theory> make_theories() {
  return {
      {"norm_constant", "‖W‖ = ‖W₀‖", "the recipe holds the norm", "elementary", norm_constant},
      {"norm_normalized_growth", "‖W_T‖ = √(‖W₀‖² + Σ η²‖U‖²)", "tangential steps of fixed size, constant η, no decay",
       "Hägele, Kosson, Hernández-Cano, Jaggi 2026, figure 2", normalized_growth},
      {"adamw_equilibrium_norm", "‖W‖ = √(ηC/(2λ)), C elements",
       "λ > 0, constant η, noise dominates the gradient, after about 1/(2ηλ) steps", kEquilibrium, adamw_norm},
      {"adamw_equilibrium_angle", "θ = √(2ηλ(1−β₁)/(1+β₁))",
       "λ > 0, constant η, noise dominates the gradient, after about 1/(2ηλ) steps", kEquilibrium, adamw_angle},
      {"fixed_step_equilibrium_norm", "‖W‖ = η‖U‖/√(1−(1−ηλ)²), with momentum ‖U‖√(ητ/(2λ))", kFixedStep, kEquilibrium,
       fixed_step_norm},
      {"fixed_step_equilibrium_angle", "θ = acos(1−ηλ) ≈ √(2ηλ), with momentum √(2ηλ/τ)", kFixedStep, kEquilibrium,
       fixed_step_angle},
  };
}

} // namespace

double TheoryInputs::hparam(std::string_view name, long t) const {
  const int column = program.find_hparam(name);
  if (column < 0) return 0;
  assert(!hparams.empty());
  const auto next = std::lower_bound(hparams.begin() + 1, hparams.end(), std::max(t, 1L),
                                     [](const HparamsFrom& h, long step) { return h.after < step; });
  return (next - 1)->row.at(static_cast<std::size_t>(column));
}

const std::vector<Theory>& theories() {
  static const std::vector<Theory> list = make_theories();
  return list;
}

const Theory* find_theory(std::string_view kind) {
  const std::vector<Theory>& list = theories();
  const auto it = std::find_if(list.begin(), list.end(), [&](const Theory& t) { return t.kind == kind; });
  return it == list.end() ? nullptr : &*it;
}

std::vector<double> evaluate_theory(const TheoryLine& line, const TheoryInputs& inputs) {
  const Theory* theory = find_theory(line.kind);
  assert(theory && "a program declares only registered closed forms");
  return theory->evaluate(line.numbers, inputs);
}

} // namespace polarscope
