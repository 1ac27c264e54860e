// The peer of small matrix products: Eigen, compiled for the instruction sets that the kernels are compiled for.
#pragma once

namespace polarscope {

struct EigenProduct {
  float* c;
  const float *a, *b; // n × n, row-major, ld from row to row, 64-byte aligned
  int n, ld;
  bool transpose_a, transpose_b;
  bool symmetric; // C = A Aᵀ, its lower half alone
};

} // namespace polarscope
