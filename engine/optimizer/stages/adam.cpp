// Direction: Adam's ratio of the averages of the gradient and of its square.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  c.shared["direction.first"] = c.state("first_moment", c.rows, c.cols, "running average of the gradient");
  c.shared["direction.second"] = c.state("second_moment", c.rows, c.cols, "running average of the squared gradient");
}

void emit(StageContext& c) {
  c.build.emit(make_op(OpCode::adam, {c.gradient, c.shared.at("direction.first"), c.shared.at("direction.second"), c.update},
                       {c.hparam("beta1"), c.hparam("beta2"), c.hparam("eps")}),
               "m ← β₁m + (1−β₁)G ; v ← β₂v + (1−β₂)G² ; U ← m̂ / (√v̂ + ε)");
}

void motion(const StageContext&, Motion& m) { m.follows = Motion::Follows::adam; }

} // namespace

Stage direction_adam() {
  Stage s;
  s.part = Part::direction;
  s.kind = "adam";
  s.meaning = "Divides the average gradient by the root of the average square, element by element.";
  s.formula = "U = m̂ / (√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)";
  s.source = "Kingma, Ba 1412.6980; torch.optim.Adam";
  Setting beta1 = number("beta1", 0.9, 0, 1 - 1e-9, "Share of the past in the average gradient.");
  beta1.formula = "m ← β₁m + (1−β₁)G";
  Setting beta2 = number("beta2", 0.999, 0, 1 - 1e-9, "Share of the past in the average squared gradient.");
  beta2.formula = "v ← β₂v + (1−β₂)G²";
  Setting eps = log_number("eps", 1e-8, 0, 1, "Keeps the ratio finite; outside the root, after the bias correction.");
  eps.formula = "U = m̂ / (√v̂ + ε)";
  s.hparams = {learning_rate(1e-3), beta1, beta2, eps};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
