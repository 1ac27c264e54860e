// Bodies that work element by element. Loops run over padding too, so every function here gives 0 for zeros.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// D ← A
template <class T> POLARSCOPE_FN void copy(Context<T>& c, const Op& op) {
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  c.t.for_each(c.t.pad(a.size()), [=](int i) { d.p[i] = a.p[i]; });
}

// D ← the rows of A that belong to this step, A having one D below the other for a window of steps.
template <class T> POLARSCOPE_FN void fed_rows(Context<T>& c, const Op& op) {
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  const int window = a.rows / d.rows;
  const auto* from = a.row(static_cast<int>(c.step % static_cast<std::uint64_t>(window)) * d.rows);
  c.t.for_each(c.t.pad(d.size()), [=](int i) { d.p[i] = from[i]; });
}

// W ← W − η U;  hparam: η
template <class T> POLARSCOPE_FN void apply_update(Context<T>& c, const Op& op) {
  const auto w = c.mat(op, 0), u = c.mat(op, 1);
  const auto lr = c.hp(op, 0);
  c.t.for_each(c.t.pad(w.size()), [=](int i) { w.p[i] -= lr * u.p[i]; });
}

// The options of apply_decayed's word, beside the rate in bits 0–1.
enum DecayRate : std::uint32_t { kByRate = 0, kAlone = 1, kByRateSquared = 2, kByCorrectedRate = 3 };
inline constexpr std::uint32_t kDecayAfter = 4, kDecayCautious = 8;

// W ← (1 − s) W − η U, or kDecayAfter: W ← (1 − s)(W − η U). s by the word: η λ, λ, η² λ, or η² λ/η₀ with the base value
// η₀ of η; times the number in slot 2 and over 1 − μ where they are given. kDecayCautious: elements of W whose step would
// not bring them nearer to zero are not decayed.  slots: W, U, factor;  hparams: η, λ, μ
template <class T> POLARSCOPE_FN void apply_decayed(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0), u = c.mat(op, 1);
  const R lr = c.hp(op, 0), decay = c.hp(op, 1), base = static_cast<R>(c.base[op.hparam[0]]);
  const std::uint32_t rate = op.word & 3;
  const R speed = rate == kAlone           ? R(1)
                  : rate == kByRate        ? lr
                  : rate == kByRateSquared ? lr * lr
                                           : sel(base > R(0), lr * (lr / base), R(0));
  R share = speed * decay;
  if (c.has(op, 2)) share *= c.ptr(op, 2)[0];
  if (op.hparam[2] != kNone) share /= static_cast<R>(1 - c.exact_hp(op, 2));
  const R keep = R(1) - share;
  const auto n = c.t.pad(w.size());
  if (op.word & kDecayCautious)
    c.t.for_each(n, [=](int i) {
      const R x = w.p[i], y = u.p[i];
      w.p[i] = sel(sel(x < R(0), -y, sel(x > R(0), y, R(0))) >= R(0), keep, R(1)) * x - lr * y;
    });
  else if (op.word & kDecayAfter) c.t.for_each(n, [=](int i) { w.p[i] = keep * (w.p[i] - lr * u.p[i]); });
  else c.t.for_each(n, [=](int i) { w.p[i] = keep * w.p[i] - lr * u.p[i]; });
}

// W ← W − s (1 − k N/‖W‖) W − η U, s = η λ: decay towards the norm k N instead of zero.  slots: W, U, N (one number);
// hparams: η, λ, k
template <class T> POLARSCOPE_FN void apply_toward_norm(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), u = c.mat(op, 1);
  const R lr = c.hp(op, 0);
  const Acc target = Acc(c.ptr(op, 2)[0]) * Acc(c.hp(op, 2));
  const Acc norm = sqrt_(c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(w.p[i]); }));
  const Acc pull = Acc(lr) * Acc(c.hp(op, 1)) * (norm > Acc(Tiny<R>::value) ? Acc(1) - target / norm : Acc(0));
  const R keep = static_cast<R>(Acc(1) - pull);
  c.t.for_each(c.t.pad(w.size()), [=](int i) { w.p[i] = keep * w.p[i] - lr * u.p[i]; });
}

// D ← A + λ B;  hparam: λ
template <class T> POLARSCOPE_FN void add_scaled(Context<T>& c, const Op& op) {
  const auto a = c.mat(op, 0), b = c.mat(op, 1), d = c.mat(op, 2);
  const auto scale = c.hp(op, 0);
  c.t.for_each(c.t.pad(a.size()), [=](int i) { d.p[i] = a.p[i] + scale * b.p[i]; });
}

// D ← sign(A), sign(0) = 0
template <class T> POLARSCOPE_FN void sign(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  c.t.for_each(c.t.pad(a.size()), [=](int i) {
    const R x = a.p[i];
    d.p[i] = sel(x > R(0), R(1), sel(x < R(0), R(-1), R(0)));
  });
}

} // namespace ops
POLARSCOPE_KERNELS_END
