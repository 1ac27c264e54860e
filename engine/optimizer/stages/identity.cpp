// Geometry: the direction is used as it is.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void motion(const StageContext&, Motion& m) { m.shape = Motion::Shape::kept; }

} // namespace

Stage geometry_identity() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "identity";
  s.meaning = "Uses the direction as it is.";
  s.formula = "U = D";
  s.source = "steepest descent in the Frobenius norm, dual factor kept";
  s.motion = motion;
  return s;
}

} // namespace polarscope
