// Losses whose expectation over the data is known: no sampling.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/problem.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// Of hidden rows w_a under x ~ N(0, I), with θ = ∠(w_a, w_b) from their products K = W Wᵀ (algorithms.md §E1):
//   H_ab = E[relu(w_a·x) relu(w_b·x)] = ‖w_a‖‖w_b‖ (sin θ + (π−θ) cos θ)/2π        (Cho, Saul 2009)
//   Q_ab = S_ab (π−θ)/2π, and on the diagonal also Σ_b S_ab ‖w_b‖ sin θ/(2π‖w_a‖), so that row a of Q W is
//          Σ_b S_ab E[1(w_a·x > 0) relu(w_b·x) x].
// A row of zeros is never active: its row and column of H, and its row of Q, are 0.  slots: K, S, H, Q
template <class T> POLARSCOPE_FN void relu_kernel(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto k = c.mat(op, 0), s = c.mat(op, 1), h = c.mat(op, 2), q = c.mat(op, 3);
  const int n = k.rows;
  constexpr double kPi = 3.14159265358979323846;
  const R share = static_cast<R>(0.5 / kPi), pi = static_cast<R>(kPi);
  c.t.rows(n, [=](auto& sub, int a) {
    const R *ka = k.row(a), *sa = s.row(a);
    R *ha = h.row(a), *qa = q.row(a);
    const R length = sqrt_(ka[a]);
    const bool active = length > R(0);
    const auto along = sub.sum(n, [=](int b) {
      const R other = sqrt_(k(b, b)), both = length * other;
      const R cosine = b == a ? R(1) : both > R(0) ? max_(R(-1), min_(R(1), ka[b] / both)) : R(0);
      const R sine = sqrt_((R(1) - cosine) * (R(1) + cosine));
      const R rest = pi - atan2_(sine, cosine);
      ha[b] = share * both * (sine + rest * cosine);
      qa[b] = active ? share * sa[b] * rest : R(0);
      return active ? share * sa[b] * other * sine / length : R(0);
    });
    sub.sync();
    sub.single([=] { qa[a] += static_cast<R>(along); });
  });
}

// L = ½ E‖W₂ relu(W₁x) − Φx‖² = ½ (⟨S, H⟩ − ⟨F, W₁⟩ + ‖Φ‖²), S = W₂ᵀW₂, F = W₂ᵀΦ.  slots: S, H, F, W₁, Φ;  word: loss
// column
template <class T> POLARSCOPE_FN void relu_population_loss(Context<T>& c, const Op& op) {
  using Acc = typename T::Acc;
  const auto s = c.mat(op, 0), h = c.mat(op, 1), f = c.mat(op, 2), w = c.mat(op, 3), phi = c.mat(op, 4);
  const Acc square = c.t.sum(s.size(), [=](int i) { return Acc(s.p[i]) * Acc(h.p[i]); });
  const Acc cross = c.t.sum(f.size(), [=](int i) { return Acc(f.p[i]) * Acc(w.p[i]); });
  const Acc target = c.t.sum(phi.size(), [=](int i) { return Acc(phi.p[i]) * Acc(phi.p[i]); });
  store_loss(c, op, Acc(0.5) * (square - cross + target));
}

} // namespace ops
POLARSCOPE_KERNELS_END
