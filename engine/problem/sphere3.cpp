// The 3-D toy that is drawn on its sphere (algorithms.md §G3).
#include "engine/problem/emit.hpp"
#include "engine/problem/problem.hpp"
#include "engine/problem/random.hpp"

#include <cmath>

namespace polarscope {

Problem sphere3_problem();

namespace {

struct SphereWell {
  double depth, sharpness;
  double direction[3]; // normalised when used
};
constexpr SphereWell kSphereWells[] = {{1, 4, {1, 0, 0}}, {0.7, 6, {0, 1, 0.3}}, {0.5, 3, {-0.5, -0.4, 1}}};

SlotContents unit(const double (&v)[3]) {
  const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  return {v[0] / length, v[1] / length, v[2] / length};
}

void emit_sphere3(const ProblemValues& values, ProgramBuilder& build) {
  const int loss = declare_loss(build);
  const int w = build.parameter("W", 1, 3, Invariance::matrix, true);
  build.parameter(w).reference = build.slot("W.reference", Role::data, 1, 3, "direction of the deepest well", w);
  const ParamInfo p = build.parameter(w);

  std::vector<double> constants = {static_cast<double>(std::size(kSphereWells))};
  for (const SphereWell& well : kSphereWells) {
    const SlotContents mu = unit(well.direction);
    constants.insert(constants.end(), {well.depth, well.sharpness, mu[0], mu[1], mu[2]});
  }
  build.set_parameter(w);
  build.begin_loss();
  build.emit(make_op(OpCode::sphere_loss, {p.weight, p.gradient}, {}, build.constants(constants),
                     static_cast<std::uint32_t>(loss)),
             "L = 1 − Σ A e^(κ(⟨ŵ,μ⟩−1)) ; G = −(I − ŵŵᵀ) Σ A κ μ e^(…) / ‖W‖");
  build.end_loss();
  emit_tangent_noise(build, w, values.number("noise"));
  emit_gradient_invariant(build, w);
}

std::map<std::string, SlotContents> sphere3_data(const ProblemValues&, std::uint64_t) {
  return {{"W.reference", unit(kSphereWells[0].direction)}};
}

std::map<std::string, SlotContents> sphere3_start(const ProblemValues&, std::uint64_t seed) {
  const std::vector<double> z = normal_numbers(seed, Stream::start, 3);
  return {{"W", unit({z[0], z[1], z[2]})}};
}

} // namespace

Problem sphere3_problem() {
  Problem p;
  p.kind = "sphere3";
  p.title = "Sphere";
  p.meaning = "A loss of the direction of one 3-vector: three wells on the sphere, the same at every norm. Their tails "
              "add up, so that the deepest ends slightly below 0, at −0.009.";
  p.formula = "f(w) = 1 − Σₖ Aₖ e^(κₖ(⟨ŵ,μₖ⟩−1)),  ŵ = w/‖w‖";
  p.source = "the circle's loss, one dimension up";
  p.keys = {noise_setting(0)};
  p.elements = [](const ProblemValues&) { return 3.0; };
  p.emit = emit_sphere3;
  p.data = sphere3_data;
  p.start = sphere3_start;
  return p;
}

} // namespace polarscope
