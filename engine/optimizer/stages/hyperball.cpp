// Magnitude: update and weight are brought to the sphere of the initial norm.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

// marin's adamh.py and muonh.py divide the update by max(‖u‖, 1e-10).
constexpr double kUpdateGuard = 1e-10;

void start(StageContext& c) {
  const std::string granularity = c.word("granularity");
  const SlotId radii = c.state("radius", 1, slices_count(granularity, c.rows, c.cols), "norm of the start weight, held by each step");
  c.shared["magnitude.radius"] = radii;
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, radii}, {}, 0, slices_code(granularity)), fmt::format("ρ ← ‖W₀‖ per {}", granularity));
}

void emit(StageContext& c) {
  c.build.emit(make_op(OpCode::to_norms, {c.update, c.update, c.shared.at("magnitude.radius")}, {},
                       c.build.constants({kUpdateGuard, 1}), slices_code(c.word("granularity"))),
               "U ← ρ U/‖U‖");
}

void leave(StageContext& c) {
  const SlotId radii = c.shared.at("magnitude.radius");
  const std::uint32_t slices = slices_code(c.word("granularity"));
  c.build.emit(make_op(OpCode::to_norms, {c.weight, c.weight, radii}, {}, c.build.constants({0, 1}), slices), "W ← ρ W/‖W‖");
  const std::uint32_t column = c.promise(0, c.rounding());
  c.build.emit(make_op(OpCode::norm_violation, {c.weight, radii}, {}, c.build.constants({0}), column << 2 | slices), "check ‖W‖ = ρ");
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
                    "Which norms are held.")};
  s.promises = {{"weight norm fixed", "The weight keeps the norm of its start.", "weight_norm_error"}};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  s.leave = leave;
  s.motion = motion;
  return s;
}

} // namespace polarscope
