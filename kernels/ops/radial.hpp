// Bodies that look at a weight's radial part, its slices' means and its spread.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/rows.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class R, class Acc> POLARSCOPE_FN Acc over(Acc above, Acc below) {
  return below > Acc(Tiny<R>::value) ? above / below : Acc(0);
}

namespace ops {

// Takes the radial part out of U where the gradient has next to none (clovaai/AdamP): if the largest |cos(gᵢ, wᵢ)| of the
// rows is below δ/√n, row by row; else if |cos(G, W)| is below δ/√(mn), of the whole; else nothing. u −= ŵ⟨ŵ, u⟩ with
// ŵ = w/(‖w‖ + ε). Slot 3 gets the hparam `ratio` where something was done, else 1.
// slots: W, G, U, factor;  hparams: δ, ratio;  constant: ε
template <class T> POLARSCOPE_FN void project_radial(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), u = c.mat(op, 2);
  const int rows = w.rows, cols = w.cols, size = w.size();
  const Acc eps = static_cast<Acc>(c.constant(op, 0)), delta = Acc(c.hp(op, 0));
  const auto cosines = c.t.scratch(1, rows), shares = c.t.scratch(1, rows);
  const auto cosine = [=](Acc dot, Acc gg, Acc ww) {
    return over<R>(abs_(dot), max_(sqrt_(gg), eps) * max_(sqrt_(ww), eps));
  };
  const auto share = [=](Acc dot, Acc ww) {
    const Acc length = sqrt_(ww) + eps;
    return static_cast<R>(over<R>(dot, length * length));
  };
  c.t.sync();
  c.t.rows(rows, [=](auto& sub, int i) {
    const R *x = w.row(i), *y = g.row(i), *z = u.row(i);
    const Acc wg = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(y[j]); });
    const Acc gg = sub.sum(cols, [=](int j) { return Acc(y[j]) * Acc(y[j]); });
    const Acc ww = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); });
    const Acc wu = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(z[j]); });
    sub.single([=] {
      cosines.p[i] = static_cast<R>(cosine(wg, gg, ww));
      shares.p[i] = share(wu, ww);
    });
  });
  c.t.sync();
  const Acc worst = Acc(c.t.max(rows, [=](int i) { return cosines.p[i]; }));
  const bool by_row = worst < delta / sqrt_(Acc(cols));
  bool whole = false;
  R along = 0;
  if (!by_row) {
    const Acc wg = c.t.sum(size, [=](int i) { return Acc(w.p[i]) * Acc(g.p[i]); });
    const Acc gg = c.t.sum(size, [=](int i) { return Acc(g.p[i]) * Acc(g.p[i]); });
    const Acc ww = c.t.sum(size, [=](int i) { return Acc(w.p[i]) * Acc(w.p[i]); });
    const Acc wu = c.t.sum(size, [=](int i) { return Acc(w.p[i]) * Acc(u.p[i]); });
    whole = cosine(wg, gg, ww) < delta / sqrt_(Acc(rows) * Acc(cols));
    along = share(wu, ww);
  }
  R* factor = c.ptr(op, 3);
  const R ratio = by_row || whole ? c.hp(op, 1) : R(1);
  c.t.single([=] { factor[0] = ratio; });
  if (!by_row && !whole) return;
  c.t.rows(rows, [=](auto& sub, int i) {
    const R* x = w.row(i);
    R* z = u.row(i);
    const R a = by_row ? shares.p[i] : along;
    sub.for_each(cols, [=](int j) { z[j] -= a * x[j]; });
  });
}

// Every slice minus its mean.  slots: A;  word: the slices
template <class T> POLARSCOPE_FN void centre_slices(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto a = c.mat(op, 0);
  const int rows = a.rows, cols = a.cols, slices = static_cast<int>(op.word);
  if (slices == kColumns) {
    c.t.for_each(cols, [=](int j) {
      Acc total = 0;
      for (int i = 0; i < rows; ++i) total += Acc(a(i, j));
      const R mean = static_cast<R>(total / Acc(rows));
      for (int i = 0; i < rows; ++i) a(i, j) -= mean;
    });
    return;
  }
  const Acc whole =
      slices == kMatrix ? c.t.sum(a.size(), [=](int i) { return Acc(a.p[i]); }) / (Acc(rows) * Acc(cols)) : Acc(0);
  c.t.sync();
  c.t.rows(rows, [=](auto& sub, int i) {
    R* x = a.row(i);
    const R mean =
        static_cast<R>(slices == kMatrix ? whole : sub.sum(cols, [=](int j) { return Acc(x[j]); }) / Acc(cols));
    sub.sync();
    sub.for_each(cols, [=](int j) { x[j] -= mean; });
  });
}

// Metric column word >> 2: the largest |mean of a slice| · √length / ‖slice‖, slices word & 3; 0 for a slice of zeros.
// slots: A
template <class T> POLARSCOPE_FN void mean_violation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto a = c.mat(op, 0);
  const bool columns = (op.word & 3) == kColumns;
  const int rows = a.rows, cols = a.cols, count = columns ? cols : rows;
  const auto errors = c.t.scratch(1, count);
  const auto error = [=](Acc total, Acc square, int length) {
    return static_cast<R>(over<R>(abs_(total), sqrt_(square * Acc(length))));
  };
  c.t.sync();
  if (columns)
    c.t.for_each(cols, [=](int j) {
      Acc total = 0, square = 0;
      for (int i = 0; i < rows; ++i) {
        total += Acc(a(i, j));
        square += Acc(a(i, j)) * Acc(a(i, j));
      }
      errors.p[j] = error(total, square, rows);
    });
  else
    c.t.rows(rows, [=](auto& sub, int i) {
      const R* x = a.row(i);
      const Acc total = sub.sum(cols, [=](int j) { return Acc(x[j]); });
      const Acc square = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); });
      sub.single([=] { errors.p[i] = error(total, square, cols); });
    });
  c.t.sync();
  const R worst = c.t.max(count, [=](int k) { return finite_(errors.p[k]) ? errors.p[k] : R(1e30); });
  R* out = c.block + c.program.slots[c.program.metric_slot].offset + (op.word >> 2);
  c.t.single([=] { out[0] = worst; });
}

// s ← mean of the numbers in N, or constant 0 where it is 0.  slots: N, s
template <class T> POLARSCOPE_FN void mean_number(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto n = c.mat(op, 0);
  const Acc mean = c.t.sum(n.cols, [=](int i) { return Acc(n.p[i]); }) / Acc(n.cols);
  R* out = c.ptr(op, 1);
  const R otherwise = static_cast<R>(c.constant(op, 0));
  c.t.single([=] { out[0] = mean != Acc(0) ? static_cast<R>(mean) : otherwise; });
}

// U ← U N η_r/η per slice: a step of η then turns a slice of norm N by η_r where U has norm 1. η_r as at the rotational
// equilibrium (2305.17212): word >> 2 is 0: √(2ηλ(1−β₁)/(1+β₁)); 1: √(2ηλ/(1+μ)); 2: √(π/2 · 2ηλ · S),
// S = (1−β₁)² + β₁²(1−β₂)/(1+β₂).  slots: U, N;  hparams: η, λ, β₁ or μ, β₂;  word & 3: the slices
template <class T> POLARSCOPE_FN void scale_to_rotation(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto u = c.mat(op, 0);
  const double lr = static_cast<double>(c.hp(op, 0)), decay = static_cast<double>(c.hp(op, 1)),
               beta = c.exact_hp(op, 2);
  const std::uint32_t form = op.word >> 2;
  double share = form == 0 ? (1 - beta) / (1 + beta) : 1 / (1 + beta);
  if (form == 2) {
    const double second = c.exact_hp(op, 3);
    share = 1.57079632679489661923 * ((1 - beta) * (1 - beta) + beta * beta * (1 - second) / (1 + second));
  }
  const R factor = static_cast<R>(lr > 0 ? sqrt_(2 * decay * share / lr) : 0.0);
  const int slices = static_cast<int>(op.word & 3), count = c.mat(op, 1).cols;
  const R* norms = c.ptr(op, 1);
  const auto factors = c.t.scratch(1, count);
  c.t.sync();
  c.t.for_each(count, [=](int k) { factors.p[k] = factor * norms[k]; });
  c.t.sync();
  scale_slices(c.t, u, u, static_cast<const R*>(factors.p), slices);
}

// W ← mean + (W − mean) σ/std where std(W) > threshold · σ; std over mn − 1 elements.  slots: W;  hparams: σ, threshold
template <class T> POLARSCOPE_FN void cap_spread(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  const int rows = w.rows, cols = w.cols, count = rows * cols;
  const Acc mean = c.t.sum(w.size(), [=](int i) { return Acc(w.p[i]); }) / Acc(count);
  const Acc square = c.t.sum(count, [=](int i) {
    const Acc d = Acc(w(i / cols, i % cols)) - mean;
    return d * d;
  });
  const Acc deviation = sqrt_(square / Acc(count > 1 ? count - 1 : 1)), target = Acc(c.hp(op, 0));
  if (!(deviation > Acc(c.hp(op, 1)) * target)) return;
  const R scale = static_cast<R>(target / deviation), middle = static_cast<R>(mean);
  c.t.sync();
  c.t.rows(rows, [=](auto& sub, int i) {
    R* x = w.row(i);
    sub.for_each(cols, [=](int j) { x[j] = middle + (x[j] - middle) * scale; });
  });
}

// wᵢ ← wᵢ/(ε + ‖wᵢ‖/√n).  slots: W;  constant: ε
template <class T> POLARSCOPE_FN void root_norm(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0);
  const int cols = w.cols;
  const Acc eps = static_cast<Acc>(c.constant(op, 0)), root = sqrt_(Acc(cols));
  c.t.rows(w.rows, [=](auto& sub, int i) {
    R* x = w.row(i);
    const Acc norm = sqrt_(sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); }));
    const R scale = static_cast<R>(over<R>(Acc(1), eps + norm / root));
    sub.sync();
    sub.for_each(cols, [=](int j) { x[j] *= scale; });
  });
}

// The gradient through wᵢ ↦ wᵢ/(ε + ‖wᵢ‖/√n): G/d − w ⟨w, G⟩/(√n ‖w‖ d²), d = ε + ‖w‖/√n.
// slots: W, G, D;  constant: ε
template <class T> POLARSCOPE_FN void root_norm_gradient(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), d = c.mat(op, 2);
  const int cols = w.cols;
  const Acc eps = static_cast<Acc>(c.constant(op, 0)), root = sqrt_(Acc(cols));
  c.t.rows(w.rows, [=](auto& sub, int i) {
    const R *x = w.row(i), *y = g.row(i);
    R* z = d.row(i);
    const Acc dot = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(y[j]); });
    const Acc norm = sqrt_(sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(x[j]); }));
    const Acc below = eps + norm / root;
    const R scale = static_cast<R>(over<R>(Acc(1), below)),
            along = static_cast<R>(over<R>(dot, root * norm * below * below));
    sub.for_each(cols, [=](int j) { z[j] = scale * y[j] - along * x[j]; });
  });
}

// D ← W/σ with σ = uᵀ W v after `word` power iterations u ← N(W v), v ← N(Wᵀ u), N(x) = x/max(‖x‖, constant 0).
// Constant 1 above 0: v starts as 1 + j/n, else from where it was.  slots: W, u, v, σ, D
template <class T> POLARSCOPE_FN void spectral_divide(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), d = c.mat(op, 4);
  const int rows = w.rows, cols = w.cols;
  R *u = c.ptr(op, 1), *v = c.ptr(op, 2), *sigma = c.ptr(op, 3);
  const Acc least = static_cast<Acc>(c.constant(op, 0));
  const auto normalise = [&](R* x, int n) {
    c.t.sync();
    const Acc norm = sqrt_(c.t.sum(n, [=](int i) { return Acc(x[i]) * Acc(x[i]); }));
    const R scale = static_cast<R>(Acc(1) / max_(norm, least));
    c.t.sync();
    c.t.for_each(n, [=](int i) { x[i] *= scale; });
    c.t.sync();
  };
  const auto times = [&] {
    c.t.rows(rows, [=](auto& sub, int i) {
      const R* x = w.row(i);
      const Acc dot = sub.sum(cols, [=](int j) { return Acc(x[j]) * Acc(v[j]); });
      sub.single([=] { u[i] = static_cast<R>(dot); });
    });
  };
  if (c.constant(op, 1) > 0) {
    c.t.for_each(cols, [=](int j) { v[j] = R(1) + R(j) / R(cols); });
    normalise(v, cols);
  }
  for (std::uint32_t k = 0; k < op.word; ++k) {
    times();
    normalise(u, rows);
    c.t.for_each(cols, [=](int j) {
      Acc total = 0;
      for (int i = 0; i < rows; ++i) total += Acc(w(i, j)) * Acc(u[i]);
      v[j] = static_cast<R>(total);
    });
    normalise(v, cols);
  }
  const Acc value = c.t.sum(rows, [=](int i) {
    Acc dot = 0;
    for (int j = 0; j < cols; ++j) dot += Acc(w(i, j)) * Acc(v[j]);
    return Acc(u[i]) * dot;
  });
  const R scale = static_cast<R>(abs_(value) > Acc(Tiny<R>::value) ? Acc(1) / value : Acc(0));
  c.t.single([=] { sigma[0] = static_cast<R>(value); });
  c.t.for_each(c.t.pad(w.size()), [=](int i) { d.p[i] = scale * w.p[i]; });
}

// The gradient through W ↦ W/σ with u and v held: (G − ⟨G, W/σ⟩ u vᵀ)/σ.  slots: G, W/σ, u, v, σ, D
template <class T> POLARSCOPE_FN void spectral_divide_gradient(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto g = c.mat(op, 0), w = c.mat(op, 1), d = c.mat(op, 5);
  const int cols = g.cols;
  const R *u = c.ptr(op, 2), *v = c.ptr(op, 3);
  const Acc sigma = Acc(c.ptr(op, 4)[0]);
  const Acc along = c.t.sum(g.size(), [=](int i) { return Acc(g.p[i]) * Acc(w.p[i]); });
  const Acc inverse = abs_(sigma) > Acc(Tiny<R>::value) ? Acc(1) / sigma : Acc(0);
  c.t.rows(g.rows, [=](auto& sub, int i) {
    const R* y = g.row(i);
    R* z = d.row(i);
    const Acc radial = along * Acc(u[i]);
    sub.for_each(cols, [=](int j) { z[j] = static_cast<R>(inverse * (Acc(y[j]) - radial * Acc(v[j]))); });
  });
}

} // namespace ops
POLARSCOPE_KERNELS_END
