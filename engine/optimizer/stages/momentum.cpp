// Direction: one buffer of past gradients.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

bool is_average(const StageContext& c) { return c.word("momentum_form") == "ema"; }

void start(StageContext& c) {
  c.shared["direction.momentum"] = c.state(
      "momentum", c.rows, c.cols, is_average(c) ? "running average of the gradient" : "decaying sum of the gradients");
}

void emit(StageContext& c) {
  const bool average = is_average(c), nesterov = c.flag("nesterov");
  std::string text = average ? "M ← μM + (1−μ)G ; " : "M ← μM + G ; ";
  const bool aside = !nesterov && c.word("plain_output") == "gradient";
  text += aside ? "U ← G" : !nesterov ? "U ← M" : average ? "U ← (1−μ)G + μM" : "U ← G + μM";
  c.build.emit(make_op(OpCode::momentum, {c.gradient, c.shared.at("direction.momentum"), c.update},
                       {c.hparam("momentum")}, 0, (average ? 1u : 0u) | (nesterov ? 2u : 0u) | (aside ? 8u : 0u)),
               std::move(text));
}

void motion(const StageContext& c, Motion& m) {
  if (!c.flag("nesterov") && c.word("plain_output") == "gradient") m.follows = Motion::Follows::gradient;
  else m.follows = c.flag("nesterov") ? Motion::Follows::nesterov_average : Motion::Follows::average;
}

} // namespace

Stage direction_momentum() {
  Stage s;
  s.part = Part::direction;
  s.kind = "momentum";
  s.meaning = "Follows a decaying sum or average of the gradients.";
  s.formula = "M ← μM + G  or  M ← μM + (1−μ)G;  U = M, with Nesterov U = G + μM  or  (1−μ)G + μM";
  s.source = "heavy ball and Nesterov as torch.optim.SGD; average as KellerJordan/Muon muon.py";
  s.options = {word("momentum_form", "heavy_ball",
                    {{"heavy_ball", "M ← μM + G: a decaying sum", "torch.optim.SGD; Dominator-Index/RMNP"},
                     {"ema", "M ← μM + (1−μ)G: an average", "KellerJordan/Muon; NVIDIA-NeMo/Emerging-Optimizers"}},
                    "How past gradients are collected."),
               boolean("nesterov", false, "Looks one momentum step ahead."),
               word("plain_output", "momentum",
                    {{"momentum", "the buffer M", "torch.optim.SGD"},
                     {"gradient", "the gradient; M is kept up to date and never used",
                      "Dominator-Index/RMNP with nesterov=False"}},
                    "What is followed when Nesterov is off.")};
  Setting mu = number("momentum", 0.9, 0, 1, "Momentum μ: the share of the past that is kept each step.");
  mu.formula = "M ← μM + …";
  s.hparams = {learning_rate(0.1), mu};
  s.start = start;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
