// What is measured.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/flat.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// word: the loss column, or kNoLoss. A run that is not finite is stopped and marked, never clipped silently. ‖W‖² is tested in the
// run's precision: it is not finite where an element is not, and where the norm is too large to be measured.
template <class T> POLARSCOPE_FN void check_finite(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0);
  const R square = static_cast<R>(c.t.sum(flat_size(w), [=](int i) { return w.p[i] * w.p[i]; }));
  const R loss = op.word == kNoLoss ? R(0) : *c.metric(op);
  if (!finite_(square) || !finite_(loss)) c.stopped = true;
}

// The constants of weight_motion: the metric column of each quantity, −1 where it is not wanted.
enum Motion {
  kFrobenius,
  kAngularUpdate,
  kRelativeUpdate,
  kRadialUpdate,
  kRadialGradient,
  kAngle,
  kAngleTravelled,
  kSpectral,   // of a single row: its norm
  kStableRank, // of a single row: 1
  kRowNorm,    // of a single row
  kEvery,      // cadence of the columns; the sum of angles grows every step
};

// Angle between a and b, given their norms: 2 atan2(‖â − b̂‖, ‖â + b̂‖), accurate at every angle (algorithms.md §F).
template <class T, class R = typename T::Real>
POLARSCOPE_FN R angle_between(T& t, const Mat<R>& a, R norm_a, const Mat<R>& b, R norm_b) {
  const R x = R(1) / norm_a, y = R(1) / norm_b;
  const auto minus = t.sum(flat_size(a), [=](int i) {
    const R d = a.p[i] * x - b.p[i] * y;
    return d * d;
  });
  const auto plus = t.sum(flat_size(a), [=](int i) {
    const R d = a.p[i] * x + b.p[i] * y;
    return d * d;
  });
  return R(2) * atan2_(static_cast<R>(sqrt_(minus)), static_cast<R>(sqrt_(plus)));
}

// A cosine that rounding may have carried past ±1, by an ulp; NaN stays NaN.
template <class R> POLARSCOPE_FN R bounded_cosine(R x) { return x > R(1) ? R(1) : x < R(-1) ? R(-1) : x; }

// Norm, angles and radial parts of W and of the step Δ = W − P from the weight before, P. Constants: see Motion.
// Undefined quantities (a weight or a step of norm 0) are NaN: not recorded.
template <class T> POLARSCOPE_FN void weight_motion(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto wanted = [&](int k) { return c.constant(op, k) >= 0; };
  R* slab = c.metric(op);
  const bool due = c.starting || (c.step + 1) % static_cast<std::uint64_t>(c.constant(op, kEvery)) == 0;
  const auto put = [&](int k, R value) {
    if (due && wanted(k)) slab[static_cast<int>(c.constant(op, k))] = value;
  };
  const auto w = c.mat(op, 0);
  const int n = flat_size(w);
  const R norm = static_cast<R>(sqrt_(c.t.sum(n, [=](int i) { return w.p[i] * w.p[i]; })));
  R angle = 0;
  if (wanted(kAngle)) {
    const auto r = c.mat(op, 3);
    const R size = static_cast<R>(sqrt_(c.t.sum(n, [=](int i) { return r.p[i] * r.p[i]; })));
    angle = angle_between(c.t, w, norm, r, size);
  }
  c.t.single([&] {
    put(kFrobenius, norm);
    put(kAngle, angle);
    put(kSpectral, norm);
    put(kRowNorm, norm);
    put(kStableRank, norm > R(0) ? R(1) : R(0) / R(0));
  });
  R* travelled = wanted(kAngleTravelled) ? c.ptr(op, 4) : nullptr;
  if (c.starting) {
    c.t.single([&] { put(kAngleTravelled, 0); });
    return;
  }

  const auto p = c.mat(op, 1);
  const Acc pp = c.t.sum(n, [=](int i) { return p.p[i] * p.p[i]; });
  const Acc dd = c.t.sum(n, [=](int i) { return (w.p[i] - p.p[i]) * (w.p[i] - p.p[i]); });
  const Acc pd = c.t.sum(n, [=](int i) { return p.p[i] * (w.p[i] - p.p[i]); });
  Acc gg = 0, pg = 0;
  if (wanted(kRadialGradient)) {
    const auto g = c.mat(op, 2);
    gg = c.t.sum(n, [=](int i) { return g.p[i] * g.p[i]; });
    pg = c.t.sum(n, [=](int i) { return p.p[i] * g.p[i]; });
  }
  R turn = 0;
  if (wanted(kAngularUpdate) || travelled) {
    // ŵ⁺ − ŵ = Δ/‖W‖ + P (1/‖W‖ − 1/‖P‖): no difference of nearly equal numbers, so that tiny angles keep their digits
    const Acc before = sqrt_(pp), after = norm;
    const R x = static_cast<R>(Acc(1) / after);
    const R y = static_cast<R>(-(Acc(2) * pd + dd) / ((after + before) * after * before));
    const Acc chord = c.t.sum(n, [=](int i) {
      const R d = (w.p[i] - p.p[i]) * x + p.p[i] * y;
      return d * d;
    });
    turn = chord > Acc(2) ? angle_between(c.t, w, norm, p, static_cast<R>(before))
                          : R(2) * atan2_(static_cast<R>(sqrt_(chord)), static_cast<R>(sqrt_(Acc(4) - chord)));
  }
  c.t.single([&] {
    put(kAngularUpdate, turn);
    put(kRelativeUpdate, static_cast<R>(sqrt_(dd / pp)));
    put(kRadialUpdate, bounded_cosine(static_cast<R>(pd / sqrt_(pp * dd))));
    put(kRadialGradient, bounded_cosine(static_cast<R>(pg / sqrt_(pp * gg))));
    if (!travelled) return;
    // compensated sum, so that millions of small angles add up in single precision too
    const R total = travelled[0], add = turn - travelled[1];
    if (!finite_(add)) return;
    const R next = total + add;
    travelled[1] = (next - total) - add;
    travelled[0] = next;
    put(kAngleTravelled, next);
  });
}

// How far one step can turn the weight: η/‖W‖² for updates of the gradient's size, η‖U‖/‖W‖ for updates with a size of
// their own. word: metric column; hparam: η.
template <class T> POLARSCOPE_FN void effective_lr(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  const Acc ww = c.t.sum(flat_size(w), [=](int i) { return w.p[i] * w.p[i]; });
  Acc rate = static_cast<Acc>(c.hp(op, 0)) / ww;
  if (c.has(op, 1)) {
    const auto u = c.mat(op, 1);
    const Acc uu = c.t.sum(flat_size(u), [=](int i) { return u.p[i] * u.p[i]; });
    rate = static_cast<Acc>(c.hp(op, 0)) * sqrt_(uu / ww);
  }
  R* out = c.metric(op);
  c.t.single([=] { out[0] = static_cast<R>(rate); });
}

// word: metric column of the first row.
template <class T> POLARSCOPE_FN void row_norms(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0);
  const int cols = w.cols;
  R* out = c.metric(op);
  c.t.rows(w.rows, [=](auto& sub, int i) {
    const R* wi = w.row(i);
    const auto square = sub.sum(cols, [=](int j) { return wi[j] * wi[j]; });
    sub.single([=] { out[i] = static_cast<R>(sqrt_(square)); });
  });
}

// word: metric column of the first column.
template <class T> POLARSCOPE_FN void column_norms(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  R* out = c.metric(op);
  c.t.for_each(w.cols, [=](int j) {
    Acc square = 0;
    for (int i = 0; i < w.rows; ++i) square += Acc(w(i, j)) * Acc(w(i, j));
    out[j] = static_cast<R>(sqrt_(square));
  });
}

} // namespace ops
POLARSCOPE_KERNELS_END
