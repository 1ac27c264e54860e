#include "engine/problem/emit.hpp"

#include <cassert>
#include <cmath>

namespace polarscope {

std::uint32_t circle_constants(ProgramBuilder& build) {
  std::vector<double> constants = {static_cast<double>(kCircleWells.size())};
  for (const CircleWell& well : kCircleWells)
    constants.insert(constants.end(), {well.depth, well.sharpness, std::cos(well.angle), std::sin(well.angle)});
  return build.constants(constants);
}

int declare_loss(ProgramBuilder& build) {
  build.set_phase(Phase::gradient);
  const int column = build.metric("loss", -1, ProgramBuilder::kScalar, 1);
  assert(column == 0 && "a problem is the first to emit");
  return column;
}

Setting noise_setting(double value) {
  Setting s = number("noise", value, 0, 100, "Strength of the tangential gradient noise at norm 1.");
  s.formula = "g ← g + σ P⊥(z)/‖w‖,  z ~ N(0, I)";
  return s;
}

void emit_tangent_noise(ProgramBuilder& build, int parameter, double sigma) {
  if (sigma == 0) return;
  const ParamInfo p = build.parameter(parameter);
  assert(p.invariance != Invariance::none);
  const bool rows = p.invariance == Invariance::row;
  const SlotId z =
      build.slot(p.name + ".noise", Role::scratch, p.rows, p.cols, "standard normal numbers of this step", parameter);
  build.emit(make_op(rows ? OpCode::tangent_noise_rows : OpCode::tangent_noise, {p.weight, p.gradient, z}, {},
                     build.constants({sigma}), static_cast<std::uint32_t>(parameter)),
             rows ? "gᵢ ← gᵢ + σ P⊥(z)/‖wᵢ‖" : "G ← G + σ P⊥(z)/‖W‖");
}

void emit_gradient_invariant(ProgramBuilder& build, int parameter, const TangencyOptions& options) {
  const ParamInfo p = build.parameter(parameter);
  assert(p.invariance != Invariance::none);
  const bool rows = p.invariance == Invariance::row;
  const int column = build.metric("gradient_tangency", parameter, ProgramBuilder::kScalar, options.every, true);
  Op op = make_op(rows ? OpCode::gradient_tangency_rows : OpCode::gradient_tangency, {p.weight, p.gradient}, {}, 0,
                  static_cast<std::uint32_t>(column));
  op.every = static_cast<std::uint16_t>(options.every);
  build.set_parameter(parameter);
  build.emit(op, rows ? "check ⟨wᵢ, gᵢ⟩ = 0" : "check ⟨W, G⟩ = 0");
  InvariantColumn invariant;
  invariant.name = "gradient ⊥ weight";
  invariant.meaning = rows ? "The loss ignores every row's norm, so each row's gradient is orthogonal to the row."
                           : "The loss ignores the norm, so the gradient is orthogonal to the weight.";
  invariant.column = column;
  // Relative to 1 + ‖W‖‖G‖, the scale of the loss: round-off of the gradient alone, about √n units in the last place.
  // ε leaves the radial share ε/(mean square + ε) of the gradient by what is normalised: the tolerance covers activations
  // whose mean square is above 1/1000: of networks that train long, some fall below 1/100.
  invariant.tolerance = (build.precision() == Precision::f32 ? 1e-5 : 1e-13) + 1000 * options.eps;
  invariant.exact = options.eps == 0;
  invariant.parameter = parameter;
  build.invariant(std::move(invariant));
}

} // namespace polarscope
