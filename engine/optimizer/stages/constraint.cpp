// Magnitude: the weight is brought back to a set, after or before each step (algorithms.md §B0, B4–B6).
#include "engine/optimizer/stages/constraint_sets.hpp"
#include "engine/optimizer/stages/newton_schulz.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

namespace {

constexpr int kCheckEvery = 10; // of the checks that cost a decomposition

bool is_sphere(const std::string& set) { return set == "matrix" || set == "row" || set == "column"; }
bool before(const StageContext& c) { return c.word("order") == "before"; }

void emit_radius(StageContext& c) {
  const SlotId radius = c.shared.at("constraint.radius");
  const std::string source = c.word("radius_from");
  if (source == "value") c.build.emit(make_op(OpCode::fill, {radius}, {c.hparam("radius")}), "R ← radius");
  if (source == "out_in")
    c.build.emit(make_op(OpCode::fill, {radius}, {c.hparam("radius")}, c.build.constants({shape_scale("out_in", c.rows, c.cols)}), 1), "R ← radius · √(m/n)");
}

void emit_stiefel(StageContext& c) { emit_polar(c, polynomial_of(c), c.weight, c.weight, 1, "W"); }

// Brings c.weight to the set.
void emit_retraction(StageContext& c, bool starting) {
  const std::string set = c.word("set");
  if (set == "stiefel") return emit_stiefel(c);
  const SlotId radius = c.shared.at("constraint.radius");
  if (is_sphere(set)) {
    c.build.emit(make_op(OpCode::to_norms, {c.weight, c.weight, radius}, {}, c.build.constants({0, 1}), slices_code(set)),
                 fmt::format("W ← R W/‖W‖ per {}", set));
    return;
  }
  emit_top_pair(c, "constraint", c.weight, sigma_iterations(c), false);
  const bool dynamic = !starting && c.word("retraction") == "dynamic";
  c.build.emit(make_op(OpCode::retract_spectral, {c.weight, c.shared.at("constraint.value"), radius}, {c.lr, c.hparam("retraction_rate")},
                       c.build.constants({c.number("retraction_eps")}), dynamic ? 1u : 0u),
               dynamic ? "W ← (1 + ηλ sign(R − σ)) W" : "W ← R W/(σ + ε)");
}

void emit_check(StageContext& c) {
  const std::string set = c.word("set");
  if (set == "stiefel") {
    const Polynomial polynomial = polynomial_of(c);
    const bool f64 = c.build.precision() == Precision::f64;
    // A polynomial leaves singular values in its band; the exact one and those of eight steps or more leave ones.
    Op check = polynomial.exact()
                   ? make_op(OpCode::isometry_violation, {c.weight}, {}, c.build.constants({1}), c.promise(1, f64 ? 1e-10 : 1e-4, kCheckEvery))
                   : make_op(OpCode::band_violation, {c.weight}, {}, c.build.constants({1, polynomial.top()}), c.promise(2, 1e-3, kCheckEvery, false));
    check.every = kCheckEvery;
    c.build.emit(check, "check WᵀW = I");
    return;
  }
  const SlotId radius = c.shared.at("constraint.radius");
  if (is_sphere(set)) {
    const std::uint32_t column = c.promise(0, c.rounding());
    c.build.emit(make_op(OpCode::norm_violation, {c.weight, radius}, {}, c.build.constants({0}), column << 2 | slices_code(set)), "check ‖W‖ = R");
    return;
  }
  // Power iterations and the dynamic rescaling come near R only.
  if (c.word("sigma") != "exact" || c.word("retraction") == "dynamic") return;
  emit_top_pair(c, "constraint", c.weight, 0, false);
  const bool guarded = c.number("retraction_eps") > 0;
  const std::uint32_t column = c.promise(0, guarded ? 1e-5 : 10 * c.rounding(), 1, !guarded);
  c.build.emit(make_op(OpCode::norm_violation, {c.shared.at("constraint.value"), radius}, {}, c.build.constants({0}), column << 2), "check σ = R");
}

void start(StageContext& c) {
  const std::string set = c.word("set");
  if (set != "stiefel") {
    const SlotId radius = c.state("radius", 1, is_sphere(set) ? slices_count(set, c.rows, c.cols) : 1, "R: norm that the weight is held to");
    c.shared["constraint.radius"] = radius;
    if (set == "spectral") start_top_pair(c, "constraint", false);
    if (c.word("radius_from") != "initial") {
      emit_radius(c);
    } else if (set == "spectral") {
      emit_top_pair(c, "constraint", c.weight, 0, false);
      c.build.emit(make_op(OpCode::copy, {c.shared.at("constraint.value"), radius}), "R ← σ(W₀)");
    } else {
      c.build.emit(make_op(OpCode::slice_norms, {c.weight, radius}, {}, 0, slices_code(set)), fmt::format("R ← ‖W₀‖ per {}", set));
    }
  }
  if (c.flag("project_start")) emit_retraction(c, true);
}

void retract(StageContext& c) {
  if (c.word("set") != "stiefel") emit_radius(c);
  emit_retraction(c, false);
  emit_check(c);
}

void enter(StageContext& c) {
  if (before(c)) retract(c);
}

void emit(StageContext& c) {
  if (!c.flag("scale_update") || c.word("set") == "stiefel") return;
  const std::string set = c.word("set");
  const SlotId radius = c.shared.at("constraint.radius");
  const bool column = set == "column";
  c.build.emit(make_op(OpCode::scale_rows_columns, {c.update, c.update, column ? kNone : radius, column ? radius : kNone}), "U ← R U");
}

void leave(StageContext& c) {
  if (!before(c)) retract(c);
}

void motion(const StageContext& c, Motion& m) {
  const std::string set = c.word("set");
  if (is_sphere(set) && !before(c) && c.word("radius_from") == "initial") m.norm = Motion::Norm::held;
}

std::vector<Setting> options() {
  std::vector<Setting> all = {
      word("set", "matrix",
           {{"matrix", "the norm of the whole matrix", "MACRO 2605.04418, Frobenius"},
            {"row", "every row's norm", "MACRO 2605.04418, oblique"},
            {"column", "every column's norm", ""},
            {"spectral", "the largest singular value, by rescaling", "Spectral-Sphere-Optimizer; MACRO 2605.04418"},
            {"stiefel", "all singular values one", "thinking-machines-lab/manifolds; MCSD 2601.21487"}},
           "What the weight is held to."),
      word("radius_from", "initial",
           {{"initial", "the norm of the start", ""},
            {"out_in", "radius · √(m/n)", "Spectral-Sphere-Optimizer, radius_scaler"},
            {"value", "radius", ""}},
           "Where the norm comes from."),
      word("order", "after",
           {{"after", "each step ends on the set", ""}, {"before", "each step starts on the set", "Spectral-Sphere-Optimizer sso.py"}},
           "When the weight is brought back."),
      word("retraction", "rescale",
           {{"rescale", "spectral: W ← R W/(σ + ε)", ""}, {"dynamic", "spectral: W ← (1 + ηλ sign(R − σ)) W", "Spectral-Sphere-Optimizer, dynamic mode"}},
           "How the largest singular value is brought back."),
      log_number("retraction_eps", 0, 0, 1, "ε of the spectral rescaling."),
      boolean("project_start", true, "Brings the start to the set as well."),
      boolean("scale_update", false, "Multiplies the update by the norm.")};
  for (auto more : {sigma_options(), polynomial_options("exact", "clamp")}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

} // namespace

Stage magnitude_constraint() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "constraint";
  s.meaning = "Brings the weight back to a set of fixed norm, largest singular value or orthonormality around each step.";
  s.formula = "W ← R W/‖W‖,  R W/σ₁,  or msign(W)";
  s.source = "MACRO 2605.04418; Spectral sphere 2601.08393; thinking-machines-lab/manifolds; MCSD 2601.21487";
  s.options = options();
  s.hparams = {log_number("radius", 1, 1e-12, 1e12, "Norm of the set, or the factor c of c √(m/n)."),
               log_number("retraction_rate", 0.1, 0, 1e3, "λ of the dynamic retraction.")};
  s.hparams[0].formula = "‖W‖ = R";
  s.promises = {{"weight norm on its set", "The weight has the norm of its set where the recipe puts it there.", "constraint_error"},
                {"weight orthonormal", "The singular values of the weight are 0 or 1.", "orthonormality_error"},
                {"weight in the band", "No singular value of the weight exceeds the polynomial's largest value on [0, 1].", "weight_band_excess"}};
  s.start = start;
  s.enter = enter;
  s.emit = emit;
  s.leave = leave;
  s.motion = motion;
  return s;
}

} // namespace polarscope
