// Geometry: Manifold Muon's direction, tangent to the orthonormal matrices, by dual ascent.
#include "engine/optimizer/stages/newton_schulz.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

void emit(StageContext& c) {
  const Polynomial polynomial = polynomial_of(c);
  const double rounds = static_cast<double>(c.integer("dual_steps"));
  c.build.emit(make_op(OpCode::stiefel_dual, {c.weight, c.update}, {},
                       c.build.constants(polynomial.constants(
                           {polynomial.eps, c.number("dual_rate"), rounds, c.number("dual_tolerance")})),
                       polynomial.word()),
               fmt::format("U ← NS(U + 2WΛ),  Λ by ≤ {} steps of dual ascent", rounds));
}

} // namespace

Stage geometry_dual_stiefel() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "dual_stiefel";
  s.meaning = "Orthogonalises the direction plus a symmetric multiple of the weight that makes it tangent to the "
              "orthonormal matrices.";
  s.formula = "U = msign(D + 2WΛ),  H = WᵀU + UᵀW → 0 by Λ ← Λ − α(1 − k/K)H";
  s.source = "thinking-machines-lab/manifolds src/manifold_muon.py";
  s.options = polynomial_options("polar_express_safe", "scaled", false);
  s.options.push_back(log_number("dual_rate", 0.01, 1e-9, 1e3,
                                 "α: rate of the dual ascent; it multiplies H, so the direction's size matters."));
  s.options.push_back(integer("dual_steps", 100, 1, 10000, "K: most steps of the dual ascent."));
  s.options.push_back(log_number("dual_tolerance", 1e-6, 0, 1, "The ascent ends when ‖H‖/√numel(H) is below this."));
  s.own_size = true;
  s.emit = emit;
  return s;
}

} // namespace polarscope
