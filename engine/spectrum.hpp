// Singular values of matrices that need not fit in memory.
#pragma once

#include "engine/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace polarscope {

// Fills `out` with the block [row, row + rows) × [col, col + cols) of the matrix, row-major.
using ReadBlock = std::function<Result<void>(std::uint64_t row, std::uint64_t rows, std::uint64_t col,
                                             std::uint64_t cols, std::vector<double>& out)>;

struct Spectrum {
  std::vector<double> values; // singular values, largest first, min(rows, cols) of them
  bool gram = false;          // square roots of the Gram matrix's eigenvalues
  double resolution = 0; // what is below may be rounding: n ε σ₁ from the SVD, √(n ε) σ₁ from the Gram matrix
};

// Smaller sides than this get a singular value decomposition, larger ones the Gram matrix.
inline constexpr std::uint64_t kLargestSvd = 512;

// In float64. The long side is read in blocks; memory is a few times n × n numbers, n the smaller side, and a block. Up
// to kLargestSvd the blocks are folded into one triangular factor (Demmel, Grigori, Hoemmen, Langou 2012, sequential
// TSQR), whose singular values are those of the matrix to full accuracy; beyond, the Gram matrix is summed up and
// brought to tridiagonal form, which takes half of the work and loses half of the digits. `keep_going` hears the share
// of the work that is done, 0 to 1, and answers false to stop: then there is no result. All numbers must be finite.
Result<std::optional<Spectrum>> singular_values(std::uint64_t rows, std::uint64_t cols, const ReadBlock& read,
                                                const std::function<bool(double)>& keep_going);

} // namespace polarscope
