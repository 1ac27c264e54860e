// Geometry: every row to mean zero and variance one.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void emit(StageContext& c) {
  const bool sample = c.word("deviation") == "sample";
  c.build.emit(make_op(OpCode::standardise_rows, {c.update}, {}, 0, sample ? 1u : 0u), "uᵢ ← (uᵢ − mean uᵢ)/std uᵢ");
}

} // namespace

Stage geometry_standardize() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "standardize";
  s.meaning =
      "Takes the mean out of every row and divides it by its standard deviation; a row of equal numbers becomes zero.";
  s.formula = "uᵢ = (dᵢ − mean dᵢ)/std dᵢ";
  s.source = "SWAN 2412.13148, GradNorm";
  s.options = {word("deviation", "population",
                    {{"population", "mean over n of the squared differences", "SWAN 2412.13148"},
                     {"sample", "sum of them over n − 1", "torch.std"}},
                    "Which standard deviation is meant.")};
  s.own_size = true;
  s.emit = emit;
  return s;
}

} // namespace polarscope
