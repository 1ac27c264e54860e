// Direction: Adam with a second, much slower average of the gradient beside the first (AdEMAMix).
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  c.shared["direction.first"] = c.state("first_moment", c.rows, c.cols, "fast running average of the gradient");
  c.shared["direction.slow"] = c.state("slow_moment", c.rows, c.cols, "slow running average of the gradient");
  c.shared["direction.second"] = c.state("second_moment", c.rows, c.cols, "running average of the squared gradient");
  c.shared["direction.share"] = c.scratch("slow_share", c.rows, c.cols, "what the slow average adds: α m₂");
}

void emit(StageContext& c) {
  const SlotId share = c.shared.at("direction.share");
  const double added = c.word("half_life") == "apple" ? 1e-8 : 0;
  c.build.emit(make_op(OpCode::momentum, {c.gradient, c.shared.at("direction.slow"), share},
                       {c.hparam("beta3"), c.hparam("beta1"), c.hparam("alpha"), c.hparam("slow_warmup")},
                       c.build.constants({added})),
               "m₂ ← β₃m₂ + (1−β₃)G ; A ← α m₂");
  c.build.emit(
      make_op(OpCode::adam,
              {c.gradient, c.shared.at("direction.first"), c.shared.at("direction.second"), c.update, kNone, share},
              {c.hparam("beta1"), c.hparam("beta2"), c.hparam("eps")}),
      "m ← β₁m + (1−β₁)G ; v ← β₂v + (1−β₂)G² ; U ← (m̂ + A) / (√v̂ + ε)");
}

} // namespace

Stage direction_ademamix() {
  Stage s;
  s.part = Part::direction;
  s.kind = "ademamix";
  s.meaning = "Adam that adds a second average of the gradient, so slow that it remembers thousands of steps.";
  s.formula = "U = (m̂₁ + α m₂) / (√v̂ + ε),  m₂ ← β₃m₂ + (1−β₃)G without bias correction";
  s.source = "AdEMAMix 2409.03137; apple/ml-ademamix pytorch/ademamix.py";
  s.options = {
      word("half_life", "paper",
           {{"paper", "ln β", "2409.03137; pytorch-optimizer"}, {"apple", "ln(β + 1e-8)", "apple/ml-ademamix"}},
           "What the half-life of an average is taken from while β₃ rises.")};
  Setting beta1 = number("beta1", 0.9, 0, 1 - 1e-9, "Share of the past in the fast average.");
  beta1.formula = "m₁ ← β₁m₁ + (1−β₁)G";
  Setting beta2 = number("beta2", 0.999, 0, 1 - 1e-9, "Share of the past in the average squared gradient.");
  beta2.formula = "v ← β₂v + (1−β₂)G²";
  Setting beta3 = number("beta3", 0.9999, 0, 1 - 1e-9, "Share of the past in the slow average.");
  beta3.formula = "m₂ ← β₃m₂ + (1−β₃)G";
  Setting alpha = number("alpha", 5, 0, 1e6, "How much of the slow average is added to the fast one.");
  alpha.formula = "U = (m̂₁ + α m₂) / (√v̂ + ε)";
  Setting warmup = number("slow_warmup", 0, 0, 1e9, "Steps over which α rises from 0 and β₃ from β₁.");
  warmup.unit = "steps";
  warmup.formula = "α(t) = α t/T,  1/ln β₃(t) = (1 − t/T)/ln β₁ + (t/T)/ln β₃";
  Setting eps = log_number("eps", 1e-8, 0, 1, "Keeps the ratio finite.");
  eps.formula = "U = (m̂₁ + α m₂) / (√v̂ + ε)";
  s.hparams = {learning_rate(1e-3), beta1, beta2, beta3, alpha, warmup, eps};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
