// Forward and backward passes of networks: products, normalisation, activations, losses. Activations are batch × features,
// one sample per row; weights are outputs × inputs.
//
// Data slots hold several batches below each other; the body takes the rows of this step in place, without a copy. Where a
// gradient is "added to D", D may be the result's own slot; without D the result is written.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/dots.hpp"
#include "kernels/ops/problem.hpp"

POLARSCOPE_KERNELS_BEGIN

// The rows of A that belong to this step: batch t mod batches of `rows` rows each. A itself where it has no more.
template <class T>
POLARSCOPE_FN Mat<typename T::Real> rows_now(const Context<T>& c, const Mat<typename T::Real>& a, int rows) {
  const int batches = a.rows / rows;
  if (batches <= 1) return a;
  return {a.row(static_cast<int>(c.step % static_cast<std::uint64_t>(batches)) * rows), rows, a.cols, a.ld};
}

// 1/(1 + e⁻ˣ); e⁻ˣ may overflow, the quotient is then 0.
template <class R> POLARSCOPE_FN R logistic(R x) { return R(1) / (R(1) + exp_(-x)); }

// Activations; each gives 0 for 0, so that loops may run over padding, and NaN for NaN, so that it reaches the loss. slope: derivative at the input x.
struct Relu {
  template <class R> static POLARSCOPE_FN R value(R x) { return sel(x < R(0), R(0), x); }
  template <class R> static POLARSCOPE_FN R slope(R x) { return sel(x > R(0), R(1), R(0)); }
};
struct SquaredRelu {
  template <class R> static POLARSCOPE_FN R value(R x) { return sel(x < R(0), R(0), x * x); }
  template <class R> static POLARSCOPE_FN R slope(R x) { return sel(x > R(0), R(2) * x, R(0)); }
};
// The tanh form (Hendrycks, Gimpel 1606.08415): ½ x (1 + tanh u) = x/(1 + e⁻²ᵘ), u = √(2/π) (x + 0.044715 x³).
struct Gelu {
  template <class R> static POLARSCOPE_FN R value(R x) { return x * logistic(twice(x)); }
  template <class R> static POLARSCOPE_FN R slope(R x) {
    const R s = logistic(twice(x));
    return s + x * s * (R(1) - s) * (R(1.5957691216057308) * (R(1) + R(3 * 0.044715) * x * x));
  }
  template <class R> static POLARSCOPE_FN R twice(R x) { return R(1.5957691216057308) * (x + R(0.044715) * x * x * x); }
};
struct Silu {
  template <class R> static POLARSCOPE_FN R value(R x) { return x * logistic(x); }
  template <class R> static POLARSCOPE_FN R slope(R x) {
    const R s = logistic(x);
    return s * (R(1) + x * (R(1) - s));
  }
};
struct Tanh {
  template <class R> static POLARSCOPE_FN R value(R x) { return R(2) * logistic(R(2) * x) - R(1); }
  template <class R> static POLARSCOPE_FN R slope(R x) {
    const R y = value(x);
    return R(1) - y * y;
  }
};

enum ActivationKind : std::uint32_t { kRelu = 0, kSquaredRelu = 1, kGelu = 2, kSilu = 3, kTanh = 4 };

template <class F> POLARSCOPE_FN void with_activation(std::uint32_t kind, F f) {
  switch (kind) {
  case kSquaredRelu: return f(SquaredRelu{});
  case kGelu: return f(Gelu{});
  case kSilu: return f(Silu{});
  case kTanh: return f(Tanh{});
  default: return f(Relu{});
  }
}

namespace ops {

// C ← act(α op(A) op(B) + β D).  slots: C, A, B, D (none: β = 0);  constants: α, β
template <class T> POLARSCOPE_FN void product(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto result = c.mat(op, 0);
  auto a = c.mat(op, 1), b = c.mat(op, 2);
  MatmulArgs<R> args;
  args.transpose_a = (op.word & kTransposeA) != 0;
  args.transpose_b = (op.word & kTransposeB) != 0;
  args.relu = (op.word & kProductRelu) != 0;
  args.symmetric = (op.word & kSymmetric) != 0;
  args.alpha = static_cast<R>(c.constant(op, 0));
  if (c.has(op, 3)) {
    args.beta = static_cast<R>(c.constant(op, 1));
    args.d = c.ptr(op, 3);
  }
  if (op.word & kStepRowsA) a = rows_now(c, a, args.transpose_a ? (args.transpose_b ? b.cols : b.rows) : result.rows);
  if (op.word & kStepRowsB) b = rows_now(c, b, args.transpose_b ? result.cols : (args.transpose_a ? a.rows : a.cols));
  c.t.matmul(result, a, b, args);
}

// yᵢ ← xᵢ s with s = 1/√(mean(xᵢ²) + ε), kept for the way back (Zhang, Sennrich 1910.07467). A row of zeros is NaN for ε = 0:
// it has no direction.  slots: X, Y (may be X), s (one number per row);  constant: ε
template <class T> POLARSCOPE_FN void rms_rows(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto y = c.mat(op, 1);
  const auto x = rows_now(c, c.mat(op, 0), y.rows);
  R* kept = c.ptr(op, 2);
  const int width = row_width(c.t, y);
  const Acc eps = static_cast<Acc>(c.constant(op, 0)), share = Acc(1) / Acc(y.cols);
  for_each_dot(
      c.t, x, x, [=](Acc square) { return R(1) / sqrt_(static_cast<R>(square * share + eps)); },
      [=](auto& sub, int i, R scale) {
        const R* from = x.row(i);
        R* to = y.row(i);
        sub.for_each(width, [=](int j) { to[j] = scale * from[j]; });
        sub.single([=] { kept[i] = scale; });
      });
}

// The way back through rms_rows: dxᵢ = k s (dyᵢ − yᵢ mean(dyᵢ ∘ yᵢ)), and with kReluMask through a ReLU before it as well,
// whose output has the sign of y; added to D.  slots: dY, Y, s, dX (may be dY), D;  constant: k
template <class T> POLARSCOPE_FN void rms_rows_backward(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto dy = c.mat(op, 0), y = c.mat(op, 1), dx = c.mat(op, 3);
  const R* kept = c.ptr(op, 2);
  const bool mask = (op.word & kReluMask) != 0, add = c.has(op, 4);
  const auto before = add ? c.mat(op, 4) : dx;
  const int width = row_width(c.t, y);
  const R k = static_cast<R>(c.constant(op, 0));
  const Acc share = Acc(1) / Acc(y.cols);
  for_each_dot(
      c.t, dy, y, [=](Acc dot) { return static_cast<R>(dot * share); },
      [=](auto& sub, int i, R along) {
        const R *g = dy.row(i), *v = y.row(i), *d = before.row(i);
        R* to = dx.row(i);
        const R scale = k * kept[i];
        if (mask && add)
          sub.for_each(width, [=](int j) { to[j] = d[j] + sel(v[j] > R(0), scale * (g[j] - along * v[j]), R(0)); });
        else if (mask)
          sub.for_each(width, [=](int j) { to[j] = sel(v[j] > R(0), scale * (g[j] - along * v[j]), R(0)); });
        else if (add) sub.for_each(width, [=](int j) { to[j] = d[j] + scale * (g[j] - along * v[j]); });
        else sub.for_each(width, [=](int j) { to[j] = scale * (g[j] - along * v[j]); });
      });
}

// Y ← f(X).  slots: X, Y;  word: the activation
template <class T> POLARSCOPE_FN void activation(Context<T>& c, const Op& op) {
  const auto y = c.mat(op, 1);
  const auto x = rows_now(c, c.mat(op, 0), y.rows);
  const auto n = c.t.pad(y.size());
  with_activation(op.word, [&](auto f) { c.t.for_each(n, [=](int i) { y.p[i] = f.value(x.p[i]); }); });
}

// dX ← k dY ∘ f′(X), added to D. Of a ReLU, X may be its output.  slots: dY, X, dX (may be dY), D;  constant: k;  word:
// the activation
template <class T> POLARSCOPE_FN void activation_backward(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto dy = c.mat(op, 0), x = c.mat(op, 1), dx = c.mat(op, 2);
  const R k = static_cast<R>(c.constant(op, 0));
  const auto n = c.t.pad(dx.size());
  const R* before = c.has(op, 3) ? c.ptr(op, 3) : nullptr;
  with_activation(op.word, [&](auto f) {
    if (before) c.t.for_each(n, [=](int i) { dx.p[i] = before[i] + k * dy.p[i] * f.slope(x.p[i]); });
    else c.t.for_each(n, [=](int i) { dx.p[i] = k * dy.p[i] * f.slope(x.p[i]); });
  });
}

// D ← A + k B, or k B where there is no A.  slots: A, B, D (may be A or B);  constant: k
template <class T> POLARSCOPE_FN void add_times(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto d = c.mat(op, 2);
  const auto b = rows_now(c, c.mat(op, 1), d.rows);
  const R k = static_cast<R>(c.constant(op, 0));
  const auto n = c.t.pad(d.size());
  if (!c.has(op, 0)) {
    c.t.for_each(n, [=](int i) { d.p[i] = k * b.p[i]; });
    return;
  }
  const auto a = rows_now(c, c.mat(op, 0), d.rows);
  c.t.for_each(n, [=](int i) { d.p[i] = a.p[i] + k * b.p[i]; });
}

// Y_ij ← X_ij g_j.  slots: X, g, Y
template <class T> POLARSCOPE_FN void scale_columns(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto y = c.mat(op, 2);
  const auto x = rows_now(c, c.mat(op, 0), y.rows);
  const R* g = c.ptr(op, 1);
  const int cols = y.cols;
  c.t.rows(y.rows, [=](auto& sub, int i) {
    const R* from = x.row(i);
    R* to = y.row(i);
    sub.for_each(cols, [=](int j) { to[j] = from[j] * g[j]; });
  });
}

// The way back: dg_j = k Σᵢ dY_ij X_ij and dX_ij = k dY_ij g_j where dX is given, added to D.  slots: dY, X, g, dg, dX (may
// be dY), D;  constant: k
template <class T> POLARSCOPE_FN void scale_columns_backward(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto dy = c.mat(op, 0);
  const auto x = rows_now(c, c.mat(op, 1), dy.rows);
  const R* g = c.ptr(op, 2);
  R* dg = c.ptr(op, 3);
  const int cols = dy.cols, rows = dy.rows;
  const R k = static_cast<R>(c.constant(op, 0));
  c.t.for_each(cols, [=](int j) {
    Acc total = 0;
    for (int i = 0; i < rows; ++i) total += Acc(dy(i, j) * x(i, j));
    dg[j] = k * static_cast<R>(total);
  });
  if (!c.has(op, 4)) return;
  c.t.sync();
  const auto dx = c.mat(op, 4);
  const bool add = c.has(op, 5);
  const auto before = add ? c.mat(op, 5) : dx;
  c.t.rows(rows, [=](auto& sub, int i) {
    const R *from = dy.row(i), *d = before.row(i);
    R* to = dx.row(i);
    if (add) sub.for_each(cols, [=](int j) { to[j] = d[j] + k * from[j] * g[j]; });
    else sub.for_each(cols, [=](int j) { to[j] = k * from[j] * g[j]; });
  });
}

// L = k Σ (Z − Y)², dZ = 2 k (Z − Y).  slots: Z, Y, dZ (may be Z);  constant: k;  word: loss column
template <class T> POLARSCOPE_FN void square_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto z = c.mat(op, 0), dz = c.mat(op, 2);
  const auto y = rows_now(c, c.mat(op, 1), z.rows);
  const double k = c.constant(op, 0);
  const R twice = static_cast<R>(2 * k);
  const Acc total = c.t.sum(z.size(), [=](int i) {
    const R d = z.p[i] - y.p[i];
    dz.p[i] = twice * d;
    return d * d;
  });
  store_loss(c, op, Acc(k) * total);
}

// L = mean over rows of ln Σⱼ e^zⱼ − z_label, dZ = (softmax(Z) − 1[label])/rows.  slots: Z, labels (rows × 1), dZ (may be
// Z);  word: loss column
template <class T> POLARSCOPE_FN void cross_entropy_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto z = c.mat(op, 0), dz = c.mat(op, 2);
  const int cols = z.cols, rows = z.rows;
  const auto labels = rows_now(c, c.mat(op, 1), rows);
  const auto each = c.t.scratch(1, rows);
  const R share = R(1) / R(rows);
  c.t.rows(rows, [=](auto& sub, int i) {
    const R* zi = z.row(i);
    R* di = dz.row(i);
    const int label = static_cast<int>(labels.row(i)[0]);
    const R first = zi[0], wanted = zi[label];
    // max counts from 0, hence against the first
    const R top = first + sub.max(cols, [=](int j) { return zi[j] - first; });
    sub.for_each(cols, [=](int j) { di[j] = exp_(zi[j] - top); });
    sub.sync();
    const Acc total = sub.sum(cols, [=](int j) { return di[j]; }); // a loop that stores and adds is not vectorised
    const R scale = share / static_cast<R>(total);
    sub.for_each(cols, [=](int j) { di[j] = scale * di[j] - (j == label ? share : R(0)); });
    sub.single([=] { each.p[i] = log_(static_cast<R>(total)) + (top - wanted); });
  });
  c.t.sync();
  store_loss(c, op, c.t.sum(rows, [=](int i) { return each.p[i]; }) / Acc(rows));
}

} // namespace ops
POLARSCOPE_KERNELS_END
