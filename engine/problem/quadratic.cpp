// The control: a bowl, not scale-invariant.
#include "engine/problem/emit.hpp"
#include "engine/problem/problem.hpp"
#include "engine/problem/random.hpp"

#include <cmath>

namespace polarscope {

Problem quadratic_problem();

namespace {

void emit_quadratic(const ProblemValues& values, ProgramBuilder& build) {
  const auto dim = static_cast<std::uint32_t>(values.integer("dim"));
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const int w = build.parameter("W", 1, dim, Invariance::none, true);
  const SlotId h = build.slot("curvatures", Role::data, 1, dim, "curvature h of the loss along each axis", w);
  const ParamInfo p = build.parameter(w);
  build.set_parameter(w);
  build.begin_loss();
  build.emit(make_op(OpCode::quadratic_loss, {p.weight, p.gradient, h}, {}, 0, loss), "L = ½ Σ h W² ; G = h W");
  build.end_loss();
}

std::map<std::string, SlotContents> quadratic_data(const ProblemValues& values, std::uint64_t) {
  const auto dim = static_cast<std::size_t>(values.integer("dim"));
  const double condition = values.number("condition");
  SlotContents h(dim, 1.0);
  for (std::size_t j = 1; j < dim; ++j)
    h[j] = std::pow(condition, -static_cast<double>(j) / static_cast<double>(dim - 1));
  return {{"curvatures", h}};
}

std::map<std::string, SlotContents> quadratic_start(const ProblemValues& values, std::uint64_t seed) {
  return {{"W", normal_numbers(seed, Stream::start, static_cast<std::size_t>(values.integer("dim")))}};
}

} // namespace

Problem quadratic_problem() {
  Problem p;
  p.kind = "quadratic";
  p.title = "Quadratic bowl";
  p.meaning = "A bowl with curvatures from 1 down to 1/condition: the control, whose loss depends on the norm.";
  p.formula = "L = ½ Σⱼ hⱼ wⱼ²,  hⱼ = condition^(−j/(dim−1)), j = 0 … dim−1";
  p.keys = {integer("dim", 16, 1, 65536, "Length of the weight vector."),
            log_number("condition", 100, 1, 1e12, "Largest curvature over the smallest; the largest is 1.")};
  p.elements = [](const ProblemValues& v) { return v.number("dim"); };
  p.emit = emit_quadratic;
  p.data = quadratic_data;
  p.start = quadratic_start;
  return p;
}

} // namespace polarscope
