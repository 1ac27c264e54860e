#include "engine/optimizer/trial.hpp"

#include "engine/optimizer/given_gradients.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace polarscope {

namespace {

constexpr long kSteps = 40, kZeroStep = 8;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// Element (i, j) of A B, A rows × 2 and B 2 × cols.
GivenMatrix product(const GivenMatrix& a, const GivenMatrix& b) {
  GivenMatrix out{a.rows, b.cols, {}};
  for (std::uint32_t i = 0; i < a.rows; ++i)
    for (std::uint32_t j = 0; j < b.cols; ++j)
      out.values.push_back(a.values[2 * i] * b.values[j] + a.values[2 * i + 1] * b.values[b.cols + j]);
  return out;
}

GivenMatrix gradient(const TrialShape& shape, long step) {
  const auto seed = static_cast<std::uint64_t>(step);
  GivenMatrix g = shape.name == "low rank"
                      ? product(random_matrix(1000, shape.rows, 2), random_matrix(seed, 2, shape.cols))
                      : random_matrix(seed, shape.rows, shape.cols);
  const double size = step == kZeroStep ? 0 : std::pow(10.0, std::sin(static_cast<double>(step)));
  for (double& x : g.values) x *= size;
  return g;
}

void take_violations(Trial& trial, std::size_t shape, const GivenGradients& run) {
  const auto& columns = run.program().invariants();
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const auto same = [&](const TrialPromise& p) { return p.name == columns[k].name; };
    auto promise = std::find_if(trial.promises.begin(), trial.promises.end(), same);
    if (promise == trial.promises.end()) {
      const std::vector<double> none(trial.shapes.size(), kNothing);
      promise = trial.promises.insert(promise, {columns[k].name, columns[k].meaning, columns[k].tolerance, none});
    }
    const double found = run.violation(k);
    double& worst = promise->worst[shape];
    if (std::isnan(worst) || found > worst) worst = std::isnan(found) ? worst : found;
  }
}

} // namespace

bool TrialPromise::held() const {
  return std::none_of(worst.begin(), worst.end(), [&](double w) { return w > tolerance; });
}

bool Trial::good() const {
  return std::all_of(promises.begin(), promises.end(), [](const TrialPromise& p) { return p.held(); }) &&
         std::all_of(shapes.begin(), shapes.end(), [](const TrialShape& s) { return s.diverged_at == 0; });
}

Trial try_promises(const OptimizerSpec& spec, Precision precision) {
  Trial trial;
  trial.steps = kSteps;
  trial.shapes = {{"wide", 6, 20}, {"tall", 20, 6},  {"square", 12, 12},
                  {"row", 1, 9},   {"column", 9, 1}, {"low rank", 12, 12}};
  for (std::size_t k = 0; k < trial.shapes.size(); ++k) {
    TrialShape& shape = trial.shapes[k];
    GivenGradients run(spec, precision, random_matrix(0, shape.rows, shape.cols));
    for (long t = 1; t <= kSteps && shape.diverged_at == 0; ++t) {
      if (!run.step(gradient(shape, t))) shape.diverged_at = t;
      else take_violations(trial, k, run);
    }
  }
  return trial;
}

} // namespace polarscope
