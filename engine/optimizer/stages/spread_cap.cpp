// Magnitude: now and then the weight's elements are brought back to a standard deviation.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void leave(StageContext& c) {
  Op op = make_op(OpCode::cap_spread, {c.weight}, {c.hparam("target_deviation"), c.hparam("threshold")});
  op.every = static_cast<std::uint16_t>(c.integer("period"));
  c.build.emit(op, "W ← mean + (W − mean) σ/std(W) where std(W) > threshold · σ");
}

} // namespace

Stage magnitude_spread_cap() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "spread_cap";
  s.meaning = "Rescales the weight about its mean to a standard deviation, every so many steps and only from above.";
  s.formula = "W ← mean + (W − mean) σ/std(W)  where  std(W) > threshold · σ,  std over mn − 1";
  s.source = "Target variance rescaling 2503.17500; bluorion-com/weight_rescaling tvr.py";
  s.options = {integer("period", 50, 1, 60000, "Steps from one look to the next.")};
  s.hparams = {
      log_number("target_deviation", 0.02, 1e-12, 1e12, "Standard deviation of the elements that is aimed at: σ."),
      number("threshold", 1.2, 0, 1e6, "How many times σ the deviation may grow to.")};
  s.leave = leave;
  return s;
}

} // namespace polarscope
