// Scalar products of the rows of two matrices, several rows at a time: the sums across a vector, most of the work of short
// rows, are then made for all of them together.
#pragma once

#include "kernels/cpu/lanes.hpp"
#include "kernels/view.hpp"

#include <cstddef>

POLARSCOPE_KERNELS_BEGIN
namespace dots {

// Vectors of 32 bytes, whose pair sums are one shuffle each on every instruction set.
template <class R> struct Lane;
template <> struct Lane<float> {
  typedef float Type __attribute__((vector_size(32)));
  typedef float Unaligned __attribute__((vector_size(32), aligned(4), may_alias));
};
template <> struct Lane<double> {
  typedef double Type __attribute__((vector_size(32)));
  typedef double Unaligned __attribute__((vector_size(32), aligned(8), may_alias));
};
template <class R> using Half = typename Lane<R>::Type;
template <class R> constexpr int kHalf = 32 / static_cast<int>(sizeof(R)); // lanes, and rows at a time

// A reference: vectors wider than the instruction set's are no return values.
template <class R> POLARSCOPE_FN const typename Lane<R>::Unaligned& half(const R* p) {
  return *reinterpret_cast<const typename Lane<R>::Unaligned*>(p);
}

#define POLARSCOPE_PAIRS(a, b, even, odd)                                                                              \
  (__builtin_shufflevector(a, b, POLARSCOPE_LANES even) + __builtin_shufflevector(a, b, POLARSCOPE_LANES odd))
#define POLARSCOPE_LANES(...) __VA_ARGS__

// sums[r] ← the sum over the lanes of s[r].
POLARSCOPE_FN void across(const Half<float> (&s)[8], Half<float>& sums) {
  Half<float> two[4], four[2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    two[i] = POLARSCOPE_PAIRS(s[2 * i], s[2 * i + 1], (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i)
    four[i] = POLARSCOPE_PAIRS(two[2 * i], two[2 * i + 1], (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15));
  sums = POLARSCOPE_PAIRS(four[0], four[1], (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15));
}
POLARSCOPE_FN void across(const Half<double> (&s)[4], Half<double>& sums) {
  Half<double> two[2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) two[i] = POLARSCOPE_PAIRS(s[2 * i], s[2 * i + 1], (0, 4, 2, 6), (1, 5, 3, 7));
  sums = POLARSCOPE_PAIRS(two[0], two[1], (0, 1, 4, 5), (2, 3, 6, 7));
}
#undef POLARSCOPE_LANES
#undef POLARSCOPE_PAIRS

// h(⟨a_r, b_r⟩) of kHalf rows from a and b on, ld apart, n a whole number of cache lines: lanes over a block in R, blocks in
// double, in which h takes them.
template <class R, class H>
POLARSCOPE_FN void rows_together(const R* a, std::ptrdiff_t ld_a, const R* b, std::ptrdiff_t ld_b, int n, H h, R* out) {
  constexpr int G = kHalf<R>;
  double sums[G] = {};
  for (int first = 0; first < n; first += kSumBlock) {
    const int last = n - first < kSumBlock ? n : first + kSumBlock;
    Half<R> low[G];
#pragma GCC unroll 8
    for (int r = 0; r < G; ++r) {
      const R *x = a + r * ld_a, *y = b + r * ld_b;
      low[r] = half(x + first) * half(y + first);
      Half<R> high = half(x + first + G) * half(y + first + G);
      for (int j = first + 2 * G; j < last; j += 2 * G) {
        low[r] += half(x + j) * half(y + j);
        high += half(x + j + G) * half(y + j + G);
      }
      low[r] += high;
    }
    Half<R> block;
    across(low, block);
#pragma GCC unroll 8
    for (int r = 0; r < G; ++r) sums[r] += static_cast<double>(block[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < G; ++r) out[r] = h(sums[r]);
}

// h(‖a_r‖², row + r) of four rows from a on, in double throughout.
template <class R, class H>
POLARSCOPE_FN void squares_together(const R* a, std::ptrdiff_t ld, int n, int row, H h, R* out) {
  typedef R Eight __attribute__((vector_size(8 * sizeof(R)), aligned(alignof(R)), may_alias));
  typedef double Wide __attribute__((vector_size(64)));
  Half<double> low[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const R* x = a + r * ld;
    Wide sum{};
    for (int j = 0; j < n; j += 8) {
      const Wide u = __builtin_convertvector(*reinterpret_cast<const Eight*>(x + j), Wide);
      sum += u * u;
    }
    low[r] = __builtin_shufflevector(sum, sum, 0, 1, 2, 3) + __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
  }
  Half<double> sums;
  across(low, sums);
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) out[r] = h(sums[r], row + r);
}

} // namespace dots
POLARSCOPE_KERNELS_END
