// Geometry: rows and columns are normalised by turns until both nearly are.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <cmath>

namespace polarscope {

namespace {

void emit(StageContext& c) {
  const double row = std::sqrt(c.cols), column = std::sqrt(c.rows);
  for (long k = 0; k < c.integer("rounds"); ++k) {
    c.build.emit(make_op(OpCode::to_norms, {c.update, c.update}, {}, c.build.constants({0, row}), slices_code("row")),
                 "uᵢ ← √n uᵢ/‖uᵢ‖");
    c.build.emit(
        make_op(OpCode::to_norms, {c.update, c.update}, {}, c.build.constants({0, column}), slices_code("column")),
        "u:ⱼ ← √m u:ⱼ/‖u:ⱼ‖");
  }
  const std::uint32_t at = c.promise(0, c.rounding());
  c.emit_check(
      make_op(OpCode::norm_violation, {c.update}, {}, c.build.constants({column}), at << 2 | slices_code("column")),
      "check ‖u:ⱼ‖ = √m");
}

void motion(const StageContext& c, Motion& m) {
  m.shape = Motion::Shape::sliced;
  m.update_norm = std::sqrt(static_cast<double>(c.rows) * c.cols);
  m.slice_length = c.rows;
}

} // namespace

Stage geometry_sinkhorn() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "sinkhorn";
  s.meaning =
      "Normalises rows and columns by turns, towards a matrix whose elements have root mean square 1 along both.";
  s.formula = "uᵢ ← √n uᵢ/‖uᵢ‖,  then  u:ⱼ ← √m u:ⱼ/‖u:ⱼ‖,  several rounds";
  s.source = "SinkGD 2502.06742";
  s.options = {integer("rounds", 5, 1, 50, "How often both are normalised.")};
  s.promises = {{"update columns fixed", "Every non-zero column of the update has norm √m.", "update_column_error"}};
  s.own_size = true;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
