#include "engine/optimizer/theory_lines.hpp"

#include <string>

namespace polarscope {

namespace {

using Follows = Motion::Follows;
using Shape = Motion::Shape;

constexpr const char* kNoise = "λ > 0, constant η, noise dominates, after about 1/(2ηλ) steps";

Averaging averaging(Follows follows) {
  return follows == Follows::average            ? Averaging::plain
         : follows == Follows::nesterov_average ? Averaging::nesterov
                                                : Averaging::none;
}

// The random walk of an average is that of the update where fixing norms changes little but the size: slices long against
// their number. Orthogonalised 16 × 32 matrices settle 7 % below it, those of 16 : 1 and more within 3 %.
bool nearly_linear(const Motion& m) {
  constexpr double kLong = 16;
  return (m.shape == Shape::scaled || m.shape == Shape::sliced) && m.slice_length >= kLong;
}

} // namespace

bool constant_rate(const OptimizerSpec& spec) {
  const auto it = spec.schedules.find("lr");
  return it == spec.schedules.end() || (it->second.kind == "constant" && it->second.warmup == 0);
}

std::vector<TheoryLine> theory_lines(const ParamInfo& p, const Motion& m, bool rate_is_constant) {
  const std::string norm = p.name + ".frobenius_norm", angle = p.name + ".angular_update";
  if (m.norm == Motion::Norm::held)
    return {{norm, "norm_constant", "the magnitude stage holds the norm", "‖W‖ = ‖W₀‖", {}}};
  if (m.norm != Motion::Norm::free || p.invariance == Invariance::none || !rate_is_constant) return {};

  // The gradient of a scale-invariant loss is tangential, and stays so when only its size is changed.
  const bool tangential = m.follows == Follows::gradient && m.shape == Shape::scaled && m.update_norm > 0;
  if (m.decay == Motion::Decay::none && tangential)
    return {{norm,
             "norm_normalized_growth",
             "tangential steps of fixed size, no decay",
             "r_T = √(r₀² + Σ η²‖U‖²)",
             {m.update_norm}}};
  if (m.decay != Motion::Decay::decoupled) return {};

  if (m.follows == Follows::adam && m.shape == Shape::kept) {
    const double elements = double(p.rows) * p.cols;
    return {{norm, "adamw_equilibrium_norm", kNoise, "‖W‖ = √(ηC/(2λ))", {elements}},
            {angle, "adamw_equilibrium_angle", kNoise, "θ = √(2ηλ(1−β₁)/(1+β₁))", {elements}}};
  }
  const Averaging average = averaging(m.follows);
  const std::vector<double> numbers = {m.update_norm, static_cast<double>(average)};
  if (tangential) {
    const char* condition = "λ > 0, constant η, tangential steps of fixed size, after about 1/(2ηλ) steps";
    return {{norm, "fixed_step_equilibrium_norm", condition, "‖W‖ = η‖U‖/√(1 − (1−ηλ)²)", numbers},
            {angle, "fixed_step_equilibrium_angle", condition, "θ = acos(1 − ηλ)", numbers}};
  }
  if (average != Averaging::none && m.update_norm > 0 && nearly_linear(m))
    return {{norm, "fixed_step_equilibrium_norm", kNoise, "‖W‖ = ‖U‖√(ητ/(2λ))", numbers},
            {angle, "fixed_step_equilibrium_angle", kNoise, "θ = √(2ηλ/τ)", numbers}};
  return {};
}

} // namespace polarscope
