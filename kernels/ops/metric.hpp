// What is measured.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/dots.hpp"
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
  const auto weight_fits = finite_(square), loss_fits = finite_(loss);
  c.stopped = c.stopped | !weight_fits | !loss_fits;
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

// Angle between unit vectors a and b from |a − b|² and |a + b|²: accurate at every angle (algorithms.md §F).
template <class R, class Acc> POLARSCOPE_FN R angle_of(Acc minus, Acc plus) {
  return R(2) * atan2_(sqrt_(static_cast<R>(minus)), sqrt_(static_cast<R>(plus)));
}

// |â − b̂|² of unit vectors, from sums over b and d = a − b in the precision of a run: (|d|² − (|a| − |b|)²)/(|a||b|). `sure`: it
// has kept all but three bits of them, as has 4 − |â − b̂|² = |â + b̂|²; what is not finite is not sure.
template <class Acc> struct Chord {
  Acc square;
  bool sure;
  template <class R> POLARSCOPE_FN R angle() const { return angle_of<R>(square, Acc(4) - square); }
};
template <class Acc> POLARSCOPE_FN Chord<Acc> chord_of(Acc dd, Acc bd, Acc before, Acc after) {
  const Acc longer = (Acc(2) * bd + dd) / (after + before);
  const Acc turned = dd - longer * longer, square = turned / (after * before);
  return {square, Acc(8) * turned >= dd && square <= Acc(3.5)};
}

// A cosine that rounding may have carried past ±1, by an ulp; NaN stays NaN.
template <class R> POLARSCOPE_FN R bounded_cosine(R x) { return sel(x > R(1), R(1), sel(x < R(-1), R(-1), x)); }

// Norm, angles and radial parts of W and of the step Δ = W − P from the weight before, P. Constants: see Motion.
// Undefined quantities (a weight or a step of norm 0) are NaN: not recorded. Without P: sizes alone.
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
  const auto put_sizes = [&](R norm) {
    put(kFrobenius, norm);
    put(kSpectral, norm);
    put(kRowNorm, norm);
    put(kStableRank, sel(norm > R(0), R(1), R(NAN)));
  };
  if (!c.has(op, 1)) { // sizes alone
    const R norm = static_cast<R>(sqrt_(c.t.sum(n, [=](int i) { return w.p[i] * w.p[i]; })));
    c.t.single([&] { put_sizes(norm); });
    return;
  }
  const R* r = wanted(kAngle) ? c.ptr(op, 3) : w.p;
  R* travelled = wanted(kAngleTravelled) ? c.ptr(op, 4) : nullptr;
  if (c.starting) {
    const auto squares = c.t.sums(n, [=](int i) { return Numbers<R, 2>{{w.p[i] * w.p[i], r[i] * r[i]}}; });
    const R x = static_cast<R>(Acc(1) / sqrt_(squares.of[0])), y = static_cast<R>(Acc(1) / sqrt_(squares.of[1]));
    const auto apart = c.t.sums(n, [=](int i) {
      const R minus = w.p[i] * x - r[i] * y, plus = w.p[i] * x + r[i] * y;
      return Numbers<R, 2>{{minus * minus, plus * plus}};
    });
    c.t.single([&] {
      put_sizes(static_cast<R>(sqrt_(squares.of[0])));
      put(kAngle, angle_of<R>(apart.of[0], apart.of[1]));
      put(kAngleTravelled, 0);
    });
    return;
  }

  // One pass of plain sums, of which the angles follow where their difference from a purely radial step is no small one.
  const R *p = c.ptr(op, 1), *g = wanted(kRadialGradient) ? c.ptr(op, 2) : p;
  const auto plain = c.t.sums(n, [=](int i) {
    const R d = w.p[i] - p[i], e = w.p[i] - r[i];
    return Numbers<R, 9>{
        {w.p[i] * w.p[i], p[i] * p[i], d * d, p[i] * d, g[i] * g[i], p[i] * g[i], r[i] * r[i], e * e, r[i] * e}};
  });
  const Acc ww = plain.of[0], pp = plain.of[1], dd = plain.of[2], pd = plain.of[3], gg = plain.of[4], pg = plain.of[5];
  const Acc rr = plain.of[6], ee = plain.of[7], re = plain.of[8];
  const Acc before = sqrt_(pp), after = sqrt_(ww), moved = sqrt_(dd), reference = sqrt_(rr);
  R turn, angle;
  const auto measure_again = [&](bool new_turn, bool new_angle) {
    // ŵ⁺ − ŵ = Δ/‖W‖ + P (1/‖W‖ − 1/‖P‖): no difference of nearly equal numbers, so that tiny angles keep their digits
    const R x = static_cast<R>(Acc(1) / after), y = static_cast<R>(Acc(1) / before);
    const R z = static_cast<R>(Acc(1) / reference);
    const R bend = static_cast<R>(-(Acc(2) * pd + dd) / ((after + before) * after * before));
    const auto units = c.t.sums(n, [=](int i) {
      const R chord = (w.p[i] - p[i]) * x + p[i] * bend, opposite = w.p[i] * x + p[i] * y;
      const R minus = w.p[i] * x - r[i] * z, plus = w.p[i] * x + r[i] * z;
      return Numbers<R, 4>{{chord * chord, opposite * opposite, minus * minus, plus * plus}};
    });
    if (new_turn) turn = angle_of<R>(units.of[0], units.of[1]);
    if (new_angle) angle = angle_of<R>(units.of[2], units.of[3]);
  };
  if constexpr (kSmallOnly<T>) {
    measure_again(true, true); // a few numbers are read again for less than the arcs cost
  } else {
    const Chord<Acc> step = chord_of(dd, pd, before, after), way = chord_of(ee, re, reference, after);
    turn = step.template angle<R>();
    angle = way.template angle<R>();
    const bool unsure_of_angle = !way.sure && wanted(kAngle);
    if (!step.sure || unsure_of_angle) measure_again(!step.sure, unsure_of_angle);
  }
  c.t.single([&] {
    put_sizes(static_cast<R>(after));
    put(kAngle, angle);
    put(kAngularUpdate, turn);
    put(kRelativeUpdate, static_cast<R>(moved / before));
    put(kRadialUpdate, bounded_cosine(static_cast<R>(pd / (before * moved))));
    put(kRadialGradient, bounded_cosine(static_cast<R>(pg / (before * sqrt_(gg)))));
    if (!travelled) return;
    // compensated sum, so that millions of small angles add up in single precision too
    const R total = travelled[0], add = turn - travelled[1];
    const R next = total + add;
    const auto known = finite_(add);
    travelled[1] = sel(known, (next - total) - add, travelled[1]);
    travelled[0] = sel(known, next, total);
    put(kAngleTravelled, sel(known, next, R(NAN)));
  });
}

// How far one step can turn the weight: η/‖W‖² for updates of the gradient's size, η‖U‖/‖W‖ for updates with a size of
// their own. word: metric column; hparam: η.
template <class T> POLARSCOPE_FN void effective_lr(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  const int n = flat_size(w);
  const Acc rate = static_cast<Acc>(c.hp(op, 0));
  Acc reach;
  if (c.has(op, 1)) {
    const R* u = c.ptr(op, 1);
    const auto squares = c.t.sums(n, [=](int i) { return Numbers<R, 2>{{w.p[i] * w.p[i], u[i] * u[i]}}; });
    reach = rate * sqrt_(squares.of[1] / squares.of[0]);
  } else {
    reach = rate / c.t.sum(n, [=](int i) { return w.p[i] * w.p[i]; });
  }
  R* out = c.metric(op);
  c.t.single([=] { out[0] = static_cast<R>(reach); });
}

// word: metric column of the first row.
template <class T> POLARSCOPE_FN void row_norms(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  R* out = c.metric(op);
  for_each_dot(
      c.t, w, w, [](Acc square) { return static_cast<R>(sqrt_(square)); },
      [=](auto& sub, int i, R norm) { sub.single([=] { out[i] = norm; }); });
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
