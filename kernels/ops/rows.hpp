// Bodies that work on slices of a matrix: the whole of it, its rows or its columns.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/dots.hpp"

POLARSCOPE_KERNELS_BEGIN

// What a norm is taken of; the vector of norms has 1, m or n elements.
enum Slices : int { kMatrix = 0, kRows = 1, kColumns = 2, kByTurns = 3 };

// The slices of this step: by turns means columns in the first step, rows in the second, and so on.
template <class T> POLARSCOPE_FN int slices_now(const Context<T>& c, std::uint32_t word) {
  return word != kByTurns ? static_cast<int>(word) : c.step % 2 == 0 ? kColumns : kRows;
}

// Calls f(norm of slice k, k) with the result known to whoever writes element k of a vector of norms.
template <class T, class F> POLARSCOPE_FN void for_each_norm(T& t, Mat<typename T::Real> a, int slices, F f) {
  using Acc = typename T::Acc;
  const int rows = a.rows, cols = a.cols;
  if (slices == kMatrix) {
    const Acc total = t.sum(a.size(), [=](int i) { return Acc(a.p[i]) * Acc(a.p[i]); });
    t.single([=] { f(sqrt_(total), 0); });
  } else if (slices == kRows) {
    t.rows(rows, [=](auto& sub, int i) {
      const auto* x = a.row(i);
      const Acc total = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); });
      sub.single([=] { f(sqrt_(total), i); });
    });
  } else {
    t.for_each(cols, [=](int j) {
      Acc total = 0;
      for (int i = 0; i < rows; ++i) total += Acc(a(i, j)) * Acc(a(i, j));
      f(sqrt_(total), j);
    });
  }
}

// D_ij = A_ij · s(slice of i, j) for a vector of factors.
template <class T, class R> POLARSCOPE_FN void scale_slices(T& t, Mat<R> a, Mat<R> d, const R* factors, int slices) {
  const int cols = a.cols;
  if (slices == kMatrix) {
    const R s = factors[0];
    t.for_each(t.pad(a.size()), [=](int i) { d.p[i] = s * a.p[i]; });
    return;
  }
  t.rows(a.rows, [=](auto& sub, int i) {
    const R* x = a.row(i);
    R* y = d.row(i);
    if (slices == kRows) {
      const R s = factors[i];
      sub.for_each(cols, [=](int j) { y[j] = s * x[j]; });
    } else {
      sub.for_each(cols, [=](int j) { y[j] = factors[j] * x[j]; });
    }
  });
}

namespace ops {

// N ← norms of A's slices.  slots: A, N;  word: the slices
template <class T> POLARSCOPE_FN void slice_norms(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  R* out = c.ptr(op, 1);
  for_each_norm(c.t, c.mat(op, 0), static_cast<int>(op.word), [=](auto norm, int k) { out[k] = static_cast<R>(norm); });
}

// N ← constant 0, or the hyperparameter where one is given, or with word 1 their product.  slots: N
template <class T> POLARSCOPE_FN void fill(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0);
  const R factor = op.word == 1 ? static_cast<R>(c.constant(op, 0)) : R(1);
  const R value = op.hparam[0] == kNone ? static_cast<R>(c.constant(op, 0)) : factor * c.hp(op, 0);
  const int cols = a.cols;
  c.t.rows(a.rows, [=](auto& sub, int i) {
    R* row = a.row(i);
    sub.for_each(cols, [=](int j) { row[j] = value; });
  });
}

// D ← slices of A brought to the norms N (or to constant 1 where there is no N). Constant 0 = guard: a slice is divided
// by max(norm, guard), with word bit 2 by norm + guard; with guard 0 a slice whose norm is 0 (below Tiny) stays 0. Word
// bit 3: constant 1, bit 4: the guard is times √(length of a slice).  slots: A, D, N;  word & 3: the slices
template <class T> POLARSCOPE_FN void to_norms(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  const int slices = slices_now(c, op.word & 3);
  const double root = sqrt_(slices == kMatrix ? double(a.rows) * a.cols
                            : slices == kRows ? double(a.cols)
                                              : double(a.rows));
  const double same = c.constant(op, 1) * ((op.word & 8) != 0 ? root : 1.0),
               guard = c.constant(op, 0) * ((op.word & 16) != 0 ? root : 1.0);
  const bool add = (op.word & 4) != 0;
  const R* targets = c.has(op, 2) ? c.ptr(op, 2) : nullptr;
  const auto factor_of = [=](auto norm, int k) {
    const auto target = targets ? static_cast<decltype(norm)>(targets[k]) : static_cast<decltype(norm)>(same);
    const auto least = static_cast<decltype(norm)>(guard > 0 ? guard : Tiny<R>::value);
    const auto below = add ? norm + least : max_(norm, least);
    return sel((norm > least) | (guard > 0), static_cast<R>(target / below), R(0));
  };
  if (slices == kRows) {
    const int width = row_width(c.t, d);
    for_each_square(
        c.t, a, [=](auto square, int i) { return factor_of(sqrt_(square), i); },
        [=](auto& sub, int i, R factor) {
          const R* x = a.row(i);
          R* y = d.row(i);
          sub.for_each(width, [=](int j) { y[j] = factor * x[j]; });
        });
    return;
  }
  const auto factors = c.t.scratch(1, slices == kMatrix ? 1 : a.cols);
  c.t.sync();
  for_each_norm(c.t, a, slices, [=](auto norm, int k) { factors.p[k] = factor_of(norm, k); });
  c.t.sync();
  scale_slices(c.t, a, d, static_cast<const R*>(factors.p), slices);
}

// Metric column word >> 2: the largest |‖slice‖ − N|/N, slices word & 3. Slices of norm 0 are left out: they have no
// direction to be held.  slots: A, N (or constant 0 where there is no N)
template <class T> POLARSCOPE_FN void norm_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0);
  const int slices = static_cast<int>(op.word & 3);
  const int count = slices == kMatrix ? 1 : slices == kRows ? a.rows : a.cols;
  const auto errors = c.t.scratch(1, count);
  const R* targets = c.has(op, 1) ? c.ptr(op, 1) : nullptr;
  const double same = c.constant(op, 0);
  c.t.sync();
  for_each_norm(c.t, a, slices, [=](auto norm, int k) {
    const auto target = abs_(targets ? static_cast<decltype(norm)>(targets[k]) : static_cast<decltype(norm)>(same));
    const auto off = abs_(norm - target);
    const auto relative = sel(target > decltype(norm)(0), off / target, off);
    errors.p[k] = sel((norm > decltype(norm)(Tiny<R>::value)) | !finite_(norm), static_cast<R>(relative), R(0));
  });
  c.t.sync();
  const R worst = c.t.max(count, [=](int k) { return sel(finite_(errors.p[k]), errors.p[k], R(1e30)); });
  R* out = c.block + c.program.slots[c.program.metric_slot].offset + (op.word >> 2);
  c.t.single([=] { out[0] = worst; });
}

// D_ij = A_ij · r_i · q_j, or ÷ when word is 1, ÷ max(·, 1e-8) of each when it is 2; a missing vector counts as 1, an r of one element is one scalar.
// Dividing undoes multiplying: no floor, the same product.  slots: A, D, r, q
template <class T> POLARSCOPE_FN void scale_rows_columns(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  const bool by_row = c.has(op, 2), by_column = c.has(op, 3), divide = op.word != 0;
  const R least = op.word == 2 ? R(1e-8) : R(-HUGE_VAL);
  const R* r = by_row ? c.ptr(op, 2) : nullptr;
  const R* q = by_column ? c.ptr(op, 3) : nullptr;
  const bool scalar = by_row && c.mat(op, 2).cols == 1;
  const int cols = a.cols;
  c.t.rows(a.rows, [=](auto& sub, int i) {
    const R* x = a.row(i);
    R* y = d.row(i);
    const R factor = by_row ? r[scalar ? 0 : i] : R(1), own = divide ? max_(factor, least) : factor;
    if (divide) sub.for_each(cols, [=](int j) { y[j] = x[j] / (by_column ? own * max_(q[j], least) : own); });
    else sub.for_each(cols, [=](int j) { y[j] = x[j] * (by_column ? own * q[j] : own); });
  });
}

// D_ij = A_ij · B_ij, or ÷ B_ij when word is 1, ÷ max(B_ij, 1e-8) when it is 2.  slots: A, B, D
template <class T> POLARSCOPE_FN void times(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), b = c.mat(op, 1), d = c.mat(op, 2);
  const bool divide = op.word != 0;
  const R least = op.word == 2 ? R(1e-8) : R(-HUGE_VAL);
  const int cols = a.cols;
  c.t.rows(a.rows, [=](auto& sub, int i) {
    const R *x = a.row(i), *y = b.row(i);
    R* z = d.row(i);
    if (divide) sub.for_each(cols, [=](int j) { z[j] = x[j] / max_(y[j], least); });
    else sub.for_each(cols, [=](int j) { z[j] = x[j] * y[j]; });
  });
}

// G ← G − W ⟨W, G⟩/‖W‖² per slice, with the actual norm of W; a slice of W that is 0 takes nothing away.
// slots: W, G;  word: the slices
template <class T> POLARSCOPE_FN void tangent(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  const int slices = slices_now(c, op.word), rows = w.rows, cols = w.cols;
  const auto share = [](Acc dot, Acc square) {
    return sel(square > Acc(Tiny<R>::value), static_cast<R>(dot / square), R(0));
  };
  if (slices == kMatrix ? rows * cols == 1
      : slices == kRows ? cols == 1
                        : rows == 1) { // nothing is tangent to a number
    c.t.rows(rows, [=](auto& sub, int i) {
      sub.for_each(cols, [=](int j) { g(i, j) = sel(w(i, j) != R(0), R(0), g(i, j)); });
    });
    return;
  }
  if (slices == kMatrix) {
    const Acc dot = c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(g.p[i]); });
    const Acc square = c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(w.p[i]); });
    const R along = share(dot, square);
    c.t.for_each(c.t.pad(w.size()), [=](int i) { g.p[i] -= along * w.p[i]; });
  } else if (slices == kRows) {
    c.t.rows(rows, [=](auto& sub, int i) {
      const R* x = w.row(i);
      R* y = g.row(i);
      const Acc dot = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(y[j]); });
      const Acc square = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); });
      const R along = share(dot, square);
      const Acc before = sub.sum(cols, [=](int j) { return Acc(y[j]) * Acc(y[j]); });
      sub.sync();
      sub.for_each(cols, [=](int j) { y[j] -= along * x[j]; });
      sub.sync();
      // A row along the weight's: what is left is rounding.
      const Acc rest = sub.sum(cols, [=](int j) { return Acc(y[j]) * Acc(y[j]); }),
                digit = sizeof(R) == 8 ? Acc(1e-15) : Acc(5e-7);
      sub.sync();
      const auto rounding = rest <= digit * digit * before;
      if (any_(rounding)) sub.for_each(cols, [=](int j) { y[j] = sel(rounding, R(0), y[j]); });
    });
  } else {
    c.t.for_each(cols, [=](int j) {
      Acc dot = 0, square = 0;
      for (int i = 0; i < rows; ++i) {
        dot += Acc(w(i, j)) * Acc(g(i, j));
        square += Acc(w(i, j)) * Acc(w(i, j));
      }
      const R along = share(dot, square);
      for (int i = 0; i < rows; ++i) g(i, j) -= along * w(i, j);
    });
  }
}

// Each row minus its mean, divided by its standard deviation (over n − 1 with word 1); a row of equal numbers becomes 0.
// slots: U
template <class T> POLARSCOPE_FN void standardise_rows(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto u = c.mat(op, 0);
  const int cols = u.cols, degrees = op.word == 1 ? cols - 1 : cols;
  const Acc rounding = (sizeof(R) == 4 ? Acc(1.2e-7) : Acc(2.3e-16)) * Acc(4);
  c.t.rows(u.rows, [=](auto& sub, int i) {
    R* x = u.row(i);
    const Acc mean = sub.sum(cols, [=](int j) { return Acc(x[j]); }) / Acc(cols);
    const Acc size = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); });
    const Acc square = sub.sum(cols, [=](int j) { return (Acc(x[j]) - mean) * (Acc(x[j]) - mean); });
    const bool flat = degrees < 1 || !(sqrt_(square) > rounding * sqrt_(size));
    const Acc inverse = flat ? Acc(0) : sqrt_(Acc(degrees) / square);
    sub.for_each(cols, [=](int j) { x[j] = static_cast<R>((Acc(x[j]) - mean) * inverse); });
  });
}

// Brings rows and columns of W to equal norms among themselves, constant 1 rounds. word 0, 1: columns and rows (1: rows
// and columns) both measured on the same matrix, so that the overall scale alternates between s and 1/s and is not
// fixed; word 2: alternating, norms from the present matrix, then the whole brought to norm constant 0 (if above 0).
// slots: W
template <class T> POLARSCOPE_FN void equalise_rows_columns(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  const double norm = c.constant(op, 0);
  const int rounds = static_cast<int>(c.constant(op, 1));
  const bool alternate = op.word == 2, rows_first = op.word == 1;
  const auto by_row = c.t.scratch(1, w.rows), by_column = c.t.scratch(1, w.cols);
  const auto inverse = [](Acc x) { return x > Acc(Tiny<R>::value) ? static_cast<R>(Acc(1) / x) : R(0); };
  c.t.sync();
  for (int round = 0; round < rounds; ++round) {
    for_each_norm(c.t, w, kColumns, [=](auto x, int k) { by_column.p[k] = inverse(x); });
    if (!alternate) for_each_norm(c.t, w, kRows, [=](auto x, int k) { by_row.p[k] = inverse(x); });
    c.t.sync();
    scale_slices(c.t, w, w, static_cast<const R*>(rows_first ? by_row.p : by_column.p), rows_first ? kRows : kColumns);
    c.t.sync();
    if (alternate) {
      for_each_norm(c.t, w, kRows, [=](auto x, int k) { by_row.p[k] = inverse(x); });
      c.t.sync();
    }
    scale_slices(c.t, w, w, static_cast<const R*>(rows_first ? by_column.p : by_row.p), rows_first ? kColumns : kRows);
    c.t.sync();
  }
  if (!(norm > 0)) return;
  const Acc square = c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(w.p[i]); });
  const R scale = square > Acc(0) ? static_cast<R>(norm / sqrt_(square)) : R(0);
  c.t.for_each(c.t.pad(w.size()), [=](int i) { w.p[i] *= scale; });
}

} // namespace ops
POLARSCOPE_KERNELS_END
