// Magnitude: the weight is brought back to a set after each step (algorithms.md §B0, B5, B6).
#include "engine/optimizer/stages/constraint_sets.hpp"
#include "engine/optimizer/stages/newton_schulz.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

namespace {

constexpr int kCheckEvery = 10; // of the checks that cost a decomposition

bool is_sphere(const std::string& set) { return set == "matrix" || set == "row" || set == "column"; }

void emit_radius(StageContext& c) {
  const SlotId radius = c.shared.at("constraint.radius");
  const std::string source = c.word("radius_from");
  if (source == "value") c.build.emit(make_op(OpCode::fill, {radius}, {c.hparam("radius")}), "R ← radius");
  if (source == "out_in")
    c.build.emit(make_op(OpCode::fill, {radius}, {c.hparam("radius")},
                         c.build.constants({shape_scale("out_in", c.rows, c.cols)}), 1),
                 "R ← radius · √(m/n)");
}

void emit_stiefel(StageContext& c) { emit_polar(c, polynomial_of(c), c.weight, c.weight, 1, "W"); }

// Brings c.weight to the set.
void emit_retraction(StageContext& c) {
  const std::string set = c.word("set");
  if (set == "stiefel") return emit_stiefel(c);
  const SlotId radius = c.shared.at("constraint.radius");
  if (is_sphere(set)) {
    c.build.emit(
        make_op(OpCode::to_norms, {c.weight, c.weight, radius}, {}, c.build.constants({0, 1}), slices_code(set)),
        fmt::format("W ← R W/‖W‖ per {}", set));
    return;
  }
  emit_top_pair(c, "constraint", c.weight, 0, false);
  c.build.emit(make_op(OpCode::retract_spectral, {c.weight, c.shared.at("constraint.value"), radius}, {},
                       c.build.constants({0})),
               "W ← R W/σ");
}

void emit_check(StageContext& c) {
  const std::string set = c.word("set");
  if (set == "stiefel") {
    const Polynomial polynomial = polynomial_of(c);
    const bool f64 = c.build.precision() == Precision::f64;
    // A polynomial leaves singular values in its band; the exact one and those of eight steps or more leave ones.
    Op check = polynomial.exact()
                   ? make_op(OpCode::isometry_violation, {c.weight}, {}, c.build.constants({1}),
                             c.promise(1, f64 ? 1e-10 : 1e-4, kCheckEvery))
                   : make_op(OpCode::band_violation, {c.weight}, {}, c.build.constants({1, polynomial.top()}),
                             c.promise(2, 1e-3, kCheckEvery, false));
    check.every = kCheckEvery;
    c.emit_check(check, "check WᵀW = I");
    return;
  }
  const SlotId radius = c.shared.at("constraint.radius");
  if (is_sphere(set)) {
    const std::uint32_t column = c.promise(0, c.rounding());
    c.emit_check(
        make_op(OpCode::norm_violation, {c.weight, radius}, {}, c.build.constants({0}), column << 2 | slices_code(set)),
        "check ‖W‖ = R");
    return;
  }
  Op found = make_op(OpCode::top_singular, {c.weight, c.shared.at("constraint.left"), c.shared.at("constraint.right"),
                                            c.shared.at("constraint.value")});
  Op check = make_op(OpCode::norm_violation, {c.shared.at("constraint.value"), radius}, {}, c.build.constants({0}),
                     c.promise(0, 10 * c.rounding(), kCheckEvery) << 2);
  found.every = check.every = kCheckEvery;
  c.emit_check(found, "σ ← largest singular value of W, exact");
  c.emit_check(check, "check σ = R");
}

void start(StageContext& c) {
  const std::string set = c.word("set");
  if (set != "stiefel") {
    const SlotId radius = c.state("radius", 1, is_sphere(set) ? slices_count(set, c.rows, c.cols) : 1,
                                  "R: norm that the weight is held to");
    c.shared["constraint.radius"] = radius;
    if (set == "spectral") start_top_pair(c, "constraint", false);
    if (c.word("radius_from") != "initial") {
      emit_radius(c);
    } else if (set == "spectral") {
      emit_top_pair(c, "constraint", c.weight, 0, false);
      c.build.emit(make_op(OpCode::copy, {c.shared.at("constraint.value"), radius}), "R ← σ(W₀)");
    } else {
      c.build.emit(make_op(OpCode::slice_norms, {c.weight, radius}, {}, 0, slices_code(set)),
                   fmt::format("R ← ‖W₀‖ per {}", set));
    }
  }
  if (c.flag("project_start")) emit_retraction(c);
}

void leave(StageContext& c) {
  if (c.word("set") != "stiefel") emit_radius(c);
  emit_retraction(c);
  emit_check(c);
}

void motion(const StageContext& c, Motion& m) {
  if (is_sphere(c.word("set")) && c.word("radius_from") == "initial") m.norm = Motion::Norm::held;
}

std::vector<Setting> options() {
  std::vector<Setting> all = {
      word("set", "matrix",
           {{"matrix", "the norm of the whole matrix", "MACRO 2605.04418, Frobenius"},
            {"row", "every row's norm", "MACRO 2605.04418, oblique"},
            {"column", "every column's norm", ""},
            {"spectral", "the largest singular value, by rescaling", "MACRO 2605.04418"},
            {"stiefel", "all singular values one", "thinking-machines-lab/manifolds; MCSD 2601.21487"}},
           "What the weight is held to."),
      word("radius_from", "initial",
           {{"initial", "the norm of the start", ""},
            {"out_in", "radius · √(m/n)", "spectral condition"},
            {"value", "radius", ""}},
           "Where the norm comes from."),
      boolean("project_start", true, "Brings the start to the set as well.")};
  for (Setting& option : polynomial_options("exact", "clamp")) all.push_back(std::move(option));
  return all;
}

} // namespace

Stage magnitude_constraint() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "constraint";
  s.meaning =
      "Brings the weight back to a set of fixed norm, largest singular value or orthonormality after each step.";
  s.formula = "W ← R W/‖W‖,  R W/σ₁,  or msign(W)";
  s.source = "MACRO 2605.04418; thinking-machines-lab/manifolds; MCSD 2601.21487; largest singular values exact by "
             "Jacobi rotations";
  s.options = options();
  s.hparams = {log_number("radius", 1, 1e-12, 1e12, "Norm of the set, or the factor c of c √(m/n).")};
  s.hparams[0].formula = "‖W‖ = R";
  s.promises = {{"weight norm on its set", "The weight has the norm of its set after each step.", "constraint_error"},
                {"weight orthonormal", "The singular values of the weight are 0 or 1.", "orthonormality_error"},
                {"weight in the band",
                 "No singular value of the weight exceeds the polynomial's largest value on [0, 1].",
                 "weight_band_excess"}};
  s.start = start;
  s.leave = leave;
  s.motion = motion;
  return s;
}

} // namespace polarscope
