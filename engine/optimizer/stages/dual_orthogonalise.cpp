// Geometry: the orthogonal matrix nearest to the direction among those without a part along the weight's normal.
#include "engine/optimizer/stages/constraint_sets.hpp"
#include "engine/optimizer/stages/newton_schulz.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

// The root search of λ: tolerance, first step, most doublings, most halvings.
struct Search {
  double tolerance, first, doublings, halvings;
};

Search search_of(const StageContext& c) {
  const bool tight = c.word("solver") == "tight";
  const double rounding = c.build.precision() == Precision::f64 ? 1e-12 : 1e-6;
  return tight ? Search{rounding, 1e-3, 60, 100} : Search{c.number("solver_tolerance"), 1e-3, 10, 20};
}

constexpr double kDirectionGuard = 1e-7; // M̂ = D/max(‖D‖, 1e-7)

void start(StageContext& c) {
  c.shared["lambda"] = c.state("multiplier", 1, 1, "λ: how much of the normal is added to the direction");
  if (c.word("normal") == "spectral") start_top_pair(c, "dual");
  else c.shared["dual.normal"] = c.scratch("dual_normal", c.rows, c.cols, "N = W/‖W‖");
}

void emit(StageContext& c) {
  const SlotId normal = c.shared.at("dual.normal");
  if (c.word("normal") == "spectral") emit_top_pair(c, "dual", c.weight, sigma_iterations(c));
  else c.build.emit(make_op(OpCode::to_norms, {c.weight, normal}, {}, c.build.constants({0, 1})), "N ← W/‖W‖");
  const Polynomial polynomial = polynomial_of(c);
  const double scale = shape_scale(c.word("shape_scale"), c.rows, c.cols);
  const Search s = search_of(c);
  c.build.emit(make_op(OpCode::dual_polar, {c.update, normal, c.shared.at("lambda")}, {},
                       c.build.constants(polynomial.constants(
                           {polynomial.eps, scale, kDirectionGuard, s.tolerance, s.first, s.doublings, s.halvings})),
                       polynomial.word()),
               fmt::format("U ← {:.4g} · NS(U/‖U‖ + λN),  λ: ⟨N, U⟩ = 0", scale));
}

} // namespace

Stage geometry_dual_orthogonalise() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "dual_orthogonalise";
  // No promise: where D + λN is singular the inner product jumps past 0, and no λ makes the result tangent.
  s.meaning =
      "Orthogonalises the direction plus so much of the weight's normal that the result is tangent, where one exists.";
  s.formula = "U = s · msign(D/‖D‖ + λN),  λ: ⟨N, U⟩ = 0 by bisection,  N = u₁v₁ᵀ or W/‖W‖";
  s.source = "Spectral sphere 2601.08393; Unakar/Spectral-Sphere-Optimizer sso.py; MACRO 2605.04418 read as its dual";
  s.options = polynomial_options("polar_express", "clamp");
  s.options.push_back(
      word("normal", "spectral",
           {{"spectral", "Θ = u₁v₁ᵀ of the weight", "Spectral-Sphere-Optimizer"}, {"matrix", "W/‖W‖", "own variant"}},
           "What the update is to be orthogonal to."));
  for (Setting& option : sigma_options()) s.options.push_back(std::move(option));
  s.options.push_back(
      word("solver", "tight",
           {{"tight", "until ⟨N, U⟩ is 0 to rounding", "house rule"},
            {"sso", "10 doubling steps from 1e-3, then 20 halvings; the best λ seen when they do not do",
             "Spectral-Sphere-Optimizer"}},
           "How long λ is sought."));
  s.options.push_back(
      log_number("solver_tolerance", 1e-6, 1e-15, 1, "Where the solver sso stops: |⟨N, U⟩| at most this."));
  s.options.push_back(shape_scale_option());
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
