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
template <class Acc, class F> POLARSCOPE_FN auto lane_sums(int first, int n, int stride, F f) {
  constexpr int kFew = 16;
  auto total = no_sums<Acc>(decltype(f(0)){});
  for (int i = first; i < n;) {
    decltype(f(0)) part = {};
    for (int k = 0; k < kFew && i < n; ++k, i += stride) add_to(part, f(i));
    add_to(total, part);
  }
  return total;
}

POLARSCOPE_KERNELS_END
