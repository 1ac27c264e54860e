// Geometry: the direction is used as it is.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

Stage geometry_identity() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "identity";
  s.meaning = "Uses the direction as it is.";
  s.formula = "U = D";
  s.source = "steepest descent in the Frobenius norm, dual factor kept";
  return s;
}

} // namespace polarscope
