// Bodies that need eigenvalues, an orthonormal basis or a root of a symmetric matrix: Shampoo, SOAP.
//
// Accuracy: Jacobi rotations stop at cosines of 2e-16 (f32: 1e-7) between rows, so eigenvectors are orthonormal to
// rounding; eigenvalues are right to rounding times the largest one, as with any backward stable method.
#pragma once

#include "kernels/ops/matrix.hpp"
#include "kernels/ops/optimizer.hpp"

POLARSCOPE_KERNELS_BEGIN

// order[i] = how many values are larger than value i, the earlier of equals first: its place in descending order.
template <class T, class R> POLARSCOPE_FN void descending_places(T& t, Mat<R> values, Mat<R> order) {
  const int n = values.cols;
  t.for_each(n, [=](int i) {
    int place = 0;
    for (int j = 0; j < n; ++j) place += values.p[j] > values.p[i] || (values.p[j] == values.p[i] && j < i) ? 1 : 0;
    order.p[i] = static_cast<R>(place);
  });
}

// Eigenvalues and orthonormal eigenvectors, one per row of Q, of a symmetric positive semi-definite F: one-sided Jacobi
// on F, X = Q F with X_i = λ_i q_i. X, turned: room; values: λ, not sorted.
template <class T, class R>
POLARSCOPE_FN void eigen_rows(T& t, Mat<R> f, Mat<R> x, Mat<R> q, Mat<R> values, Mat<R> turned) {
  using Acc = typename T::Acc;
  const Acc norm = sqrt_(square_norm(t, f));
  const R inverse = norm > Acc(Tiny<R>::value) ? static_cast<R>(Acc(1) / norm) : R(0);
  const int n = f.rows;
  t.rows(n, [=](auto& sub, int i) { sub.for_each(n, [=](int j) { x(i, j) = inverse * f(i, j); }); });
  set_identity(t, q);
  t.sync();
  orthogonalise_rows(t, x, q, turned, kMostJacobiSweeps);
  t.rows(n, [=](auto& sub, int i) {
    const R *xi = x.row(i), *qi = q.row(i);
    const Acc value = sub.sum(n, [=](int e) { return Acc(xi[e]) * Acc(qi[e]); }) * norm;
    sub.single([=] { values.p[i] = value > Acc(0) ? static_cast<R>(value) : R(0); });
  });
  t.sync();
}

// The rows of X made orthonormal in their order, into Q: Householder's QR of Xᵀ, so that Q is a basis whatever X's rank
// is. X is overwritten; factors: one number per row.
template <class T, class R> POLARSCOPE_FN void orthonormal_rows(T& t, Mat<R> x, Mat<R> q, Mat<R> factors) {
  using Acc = typename T::Acc;
  const int n = x.rows;
  for (int k = 0; k + 1 < n; ++k) {
    R* v = x.row(k);
    const Acc square = t.sum(n - k, [=](int e) { return Acc(v[k + e]) * Acc(v[k + e]); });
    const Acc length = sqrt_(square), first = Acc(v[k]);
    t.sync();
    // v = x_k ± ‖x_k‖ e_k, the sign that does not cancel; H = 1 − factor v vᵀ
    const Acc pivot = first + (first >= Acc(0) ? length : -length);
    const Acc reflected = Acc(2) * (square + (first >= Acc(0) ? first : -first) * length);
    const Acc factor = reflected > Acc(Tiny<R>::value) ? Acc(2) / reflected : Acc(0);
    t.single([=] {
      factors.p[k] = static_cast<R>(factor);
      v[k] = static_cast<R>(pivot);
    });
    t.sync();
    t.rows(n - k - 1, [=](auto& sub, int i) {
      R* y = x.row(k + 1 + i);
      const Acc along = sub.sum(n - k, [=](int e) { return Acc(v[k + e]) * Acc(y[k + e]); }) * factor;
      sub.for_each(n - k, [=](int e) { y[k + e] = static_cast<R>(Acc(y[k + e]) - along * Acc(v[k + e])); });
    });
    t.sync();
  }
  set_identity(t, q);
  t.sync();
  for (int k = n - 2; k >= 0; --k) {
    const R* v = x.row(k);
    const Acc factor = Acc(factors.p[k]);
    t.rows(n, [=](auto& sub, int i) {
      R* y = q.row(i);
      const Acc along = sub.sum(n - k, [=](int e) { return Acc(v[k + e]) * Acc(y[k + e]); }) * factor;
      sub.for_each(n - k, [=](int e) { y[k + e] = static_cast<R>(Acc(y[k + e]) - along * Acc(v[k + e])); });
    });
    t.sync();
  }
}

namespace ops {

// What a new outer product does to a Kronecker factor.
enum FactorUpdate : int { kFactorSum = 0, kFactorAverage = 1, kFactorCorrected = 2, kFactorOnly = 3 };

// F ← F + A Aᵀ, or an average of it; word bit 0: AᵀA; word >> 1: 0 sum, 1 average βF + (1−β)AAᵀ, 2 the same with
// 1 − β divided by 1 − βᵗ, 3 A Aᵀ alone.  slots: A, F;  hparam: β
template <class T> POLARSCOPE_FN void kronecker_factor(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), f = c.mat(op, 1);
  const int update = static_cast<int>(op.word >> 1);
  double keep = update == kFactorOnly ? 0.0 : 1.0, add = 1;
  if (update == kFactorAverage || update == kFactorCorrected) {
    const double beta = c.exact_hp(op, 0);
    add = 1 - beta;
    if (update == kFactorCorrected) add /= 1 - c.power(beta);
    keep = 1 - add;
  }
  MatmulArgs<R> args;
  args.transpose_a = (op.word & 1) != 0;
  args.transpose_b = !args.transpose_a;
  args.symmetric = true;
  args.alpha = static_cast<R>(add);
  args.beta = static_cast<R>(keep);
  args.d = f.p;
  c.t.matmul(f, a, a, args);
}

// P ← (F + ε)^p of a symmetric positive semi-definite F.  slots: F, P;  constants: p;  hparam: ε;  word 1: eigenvalues at
// most n · 1.2e-7 · λ₁ give 0 instead (a root on the range of F only; the cut is single precision's in both)
template <class T> POLARSCOPE_FN void factor_power(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto f = c.mat(op, 0), p = c.mat(op, 1);
  const int n = f.rows;
  const auto x = c.t.scratch(n, n), q = c.t.scratch(n, n);
  const auto values = c.t.scratch(1, n), turned = c.t.scratch(1, n);
  c.t.sync();
  eigen_rows(c.t, f, x, q, values, turned);
  const Acc exponent = static_cast<Acc>(c.constant(op, 0));
  const bool range_only = op.word == 1;
  const Acc floor = op.hparam[0] == kNone ? Acc(0) : Acc(c.hp(op, 0));
  const Acc cut = Acc(c.t.max(n, [=](int i) { return values.p[i]; })) * Acc(1.2e-7) * Acc(n);
  c.t.rows(n, [=](auto& sub, int i) {
    const Acc value = Acc(values.p[i]), base = value + floor;
    const bool none = (range_only && !(value > cut)) || !(base > Acc(0));
    const R weight = none ? R(0) : static_cast<R>(pow_(base, exponent));
    sub.for_each(n, [=](int j) { x(i, j) = weight * q(i, j); });
  });
  c.t.sync();
  MatmulArgs<R> args;
  args.transpose_a = true;
  args.symmetric = true;
  c.t.matmul(p, q, x, args);
}

// D ← op(L) A op(B), a missing side counts as the identity; word bit 0: Lᵀ, bit 1: Bᵀ.  slots: A, L, B, D (may be A)
template <class T> POLARSCOPE_FN void two_sided(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), d = c.mat(op, 3);
  const bool left = c.has(op, 1), right = c.has(op, 2);
  const auto half = c.t.scratch(a.rows, a.cols);
  c.t.sync();
  if (left) {
    MatmulArgs<R> args;
    args.transpose_a = (op.word & 1) != 0;
    c.t.matmul(half, c.mat(op, 1), a, args);
  } else {
    c.t.for_each(a.size(), [=](int i) { half.p[i] = a.p[i]; });
  }
  c.t.sync();
  if (right) {
    MatmulArgs<R> args;
    args.transpose_b = (op.word & 2) != 0;
    c.t.matmul(d, half, c.mat(op, 2), args);
  } else {
    c.t.for_each(d.size(), [=](int i) { d.p[i] = half.p[i]; });
  }
}

// SOAP's Adam in the eigenbasis. word bit 0: ε after the bias correction; bit 1: the first call does nothing and is not
// counted. Otherwise U = m/(√v + ε) · √(1−β₂ᵏ)/(1−β₁ᵏ); 0/0 is 0.  slots: G, m, v, U;  hparams: β₁, β₂, ε
template <class T> POLARSCOPE_FN void adam_in_basis(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto g = c.mat(op, 0), m = c.mat(op, 1), v = c.mat(op, 2), u = c.mat(op, 3);
  const bool after = (op.word & 1) != 0, late = (op.word & 2) != 0;
  if (late && c.step == 0) {
    c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] = R(0); });
    return;
  }
  const double calls = static_cast<double>(late ? c.step : c.step + 1), beta1 = c.exact_hp(op, 0),
               beta2 = c.exact_hp(op, 1);
  const R share1 = static_cast<R>(1 - beta1), share2 = static_cast<R>(1 - beta2);
  const R first_root = static_cast<R>(1 / (1 - pow_(beta1, calls))),
          second_root = static_cast<R>(sqrt_(1 - pow_(beta2, calls)));
  const R eps = after ? c.hp(op, 2) * second_root : c.hp(op, 2);
  const R step = first_root * second_root;
  c.t.for_each(c.t.pad(g.size()), [=](int i) {
    const R x = g.p[i];
    const R first = m.p[i] - share1 * m.p[i] + share1 * x, second = v.p[i] - share2 * v.p[i] + share2 * x * x;
    m.p[i] = first;
    v.p[i] = second;
    const R below = sqrt_(second) + eps;
    u.p[i] = sel(below > R(0), step * first / below, R(0));
  });
}

// A step of SOAP's eigenbasis: the rows of Q are brought nearer to F's eigenvectors by one power iteration and a QR.
// word bit 0: v belongs to Q along its columns, else along its rows; bit 1: NeMo's order (every call counts, the basis is
// sorted after the QR and v is left as it is), else the source's (sorted before, v with it, the first call not counted).
// The first call takes the eigenvectors themselves, largest eigenvalue first.  slots: F, Q, v;  constants: calls between
// refreshes
template <class T> POLARSCOPE_FN void refresh_basis(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto f = c.mat(op, 0), q = c.mat(op, 1), v = c.mat(op, 2);
  const bool columns = (op.word & 1) != 0, nemo = (op.word & 2) != 0, first = c.step == 0;
  const auto period = static_cast<std::uint64_t>(c.constant(op, 0));
  if (!first && !nemo && c.step % period != 0) return;
  const int n = f.rows;
  const auto x = c.t.scratch(n, n), y = c.t.scratch(n, n), moved = c.t.scratch(v.rows, v.cols);
  const auto values = c.t.scratch(1, n), order = c.t.scratch(1, n), turned = c.t.scratch(1, n);
  c.t.sync();
  const auto rayleigh = [&](Mat<R> basis, Mat<R> product) { // values_i = q_i F q_i, product = Q F
    c.t.matmul(product, basis, f, MatmulArgs<R>{});
    c.t.sync();
    c.t.rows(n, [=](auto& sub, int i) {
      const R *a = basis.row(i), *b = product.row(i);
      const Acc value = sub.sum(n, [=](int e) { return Acc(a[e]) * Acc(b[e]); });
      sub.single([=] { values.p[i] = static_cast<R>(value); });
    });
    c.t.sync();
  };
  const auto sorted = [&](Mat<R> from, Mat<R> to) { // rows of `from` in the order of descending values
    descending_places(c.t, values, order);
    c.t.sync();
    c.t.rows(n, [=](auto& sub, int i) {
      const R* a = from.row(i);
      R* b = to.row(static_cast<int>(order.p[i]));
      sub.for_each(n, [=](int e) { b[e] = a[e]; });
    });
    c.t.sync();
  };
  if (first) {
    eigen_rows(c.t, f, x, y, values, turned);
    sorted(y, q);
    return;
  }
  rayleigh(q, x);
  if (nemo) {
    orthonormal_rows(c.t, x, y, turned);
    rayleigh(y, x);
    sorted(y, q);
    return;
  }
  sorted(x, y);
  const int cols = v.cols;
  c.t.rows(v.rows, [=](auto& sub, int i) {
    const int row = columns ? i : static_cast<int>(order.p[i]);
    sub.for_each(cols, [=](int j) { moved(row, columns ? static_cast<int>(order.p[j]) : j) = v(i, j); });
  });
  c.t.sync();
  c.t.rows(v.rows, [=](auto& sub, int i) { sub.for_each(cols, [=](int j) { v(i, j) = moved(i, j); }); });
  orthonormal_rows(c.t, y, q, turned);
}

// Metric column: ‖Q Qᵀ − I‖_F / √n.  slots: Q;  word: the column
template <class T> POLARSCOPE_FN void basis_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto q = c.mat(op, 0);
  const int n = q.rows;
  const auto gram = c.t.scratch(n, n);
  c.t.sync();
  MatmulArgs<R> args;
  args.transpose_b = true;
  args.symmetric = true;
  c.t.matmul(gram, q, q, args);
  c.t.sync();
  c.t.for_each(n, [=](int i) { gram(i, i) -= R(1); });
  c.t.sync();
  const Acc error = sqrt_(square_norm(c.t, gram)) / sqrt_(Acc(n));
  R* out = c.metric(op);
  c.t.single([=] { out[0] = finite_(error) ? static_cast<R>(error) : R(1e30); });
}

} // namespace ops
POLARSCOPE_KERNELS_END
