// Magnitude: every row is a learned signed length times a direction of its own.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  auto& s = c.shared;
  s["magnitude.weight"] = c.weight;
  s["magnitude.length"] = c.state("magnitude", 1, c.rows, "g: signed length of each row");
  s["magnitude.implicit"] = c.state("direction_norm", 1, c.rows, "r: norm of each row of the direction part, kept apart");
  s["magnitude.first"] = c.state("magnitude_first_moment", 1, c.rows, "running average of the gradient of g");
  s["magnitude.second"] = c.state("magnitude_second_moment", 1, c.rows, "running average of the squared gradient of g");
  s["magnitude.slope"] = c.scratch("magnitude_gradient", 1, c.rows, "gradient of the loss in g");
  s["magnitude.direction"] = c.scratch("direction", c.rows, c.cols, "V: direction part, row i of norm r");
  s["magnitude.gradient"] = c.scratch("direction_gradient", c.rows, c.cols, "gradient of the loss in V");
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, s.at("magnitude.length")}, {}, 0, 1), "gᵢ ← ‖wᵢ‖");
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, s.at("magnitude.implicit")}, {}, 0, 1), "rᵢ ← ‖wᵢ‖");
}

void enter(StageContext& c) {
  const auto& s = c.shared;
  const SlotId direction = s.at("magnitude.direction");
  c.build.emit(make_op(OpCode::copy, {c.weight, direction}), "V ← W");
  c.build.emit(make_op(OpCode::row_magnitude_split,
                       {c.gradient, direction, s.at("magnitude.length"), s.at("magnitude.implicit"), s.at("magnitude.gradient"), s.at("magnitude.slope")}),
               "u ← W/g ; ∇g ← Σⱼ G u ; ∇V ← (g/r)(G − u ∇g) ; V ← r u");
  c.weight = direction;
  c.gradient = s.at("magnitude.gradient");
}

void leave(StageContext& c) {
  const auto& s = c.shared;
  const ParamInfo p = c.build.parameter(c.parameter);
  const SlotId length = s.at("magnitude.length");
  c.build.emit(make_op(OpCode::gain_adam, {length, s.at("magnitude.slope"), s.at("magnitude.first"), s.at("magnitude.second")},
                       {c.lr, c.hparam("beta1"), c.hparam("beta2"), c.hparam("eps")}),
               "g ← Adam(g, ∇g)");
  c.build.emit(make_op(OpCode::row_magnitude_join, {s.at("magnitude.direction"), length, s.at("magnitude.implicit"), p.weight, p.previous},
                       {c.lr, c.hparam("weight_decay")}),
               "r ← ‖V‖ ; W ← g V/r − η λ W₋");
  const std::uint32_t column = c.promise(0, c.rounding());
  c.build.emit(make_op(OpCode::norm_violation, {p.weight, length}, {}, c.build.constants({0}), column << 2 | 1u), "check ‖wᵢ‖ = |gᵢ|");
  c.weight = p.weight;
}

} // namespace

Stage magnitude_muown() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "muown";
  s.meaning = "Learns each row's signed length with Adam and its direction with the recipe's own direction.";
  s.formula = "W = g ∘ V/‖V‖;  V ← V − η U(∇V),  g ← Adam(g, ∇g),  V kept as r ∘ W/g";
  s.source = "Muown 2605.10797; kcc-lion/muown optim/muown.py";
  s.hparams = {number("beta1", 0.9, 0, 1 - 1e-9, "Share of the past in the average gradient of the lengths."),
               number("beta2", 0.95, 0, 1 - 1e-9, "Share of the past in the average squared gradient of the lengths."),
               log_number("eps", 1e-8, 0, 1, "Keeps the ratio of the lengths' Adam finite."),
               log_number("weight_decay", 0, 0, 1e3, "Decay of the whole weight; the lengths are then measured again.")};
  s.hparams[3].formula = "W ← W − η λ W₋";
  s.promises = {{"row norms equal the magnitudes", "Every row of the weight is as long as its learned magnitude says.", "magnitude_error"}};
  s.own_size = true;
  s.start = start;
  s.enter = enter;
  s.leave = leave;
  return s;
}

} // namespace polarscope
