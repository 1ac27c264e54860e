// Magnitude: every row is a learned signed length times a direction of its own (algorithms.md §B3, D).
#include "engine/optimizer/stage.hpp"

#include <cmath>

namespace polarscope {

namespace {

const double kStartOfZeroRow = std::sqrt(0.33); // fhueb/angular-muown
constexpr double kZeroRow = 1e-7;               // a norm up to this counts as zero there
constexpr double kFlooredRow = 1e-12;           // NVIDIA-NeMo/Emerging-Optimizers

bool has_average(const std::string& optimizer) {
  return optimizer == "adam" || optimizer == "signum" || optimizer == "lion";
}

// The length of rows that start at zero, written to `lengths`.
void emit_zero_rows(StageContext& c, SlotId lengths) {
  const std::string rule = c.word("zero_rows");
  if (rule == "floored")
    c.build.emit(make_op(OpCode::bound_lengths, {lengths}, {}, c.build.constants({kFlooredRow, 0}), 1),
                 "|x| ← max(|x|, 1e-12)");
  if (rule == "given_length")
    c.build.emit(make_op(OpCode::bound_lengths, {lengths}, {}, c.build.constants({kZeroRow, kStartOfZeroRow}), 0),
                 "x ← √0.33 where ‖w‖ ≤ 1e-7");
}

void start(StageContext& c) {
  auto& s = c.shared;
  const std::string optimizer = c.word("magnitude_optimizer");
  s["magnitude.length"] = c.state("magnitude", 1, c.rows, "g: signed length of each row");
  s["magnitude.implicit"] =
      c.state("direction_norm", 1, c.rows, "r: norm of each row of the direction part, kept apart");
  if (has_average(optimizer))
    s["magnitude.first"] = c.state("magnitude_first_moment", 1, c.rows, "running average of the gradient of g");
  if (optimizer == "adam")
    s["magnitude.second"] =
        c.state("magnitude_second_moment", 1, c.rows, "running average of the squared gradient of g");
  s["magnitude.slope"] = c.scratch("magnitude_gradient", 1, c.rows, "gradient of the loss in g");
  s["magnitude.direction"] = c.scratch("direction", c.rows, c.cols, "V: direction part, row i of norm r");
  s["magnitude.gradient"] = c.scratch("direction_gradient", c.rows, c.cols, "gradient of the loss in V");
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, s.at("magnitude.length")}, {}, 0, 1), "gᵢ ← ‖wᵢ‖");
  emit_zero_rows(c, s.at("magnitude.length"));
  if (c.word("direction_norm") == "unit")
    c.build.emit(make_op(OpCode::fill, {s.at("magnitude.implicit")}, {}, c.build.constants({1})), "rᵢ ← 1");
  else c.build.emit(make_op(OpCode::copy, {s.at("magnitude.length"), s.at("magnitude.implicit")}), "rᵢ ← gᵢ");
}

void enter(StageContext& c) {
  const auto& s = c.shared;
  const SlotId direction = s.at("magnitude.direction");
  c.build.emit(make_op(OpCode::copy, {c.weight, direction}), "V ← W");
  c.build.emit(
      make_op(OpCode::row_magnitude_split, {c.gradient, direction, s.at("magnitude.length"), s.at("magnitude.implicit"),
                                            s.at("magnitude.gradient"), s.at("magnitude.slope")}),
      "u ← W/g ; ∇g ← Σⱼ G u ; ∇V ← (g/r)(G − u ∇g) ; V ← r u");
  c.weight = direction;
  c.gradient = s.at("magnitude.gradient");
}

void emit(StageContext& c) {
  if (!c.flag("turning_fades")) return;
  c.build.emit(
      make_op(OpCode::fade_update, {c.update}, {c.hparam("fade"), c.hparam("fade_power"), c.hparam("fade_start")}),
      "U ← U (1 + c max(0, t − 1 − t_w))⁻ᵖ");
}

void emit_length_step(StageContext& c) {
  const auto& s = c.shared;
  const std::string optimizer = c.word("magnitude_optimizer");
  const SlotId length = s.at("magnitude.length"), slope = s.at("magnitude.slope");
  if (optimizer == "adam")
    c.build.emit(make_op(OpCode::gain_adam, {length, slope, s.at("magnitude.first"), s.at("magnitude.second")},
                         {c.lr, c.hparam("beta1"), c.hparam("beta2"), c.hparam("eps")}),
                 "g ← Adam(g, ∇g)");
  if (optimizer == "sgd") c.build.emit(make_op(OpCode::apply_update, {length, slope}, {c.lr}), "g ← g − η ∇g");
  if (optimizer == "signum")
    c.build.emit(make_op(OpCode::sign_step, {length, slope, s.at("magnitude.first")}, {c.lr, c.hparam("beta1")}),
                 "m ← β₁m + (1−β₁)∇g ; g ← g − η sign(m)");
  if (optimizer == "lion") // kcc-lion/muown has these two fixed
    c.build.emit(
        make_op(OpCode::sign_step, {length, slope, s.at("magnitude.first")}, {c.lr}, c.build.constants({0.9, 0.99}), 1),
        "g ← g − η sign(0.9m + 0.1∇g) ; m ← 0.99m + 0.01∇g");
}

void emit_length_decay(StageContext& c) {
  c.build.emit(make_op(OpCode::gain_decay, {c.shared.at("magnitude.length")}, {c.lr, c.hparam("weight_decay")}),
               "g ← (1 − η λ) g");
}

void leave(StageContext& c) {
  const auto& s = c.shared;
  const ParamInfo p = c.build.parameter(c.parameter);
  const SlotId length = s.at("magnitude.length");
  const std::string decayed = c.word("decay_of");
  if (decayed == "both") emit_length_decay(c);
  emit_length_step(c);
  if (decayed == "lengths") emit_length_decay(c);
  const double floor = c.number("length_floor");
  if (floor > 0)
    c.build.emit(make_op(OpCode::bound_lengths, {length}, {}, c.build.constants({floor, 0}), 1),
                 "|g| ← max(|g|, floor)");
  const bool whole = decayed != "lengths" && decayed != "nothing", unit = c.word("direction_norm") == "unit";
  const std::uint32_t word = (decayed == "weight_unmeasured" ? 1u : 0u) | (whole ? 0u : 2u) | (unit ? 4u : 0u);
  c.build.emit(make_op(OpCode::row_magnitude_join,
                       {s.at("magnitude.direction"), length, s.at("magnitude.implicit"), p.weight, p.previous},
                       {c.lr, whole ? c.hparam("weight_decay") : kNone},
                       c.build.constants({c.number("direction_floor")}), word),
               std::string(unit ? "W ← g V/‖V‖" : "r ← ‖V‖ ; W ← g V/r") + (whole ? " − η λ W₋" : ""));
  c.weight = p.weight;
  if (decayed == "weight_unmeasured") return; // the source lets rows and lengths part
  const std::uint32_t column = c.promise(0, c.rounding());
  c.emit_check(make_op(OpCode::norm_violation, {p.weight, length}, {}, c.build.constants({0}), column << 2 | 1u),
               "check ‖wᵢ‖ = |gᵢ|");
}

std::vector<Setting> options() {
  return {word("magnitude_optimizer", "adam",
               {{"adam", "Adam with its own β and ε", "Muown 2605.10797"},
                {"fixed", "lengths stay as they start", "kcc-lion/muown MuownMagnitudeExp"},
                {"sgd", "g ← g − η ∇g", "kcc-lion/muown MuownMagnitudeExp; WeightNorm 1602.07868"},
                {"signum", "the sign of an average with β₁", "kcc-lion/muown MuownMagnitudeExp"},
                {"lion", "Lion with 0.9 and 0.99", "kcc-lion/muown MuownMagnitudeExp"}},
               "What moves the lengths."),
          word("direction_norm", "kept",
               {{"kept", "the direction part keeps the norm that its steps give it: r", "Muown; WeightNorm"},
                {"unit", "rows of norm 1 after each step", "fhueb/angular-muown"}},
               "What becomes of the norm of the direction part."),
          boolean("turning_fades", false, "Shrinks the direction's steps by (1 + c t)⁻ᵖ: fhueb/angular-muown."),
          word("decay_of", "weight",
               {{"weight", "W − ηλW₋, lengths measured again", "kcc-lion/muown Muown"},
                {"weight_unmeasured", "W − ηλW₋, lengths left as they are: u is no longer a unit vector",
                 "kcc-lion/muown NorMuown"},
                {"lengths", "g ← (1 − ηλ)g after its step", "NVIDIA-NeMo/Emerging-Optimizers"},
                {"both", "g before its step and the weight as well: decays twice", "kcc-lion/muown MuownDP"},
                {"nothing", "no decay, whatever λ is", "fhueb/angular-muown; WeightNorm"}},
               "What weight decay acts on."),
          word("zero_rows", "stay",
               {{"stay", "rows of zeros have no direction and do not move", "house rule"},
                {"floored", "norms of the start are at least 1e-12", "NVIDIA-NeMo/Emerging-Optimizers"},
                {"given_length", "rows of zeros get the length √0.33, their direction from the first step",
                 "fhueb/angular-muown"}},
               "How rows that start at zero are kept from 0/0."),
          number("length_floor", 0, 0, 1e6, "Smallest |g| after each step; 0 lets lengths pass through zero."),
          number("direction_floor", 0, 0, 1, "Smallest norm that a row of the direction part is divided by.")};
}

} // namespace

Stage magnitude_row_magnitude() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "row_magnitude";
  s.meaning = "Learns each row's signed length apart from its direction, which follows the recipe's own step.";
  s.formula = "W = g ∘ V/‖V‖;  V ← V − η U(∇V),  g ← Adam(g, ∇g),  V kept as r ∘ W/g";
  s.source = "WeightNorm 1602.07868; Muown 2605.10797; AngularMuown 2606.23637";
  s.options = options();
  s.hparams = {number("beta1", 0.9, 0, 1 - 1e-9, "Share of the past in the average gradient of the lengths."),
               number("beta2", 0.95, 0, 1 - 1e-9, "Share of the past in the average squared gradient of the lengths."),
               log_number("eps", 1e-8, 0, 1, "Keeps the ratio of the lengths' Adam finite."),
               log_number("weight_decay", 0, 0, 1e3, "Weight decay λ; of what says decay_of."),
               log_number("fade", 1e-3, 0, 1e6, "How fast the turning fades: c."),
               number("fade_power", 1, 0, 100, "With which power the turning fades: p."),
               number("fade_start", 0, 0, 1e9, "Completed steps before the turning fades: t_w.")};
  s.hparams[3].formula = "W ← W − η λ W₋";
  s.hparams[4].formula = "κ = (1 + c max(0, t − 1 − t_w))⁻ᵖ";
  s.promises = {{"row norms equal the magnitudes", "Every row of the weight is as long as its learned magnitude says.",
                 "magnitude_error"}};
  s.own_size = true;
  s.start = start;
  s.enter = enter;
  s.emit = emit;
  s.leave = leave;
  return s;
}

} // namespace polarscope
