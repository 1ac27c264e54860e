// The generic tests of an optimizer: what must leave a weight alone, and which changes of the problem go through the
// optimizer unchanged. Measured on whatever walks: a compiled program here, an independent optimizer in the tests.
//
//   T1  no gradient and no history, no weight decay: the weight stays
//   T2  a learning rate of zero: the weight stays
//   T3  G → 1000 G: the path stays
//   T4  G → QG, G → GP, Q and P orthogonal: the path turns with them
//   T5  G → Gᵀ: the path is the transposed one
#pragma once

#include "engine/optimizer/given_gradients.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

enum class Symmetry { no_gradient, no_rate, gradient_size, row_rotation, column_rotation, transpose };
inline constexpr std::array<Symmetry, 6> kSymmetries = {Symmetry::no_gradient,     Symmetry::no_rate,
                                                        Symmetry::gradient_size,   Symmetry::row_rotation,
                                                        Symmetry::column_rotation, Symmetry::transpose};

// What the table calls it: "T4 rows".
const char* symmetry_name(Symmetry symmetry);
const char* symmetry_meaning(Symmetry symmetry); // half a sentence

// Weights after each step, the start as the optimizer projects it first; shorter where a step was not finite.
using Walk = std::vector<GivenMatrix>;
using Walker = std::function<Walk(const std::map<std::string, double>& changed_hparams, const GivenMatrix& weight,
                                  const std::vector<GivenMatrix>& gradients)>;

Walker walker_of(const OptimizerSpec& spec); // its program, in f64

// How far apart the two ends are that the symmetry wants to be one. T1 and T2: ‖W − W₁‖/‖W₁‖ after the first step, in which
// some sources project; the others: in units of the way gone. NaN where a walk was not finite.
double measure(Symmetry symmetry, const Walker& walk, std::uint32_t rows, std::uint32_t cols, std::uint64_t seed);

struct SymmetryResult {
  Symmetry symmetry;
  double worst = 0;                 // over the shapes
  std::uint32_t rows = 0, cols = 0; // where
  double holds_below = 0;           // what counts as held, nearly held beyond it up to the next
  double nearly_below = 0;
  bool held() const { return worst <= holds_below; }
  bool nearly() const { return !held() && worst <= nearly_below; }
};

// Wide, tall and square, at random; the square is left out of T5, in which shape factors are 1.
std::vector<SymmetryResult> try_symmetries(const OptimizerSpec& spec);

} // namespace polarscope
