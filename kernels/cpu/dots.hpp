// Scalar products of the rows of two matrices, several rows at a time: the sums across a vector, most of the work of short
// rows, are then made for all of them together.
#pragma once

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

template <class R> POLARSCOPE_FN Half<R> half(const R* p) {
  return *reinterpret_cast<const typename Lane<R>::Unaligned*>(p);
}

#define POLARSCOPE_PAIRS(a, b, even, odd)                                                                              \
  (__builtin_shufflevector(a, b, POLARSCOPE_LANES even) + __builtin_shufflevector(a, b, POLARSCOPE_LANES odd))
#define POLARSCOPE_LANES(...) __VA_ARGS__

// Lane r of the result: the sum over the lanes of s[r].
POLARSCOPE_FN Half<float> across(const Half<float> (&s)[8]) {
  Half<float> two[4], four[2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    two[i] = POLARSCOPE_PAIRS(s[2 * i], s[2 * i + 1], (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i)
    four[i] = POLARSCOPE_PAIRS(two[2 * i], two[2 * i + 1], (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15));
  return POLARSCOPE_PAIRS(four[0], four[1], (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15));
}
POLARSCOPE_FN Half<double> across(const Half<double> (&s)[4]) {
  Half<double> two[2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) two[i] = POLARSCOPE_PAIRS(s[2 * i], s[2 * i + 1], (0, 4, 2, 6), (1, 5, 3, 7));
  return POLARSCOPE_PAIRS(two[0], two[1], (0, 1, 4, 5), (2, 3, 6, 7));
}
#undef POLARSCOPE_LANES
#undef POLARSCOPE_PAIRS

// h(⟨a_r, b_r⟩) of kHalf rows from a and b on, ld apart, n a whole number of cache lines: lanes over a block in R, blocks in
// double, in which h takes them.
template <class R, class H>
POLARSCOPE_FN void rows_together(const R* a, std::ptrdiff_t ld_a, const R* b, std::ptrdiff_t ld_b, int n, H h, R* out) {
  constexpr int G = kHalf<R>, kBlock = 1024;
  double sums[G] = {};
  for (int first = 0; first < n; first += kBlock) {
    const int last = n - first < kBlock ? n : first + kBlock;
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
    const Half<R> block = across(low);
#pragma GCC unroll 8
    for (int r = 0; r < G; ++r) sums[r] += static_cast<double>(block[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < G; ++r) out[r] = h(sums[r]);
}

} // namespace dots
POLARSCOPE_KERNELS_END
