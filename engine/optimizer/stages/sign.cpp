// Geometry: every element takes a step of the same size.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void emit(StageContext& c) { c.build.emit(make_op(OpCode::sign, {c.update, c.update}), "U ← sign(U)"); }

} // namespace

Stage geometry_sign() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "sign";
  s.meaning = "Keeps only the sign of each element; zero stays zero.";
  s.formula = "U = sign(D)";
  s.source = "Bernstein, Wang, Azizzadenesheli, Anandkumar 1802.04434";
  s.own_size = true;
  s.emit = emit;
  return s;
}

} // namespace polarscope
