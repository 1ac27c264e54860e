// Direction: Lion's two averages of one buffer; the sign is the geometry's.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  c.shared["direction.momentum"] = c.state("momentum", c.rows, c.cols, "running average of the gradient");
}

void emit(StageContext& c) {
  c.build.emit(make_op(OpCode::lion, {c.gradient, c.shared.at("direction.momentum"), c.update},
                       {c.hparam("beta1"), c.hparam("beta2")}),
               "U ← β₁m + (1−β₁)G ; m ← β₂m + (1−β₂)G");
}

} // namespace

Stage direction_lion() {
  Stage s;
  s.part = Part::direction;
  s.kind = "lion";
  s.meaning = "Follows a shorter average of the gradient than the one it keeps.";
  s.formula = "U = β₁m + (1−β₁)G with the old m,  m ← β₂m + (1−β₂)G";
  s.source = "Lion 2302.06675; lion-pytorch";
  Setting beta1 = number("beta1", 0.9, 0, 1 - 1e-9, "Share of the kept average in the step.");
  beta1.formula = "U = β₁m + (1−β₁)G";
  Setting beta2 = number("beta2", 0.99, 0, 1 - 1e-9, "Share of the past in the kept average.");
  beta2.formula = "m ← β₂m + (1−β₂)G";
  s.hparams = {learning_rate(1e-4), beta1, beta2};
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
