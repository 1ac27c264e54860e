// Direction: an average of the gradients, written by the share of the newest one.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

constexpr std::uint32_t kShareOfTheNew = 1u | 4u; // of the op momentum: an average whose hyperparameter is 1 − μ

void start(StageContext& c) {
  c.shared["direction.average"] = c.state("average", c.rows, c.cols, "B: running average of the gradient");
}

void emit(StageContext& c) {
  c.build.emit(make_op(OpCode::momentum, {c.gradient, c.shared.at("direction.average"), c.update}, {c.hparam("alpha")},
                       0, kShareOfTheNew),
               "B ← (1−α)B + αG ; U ← B");
}

} // namespace

Stage direction_average() {
  Stage s;
  s.part = Part::direction;
  s.kind = "average";
  s.meaning = "Follows an average of the gradients in which the newest one has the share α.";
  s.formula = "B ← (1−α)B + αG,  U = B";
  s.source = "Scion 2502.07529; LIONS-EPFL/scion scion.py, where α is called momentum";
  Setting alpha = number("alpha", 1, 0, 1, "Share of the newest gradient in the average; 1 keeps no history.");
  alpha.formula = "B ← (1−α)B + αG";
  s.hparams = {learning_rate(1e-3), alpha};
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
