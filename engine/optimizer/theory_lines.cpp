#include "engine/optimizer/theory_lines.hpp"

#include "engine/optimizer/stage.hpp"

#include <algorithm>
#include <string>

namespace polarscope {

namespace {

bool is(const OptimizerSpec& spec, Part part, const char* kind) { return stage_of(spec, part).kind == kind; }

// An option's word or flag as written, or the stage's default.
SettingValue option_of(const OptimizerSpec& spec, Part part, const std::string& name) {
  const auto given = spec.part(part).options.find(name);
  if (given != spec.part(part).options.end()) return given->second;
  for (const Setting& s : stage_of(spec, part).options)
    if (s.name == name) return s.value;
  return {};
}

bool constant_rate(const OptimizerSpec& spec) {
  const auto it = spec.schedules.find("lr");
  return it == spec.schedules.end() || (it->second.kind == "constant" && it->second.warmup == 0);
}

MomentumShape momentum_shape(const OptimizerSpec& spec) {
  if (!is(spec, Part::direction, "momentum")) return MomentumShape::none;
  return option_of(spec, Part::direction, "nesterov") == SettingValue(true) ? MomentumShape::nesterov : MomentumShape::plain;
}

// The random walk of the momentum is that of the update where normalising changes little but the size: slices long against
// their number. Orthogonalised 16 × 32 matrices settle 7 % below it, those of 16 : 1 and more within 3 %.
bool nearly_linear(const OptimizerSpec& spec, const ParamInfo& p) {
  constexpr std::uint32_t kLong = 16;
  if (is(spec, Part::geometry, "orthogonalise")) return std::max(p.rows, p.cols) >= kLong * std::min(p.rows, p.cols);
  const SettingValue granularity = option_of(spec, Part::geometry, "granularity");
  if (granularity == SettingValue(std::string("row"))) return p.cols >= kLong;
  if (granularity == SettingValue(std::string("column"))) return p.rows >= kLong;
  return std::size_t{p.rows} * p.cols >= kLong;
}

// The sphere holds the norm of the weight itself, not only that of a direction part.
bool holds_norm(const OptimizerSpec& spec) {
  if (is(spec, Part::magnitude, "hyperball")) return true;
  if (!is(spec, Part::magnitude, "md")) return false;
  const auto word = [&](const char* option) { return std::get<std::string>(option_of(spec, Part::magnitude, option)); };
  const std::string sphere = word("sphere");
  // A radius that may be edited while running, and spheres that leave the scale free, hold nothing.
  return word("gains") == "none" && word("target") != "value" && (sphere == "matrix" || sphere == "row" || sphere == "column");
}

} // namespace

void declare_theory(ProgramBuilder& build, int parameter, const OptimizerSpec& spec, double update_norm) {
  const ParamInfo& p = build.parameter(parameter);
  const std::string norm = p.name + ".frobenius_norm", angle = p.name + ".angular_update";
  if (holds_norm(spec)) {
    build.theory({norm, "norm_constant", "the magnitude stage holds the norm", "‖W‖ = ‖W₀‖", {}});
    return;
  }
  if (!is(spec, Part::magnitude, "free") || p.invariance == Invariance::none) return;

  const bool gradient = is(spec, Part::direction, "gradient");
  const bool decoupled = is(spec, Part::decay, "decoupled");
  const bool tangential = gradient && is(spec, Part::geometry, "normalize") &&
                          option_of(spec, Part::geometry, "granularity") == SettingValue(std::string("matrix"));
  if (tangential && is(spec, Part::decay, "none") && constant_rate(spec))
    build.theory({norm, "norm_normalized_growth", "tangential steps of fixed size, no decay", "r_T = √(r₀² + Σ η²‖U‖²)", {update_norm}});
  if (!decoupled || !constant_rate(spec)) return;

  const double elements = double(p.rows) * p.cols;
  if (is(spec, Part::direction, "adam") && is(spec, Part::geometry, "identity")) {
    build.theory({norm, "adamw_equilibrium_norm", "λ > 0, constant η, noise dominates, after about 1/(2ηλ) steps", "‖W‖ = √(ηC/(2λ))", {elements}});
    build.theory({angle, "adamw_equilibrium_angle", "λ > 0, constant η, noise dominates, after about 1/(2ηλ) steps", "θ = √(2ηλ(1−β₁)/(1+β₁))", {elements}});
  }
  const MomentumShape shape = momentum_shape(spec);
  if (update_norm > 0 && (tangential || (shape != MomentumShape::none && nearly_linear(spec, p)))) {
    const std::vector<double> numbers = {update_norm, static_cast<double>(shape)};
    const char* condition = tangential ? "λ > 0, constant η, tangential steps of fixed size, after about 1/(2ηλ) steps"
                                       : "λ > 0, constant η, noise dominates, after about 1/(2ηλ) steps";
    build.theory({norm, "fixed_step_equilibrium_norm", condition,
                  tangential ? "‖W‖ = η‖U‖/√(1 − (1−ηλ)²)" : "‖W‖ = ‖U‖√(ητ/(2λ))", numbers});
    build.theory({angle, "fixed_step_equilibrium_angle", condition, tangential ? "θ = acos(1 − ηλ)" : "θ = √(2ηλ/τ)", numbers});
  }
}

} // namespace polarscope
