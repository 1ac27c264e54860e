// Weight decay, and with it the step itself: each kind writes W ← … − η U.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

Setting weight_decay(double max, std::string formula) {
  Setting s =
      log_number("weight_decay", 0, 0, max, "Weight decay λ: how strongly each step pulls the weight towards zero.");
  s.formula = std::move(formula);
  return s;
}

void apply(StageContext& c) {
  c.build.emit(make_op(OpCode::apply_update, {c.weight, c.update}, {c.lr}), "W ← W − η U");
}

// The decayed gradient gets a slot of its own: the gradient slot keeps the loss's gradient for metrics and recordings.
void start_coupled(StageContext& c) {
  c.shared["decay.gradient"] = c.scratch("decayed_gradient", c.rows, c.cols, "gradient with the decay term");
}

void enter_coupled(StageContext& c) {
  const SlotId sum = c.shared.at("decay.gradient");
  c.build.emit(make_op(OpCode::add_scaled, {c.gradient, c.weight, sum}, {c.hparam("weight_decay")}), "G ← G + λ W");
  c.gradient = sum;
}

// The rates that apply_decayed's word names (kernels/ops/elementwise.hpp), and its flags.
enum Rate : std::uint32_t {
  by_rate = 0,
  alone = 1,
  by_rate_squared = 2,
  by_corrected_rate = 3,
  after = 4,
  cautious = 8
};

// Decays by λ times the rate, times what another stage of the recipe left in "decay_factor".
void apply_decay(StageContext& c, std::uint32_t word, const std::string& share, HparamId momentum = kNone) {
  const SlotId factor = c.slot_of_recipe("decay_factor");
  const std::string s = (factor == kNone ? "" : "factor ") + share;
  const std::string text = word & after      ? "W ← (1 − " + s + ")(W − η U)"
                           : word & cautious ? "W ← W − " + s + " [U W ≥ 0] W − η U"
                                             : "W ← (1 − " + s + ") W − η U";
  c.build.emit(
      make_op(OpCode::apply_decayed, {c.weight, c.update, factor}, {c.lr, c.hparam("weight_decay"), momentum}, 0, word),
      text);
}

void apply_decoupled(StageContext& c) {
  const std::uint32_t order = c.word("order") == "after" ? after : 0u;
  const HparamId momentum = c.flag("per_momentum") ? c.hparam_of_recipe("momentum") : kNone;
  apply_decay(c, order, momentum == kNone ? "η λ" : "η λ/(1 − μ)", momentum);
}

void apply_independent(StageContext& c) { apply_decay(c, alone, "λ"); }
void apply_cautious(StageContext& c) { apply_decay(c, cautious, "η λ"); }
void apply_corrected(StageContext& c) { apply_decay(c, by_corrected_rate, "η² λ/η₀"); }
void apply_palm(StageContext& c) { apply_decay(c, by_rate_squared, "η² λ"); }

void start_toward_norm(StageContext& c) {
  const SlotId norm = c.state("start_norm", 1, 1, "norm of the start weight, which decay aims at");
  c.shared["decay.norm"] = norm;
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, norm}), "ρ ← ‖W₀‖");
}

void apply_toward_norm(StageContext& c) {
  c.build.emit(make_op(OpCode::apply_toward_norm, {c.weight, c.update, c.shared.at("decay.norm")},
                       {c.lr, c.hparam("weight_decay"), c.hparam("target_ratio")}),
               "W ← W − η λ (1 − k ρ/‖W‖) W − η U");
}

void motion_none(const StageContext&, Motion& m) { m.decay = Motion::Decay::none; }
void motion_decoupled(const StageContext& c, Motion& m) {
  if (!c.flag("per_momentum")) m.decay = Motion::Decay::decoupled;
}

} // namespace

Stage decay_none() {
  Stage s;
  s.part = Part::decay;
  s.kind = "none";
  s.meaning = "No weight decay.";
  s.formula = "W ← W − η U";
  s.source = "the plain step";
  s.emit = apply;
  s.motion = motion_none;
  return s;
}

Stage decay_coupled() {
  Stage s;
  s.part = Part::decay;
  s.kind = "coupled";
  s.meaning = "Adds the decay to the gradient, before momentum and normalisation.";
  s.formula = "G ← G + λ W";
  s.source = "L2 regularisation; torch.optim.SGD and Adam";
  s.hparams = {weight_decay(1e3, s.formula)};
  s.start = start_coupled;
  s.enter = enter_coupled;
  s.emit = apply;
  return s;
}

Stage decay_decoupled() {
  Stage s;
  s.part = Part::decay;
  s.kind = "decoupled";
  s.meaning = "Shrinks the weight by ηλ before each step.";
  s.formula = "W ← (1 − η λ) W − η U";
  s.source = "Loshchilov, Hutter 1711.05101; torch.optim.AdamW";
  s.options = {word("order", "before",
                    {{"before", "W ← (1 − η λ) W − η U", "torch.optim.AdamW; KellerJordan/Muon"},
                     {"after", "W ← (1 − η λ)(W − η U)", "nikhilvyas/SOAP"}},
                    "Whether the weight decays before or after its step."),
               boolean("per_momentum", false,
                       "Divides λ by 1 − μ, as the heavy ball lengthens every step: clovaai/AdamP sgdp.py.")};
  s.hparams = {weight_decay(1e3, s.formula)};
  s.emit = apply_decoupled;
  s.motion = motion_decoupled;
  return s;
}

Stage decay_independent() {
  Stage s;
  s.part = Part::decay;
  s.kind = "independent";
  s.meaning = "Shrinks the weight by λ before each step, whatever the learning rate.";
  s.formula = "W ← (1 − λ) W − η U";
  s.source = "NVIDIA-NeMo/Emerging-Optimizers, independent decay";
  s.hparams = {weight_decay(1, s.formula)};
  s.emit = apply_independent;
  return s;
}

Stage decay_cautious() {
  Stage s;
  s.part = Part::decay;
  s.kind = "cautious";
  s.meaning = "Decays only the elements that the step brings nearer to zero as well.";
  s.formula = "Wᵢⱼ ← Wᵢⱼ − η λ [Uᵢⱼ Wᵢⱼ ≥ 0] Wᵢⱼ − η Uᵢⱼ";
  s.source = "Cautious weight decay 2510.12402, algorithm 1";
  s.hparams = {weight_decay(1e3, s.formula)};
  s.emit = apply_cautious;
  return s;
}

Stage decay_adamc() {
  Stage s;
  s.part = Part::decay;
  s.kind = "adamc";
  s.meaning = "Decay in proportion to the square of the scheduled rate, so that the equilibrium norm does not move.";
  s.formula = "W ← (1 − η² λ/η₀) W − η U,  η₀ the rate before schedules";
  s.source = "Defazio 2506.02285, for normalised layers";
  s.hparams = {weight_decay(1e3, s.formula)};
  s.emit = apply_corrected;
  return s;
}

Stage decay_palm() {
  Stage s;
  s.part = Part::decay;
  s.kind = "palm";
  s.meaning = "Decay in proportion to the square of the learning rate.";
  s.formula = "W ← (1 − η² λ) W − η U";
  s.source = "NVIDIA-NeMo/Emerging-Optimizers, palm decay";
  s.hparams = {weight_decay(1e9, s.formula)};
  s.emit = apply_palm;
  return s;
}

Stage decay_to_norm() {
  Stage s;
  s.part = Part::decay;
  s.kind = "to_norm";
  s.meaning = "Pulls the weight towards a norm instead of towards zero.";
  s.formula = "W ← W − η λ (1 − k‖W₀‖/‖W‖) W − η U";
  s.source = "Loshchilov 2311.11446, weight norm control";
  s.hparams = {weight_decay(1e3, s.formula),
               log_number("target_ratio", 1, 0, 1e6, "Norm aimed at over the norm of the start: k; 0 is plain decay.")};
  s.start = start_toward_norm;
  s.emit = apply_toward_norm;
  return s;
}

} // namespace polarscope
