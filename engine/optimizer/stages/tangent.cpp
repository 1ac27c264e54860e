// Geometry: the part of the direction that would leave a set through the weight is taken out (algorithms.md §B0).
#include "engine/optimizer/stages/constraint_sets.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  if (c.word("set") == "spectral") start_top_pair(c, "tangent");
}

void emit_check(StageContext& c, SlotId normal, std::uint32_t slices) {
  const std::uint32_t column = c.promise(0, c.build.precision() == Precision::f64 ? 1e-9 : 2e-3);
  c.emit_check(make_op(OpCode::tangency_violation, {normal, c.update}, {}, 0, column << 2 | slices),
               "check ⟨N, U⟩ = 0");
}

void emit(StageContext& c) {
  const std::string set = c.word("set");
  if (set == "spectral") {
    emit_top_pair(c, "tangent", c.weight, 0);
    const SlotId normal = c.shared.at("tangent.normal");
    c.build.emit(make_op(OpCode::remove_along, {normal, c.update}), "U ← U − ⟨Θ, U⟩Θ");
    return emit_check(c, normal, 0);
  }
  if (set == "stiefel") {
    c.build.emit(make_op(OpCode::tangent_stiefel, {c.weight, c.update}), "U ← U − W sym(WᵀU)");
    return;
  }
  const std::uint32_t slices = slices_code(set);
  if (c.word("weight") == "as_it_is") {
    c.build.emit(make_op(OpCode::remove_along, {c.weight, c.update}, {}, 0, slices), "U ← U − W⟨W, U⟩ per slice");
    return;
  }
  c.build.emit(make_op(OpCode::tangent, {c.weight, c.update}, {}, 0, slices), "U ← U − W⟨W, U⟩/‖W‖² per slice");
  emit_check(c, c.weight, slices);
}

} // namespace

Stage geometry_tangent() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "tangent";
  s.meaning = "Takes out the part of the direction that is normal to a set of weights, at the present weight.";
  s.formula = "U = D − W⟨W, D⟩/‖W‖²  per slice;  D − ⟨Θ, D⟩Θ, Θ = u₁v₁ᵀ;  D − W sym(WᵀD)";
  s.source = "spheres and Stiefel set: elementary; spectral: subgradient of the largest singular value, exact by "
             "Jacobi rotations";
  s.options = {
      word("set", "matrix",
           {{"matrix", "the sphere of the whole matrix", "MACRO 2605.04418, Frobenius"},
            {"row", "a sphere per row", "MACRO 2605.04418, oblique; Nora 2605.03769"},
            {"column", "a sphere per column", ""},
            {"alternate", "columns in the first step, rows in the second, and so on", "Mano 2601.23000"},
            {"spectral", "the sphere of the largest singular value", "MACRO 2605.04418; Spectral-Sphere-Optimizer"},
            {"stiefel", "orthonormal columns, or rows of a wide matrix", "MCSD 2601.21487"}},
           "Which set the weight is meant to stay on."),
      word("weight", "normalised",
           {{"normalised", "W/‖W‖: nothing of the direction along the weight is left", "Mano mano.py"},
            {"as_it_is", "W itself: tangent only where the slice has norm 1", "Mano mano_v2.py"}},
           "With what the slices of a sphere are compared.")};
  s.promises = {{"update tangent", "The update has no part along the set's normal at the weight.", "tangency_error"}};
  s.start = start;
  s.emit = emit;
  return s;
}

// A chain names each stage once.
Stage geometry_tangent_again() {
  Stage s = geometry_tangent();
  s.kind = "tangent_again";
  s.meaning = "Takes out the normal part that the stages since the tangent one have put back.";
  s.promises[0].column = "tangency_error_again";
  return s;
}

} // namespace polarscope
