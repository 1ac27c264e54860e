// One lane's share of a sum over a block of lanes: terms first, first + stride, … below n.
#pragma once

#include "kernels/view.hpp"

POLARSCOPE_KERNELS_BEGIN

// Terms of type Acc are added in it; shorter ones a few at a time in their own type, which costs a fraction of the additions
// in Acc and keeps the error of a sum independent of its length.
template <class Acc, class F> POLARSCOPE_FN Acc lane_sum(int first, int n, int stride, F f) {
  constexpr int kFew = 16;
  Acc total = 0;
  for (int i = first; i < n;) {
    decltype(f(0)) part = 0;
    for (int k = 0; k < kFew && i < n; ++k, i += stride) part += f(i);
    total += static_cast<Acc>(part);
  }
  return total;
}

// The same for the N sums of one pass: f(i) is a Numbers<R, N>.
template <class Acc, class R, int N, class F>
POLARSCOPE_FN Numbers<Acc, N> lane_sums(int first, int n, int stride, Numbers<R, N> none, F f) {
  constexpr int kFew = 16;
  Numbers<Acc, N> total = {};
  for (int i = first; i < n;) {
    Numbers<R, N> part = none;
    for (int k = 0; k < kFew && i < n; ++k, i += stride) {
      const Numbers<R, N> term = f(i);
      for (int j = 0; j < N; ++j) part.of[j] += term.of[j];
    }
    for (int j = 0; j < N; ++j) total.of[j] += static_cast<Acc>(part.of[j]);
  }
  return total;
}

POLARSCOPE_KERNELS_END
