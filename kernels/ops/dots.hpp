// Scalar products of rows, and what is done to each row with its own.
#pragma once

#include "kernels/view.hpp"

POLARSCOPE_KERNELS_BEGIN

// f(sub, i, h(⟨aᵢ, bᵢ⟩)) for each row i, sub as in t.rows; f may write row i of a and b. h takes a sum of the team's Acc,
// whose terms are of type R. A team may have a way of its own to make several rows' sums together.
template <class T, class H, class F>
POLARSCOPE_FN void for_each_dot(T& t, const Mat<typename T::Real>& a, const Mat<typename T::Real>& b, H h, F f) {
  if constexpr (requires { t.dots(a, b, h, f); }) {
    t.dots(a, b, h, f);
  } else {
    const auto x = a, y = b;
    t.rows(x.rows, [=](auto& sub, int i) {
      const auto *p = x.row(i), *q = y.row(i);
      f(sub, i, h(sub.sum(x.cols, [=](int j) { return p[j] * q[j]; })));
    });
  }
}

// Elements of a row for loops whose function gives 0 for zeros: with padding where rows are padded to whole vectors.
template <class T> POLARSCOPE_FN int row_width(T& t, const Mat<typename T::Real>& a) {
  if constexpr (requires { t.row_width(a); }) return t.row_width(a);
  else return a.cols;
}

POLARSCOPE_KERNELS_END
