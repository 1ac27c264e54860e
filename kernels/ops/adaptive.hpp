// Bodies of directions and scalings that keep running averages: Adam's family, Lion, averages per slice, trust ratios.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/rows.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// What a running average with factor β needs. 1 − β is taken from the double: a β that rounds to 1 in R still averages.
template <class R> struct Average {
  R share;      // 1 − β
  R correction; // 1 / (1 − βᵗ)
  POLARSCOPE_FN R next(R past, R now) const { return past - share * past + share * now; }
};
template <class T> POLARSCOPE_FN Average<typename T::Real> average(Context<T>& c, const Op& op, int k) {
  using R = typename T::Real;
  const auto beta = c.exact_hp(op, k);
  return {static_cast<R>(1 - beta), static_cast<R>(1 / (1 - c.power(beta)))};
}

// The options of the adam op's word.
enum AdamFirst : std::uint32_t {
  kAverage = 0,
  kNoFirst = 1,
  kNesterovTorch = 2,
  kNesterovOptax = 3,
  kNesterovPlain = 4
};
enum AdamEps : std::uint32_t { kEpsAfter = 0, kEpsBefore = 1, kEpsClamp = 2, kEpsInside = 3 };
inline constexpr std::uint32_t kAdamSum = 8, kAdamUncorrected = 16; // beside AdamFirst in bits 0–2, AdamEps in bits 5–6

// What the update takes of the gradient and of the first moment: above = gradient · G + first · m.
template <class R> struct AdamShares { R gradient, first; };

// torch.optim.NAdam's factors μₜ = β₁ (1 − ½ 0.96^{ψt}) and their product, kept in slot 4 from step to step.
template <class T>
POLARSCOPE_FN AdamShares<typename T::Real>
nadam_shares(Context<T>& c, const Op& op, typename Scalars<typename T::Real>::Exact beta, bool corrected) {
  using R = typename T::Real;
  using Exact = typename Scalars<R>::Exact;
  const double t = static_cast<double>(c.step + 1);
  const Exact psi = c.exact_hp(op, 3);
  const Exact now = beta * (1 - 0.5 * pow_(Exact(0.96), t * psi)),
              next = beta * (1 - 0.5 * pow_(Exact(0.96), (t + 1) * psi));
  R* kept = c.ptr(op, 4);
  const Exact product = static_cast<Exact>(kept[0]) * now;
  c.t.sync(); // every lane has read it
  c.t.single([=] { kept[0] = static_cast<R>(product); });
  if (!corrected) return {static_cast<R>(1 - now), static_cast<R>(next)};
  return {static_cast<R>((1 - now) / (1 - product)), static_cast<R>(next / (1 - product * next))};
}

template <class T> POLARSCOPE_FN AdamShares<typename T::Real> adam_shares(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const std::uint32_t first = op.word & 7;
  const bool corrected = !(op.word & kAdamUncorrected);
  if (first == kNoFirst) return {R(1), R(0)};
  using Exact = typename Scalars<R>::Exact;
  const Exact beta = c.exact_hp(op, 0);
  const double t = static_cast<double>(c.step + 1);
  const Exact now = corrected ? 1 / (1 - c.power(beta)) : Exact(1);
  if (first == kNesterovTorch) return nadam_shares(c, op, beta, corrected);
  if (first == kNesterovOptax)
    return {static_cast<R>((1 - beta) * now), static_cast<R>(corrected ? beta / (1 - pow_(beta, t + 1)) : beta)};
  if (first == kNesterovPlain) return {static_cast<R>((1 - beta) * now), static_cast<R>(beta * now)};
  return {R(0), static_cast<R>(now)};
}

// m ← β₁ m + (1−β₁) G;  v ← β₂ v + (1−β₂) G², or with kAdamSum v ← v + G²;  U = (a G + b m) / below. With bias
// correction v̂ = v/(1−β₂ᵗ), without it v̂ = v. below: √v̂ + ε (torch), √(v̂) + ε/√(1−β₂ᵗ) (ε before the correction),
// max(√v̂, ε) or √(v̂ + ε). a, b: see adam_shares. 0/0 is 0. Slot 5, where given, is added to a G + b m.
// slots: G, m (none with kNoFirst), v, U, product of NAdam's factors, A;  hparams: β₁, β₂, ε, ψ
template <class T> POLARSCOPE_FN void adam(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto g = c.mat(op, 0), v = c.mat(op, 2), u = c.mat(op, 3);
  const bool sum = (op.word & kAdamSum) != 0, corrected = !(op.word & kAdamUncorrected);
  const std::uint32_t place = op.word >> 5 & 3;
  const AdamShares<R> shares = adam_shares(c, op);
  const R forget = sum ? R(0) : static_cast<R>(1 - c.exact_hp(op, 1)), take = sum ? R(1) : forget;
  const R correction = corrected && !sum ? static_cast<R>(1 / (1 - c.power(c.exact_hp(op, 1)))) : R(1);
  const R eps = c.hp(op, 2);
  const R outside = place == kEpsAfter ? eps : place == kEpsBefore ? eps * sqrt_(correction) : R(0);
  const R inside = place == kEpsInside ? eps : R(0), least = place == kEpsClamp ? eps : R(0);
  const auto ratio = [=](R above, R second) {
    const R below = max_(sqrt_(second * correction + inside) + outside, least);
    return sel(below > R(0), above / below, R(0));
  };
  const auto n = c.t.pad(g.size());
  if ((op.word & 7) == kNoFirst) {
    c.t.for_each(n, [=](int i) {
      const R x = g.p[i], second = v.p[i] - forget * v.p[i] + take * (x * x);
      v.p[i] = second;
      u.p[i] = ratio(x, second);
    });
    return;
  }
  const auto m = c.mat(op, 1);
  const R share = static_cast<R>(1 - c.exact_hp(op, 0));
  const auto each = [&](auto above) {
    c.t.for_each(n, [=](int i) {
      const R x = g.p[i], first = m.p[i] - share * m.p[i] + share * x,
              second = v.p[i] - forget * v.p[i] + take * (x * x);
      m.p[i] = first;
      v.p[i] = second;
      u.p[i] = ratio(above(i, x, first), second);
    });
  };
  if (c.has(op, 5)) {
    const R* more = c.ptr(op, 5);
    each([=](int i, R x, R first) { return shares.gradient * x + shares.first * first + more[i]; });
  } else {
    each([=](int, R x, R first) { return shares.gradient * x + shares.first * first; });
  }
}

// U = β₁ m + (1−β₁) G with the old m, then m ← β₂ m + (1−β₂) G.  slots: G, m, U;  hparams: β₁, β₂
template <class T> POLARSCOPE_FN void lion(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto g = c.mat(op, 0), m = c.mat(op, 1), u = c.mat(op, 2);
  const R look = static_cast<R>(1 - c.exact_hp(op, 0)), keep = static_cast<R>(1 - c.exact_hp(op, 1));
  c.t.for_each(c.t.pad(g.size()), [=](int i) {
    const R x = g.p[i], past = m.p[i];
    u.p[i] = past - look * past + look * x;
    m.p[i] = past - keep * past + keep * x;
  });
}

// The options of the slice_second_moment op's word, beside the slices in bits 0–1.
inline constexpr std::uint32_t kMeanSquare = 4, kSliceCorrected = 8, kKeepNorm = 16;

// v ← β v + (1−β) ‖u‖² per slice (kMeanSquare: of its mean square), U ← u / (√v̂ + ε) with v̂ = v/(1−βᵗ) under
// kSliceCorrected; kKeepNorm: then U · ‖U before‖ / (‖U‖ + ε). The whole times s.  slots: U, v;  hparam: β;
// constants: ε, s
template <class T> POLARSCOPE_FN void slice_second_moment(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto u = c.mat(op, 0), v = c.mat(op, 1);
  const int slices = static_cast<int>(op.word & 3), count = v.cols;
  const bool corrected = (op.word & kSliceCorrected) != 0, keep = (op.word & kKeepNorm) != 0;
  const Average<R> average_of = average(c, op, 0);
  const Acc eps = static_cast<Acc>(c.constant(op, 0)), scale = static_cast<Acc>(c.constant(op, 1)),
            first = keep ? Acc(1) : scale;
  const Acc divisor = op.word & kMeanSquare ? Acc(double(u.rows) * u.cols / count) : Acc(1);
  const auto factors = c.t.scratch(1, count);
  const auto square = [=] { return c.t.sum(u.size(), [=](int i) { return Acc(u.p[i]) * Acc(u.p[i]); }); };
  const Acc before = keep ? sqrt_(square()) : Acc(0);
  c.t.sync();
  for_each_norm(c.t, u, slices, [=](auto norm, int k) {
    const R next = average_of.next(v.p[k], static_cast<R>(norm * norm / divisor));
    v.p[k] = next;
    const Acc below = sqrt_(Acc(next) * (corrected ? Acc(average_of.correction) : Acc(1))) + eps;
    factors.p[k] = below > Acc(Tiny<R>::value) ? static_cast<R>(first / below) : R(0);
  });
  c.t.sync();
  scale_slices(c.t, u, u, static_cast<const R*>(factors.p), slices);
  if (!keep) return;
  c.t.sync();
  const Acc below = sqrt_(square()) + eps;
  const R restore = below > Acc(Tiny<R>::value) ? static_cast<R>(scale * before / below) : R(0);
  c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] *= restore; });
}

// The options of the trust_ratio op's word.
inline constexpr std::uint32_t kTrustSum = 1, kTrustCapped = 2, kTrustDebias = 4;

// U = ratio · (X + λ W). kTrustSum: ratio = k ‖W‖/(‖X‖ + λ‖W‖) (LARS), else k ‖W‖/‖X + λW‖ (LAMB), with ‖W‖ at most
// `most` under kTrustCapped; 1 where ‖W‖ or the divisor is 0. kTrustDebias: U · √(1−β₂ᵗ)/(1−β₁ᵗ) after the ratio.
// slots: X, W, U;  hparams: λ, k or most, β₁, β₂
template <class T> POLARSCOPE_FN void trust_ratio(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto x = c.mat(op, 0), w = c.mat(op, 1), u = c.mat(op, 2);
  const R decay = c.hp(op, 0);
  const Acc number = Acc(c.hp(op, 1));
  const bool capped = (op.word & kTrustCapped) != 0, sum = (op.word & kTrustSum) != 0;
  const Acc weight = sqrt_(c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]) * Acc(w.p[i]); }));
  const Acc step = sqrt_(c.t.sum(x.size(), [=](int i) {
    const Acc y = sum ? Acc(x.p[i]) : Acc(x.p[i]) + Acc(decay) * Acc(w.p[i]);
    return y * y;
  }));
  const Acc above = capped ? min_(weight, number) : number * weight;
  const Acc below = sum ? step + Acc(decay) * weight : step;
  Acc ratio = sel((weight > Acc(0)) & (below > Acc(Tiny<R>::value)), above / below, Acc(1));
  if (op.word & kTrustDebias) ratio *= Acc(sqrt_(1 - c.power(c.exact_hp(op, 3))) / (1 - c.power(c.exact_hp(op, 2))));
  const R scale = static_cast<R>(ratio);
  c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] = scale * (x.p[i] + decay * w.p[i]); });
}

} // namespace ops
POLARSCOPE_KERNELS_END
