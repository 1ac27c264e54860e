// Magnitude: nothing holds the weight's norm.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void motion(const StageContext&, Motion& m) { m.norm = Motion::Norm::free; }

} // namespace

Stage magnitude_free() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "free";
  s.meaning = "Leaves the weight's norm to the step.";
  s.formula = "W ← W − η U";
  s.source = "the unconstrained step of every plain optimizer";
  s.motion = motion;
  return s;
}

} // namespace polarscope
