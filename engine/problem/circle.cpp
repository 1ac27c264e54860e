// The 2-D toy of the opening scene (algorithms.md §G1).
#include "engine/problem/emit.hpp"
#include "engine/problem/problem.hpp"

#include <cmath>

namespace polarscope {

Problem circle_problem();

namespace {

constexpr double kStartRadius = 1.0, kStartAngle = -2.35;

SlotContents point(double radius, double angle) { return {radius * std::cos(angle), radius * std::sin(angle)}; }

void emit_circle(const ProblemValues& values, ProgramBuilder& build) {
  const int loss = declare_loss(build);
  const int w = build.parameter("W", 1, 2, Invariance::matrix, true);
  build.parameter(w).reference = build.slot("W.reference", Role::data, 1, 2, "direction of the deepest well", w);
  const ParamInfo p = build.parameter(w);

  build.set_parameter(w);
  build.begin_loss();
  build.emit(make_op(OpCode::circle_loss, {p.weight, p.gradient}, {}, circle_constants(build),
                     static_cast<std::uint32_t>(loss)),
             "L = 1 − Σ A e^(κ(cos(θ−μ)−1)) ; G = (g′(θ)/‖W‖) e_θ");
  build.end_loss();
  emit_tangent_noise(build, w, values.number("noise"));
  emit_gradient_invariant(build, w);
}

std::map<std::string, SlotContents> circle_data(const ProblemValues&, std::uint64_t) {
  return {{"W.reference", point(1, kCircleWells[0].angle)}};
}

std::map<std::string, SlotContents> circle_start(const ProblemValues&, std::uint64_t) {
  return {{"W", point(kStartRadius, kStartAngle)}};
}

std::map<std::string, SlotContents> circle_start_from_keys(const ProblemValues&,
                                                           const std::map<std::string, double>& keys) {
  const auto key = [&](const char* name, double otherwise) {
    const auto it = keys.find(name);
    return it == keys.end() ? otherwise : it->second;
  };
  return {{"W", point(key("radius", kStartRadius), key("angle", kStartAngle))}};
}

} // namespace

Problem circle_problem() {
  Problem p;
  p.kind = "circle";
  p.title = "Circle";
  p.meaning = "A loss of the direction of one 2-vector: three wells on the circle, the same at every norm. Their tails "
              "add up, so that the deepest ends slightly below 0, at −5e-5.";
  p.formula = "f(w) = 1 − Σₖ Aₖ e^(κₖ(cos(θ−μₖ)−1)),  θ = atan2(w₂, w₁)";
  p.source = "after figure 2 of Hägele, Kosson, Hernández-Cano, Jaggi 2026";
  p.keys = {noise_setting(0)};
  p.elements = [](const ProblemValues&) { return 2.0; };
  p.emit = emit_circle;
  p.data = circle_data;
  p.start = circle_start;
  p.start_from_keys = circle_start_from_keys;
  p.start_keys = {log_number("radius", kStartRadius, 1e-6, 1e6, "Norm of the start weight."),
                  number("angle", kStartAngle, -100, 100, "Angle of the start weight from the first axis.")};
  p.start_keys[1].unit = "rad";
  return p;
}

} // namespace polarscope
