// The spectral norm, by a Lanczos process on W Wᵀ or Wᵀ W, whichever is smaller. With as many rounds as that matrix has
// rows (at most kMostLanczosSteps) it is exact whatever the gaps between singular values are. That is how small matrices are
// measured, every one at step 0, and every one again and again; in between the search starts from the vector found last
// time, which a step hardly moves, and ends when what is left has no weight.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/flat.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// Largest eigenvalue of the symmetric tridiagonal matrix with diagonal a and off-diagonal b (b[j] joins j and j + 1),
// positive semi-definite up to rounding. Laguerre's iteration on the characteristic polynomial from Gershgorin's bound:
// it descends to the largest root and cannot pass it.
template <class Acc, class R> POLARSCOPE_FN Acc top_eigenvalue(const R* a, const R* b, int n) {
  Acc bound = 0;
  for (int j = 0; j < n; ++j) {
    const Acc reach = Acc(a[j]) + (j > 0 ? abs_(Acc(b[j - 1])) : Acc(0)) + (j + 1 < n ? abs_(Acc(b[j])) : Acc(0));
    bound = reach > bound || reach != reach ? reach : bound; // once NaN it stays
  }
  if (!(bound > Acc(0))) return bound - bound; // 0, or NaN for a matrix that is not finite
  const Acc scale = Acc(1) / bound;
  Acc x = 1;
  for (int iteration = 0; iteration < 60; ++iteration) {
    // p, p′ and p″ of det(x − T/bound) by the three-term recurrence
    Acc p = 1, d1 = 0, d2 = 0, p_before = 0, d1_before = 0, d2_before = 0;
    for (int j = 0; j < n; ++j) {
      const Acc shift = x - Acc(a[j]) * scale, off = j > 0 ? Acc(b[j - 1]) * scale : Acc(0), square = off * off;
      const Acc p_next = shift * p - square * p_before;
      const Acc d1_next = shift * d1 + p - square * d1_before;
      const Acc d2_next = shift * d2 + Acc(2) * d1 - square * d2_before;
      p_before = p, d1_before = d1, d2_before = d2;
      p = p_next, d1 = d1_next, d2 = d2_next;
    }
    if (!(p > Acc(0))) break;
    const Acc slope = d1 / p, root = Acc(n - 1) * (Acc(n) * (slope * slope - d2 / p) - slope * slope);
    const Acc step = Acc(n) / (slope + (root > Acc(0) ? sqrt_(root) : Acc(0)));
    const Acc next = x - step;
    if (!(next < x)) break;
    x = next;
  }
  return x * bound;
}

// Eigenvector of that eigenvalue, into s: two steps of inverse iteration, shifted just above the eigenvalue so that the
// elimination needs no pivots. `pivot` is room for n numbers.
template <class Acc, class R>
POLARSCOPE_FN void top_eigenvector(const R* a, const R* b, int n, Acc value, R* pivot, R* s) {
  const Acc shift = value * (Acc(1) + Acc(16) * Acc(sizeof(R) == 4 ? 6e-8 : 1.2e-16)), least = shift * Acc(1e-30);
  for (int j = 0; j < n; ++j) {
    Acc d = shift - Acc(a[j]);
    if (j > 0) d -= Acc(b[j - 1]) * Acc(b[j - 1]) / Acc(pivot[j - 1]);
    pivot[j] = static_cast<R>(d > least ? d : least);
    s[j] = 1;
  }
  for (int round = 0; round < 2; ++round) {
    for (int j = 1; j < n; ++j) s[j] += b[j - 1] / pivot[j - 1] * s[j - 1];
    s[n - 1] /= pivot[n - 1];
    for (int j = n - 2; j >= 0; --j) s[j] = (s[j] + b[j] * s[j + 1]) / pivot[j];
    R largest = 0;
    for (int j = 0; j < n; ++j) largest = max_(largest, abs_(s[j]));
    for (int j = 0; j < n; ++j) s[j] /= largest;
  }
}

// How the search of a later step ends. The value is off by the square of what is left, over the gap to the next one.
inline constexpr int kAlwaysWhole = 8; // rounds of a matrix that is measured as at step 0 each time
inline constexpr int kWholeAgain = 64; // measurements from one such search to the next
inline constexpr int kFirstLook = 3;   // rounds before the first look at what is left; and from one look to the next
template <class R> inline constexpr double kLeft = sizeof(R) == 4 ? 1e-4 : 1e-7;

// Slots W, V (1 × smaller side: the singular vector found last time, kept between steps); constants: metric columns of
// the spectral norm and of the stable rank ‖W‖²/σ², −1 where not wanted.
template <class T> POLARSCOPE_FN void spectrum(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), v = c.mat(op, 1);
  const bool wide = w.rows <= w.cols;
  const int r = wide ? w.rows : w.cols, steps = r < kMostLanczosSteps ? r : kMostLanczosSteps;
  const auto q = c.t.scratch(steps, r), through = c.t.scratch(1, wide ? w.cols : w.rows), y = c.t.scratch(1, r);
  const auto a = c.t.scratch(1, steps), b = c.t.scratch(1, steps), s = c.t.scratch(1, steps),
             pivot = c.t.scratch(1, steps);
  MatmulArgs<R> there, back;
  there.transpose_b = !wide;
  back.transpose_b = wide;

  const std::uint64_t measured = (c.step + 1) / op.every;
  const bool starting = c.starting, whole = starting || steps <= kAlwaysWhole || measured % kWholeAgain == 0;
  // The vector found last time and a little of everything else, so that a larger singular value that has overtaken it is
  // not missed.
  const R little = starting ? R(1) : whole ? R(1e-3) : R(1e-4);
  c.t.for_each(r, [=](int j) {
    const R spread = R(0.6180339887) * R((j * 7919) % 4096 + 1);
    y.p[j] = (starting ? R(0) : v.p[j]) + little * (spread - R(static_cast<int>(spread)) - R(0.5));
  });
  c.t.sync();
  int made = 0;
  Acc value = 0;
  Acc length = sqrt_(c.t.sum(r, [=](int j) { return y.p[j] * y.p[j]; })), largest = 0;
  while (true) {
    const auto now = Mat<R>{q.row(made), 1, r, q.ld};
    const R inverse = static_cast<R>(Acc(1) / length);
    c.t.for_each(r, [=](int j) { now.p[j] = y.p[j] * inverse; });
    c.t.sync();
    c.t.matmul(through, now, w, there);
    c.t.sync();
    c.t.matmul(y, through, w, back);
    c.t.sync();
    ++made;
    // Gram–Schmidt against all vectors so far, twice: then they stay orthogonal. The last coefficient is the diagonal.
    Acc diagonal = 0;
    for (int pass = 0; pass < 2; ++pass) {
      c.t.rows(made, [=](auto& sub, int i) {
        const R* qi = q.row(i);
        const Acc along = sub.sum(r, [=](int j) { return qi[j] * y.p[j]; });
        sub.single([=] { s.p[i] = static_cast<R>(along); });
      });
      c.t.sync();
      diagonal += static_cast<Acc>(s.p[made - 1]);
      c.t.for_each(r, [=](int j) {
        R sum = y.p[j];
        for (int i = 0; i < made; ++i) sum -= s.p[i] * q(i, j);
        y.p[j] = sum;
      });
      c.t.sync();
    }
    length = sqrt_(c.t.sum(r, [=](int j) { return y.p[j] * y.p[j]; }));
    largest = max_(largest, diagonal + length);
    c.t.single([=] {
      a.p[made - 1] = static_cast<R>(diagonal);
      b.p[made - 1] = static_cast<R>(length);
    });
    c.t.sync();
    // what is left of an invariant subspace is round-off
    const bool ends = made == steps || !(length > largest * Acc(sizeof(R) == 4 ? 3e-7 : 1e-15));
    if (!ends && (whole || made % kFirstLook != 0)) continue;
    value = top_eigenvalue<Acc>(a.p, b.p, made);
    c.t.single([&] { top_eigenvector<Acc>(a.p, b.p, made, value, pivot.p, s.p); });
    c.t.sync();
    if (ends || !(length * abs_(Acc(s.p[made - 1])) > Acc(kLeft<R>) * value)) break;
    c.t.sync(); // the next round writes s
  }

  const int n = flat_size(w);
  const Acc ww = c.t.sum(n, [=](int i) { return w.p[i] * w.p[i]; });
  c.t.single([&] {
    R* slab = c.metric(op);
    if (c.constant(op, 0) >= 0) slab[static_cast<int>(c.constant(op, 0))] = static_cast<R>(sqrt_(value));
    if (c.constant(op, 1) >= 0) slab[static_cast<int>(c.constant(op, 1))] = static_cast<R>(ww / value);
  });
  c.t.sync();
  c.t.for_each(r, [=](int j) {
    R sum = 0;
    for (int i = 0; i < made; ++i) sum += s.p[i] * q(i, j);
    y.p[j] = sum;
  });
  c.t.sync();
  const Acc vv = c.t.sum(r, [=](int j) { return y.p[j] * y.p[j]; });
  const R unit = vv > Acc(0) && finite_(vv) ? static_cast<R>(Acc(1) / sqrt_(vv)) : R(0);
  c.t.for_each(r, [=](int j) { v.p[j] = unit > R(0) ? y.p[j] * unit : R(0); });
}

} // namespace ops
POLARSCOPE_KERNELS_END
