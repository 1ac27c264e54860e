// Weight decay, and with it the step itself: each kind writes W ← … − η U.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

Setting weight_decay(double max, std::string formula) {
  Setting s = log_number("weight_decay", 0, 0, max, "Weight decay λ: how strongly each step pulls the weight towards zero.");
  s.formula = std::move(formula);
  return s;
}

void apply(StageContext& c) {
  c.build.emit(make_op(OpCode::apply_update, {c.weight, c.update}, {c.lr}), "W ← W − η U");
}

// The decayed gradient gets a slot of its own: the gradient slot keeps the loss's gradient for metrics and recordings.
void start_coupled(StageContext& c) {
  c.shared["decay.gradient"] = c.scratch("decayed_gradient", c.rows, c.cols, "gradient with the decay term");
}

void enter_coupled(StageContext& c) {
  const SlotId sum = c.shared.at("decay.gradient");
  c.build.emit(make_op(OpCode::add_scaled, {c.gradient, c.weight, sum}, {c.hparam("weight_decay")}), "G ← G + λ W");
  c.gradient = sum;
}

void apply_decoupled(StageContext& c) {
  c.build.emit(make_op(OpCode::apply_decayed, {c.weight, c.update}, {c.lr, c.hparam("weight_decay")}), "W ← (1 − η λ) W − η U");
}

void apply_independent(StageContext& c) {
  c.build.emit(make_op(OpCode::apply_decayed, {c.weight, c.update}, {c.lr, c.hparam("weight_decay")}, 0, 1), "W ← (1 − λ) W − η U");
}

void motion_none(const StageContext&, Motion& m) { m.decay = Motion::Decay::none; }
void motion_decoupled(const StageContext&, Motion& m) { m.decay = Motion::Decay::decoupled; }

} // namespace

Stage decay_none() {
  Stage s;
  s.part = Part::decay;
  s.kind = "none";
  s.meaning = "No weight decay.";
  s.formula = "W ← W − η U";
  s.source = "the plain step";
  s.emit = apply;
  s.motion = motion_none;
  return s;
}

Stage decay_coupled() {
  Stage s;
  s.part = Part::decay;
  s.kind = "coupled";
  s.meaning = "Adds the decay to the gradient, before momentum and normalisation.";
  s.formula = "G ← G + λ W";
  s.source = "L2 regularisation; torch.optim.SGD and Adam";
  s.hparams = {weight_decay(1e3, s.formula)};
  s.start = start_coupled;
  s.enter = enter_coupled;
  s.emit = apply;
  return s;
}

Stage decay_decoupled() {
  Stage s;
  s.part = Part::decay;
  s.kind = "decoupled";
  s.meaning = "Shrinks the weight by ηλ before each step.";
  s.formula = "W ← (1 − η λ) W − η U";
  s.source = "Loshchilov, Hutter 1711.05101; torch.optim.AdamW";
  s.hparams = {weight_decay(1e3, s.formula)};
  s.emit = apply_decoupled;
  s.motion = motion_decoupled;
  return s;
}

Stage decay_independent() {
  Stage s;
  s.part = Part::decay;
  s.kind = "independent";
  s.meaning = "Shrinks the weight by λ before each step, whatever the learning rate.";
  s.formula = "W ← (1 − λ) W − η U";
  s.source = "NVIDIA-NeMo/Emerging-Optimizers, independent decay";
  s.hparams = {weight_decay(1, s.formula)};
  s.emit = apply_independent;
  return s;
}

} // namespace polarscope
