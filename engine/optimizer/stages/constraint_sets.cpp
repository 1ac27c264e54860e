#include "engine/optimizer/stages/constraint_sets.hpp"

#include <fmt/format.h>

namespace polarscope {

void start_top_pair(StageContext& c, const std::string& name, bool normal) {
  c.shared[name + ".left"] =
      c.scratch(name + "_left", 1, c.rows, "u: left singular vector of the largest singular value");
  c.shared[name + ".right"] = c.scratch(name + "_right", 1, c.cols, "v: its right singular vector");
  c.shared[name + ".value"] = c.scratch(name + "_value", 1, 1, "σ: largest singular value of the weight");
  if (normal) c.shared[name + ".normal"] = c.scratch(name + "_normal", c.rows, c.cols, "Θ = u vᵀ");
}

void emit_top_pair(StageContext& c, const std::string& name, SlotId weight, long iterations, bool normal) {
  const SlotId left = c.shared.at(name + ".left"), right = c.shared.at(name + ".right");
  c.build.emit(make_op(OpCode::top_singular, {weight, left, right, c.shared.at(name + ".value")}, {}, 0,
                       static_cast<std::uint32_t>(iterations)),
               iterations == 0 ? std::string("σ, u, v ← largest singular value of W, exact")
                               : fmt::format("σ, u, v ← {} power iterations on W", iterations));
  if (normal) c.build.emit(make_op(OpCode::outer_product, {left, right, c.shared.at(name + ".normal")}), "Θ ← u vᵀ");
}

std::vector<Setting> sigma_options() {
  return {word("sigma", "exact",
               {{"exact", "by Jacobi rotations, right to rounding", "house rule"},
                {"power", "power iterations from (1, …, 1) in every step; never above the true value",
                 "Spectral-Sphere-Optimizer sso.py"}},
               "How the largest singular value is found."),
          integer("sigma_steps", 5, 1, 1000, "Number of power iterations.")};
}

long sigma_iterations(const StageContext& c) { return c.word("sigma") == "exact" ? 0 : c.integer("sigma_steps"); }

} // namespace polarscope
