// Direction: the gradient itself.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void emit(StageContext& c) { c.build.emit(make_op(OpCode::copy, {c.gradient, c.update}), "U ← G"); }

void motion(const StageContext&, Motion& m) { m.follows = Motion::Follows::gradient; }

} // namespace

Stage direction_gradient() {
  Stage s;
  s.part = Part::direction;
  s.kind = "gradient";
  s.meaning = "Follows the gradient of the present step and remembers nothing.";
  s.formula = "U = G";
  s.source = "torch.optim.SGD without momentum";
  s.hparams = {learning_rate(0.1)};
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
