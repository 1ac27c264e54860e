// Magnitude: update and weight are brought to the sphere of the initial norm.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

// What the update's norm is kept above: marin's adamh.py and muonh.py, and NeMo's hyperball hook.
double update_guard(const StageContext& c) { return c.word("update_guard") == "nemo" ? 1e-15 : 1e-10; }

void emit_radius(StageContext& c) {
  const std::string granularity = c.word("granularity");
  c.build.emit(
      make_op(OpCode::slice_norms, {c.weight, c.shared.at("magnitude.radius")}, {}, 0, slices_code(granularity)),
      fmt::format("ρ ← ‖W‖ per {}", granularity));
}

void start(StageContext& c) {
  const std::string granularity = c.word("granularity");
  c.shared["magnitude.radius"] =
      c.state("radius", 1, slices_count(granularity, c.rows, c.cols), "norm of the weight, held by each step");
  emit_radius(c);
}

void emit(StageContext& c) {
  if (c.word("radius") == "recomputed") emit_radius(c);
  c.build.emit(make_op(OpCode::to_norms, {c.update, c.update, c.shared.at("magnitude.radius")}, {},
                       c.build.constants({update_guard(c), 1}), slices_code(c.word("granularity"))),
               "U ← ρ U/‖U‖");
}

void leave(StageContext& c) {
  const SlotId radii = c.shared.at("magnitude.radius");
  const std::uint32_t slices = slices_code(c.word("granularity"));
  c.build.emit(make_op(OpCode::to_norms, {c.weight, c.weight, radii}, {}, c.build.constants({0, 1}), slices),
               "W ← ρ W/‖W‖");
  const std::uint32_t column = c.promise(0, c.rounding());
  c.emit_check(make_op(OpCode::norm_violation, {c.weight, radii}, {}, c.build.constants({0}), column << 2 | slices),
               "check ‖W‖ = ρ");
}

void motion(const StageContext&, Motion& m) { m.norm = Motion::Norm::held; }

} // namespace

Stage magnitude_hyperball() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "hyperball";
  s.meaning = "Holds the weight on the sphere of its start and makes each update as long as the weight.";
  s.formula = "W ← ρ N(W − η ρ U/‖U‖),  ρ = ‖W₀‖,  N(X) = X/‖X‖";
  s.source = "Hyperball 2606.16899; marin-community/marin adamh.py, muonh.py";
  s.options = {word("granularity", "matrix",
                    {{"matrix", "the norm of the whole matrix", "marin-community/marin"},
                     {"row", "every row's own norm", "own variant"},
                     {"column", "every column's own norm", "own variant"}},
                    "Which norms are held."),
               word("radius", "initial",
                    {{"initial", "the norm of the start, kept", "NVIDIA-NeMo/Emerging-Optimizers"},
                     {"recomputed", "measured again before each step", "marin-community/marin"}},
                    "Where the norm comes from."),
               word("update_guard", "marin",
                    {{"marin", "the update is divided by max(‖U‖, 1e-10)", "marin-community/marin"},
                     {"nemo", "the update is divided by max(‖U‖, 1e-15)", "NVIDIA-NeMo/Emerging-Optimizers"}},
                    "How an update of norm zero is kept from 0/0.")};
  s.promises = {{"weight norm fixed", "The weight keeps the norm of its start.", "weight_norm_error"}};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  s.leave = leave;
  s.motion = motion;
  return s;
}

} // namespace polarscope
