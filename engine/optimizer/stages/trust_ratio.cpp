// Direction: scales what it is given, decay included, to a share of the weight's own norm.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void emit(StageContext& c) {
  const bool sum = c.word("trust_norm") == "sum", capped = c.word("trust_size") == "capped",
             debias =
                 c.flag("trust_debias") && c.hparam_of_recipe("beta1") != kNone && c.hparam_of_recipe("beta2") != kNone;
  std::string text = capped ? "U ← min(‖W‖, most)" : "U ← k ‖W‖";
  text += sum ? " (X + λW) / (‖X‖ + λ‖W‖)" : " (X + λW) / ‖X + λW‖";
  if (debias) text += " · √(1−β₂ᵗ)/(1−β₁ᵗ)";
  c.build.emit(make_op(OpCode::trust_ratio, {c.gradient, c.weight, c.update},
                       {c.hparam("weight_decay"), c.hparam(capped ? "trust_max" : "trust_coefficient"),
                        debias ? c.hparam_of_recipe("beta1") : kNone, debias ? c.hparam_of_recipe("beta2") : kNone},
                       0, (sum ? 1u : 0u) | (capped ? 2u : 0u) | (debias ? 4u : 0u)),
               text);
}

} // namespace

Stage direction_trust_ratio() {
  Stage s;
  s.part = Part::direction;
  s.kind = "trust_ratio";
  s.meaning = "Gives the step a length in proportion to the weight's, with the decay inside the ratio.";
  s.formula = "U = ratio · (X + λW),  ratio = φ(‖W‖)/‖X + λW‖  or  k‖W‖/(‖X‖ + λ‖W‖)";
  s.source = "LARS 1708.03888; LAMB 1904.00962";
  s.options = {
      word("trust_norm", "whole", {{"whole", "‖X + λW‖", "LAMB"}, {"sum", "‖X‖ + λ‖W‖", "LARS"}},
           "Which norm of the step the ratio divides by."),
      word("trust_size", "capped",
           {{"capped", "φ(‖W‖) = min(‖W‖, trust_max)", "torch-optimizer LAMB"},
            {"share", "k‖W‖ with k = trust_coefficient", "LARS"}},
           "How long the step is made."),
      boolean("trust_debias", false, "Bias correction √(1−β₂ᵗ)/(1−β₁ᵗ) after the ratio, where the recipe has both β.")};
  Setting decay = log_number("weight_decay", 0, 0, 1e3, "Weight decay λ, inside the ratio.");
  decay.formula = "X + λW";
  s.hparams = {
      learning_rate(1e-3), decay, log_number("trust_max", 10, 0, 1e12, "Largest norm of the weight that counts."),
      log_number("trust_coefficient", 1e-3, 0, 1e6, "Length of a step as a share of the weight's norm, at rate 1.")};
  s.own_size = true;
  s.emit = emit;
  return s;
}

} // namespace polarscope
