// Bodies that work on whole matrices through products: Newton–Schulz, the exact polar factor, their checks.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class T, class R> POLARSCOPE_FN auto square_norm(T& t, Mat<R> a) {
  using Acc = typename T::Acc;
  return t.sum(a.size(), [=](int i) { return Acc(a.p[i]) * Acc(a.p[i]); });
}

// X = scale · A, transposed when A is tall: X always has at most as many rows as columns.
template <class T, class R> POLARSCOPE_FN void copy_wide(T& t, Mat<R> a, Mat<R> x, R scale) {
  const bool tall = a.rows > a.cols;
  const int cols = x.cols;
  t.rows(x.rows, [=](auto& sub, int i) {
    R* to = x.row(i);
    if (tall) sub.for_each(cols, [=](int j) { to[j] = scale * a(j, i); });
    else sub.for_each(cols, [=](int j) { to[j] = scale * a(i, j); });
  });
}

// D = scale · X, transposed back when D is tall.
template <class T, class R> POLARSCOPE_FN void copy_back(T& t, Mat<R> x, Mat<R> d, R scale) {
  const bool tall = d.rows > d.cols;
  const int cols = d.cols;
  t.rows(d.rows, [=](auto& sub, int i) {
    R* to = d.row(i);
    if (tall) sub.for_each(cols, [=](int j) { to[j] = scale * x(j, i); });
    else sub.for_each(cols, [=](int j) { to[j] = scale * x(i, j); });
  });
}

// How the input of Newton–Schulz is scaled below its convergence edge (algorithms.md §0).
enum InputScale : int { kAdd = 0, kClamp = 1, kScaled = 2, kBare = 3, kScaledMore = 4 };

template <class R, class Acc> POLARSCOPE_FN R input_scale(int form, Acc norm, Acc eps) {
  const Acc safety = form == kScaled ? Acc(1.01) : form == kScaledMore ? Acc(1.02) : Acc(1);
  const Acc below = form == kBare ? norm : form == kClamp ? max_(norm, eps) : safety * norm + eps;
  return sel(below > Acc(Tiny<R>::value), static_cast<R>(Acc(1) / below), R(0));
}

// Newton–Schulz as an op's word has it: steps << 3 | input scale.
POLARSCOPE_FN int polynomial_form(const Op& op) { return static_cast<int>(op.word & 7); }
POLARSCOPE_FN int polynomial_length(const Op& op) { return static_cast<int>(op.word >> 3); }

// next ← s(aX + (bG + cG²)X) with the Gram matrix G of X's smaller side, a, b, c the op's constants from `first` on. Of a
// matrix that is not wide, G = XᵀX stands on the right: the same polynomial of its singular values, and no product reads
// rows against rows. gram, poly: squares of the smaller side. A barrier at the end is the caller's.
template <class T, class R>
POLARSCOPE_FN void polynomial_step(Context<T>& c, const Op& op, int first, R scale, const Mat<R>& x, const Mat<R>& next,
                                   const Mat<R>& gram, const Mat<R>& poly) {
  const bool wide = x.rows < x.cols;
  MatmulArgs<R> args;
  args.symmetric = true;
  args.transpose_a = !wide;
  args.transpose_b = wide;
  c.t.matmul(gram, x, x, args);
  c.t.sync();
  args.transpose_a = true; // the Gram matrix is symmetric, and the transposed read is the faster one
  args.transpose_b = false;
  args.alpha = static_cast<R>(c.constant(op, first + 2));
  args.beta = static_cast<R>(c.constant(op, first + 1));
  args.d = gram.p;
  c.t.matmul(poly, gram, gram, args);
  c.t.sync();
  MatmulArgs<R> last;
  last.transpose_a = wide;
  last.alpha = scale;
  last.beta = scale * static_cast<R>(c.constant(op, first));
  last.d = x.p;
  if (wide) c.t.matmul(next, poly, x, last);
  else c.t.matmul(next, x, poly, last);
}

// That step `count` times, unscaled. Returns the one of x and next that holds the result.
template <class T, class R>
POLARSCOPE_FN Mat<R> polynomial_steps(Context<T>& c, const Op& op, int first, int count, Mat<R> x, Mat<R> next,
                                      Mat<R> gram, Mat<R> poly) {
  for (int k = 0; k < count; ++k) {
    polynomial_step(c, op, first + 3 * k, R(1), x, next, gram, poly);
    c.t.sync();
    const auto swapped = x;
    x = next;
    next = swapped;
  }
  return x;
}

// One-sided Jacobi: turns pairs of rows of X until all are orthogonal, and the same pairs of Q. All pairs of a round are
// independent; a sweep without a turn ends the loop. turned: room for a number per pair of rows.
template <class T, class R>
POLARSCOPE_FN void orthogonalise_rows(T& t, Mat<R> x, Mat<R> q, Mat<R> turned, int most_sweeps) {
  using Acc = typename T::Acc;
  const Acc epsilon = sizeof(R) == 4 ? Acc(1.2e-7) : Acc(2.3e-16);
  const int count = x.rows, length = x.cols, across = q.cols;
  const int even = count + (count & 1), pairs = even / 2;
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    t.for_each(pairs, [=](int i) { turned.p[i] = R(0); });
    t.sync();
    for (int round = 0; round + 1 < even; ++round) {
      // Round-robin tournament: row even−1 stays, the others rotate.
      t.rows(pairs, [=](auto& sub, int k) {
        const int i = k == 0 ? even - 1 : (round + k) % (even - 1), j = (round + even - 1 - k) % (even - 1);
        if (i >= count || j >= count) return;
        R *xi = x.row(i), *xj = x.row(j), *qi = q.row(i), *qj = q.row(j);
        const Acc alpha = sub.sum(length, [=](int e) { return Acc(xi[e]) * Acc(xi[e]); });
        const Acc beta = sub.sum(length, [=](int e) { return Acc(xj[e]) * Acc(xj[e]); });
        const Acc gamma = sub.sum(length, [=](int e) { return Acc(xi[e]) * Acc(xj[e]); });
        if (!(abs_(gamma) > epsilon * sqrt_(alpha * beta)) || gamma == Acc(0)) return;
        const Acc zeta = (beta - alpha) / (Acc(2) * gamma);
        const Acc tangent = (zeta >= Acc(0) ? Acc(1) : Acc(-1)) / (abs_(zeta) + sqrt_(Acc(1) + zeta * zeta));
        const Acc cosine = Acc(1) / sqrt_(Acc(1) + tangent * tangent), sine = cosine * tangent;
        const auto turn = [=](R* u, R* v, int e) {
          const Acc p = Acc(u[e]), r = Acc(v[e]);
          u[e] = static_cast<R>(cosine * p - sine * r);
          v[e] = static_cast<R>(sine * p + cosine * r);
        };
        sub.for_each(length, [=](int e) { turn(xi, xj, e); });
        sub.for_each(across, [=](int e) { turn(qi, qj, e); });
        sub.single([=] { turned.p[k] = R(1); });
      });
      t.sync();
    }
    if (!(t.max(pairs, [=](int k) { return turned.p[k]; }) > R(0))) break;
  }
}

// Q ← I
template <class T, class R> POLARSCOPE_FN void set_identity(T& t, Mat<R> q) {
  const int cols = q.cols;
  t.rows(q.rows, [=](auto& sub, int i) { sub.for_each(cols, [=](int j) { q(i, j) = i == j ? R(1) : R(0); }); });
}

inline constexpr int kMostJacobiSweeps = 40;

// msign(X) into `out`, which is returned: X with at most as many rows as columns is turned to B = Q X with orthogonal rows,
// then msign = Qᵀ (B with unit rows). Directions whose singular value is at most max(m,n)·ε·σ₁ get 0 (algorithms.md §A7).
// X is overwritten; q: square of X's rows; sizes, turned: one number per row.
template <class T, class R>
POLARSCOPE_FN Mat<R> polar_rows(T& t, Mat<R> x, Mat<R> out, Mat<R> q, Mat<R> sizes, Mat<R> turned) {
  using Acc = typename T::Acc;
  const Acc epsilon = sizeof(R) == 4 ? Acc(1.2e-7) : Acc(2.3e-16);
  const int small = x.rows, large = x.cols;
  set_identity(t, q); // scratch holds whatever was there
  t.sync();
  orthogonalise_rows(t, x, q, turned, kMostJacobiSweeps);
  t.rows(small, [=](auto& sub, int i) {
    const R* xi = x.row(i);
    const Acc square = sub.sum(large, [=](int e) { return Acc(xi[e]) * Acc(xi[e]); });
    sub.single([=] { sizes.p[i] = static_cast<R>(sqrt_(square)); });
  });
  t.sync();
  const Acc largest = Acc(t.max(small, [=](int i) { return sizes.p[i]; }));
  const Acc cut = Acc(large) * epsilon * largest;
  t.rows(small, [=](auto& sub, int i) {
    R* xi = x.row(i);
    const Acc size = Acc(sizes.p[i]);
    sub.for_each(large, [=](int e) { xi[e] = size > cut ? static_cast<R>(Acc(xi[e]) / size) : R(0); });
  });
  t.sync();
  MatmulArgs<R> args;
  args.transpose_a = true;
  t.matmul(out, q, x, args);
  t.sync();
  return out;
}

namespace ops {

// D ← s · NS(A): k steps of X ← aX + (bXXᵀ + c(XXᵀ)²)X on the smaller side, the last of them into D.  slots: A, D (may be
// A);  word: steps << 3 | input scale;  constants: ε, s, then a, b, c per step
template <class T> POLARSCOPE_FN void newton_schulz(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  const int small = a.rows < a.cols ? a.rows : a.cols, steps = polynomial_length(op);
  const auto x = c.t.scratch(a.rows, a.cols), next = c.t.scratch(a.rows, a.cols);
  const auto gram = c.t.scratch(small, small), poly = c.t.scratch(small, small);
  const Acc norm = sqrt_(square_norm(c.t, a));
  const R scale = input_scale<R>(polynomial_form(op), norm, static_cast<Acc>(c.constant(op, 0))),
          size = static_cast<R>(c.constant(op, 1));
  c.t.sync();
  c.t.for_each(c.t.pad(a.size()), [=](int i) { x.p[i] = scale * a.p[i]; });
  c.t.sync();
  const auto last = polynomial_steps(c, op, 2, steps - 1, x, next, gram, poly);
  polynomial_step(c, op, 3 * steps - 1, size, last, d, gram, poly);
}

// D ← s · msign(A) = s · U Vᵀ by one-sided Jacobi.  slots: A, D;  word: unused;  constants: unused, s
template <class T> POLARSCOPE_FN void polar_factor(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  const int small = a.rows < a.cols ? a.rows : a.cols, large = a.rows < a.cols ? a.cols : a.rows;
  const auto x = c.t.scratch(small, large), out = c.t.scratch(small, large), q = c.t.scratch(small, small);
  const auto sizes = c.t.scratch(1, small), turned = c.t.scratch(1, small);
  const Acc norm = sqrt_(square_norm(c.t, a));
  c.t.sync();
  copy_wide(c.t, a, x, input_scale<R>(kBare, norm, Acc(0)));
  c.t.sync();
  copy_back(c.t, polar_rows(c.t, x, out, q, sizes, turned), d, static_cast<R>(c.constant(op, 1)));
}

// Metric column: by how much ‖U‖₂/s exceeds the top of the polynomial's band; 20 power iterations from a fixed vector,
// which never overestimate.  slots: U;  word: the column;  constants: s, top
template <class T> POLARSCOPE_FN void band_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto u = c.mat(op, 0);
  const auto right = c.t.scratch(1, u.cols), left = c.t.scratch(1, u.rows);
  const int rows = u.rows, cols = u.cols;
  c.t.sync();
  c.t.for_each(cols, [=](int j) { right.p[j] = R(1) + R(0.37) * R((j * 7919) % 13); });
  c.t.sync();
  Acc sigma = 0;
  for (int k = 0; k < 20; ++k) {
    const Acc length = sqrt_(square_norm(c.t, right));
    const R inverse = sel(length > Acc(Tiny<R>::value), static_cast<R>(Acc(1) / length), R(0));
    c.t.rows(rows, [=](auto& sub, int i) {
      const R* x = u.row(i);
      const Acc dot = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(right.p[j]); });
      sub.single([=] { left.p[i] = static_cast<R>(dot) * inverse; });
    });
    c.t.sync();
    sigma = sqrt_(square_norm(c.t, left)); // = ‖U v‖ for the unit vector v
    c.t.for_each(cols, [=](int j) {
      Acc total = 0;
      for (int i = 0; i < rows; ++i) total += Acc(u(i, j)) * Acc(left.p[i]);
      right.p[j] = static_cast<R>(total);
    });
    c.t.sync();
  }
  const R excess = static_cast<R>(sigma / Acc(c.constant(op, 0)) - Acc(c.constant(op, 1)));
  R* out = c.metric(op);
  c.t.single([=] { out[0] = sel(finite_(excess), max_(excess, R(0)), R(1e30)); });
}

// Metric column: ‖O Oᵀ O − O‖_F / √min(m,n) with O = U/s: 0 exactly when every singular value is 0 or 1.
// slots: U;  word: the column;  constants: s
template <class T> POLARSCOPE_FN void isometry_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto u = c.mat(op, 0);
  const int small = u.rows < u.cols ? u.rows : u.cols, large = u.rows < u.cols ? u.cols : u.rows;
  const auto x = c.t.scratch(small, large), rest = c.t.scratch(small, large), gram = c.t.scratch(small, small);
  c.t.sync();
  copy_wide(c.t, u, x, static_cast<R>(1 / c.constant(op, 0)));
  c.t.sync();
  MatmulArgs<R> args;
  args.transpose_b = true;
  args.symmetric = true;
  c.t.matmul(gram, x, x, args);
  c.t.sync();
  MatmulArgs<R> less;
  less.beta = R(-1);
  less.d = x.p;
  c.t.matmul(rest, gram, x, less);
  c.t.sync();
  const Acc error = sqrt_(square_norm(c.t, rest)) / sqrt_(Acc(small));
  R* out = c.metric(op);
  c.t.single([=] { out[0] = finite_(error) ? static_cast<R>(error) : R(1e30); });
}

} // namespace ops
POLARSCOPE_KERNELS_END
