// Newton–Schulz polynomials by name (algorithms.md §A6): coefficient sets, the options of every stage that orthogonalises,
// and the operation itself.
#pragma once

#include "engine/optimizer/stage.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace polarscope {

struct Polynomial {
  using Triple = std::array<double, 3>; // a, b, c of X ← aX + (bXXᵀ + c(XXᵀ)²)X

  std::string name; // of the set; "exact": the singular value decomposition instead
  std::vector<Triple> rows;
  std::uint32_t form = 0; // how the input is scaled, as the kernels number it
  double eps = 0;

  bool exact() const { return name == "exact"; }
  std::uint32_t word() const { return static_cast<std::uint32_t>(rows.size()) << 3 | form; } // of the op
  // `head`, then a, b, c per step.
  std::vector<double> constants(std::vector<double> head) const;
  // The largest value of the composed polynomial over the singular values that the input scale lets through.
  double top() const;
};

// The options ns_coefficients, ns_steps, ns_eps_form, ns_eps with these defaults; `exact`: whether the word exact is one.
std::vector<Setting> polynomial_options(const std::string& set, const std::string& form, bool exact = true);
// As a stage with those options has it.
Polynomial polynomial_of(const StageContext& c);
// to ← scale · (what the polynomial makes of from), in the present phase.
void emit_polar(StageContext& c, const Polynomial& polynomial, SlotId from, SlotId to, double scale,
                const std::string& name);

} // namespace polarscope
