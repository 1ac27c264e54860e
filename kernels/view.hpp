// Views over a member's memory, and the argument of matmul.
#pragma once

#include "kernels/isa.hpp"

POLARSCOPE_KERNELS_BEGIN

// Row-major rows × cols matrix with ld elements from row to row; padding columns are zero.
template <class R> struct Mat {
  R* p;
  int rows, cols, ld;
  POLARSCOPE_FN R* row(int i) const { return p + static_cast<long>(i) * ld; }
  POLARSCOPE_FN R& operator()(int i, int j) const { return p[static_cast<long>(i) * ld + j]; }
  POLARSCOPE_FN int size() const { return rows * ld; } // with padding: for bodies with f(0, …) = 0
};

// Several numbers that one pass over the same elements adds up.
template <class Number, int N> struct Numbers { Number of[N]; };

template <class Acc, class R, int N> POLARSCOPE_FN Numbers<Acc, N> no_sums(Numbers<R, N>) { return {}; }
template <class Acc, class R, int N> POLARSCOPE_FN void add_to(Numbers<Acc, N>& total, const Numbers<R, N>& terms) {
  for (int k = 0; k < N; ++k) total.of[k] += static_cast<Acc>(terms.of[k]);
}

// C = act(alpha · op(A) op(B) + beta · D); C aliases neither A nor B, D may be C.
template <class R> struct MatmulArgs {
  bool transpose_a = false, transpose_b = false;
  bool relu = false;
  bool symmetric = false; // the result is known to be symmetric: half of it is computed, the rest mirrored
  R alpha = 1, beta = 0;
  const R* d = nullptr; // same shape and ld as C; read when beta ≠ 0
};

POLARSCOPE_KERNELS_END
