// What several problems share when they write their operations.
#pragma once

#include "engine/program.hpp"

#include <array>

namespace polarscope {

// One well of the circle's loss: A, κ and μ of algorithms.md §G1. The first is the deepest.
struct CircleWell {
  double depth, sharpness, angle;
};
inline constexpr std::array<CircleWell, 3> kCircleWells = {{{1, 3, 2.4}, {0.6, 5, -0.9}, {0.35, 8, 0.6}}};

// Largest number of rows or columns a problem accepts.
inline constexpr long kMostRows = 4096, kMostSamples = 65536;

// Constants of the circle's loss for Op::constant: count, then A, κ, cos μ, sin μ of each well.
std::uint32_t circle_constants(ProgramBuilder& build);

// The metric "loss" as column 0; returns the column.
int declare_loss(ProgramBuilder& build);

// The key `noise`, σ of the tangential gradient noise.
Setting noise_setting(double value);

// G ← G + σ P⊥(z)/‖W‖ per invariant block, z standard normal: the noise scales like the gradient and keeps ⟨W, G⟩ = 0.
// Nothing is emitted for σ = 0.
void emit_tangent_noise(ProgramBuilder& build, int parameter, double sigma);

// How "gradient ⊥ weight" is promised.
struct TangencyOptions {
  int every = 1;  // steps from one check to the next
  double eps = 0; // of a normalisation that makes the loss invariant up to its ε only
};

// The promise of a scale-invariant problem, "gradient ⊥ weight", per invariant block: a hidden column and its invariant.
void emit_gradient_invariant(ProgramBuilder& build, int parameter, const TangencyOptions& options = {});

} // namespace polarscope
