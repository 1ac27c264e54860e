// Magnitude: slices of the weight are brought back to fixed norms, centred if wanted, every so many steps.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

std::uint16_t period(const StageContext& c) { return static_cast<std::uint16_t>(c.integer("period")); }

// Centres and rescales; `every` is 1 at the start.
void emit_retraction(StageContext& c, std::uint16_t every) {
  const std::string slices = c.word("slices");
  const SlotId norms = c.shared.at("norms");
  if (c.flag("centred")) {
    Op centre = make_op(OpCode::centre_slices, {c.weight}, {}, 0, slices_code(slices));
    centre.every = every;
    c.build.emit(centre, fmt::format("W ← W − mean(W) per {}", slices));
  }
  Op rescale =
      make_op(OpCode::to_norms, {c.weight, c.weight, norms}, {}, c.build.constants({0, 1}), slices_code(slices));
  rescale.every = every;
  c.build.emit(rescale, fmt::format("W ← ρ W/‖W‖ per {}", slices));
}

void start(StageContext& c) {
  const std::string slices = c.word("slices");
  const SlotId norms =
      c.state("slice_norm", 1, slices_count(slices, c.rows, c.cols), "norm that each slice is brought back to");
  c.shared["norms"] = norms;
  if (c.word("norm") == "initial")
    c.build.emit(make_op(OpCode::slice_norms, {c.weight, norms}, {}, 0, slices_code(slices)),
                 fmt::format("ρ ← ‖W₀‖ per {}", slices));
  else c.build.emit(make_op(OpCode::fill, {norms}, {}, c.build.constants({1})), "ρ ← 1");
  if (c.flag("project_start")) emit_retraction(c, 1);
  if (!c.flag("update_by_mean_norm")) return;
  // Measured on the start as it now is: a row of zeros has none.
  const SlotId measured =
      c.scratch("start_norms", 1, slices_count(slices, c.rows, c.cols), "norms of the slices at the start");
  const SlotId mean = c.state("mean_norm", 1, 1, "mean norm of the slices at the start: the scale of every step");
  c.shared["mean"] = mean;
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, measured}, {}, 0, slices_code(slices)),
               fmt::format("‖W₀‖ per {}", slices));
  c.build.emit(make_op(OpCode::mean_number, {measured, mean}, {}, c.build.constants({0.01})),
               "s ← mean ‖W₀‖, 0.01 for 0");
}

void emit(StageContext& c) {
  if (!c.flag("update_by_mean_norm")) return;
  c.build.emit(make_op(OpCode::scale_rows_columns, {c.update, c.update, c.shared.at("mean")}), "U ← s U");
}

void leave(StageContext& c) {
  const std::string slices = c.word("slices");
  emit_retraction(c, period(c));
  const auto check = [&](OpCode code, std::initializer_list<SlotId> slots, std::size_t promise, double tolerance,
                         const char* text) {
    const std::uint32_t column = c.promise(promise, tolerance, period(c));
    Op op = make_op(code, slots, {}, c.build.constants({0}), column << 2 | slices_code(slices));
    op.every = period(c);
    c.emit_check(op, text);
  };
  check(OpCode::norm_violation, {c.weight, c.shared.at("norms")}, 0, c.rounding(), "check ‖W‖ = ρ");
  if (c.flag("centred") && slices != "matrix")
    check(OpCode::mean_violation, {c.weight}, 1, c.rounding(), "check Σⱼ wᵢⱼ = 0");
}

// Between two retractions the norm is free.
void motion(const StageContext& c, Motion& m) {
  if (period(c) == 1 && c.flag("project_start")) m.norm = Motion::Norm::held;
}

} // namespace

Stage magnitude_slice_norms() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "slice_norms";
  s.meaning = "Brings the weight's rows, columns or whole back to fixed norms; the step itself is left alone.";
  s.formula = "wᵢ ← ρ (wᵢ − mean wᵢ)/‖wᵢ − mean wᵢ‖";
  s.source = "nGPT 2410.01131; Nero 2102.07227; Normalize-and-Project 2407.01800; epfml/REQ";
  s.options = {
      word("slices", "row",
           {{"row", "every row: one neuron's weights", "nGPT; Nero; epfml/REQ"},
            {"column", "every column", "nGPT, output projections"},
            {"matrix", "the whole matrix", "Normalize-and-Project"}},
           "What is brought back."),
      word("norm", "unit",
           {{"unit", "1", "nGPT; Nero"}, {"initial", "the norm of the start", "Normalize-and-Project; epfml/REQ"}},
           "Which norm each slice has."),
      boolean("centred", false, "Takes the mean out of every slice as well."),
      integer("period", 1, 1, 60000, "Steps from one retraction to the next."),
      boolean("project_start", true, "Brings the start to its norms as well."),
      boolean("update_by_mean_norm", false,
              "Multiplies the update by the mean norm of the start's slices: jxbz/nero.")};
  s.promises = {{"slice norms fixed", "Every slice has its norm after each retraction.", "slice_norm_error"},
                {"slices centred", "Every slice sums to zero after each retraction.", "slice_mean_error"}};
  s.start = start;
  s.emit = emit;
  s.leave = leave;
  s.motion = motion;
  return s;
}

} // namespace polarscope
