// Magnitude: rows are kept near the root of their length, and the loss sees the weight through that normalisation.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

std::uint32_t epsilon(StageContext& c) { return c.build.constants({c.number("norm_eps")}); }

void emit_normalise(StageContext& c) {
  c.build.emit(make_op(OpCode::root_norm, {c.weight}, {}, epsilon(c)), "wᵢ ← wᵢ/(ε + ‖wᵢ‖/√n)");
}

void start(StageContext& c) {
  c.shared["gradient"] =
      c.scratch("normalised_gradient", c.rows, c.cols, "gradient of the loss through the normalisation");
  emit_normalise(c);
}

void enter(StageContext& c) {
  const SlotId gradient = c.shared.at("gradient");
  c.build.emit(make_op(OpCode::root_norm_gradient, {c.weight, c.gradient, gradient}, {}, epsilon(c)),
               "Ĝ ← G/d − w⟨w, G⟩/(√n‖w‖d²), d = ε + ‖w‖/√n");
  c.gradient = gradient;
}

} // namespace

Stage magnitude_forced_norm() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "forced_norm";
  s.meaning = "Writes rows back near the norm √n after each step; gradients pass through the same normalisation.";
  s.formula = "n(w) = w/(ε + ‖w‖/√n),  W ← n(W),  Ĝ = n′(W)ᵀG";
  s.source = "EDM2 2312.02696, forced weight normalisation";
  s.options = {number("norm_eps", 1e-4, 0, 1, "ε beside the root mean square of a row.")};
  s.start = start;
  s.enter = enter;
  s.leave = emit_normalise;
  return s;
}

} // namespace polarscope
