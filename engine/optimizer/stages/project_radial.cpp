// Geometry: the radial part of the update is removed where the loss hardly sees the weight's size.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  c.shared["factor"] =
      c.scratch("decay_factor", 1, 1, "factor on the weight decay: wd_ratio where the update was projected, else 1");
}

void emit(StageContext& c) {
  c.build.emit(make_op(OpCode::project_radial, {c.weight, c.gradient, c.update, c.shared.at("factor")},
                       {c.hparam("delta"), c.hparam("wd_ratio")}, c.build.constants({c.number("radial_eps")})),
               "U ← U − ŵ⟨ŵ, U⟩ where |cos(G, W)| < δ/√n, of every row or of the whole");
  const SlotId buffer = c.flag("in_place") ? c.slot_of_recipe("momentum") : kNone;
  if (buffer != kNone) c.build.emit(make_op(OpCode::copy, {c.update, buffer}), "M ← U");
}

} // namespace

Stage geometry_project_radial() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "project_radial";
  s.meaning =
      "Takes the radial part off the update, and most of the decay, where gradient and weight are nearly orthogonal.";
  s.formula =
      "max |cos(gᵢ, wᵢ)| < δ/√n:  uᵢ −= ŵᵢ⟨ŵᵢ, uᵢ⟩;  else |cos(G, W)| < δ/√(mn):  U −= Ŵ⟨Ŵ, U⟩;  Ŵ = W/(‖W‖ + ε)";
  s.source = "AdamP, SGDP 2006.08217; clovaai/AdamP";
  s.options = {number("radial_eps", 0, 0, 1, "ε of ŵ = w/(‖w‖ + ε) and of the cosines."),
               boolean("in_place", false,
                       "Projects the momentum buffer itself, as clovaai/AdamP sgdp.py does without Nesterov.")};
  s.hparams = {number("delta", 0.1, 0, 1e6, "How near to orthogonal counts: δ."),
               number("wd_ratio", 0.1, 0, 1, "What is left of the decay where the update was projected.")};
  s.hparams[0].formula = "|cos(G, W)| < δ/√n";
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
