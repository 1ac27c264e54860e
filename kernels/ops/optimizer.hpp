// Bodies of directions, schedules and gains.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/adaptive.hpp"

POLARSCOPE_KERNELS_BEGIN

// M ← β M + (1−β) G, U ← α M (AdEMAMix, 2409.03137). Up to step T, α rises from 0, and β's half-life from that of β₀, in
// straight lines.  slots: G, M, U;  hparams: β, β₀, α, T;  constant: added to a β before its logarithm is taken
template <class T> POLARSCOPE_FN void rising_average(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto g = c.mat(op, 0), m = c.mat(op, 1), u = c.mat(op, 2);
  using Exact = typename Scalars<R>::Exact;
  const double t = static_cast<double>(c.step + 1), added = c.constant(op, 0);
  const Exact rise = c.exact_hp(op, 3), first = c.exact_hp(op, 1);
  Exact beta = c.exact_hp(op, 0), alpha = c.exact_hp(op, 2);
  const auto rising = rise > Exact(t);
  if (any_(rising)) {
    const Exact part = t / rise;
    beta = sel(rising, exp_(1 / ((1 - part) / log_(first + added) + part / log_(beta + added))), beta);
    alpha = sel(rising, alpha * part, alpha);
  }
  const R share = static_cast<R>(1 - beta), scale = static_cast<R>(alpha);
  c.t.for_each(c.t.pad(g.size()), [=](int i) {
    const R next = m.p[i] - share * m.p[i] + share * g.p[i];
    m.p[i] = next;
    u.p[i] = scale * next;
  });
}

namespace ops {

// Heavy ball M ← μ M + G or, word bit 0, average M ← μ M + (1 − μ) G; then U = M or, word bit 1 (Nesterov), the same
// step applied once more: G + μ M, (1 − μ) G + μ M. Word bit 2: the hyperparameter is 1 − μ; bit 3: U = G, M kept aside.
// With more than one hyperparameter: rising_average.  slots: G, M, U;  hparam: μ
template <class T> POLARSCOPE_FN void momentum(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  if (op.hparam[1] != kNone) return rising_average(c, op);
  const auto g = c.mat(op, 0), m = c.mat(op, 1), u = c.mat(op, 2);
  const R mu = (op.word & 4) != 0 ? R(1) - c.hp(op, 0) : c.hp(op, 0);
  const R share = (op.word & 4) != 0 ? c.hp(op, 0) : op.word & 1 ? R(1) - mu : R(1);
  const bool nesterov = (op.word & 2) != 0, aside = (op.word & 8) != 0;
  const R of_gradient = aside ? R(1) : nesterov ? share : R(0), of_momentum = aside ? R(0) : nesterov ? mu : R(1);
  c.t.for_each(c.t.pad(g.size()), [=](int i) {
    const R next = mu * m.p[i] + share * g.p[i];
    m.p[i] = next;
    u.p[i] = of_gradient * g.p[i] + of_momentum * next;
  });
}

// A gain γ = φ(a) of a raw value a (algorithms.md §C5). softplus is stable for every a.
enum GainMap : int { kSoftplus = 0, kDirect = 1, kOffset = 2, kExp = 3 };

template <class R> POLARSCOPE_FN R gain_of(int map, R a) {
  if (map == kSoftplus) return max_(a, R(0)) + log1p_(exp_(-abs_(a)));
  if (map == kOffset) return R(1) + a;
  return map == kExp ? exp_(a) : a;
}
template <class R> POLARSCOPE_FN R gain_slope(int map, R a) {
  if (map == kSoftplus) return R(1) / (R(1) + exp_(-a));
  return map == kExp ? exp_(a) : R(1);
}
// The raw value of a gain; γ > 0 where the map has only positive values.
template <class R> POLARSCOPE_FN R gain_inverse(int map, R gain) {
  if (map == kSoftplus) return gain + log_(-expm1_(-gain));
  if (map == kOffset) return gain - R(1);
  return map == kExp ? log_(gain) : gain;
}

// γ ← φ(a), and φ′(a) where slot 2 is given.  slots: a, γ, slope;  word: the map
template <class T> POLARSCOPE_FN void gain_values(Context<T>& c, const Op& op) {
  const auto raw = c.mat(op, 0), gain = c.mat(op, 1);
  const int map = static_cast<int>(op.word);
  c.t.for_each(raw.cols, [=](int i) { gain.p[i] = gain_of(map, raw.p[i]); });
  if (!c.has(op, 2)) return;
  const auto slope = c.mat(op, 2);
  c.t.for_each(raw.cols, [=](int i) { slope.p[i] = gain_slope(map, raw.p[i]); });
}

// A gain per element: Γ ← max(φ(φ⁻¹(1) + x), floor) of each x in Γ, where the floor is above 0; and its derivative in x, which
// is 0 where the floor holds.  slots: Γ, slope;  hparam: floor;  word: the map
template <class T> POLARSCOPE_FN void matrix_gains(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto gain = c.mat(op, 0);
  const int map = static_cast<int>(op.word), cols = gain.cols;
  const R origin = gain_inverse(map, R(1)), floor = c.hp(op, 0);
  const bool wanted = c.has(op, 1);
  const auto slopes = wanted ? c.mat(op, 1) : gain;
  c.t.rows(gain.rows, [=](auto& sub, int i) {
    R *x = gain.row(i), *slope = slopes.row(i);
    sub.for_each(cols, [=](int j) {
      const R raw = origin + x[j], value = gain_of(map, raw);
      const bool held = floor > R(0) && value < floor;
      if (wanted) slope[j] = held ? R(0) : gain_slope(map, raw);
      x[j] = held ? floor : value;
    });
  });
}

// a ← φ⁻¹(constant 0) everywhere: gains of 1 at the start.  slots: a;  word: the map
template <class T> POLARSCOPE_FN void gain_start(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto raw = c.mat(op, 0);
  const R value = gain_inverse(static_cast<int>(op.word), static_cast<R>(c.constant(op, 0)));
  c.t.for_each(raw.cols, [=](int i) { raw.p[i] = value; });
}

// a ← φ⁻¹(constant 0 · max(a, 1e-8)): a holds norms before.  slots: a;  word: the map
template <class T> POLARSCOPE_FN void gain_inverse_of(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto raw = c.mat(op, 0);
  const int map = static_cast<int>(op.word);
  const R scale = static_cast<R>(c.constant(op, 0));
  c.t.for_each(raw.cols, [=](int i) { raw.p[i] = gain_inverse(map, scale * max_(raw.p[i], R(1e-8))); });
}

// Row and column gains to geometric means alike, |γr| and |γc|, their products kept: γr ← s γr, γc ← γc/s; raw values
// follow. Nothing where a gain is 0.  slots: raw r, raw c, γr, γc;  word: the map
template <class T> POLARSCOPE_FN void balance_gains(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto raw_row = c.mat(op, 0), raw_column = c.mat(op, 1), row = c.mat(op, 2), column = c.mat(op, 3);
  const int map = static_cast<int>(op.word);
  const auto mean_log = [&](Mat<R> g) {
    return c.t.sum(g.cols, [=](int i) { return Acc(log_(abs_(g.p[i]))); }) / Acc(g.cols);
  };
  const Acc apart = mean_log(column) - mean_log(row);
  if (!finite_(apart)) return;
  const R scale = static_cast<R>(exp_(apart / Acc(2)));
  c.t.sync();
  const auto rescale = [&](Mat<R> gain, Mat<R> raw, R by) {
    c.t.for_each(gain.cols, [=](int i) {
      const R next = gain.p[i] * by;
      gain.p[i] = next;
      raw.p[i] = gain_inverse(map, next);
    });
  };
  rescale(row, raw_row, scale);
  rescale(column, raw_column, R(1) / scale);
}

// One Adam step of a vector of gains with its own rate, on the gradient g times the map's slope where slot 4 is given.
// slots: a, g, m, v, slope;  hparams: η, β₁, β₂, ε;  word 1: without bias correction
template <class T> POLARSCOPE_FN void gain_adam(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), g = c.mat(op, 1), m = c.mat(op, 2), v = c.mat(op, 3);
  Average<R> of_first = average(c, op, 1), of_second = average(c, op, 2);
  if (op.word == 1) of_first.correction = of_second.correction = R(1);
  const R lr = c.hp(op, 0), eps = c.hp(op, 3);
  const bool chained = c.has(op, 4);
  const R* slope = chained ? c.ptr(op, 4) : nullptr;
  c.t.for_each(a.cols, [=](int i) {
    const R x = chained ? g.p[i] * slope[i] : g.p[i];
    const R first = of_first.next(m.p[i], x), second = of_second.next(v.p[i], x * x);
    m.p[i] = first;
    v.p[i] = second;
    const R below = sqrt_(second * of_second.correction) + eps;
    a.p[i] -= sel(below > R(0), lr * (first * of_first.correction / below), R(0));
  });
}

// a ← (1 − η λ) a.  slots: a;  hparams: η, λ
template <class T> POLARSCOPE_FN void gain_decay(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0);
  const R keep = R(1) - c.hp(op, 0) * c.hp(op, 1);
  c.t.for_each(a.cols, [=](int i) { a.p[i] *= keep; });
}

// a ← max(a, φ⁻¹(floor)) where the floor is above 0.  slots: a;  hparam: floor;  word: the map
template <class T> POLARSCOPE_FN void gain_floor(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0);
  const R floor = c.hp(op, 0);
  const auto held = floor > R(0);
  if (!any_(held)) return;
  const R least = gain_inverse(static_cast<int>(op.word), floor);
  c.t.for_each(a.cols, [=](int i) { a.p[i] = sel(held, max_(a.p[i], least), a.p[i]); });
}

// The gradients of W = diag(γr) Ŵ diag(γc) (algorithms.md §C2) from G = ∂L/∂W:
//   gr_i = Σ_j G_ij Ŵ_ij γc_j,  gc_j = Σ_i γr_i G_ij Ŵ_ij,  Ĝ = γr_i G_ij γc_j, written over G's copy in slot 1.
// slots: Ŵ, Ĝ (in: G; out: Ĝ), γr, γc, gr, gc. A missing γ counts as 1 and has no gradient. A γr of one element is one
// scalar gain: its gradient is the sum over all rows.
template <class T> POLARSCOPE_FN void gain_gradients(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  const bool by_row = c.has(op, 2), by_column = c.has(op, 3);
  const R* row_gain = by_row ? c.ptr(op, 2) : nullptr;
  const R* column_gain = by_column ? c.ptr(op, 3) : nullptr;
  const bool scalar = by_row && c.mat(op, 2).cols == 1 && w.rows > 1; // one row's gain is a row gain
  const int rows = w.rows, cols = w.cols;
  if (by_column) {
    R* out = c.ptr(op, 5);
    c.t.for_each(cols, [=](int j) {
      Acc total = 0;
      for (int i = 0; i < rows; ++i)
        total += Acc(g(i, j)) * Acc(w(i, j)) * (by_row ? Acc(row_gain[scalar ? 0 : i]) : Acc(1));
      out[j] = static_cast<R>(total);
    });
  }
  if (by_row && scalar) {
    const Acc total = c.t.sum(w.size(), [=](int k) { return Acc(g.p[k]) * Acc(w.p[k]); });
    R* out = c.ptr(op, 4);
    c.t.single([=] { out[0] = static_cast<R>(total); });
  } else if (by_row) {
    R* out = c.ptr(op, 4);
    c.t.rows(rows, [=](auto& sub, int i) {
      const R *a = g.row(i), *b = w.row(i);
      const Acc total =
          sub.sum(cols, [=](int j) { return Acc(a[j]) * Acc(b[j]) * (by_column ? Acc(column_gain[j]) : Acc(1)); });
      sub.single([=] { out[i] = static_cast<R>(total); });
    });
  }
  c.t.sync();
  c.t.rows(rows, [=](auto& sub, int i) {
    R* a = g.row(i);
    const R scale = by_row ? row_gain[scalar ? 0 : i] : R(1);
    sub.for_each(cols, [=](int j) { a[j] *= by_column ? scale * column_gain[j] : scale; });
  });
}

// Muown's split of W = g ∘ v/‖v‖ with implicit v (2605.10797; kcc-lion/muown optim/muown.py): u = W/g, then
//   grad_g_i = Σ_j G_ij u_ij,   grad_v = (g/r) ∘ (G − u ∘ grad_g),   V ← r ∘ u.
// A row with g = 0 has no direction: u = 0, and r = 0 gives grad_v = 0; so does a row of one number.  slots: G, V (in: W; out: V), g, r, grad_v, grad_g
template <class T> POLARSCOPE_FN void row_magnitude_split(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto grad = c.mat(op, 0), v = c.mat(op, 1), inner = c.mat(op, 4);
  const R *g = c.ptr(op, 2), *r = c.ptr(op, 3);
  R* out = c.ptr(op, 5);
  const int cols = v.cols;
  c.t.rows(v.rows, [=](auto& sub, int i) {
    const R size = g[i], length = r[i];
    const R* gi = grad.row(i);
    R *ui = v.row(i), *di = inner.row(i);
    sub.for_each(cols, [=](int j) { ui[j] = sel(size != R(0), ui[j] / size, R(0)); });
    sub.sync();
    const Acc slope = sub.sum(cols, [=](int j) { return Acc(gi[j]) * Acc(ui[j]); });
    const R along = static_cast<R>(slope),
            scale = cols > 1 ? sel(length > R(Tiny<R>::value), size / length, R(0)) : R(0);
    sub.for_each(cols, [=](int j) {
      di[j] = scale * (gi[j] - ui[j] * along);
      ui[j] *= length;
    });
    sub.single([=] { out[i] = along; });
  });
}

// r ← ‖v_i‖ and W = g ∘ v/max(‖v‖, constant 0). With weight decay W ← W − η λ W₋ and g ← ‖w_i‖.
// slots: V, g, r, W, W₋;  hparams: η, λ;  word: bit 0 g is not measured again, 1 no decay, 2 r is left alone
template <class T> POLARSCOPE_FN void row_magnitude_join(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto v = c.mat(op, 0), w = c.mat(op, 3), old = c.mat(op, 4);
  R *g = c.ptr(op, 1), *r = c.ptr(op, 2);
  const R decay = op.word & 2 ? R(0) : c.hp(op, 0) * c.hp(op, 1), floor = static_cast<R>(c.constant(op, 0));
  const auto decays = decay != R(0);
  const bool measured = any_(decays) && !(op.word & 1), keeps = (op.word & 4) != 0;
  const int cols = v.cols;
  c.t.rows(v.rows, [=](auto& sub, int i) {
    const R* vi = v.row(i);
    const R* before = old.row(i);
    R* wi = w.row(i);
    const Acc length2 = sub.sum(cols, [=](int j) { return Acc(vi[j]) * Acc(vi[j]); });
    const R length = static_cast<R>(sqrt_(length2)), size = g[i], below = max_(length, floor);
    const R scale = sel(below > R(Tiny<R>::value), size / below, R(0));
    sub.for_each(cols, [=](int j) { wi[j] = scale * vi[j] - decay * before[j]; });
    sub.sync();
    if (measured) {
      const Acc norm2 = sub.sum(cols, [=](int j) { return Acc(wi[j]) * Acc(wi[j]); });
      sub.single([=] { g[i] = sel(decays, static_cast<R>(sqrt_(norm2)), size); });
    }
    if (!keeps) sub.single([=] { r[i] = length; });
  });
}

// word 0: x ← constant 1 where |x| ≤ constant 0; word 1: |x| ← max(|x|, constant 0), the sign kept.  slots: x
template <class T> POLARSCOPE_FN void bound_lengths(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto x = c.mat(op, 0);
  const R limit = static_cast<R>(c.constant(op, 0)), value = static_cast<R>(c.constant(op, 1));
  const bool replace = op.word == 0;
  c.t.for_each(x.cols, [=](int i) {
    const R size = abs_(x.p[i]);
    if (replace) x.p[i] = size > limit ? x.p[i] : value;
    else if (size < limit) x.p[i] = x.p[i] < R(0) ? -limit : limit;
  });
}

// word 0: m ← β m + (1−β) g, a ← a − η sign(m).  word 1 (Lion): a ← a − η sign(β₁m + (1−β₁)g), m ← β₂m + (1−β₂)g with
// the constants β₁, β₂.  slots: a, g, m;  hparams: η, β
template <class T> POLARSCOPE_FN void sign_step(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto a = c.mat(op, 0), g = c.mat(op, 1), m = c.mat(op, 2);
  const bool lion = op.word == 1;
  const R lr = c.hp(op, 0);
  const R look = static_cast<R>(1 - (lion ? c.constant(op, 0) : c.exact_hp(op, 1)));
  const R keep = lion ? static_cast<R>(1 - c.constant(op, 1)) : look;
  c.t.for_each(a.cols, [=](int i) {
    const R past = m.p[i], now = g.p[i];
    const R ahead = past - look * past + look * now;
    m.p[i] = past - keep * past + keep * now;
    a.p[i] -= lr * sel(ahead > R(0), R(1), sel(ahead < R(0), R(-1), R(0)));
  });
}

// U ← U (1 + c max(0, s − s₀))⁻ᵖ with s completed steps (fhueb/angular-muown).  slots: U;  hparams: c, p, s₀
template <class T> POLARSCOPE_FN void fade_update(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto u = c.mat(op, 0);
  const double past = static_cast<double>(c.step) - c.exact_hp(op, 2);
  const R factor = static_cast<R>(pow_(1 + c.exact_hp(op, 0) * (past > 0 ? past : 0), -c.exact_hp(op, 1)));
  c.t.for_each(c.t.pad(u.size()), [=](int i) { u.p[i] *= factor; });
}

// The current value of one hyperparameter from its base value and s = t − 1 completed steps. hparam: the column;
// word: 0 constant, 1 linear, 2 cosine, 3 warmup–stable–decay, 4 inverse power; constants: warmup w, cooldown c and
// total T in steps, exponent p, final fraction f, smallest value of linear after the warmup (0: none).
template <class T> POLARSCOPE_FN void schedule(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const double s = static_cast<double>(c.step);
  const double warmup = c.constant(op, 0), cooldown = c.constant(op, 1), total = c.constant(op, 2);
  const double exponent = c.constant(op, 3), rest = c.constant(op, 4), floor = c.constant(op, 5);
  c.t.single([&] {
    const auto part = [](double x) { return x < 0 ? 0.0 : x > 1 ? 1.0 : x; };
    double factor = 1;
    if (s + 1 < warmup) {
      factor = (s + 1) / warmup;
    } else if (op.word == 1) {
      factor = rest + (1 - rest) * (1 - part(total > warmup ? (s - warmup) / (total - warmup) : 0));
    } else if (op.word == 2) {
      const double x = part(total > warmup ? (s - warmup) / (total - warmup) : 0);
      factor = rest + (1 - rest) * 0.5 * (1 + cos_(3.14159265358979323846 * x));
    } else if (op.word == 3) {
      const double x = part(cooldown > 0 ? (s - (total - cooldown)) / cooldown : 0);
      factor = rest + (1 - rest) * (1 - (x > 0 ? pow_(x, exponent) : 0.0));
    } else if (op.word == 4) {
      const double first = warmup > 1 ? warmup : 1;
      factor = pow_(first / (s + 1), exponent);
    }
    R now = static_cast<R>(c.base[op.hparam[0]] * factor);
    if (op.word == 1 && floor > 0 && s + 1 >= warmup) now = max_(now, static_cast<R>(floor));
    c.block[c.program.slots[0].offset + op.hparam[0]] = now;
  });
}

} // namespace ops
POLARSCOPE_KERNELS_END
