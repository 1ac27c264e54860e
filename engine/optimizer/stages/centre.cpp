// Geometry: slices of the update lose their mean.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

void emit(StageContext& c) {
  const std::string granularity = c.word("granularity");
  c.build.emit(make_op(OpCode::centre_slices, {c.update}, {}, 0, slices_code(granularity)),
               fmt::format("U ← U − mean(U) per {}", granularity));
}

} // namespace

Stage geometry_centre() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "centre";
  s.meaning = "Takes the mean out of the update, so that a weight of mean zero keeps it.";
  s.formula = "uᵢ = dᵢ − mean dᵢ";
  s.source = "gradient centralisation 2004.01461; epfml/REQ shared/optimizers/common.py";
  s.options = {word("granularity", "row",
                    {{"row", "each row's mean", "epfml/REQ"},
                     {"column", "each column's mean", ""},
                     {"matrix", "the mean of all elements", "epfml/REQ, per tensor"}},
                    "Whose mean is taken out.")};
  s.emit = emit;
  return s;
}

} // namespace polarscope
