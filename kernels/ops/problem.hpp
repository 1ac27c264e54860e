// Losses and gradients of the toy problems, and the gradient noise. A weight (or row) of norm 0 has no direction: where
// the loss depends on direction only, loss and gradient are then NaN and the run is marked as diverged.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/normal.hpp"
#include "kernels/ops/flat.hpp"

POLARSCOPE_KERNELS_BEGIN

namespace ops {

// What one well takes off the loss, given the cosine of the angle to it.
template <class R> POLARSCOPE_FN R well_depth(R depth, R sharpness, R cosine) {
  return depth * exp_(sharpness * (cosine - R(1)));
}

// f(w) = g(θ) = 1 − Σ A e^{κ (cos(θ−μ) − 1)};  ∇f = (g'(θ)/r) e_θ  (algorithms.md §G1).
// word: loss column; constants: number of wells, then A, κ, cos μ, sin μ of each.
template <class T> POLARSCOPE_FN void circle_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  R* loss = c.metric(op);
  const int wells = static_cast<int>(c.constant(op, 0));
  c.t.single([&] {
    const Acc x = w.p[0], y = w.p[1];
    const Acc inverse = Acc(1) / sqrt_(x * x + y * y);
    const R cx = static_cast<R>(x * inverse), cy = static_cast<R>(y * inverse);
    R value = 1, slope = 0;
    for (int k = 0; k < wells; ++k) {
      const R a = R(c.constant(op, 1 + 4 * k)), kappa = R(c.constant(op, 2 + 4 * k));
      const R cm = R(c.constant(op, 3 + 4 * k)), sm = R(c.constant(op, 4 + 4 * k));
      const R depth = well_depth(a, kappa, cx * cm + cy * sm);
      value -= depth;
      slope += depth * kappa * (cy * cm - cx * sm);
    }
    loss[0] = value;
    const R scale = slope * static_cast<R>(inverse);
    g.p[0] = -scale * cy;
    g.p[1] = scale * cx;
  });
}

// f(w) = 1 − Σ A e^{κ (⟨ŵ, μ⟩ − 1)} of a 3-vector;  ∇f = −(I − ŵŵᵀ) Σ A κ μ e^{…} / ‖w‖  (algorithms.md §G3).
// word: loss column; constants: number of wells, then A, κ and the unit vector μ of each.
template <class T> POLARSCOPE_FN void sphere_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  R* loss = c.metric(op);
  const int wells = static_cast<int>(c.constant(op, 0));
  c.t.single([&] {
    const Acc x = w.p[0], y = w.p[1], z = w.p[2];
    const Acc inverse = Acc(1) / sqrt_(x * x + y * y + z * z);
    const R unit[3] = {static_cast<R>(x * inverse), static_cast<R>(y * inverse), static_cast<R>(z * inverse)};
    R value = 1, pull[3] = {0, 0, 0};
    for (int k = 0; k < wells; ++k) {
      const R kappa = R(c.constant(op, 2 + 5 * k));
      const R mu[3] = {R(c.constant(op, 3 + 5 * k)), R(c.constant(op, 4 + 5 * k)), R(c.constant(op, 5 + 5 * k))};
      const R cosine = unit[0] * mu[0] + unit[1] * mu[1] + unit[2] * mu[2];
      const R depth = well_depth(R(c.constant(op, 1 + 5 * k)), kappa, cosine);
      value -= depth;
      for (int j = 0; j < 3; ++j) pull[j] += depth * kappa * mu[j];
    }
    const R radial = pull[0] * unit[0] + pull[1] * unit[1] + pull[2] * unit[2];
    loss[0] = value;
    for (int j = 0; j < 3; ++j) g.p[j] = static_cast<R>(inverse) * (radial * unit[j] - pull[j]);
  });
}

// Writes the loss's column.
template <class T> POLARSCOPE_FN void store_loss(Context<T>& c, const Op& op, typename T::Acc value) {
  using R = typename T::Real;
  R* loss = c.metric(op);
  c.t.single([=] { loss[0] = static_cast<R>(value); });
}

// Mean over rows of 1 − cos(wᵢ, uᵢ), uᵢ unit;  gᵢ = −(uᵢ − cos ŵᵢ) / (m ‖wᵢ‖). Slots W, G, U; word: loss column.
template <class T> POLARSCOPE_FN void rows_cosine_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), u = c.mat(op, 2);
  const auto each = c.t.scratch(1, w.rows);
  const int cols = w.cols, m = w.rows;
  c.t.rows(m, [=](auto& sub, int i) {
    const R *wi = w.row(i), *ui = u.row(i);
    R* gi = g.row(i);
    const Acc ww = sub.sum(cols, [=](int j) { return wi[j] * wi[j]; });
    const Acc wu = sub.sum(cols, [=](int j) { return wi[j] * ui[j]; });
    const Acc inverse = Acc(1) / sqrt_(ww);
    const R scale = static_cast<R>(inverse / Acc(m)), along = static_cast<R>(wu * inverse * inverse);
    sub.for_each(cols, [=](int j) { gi[j] = scale * (along * wi[j] - ui[j]); });
    sub.single([=] { each.p[i] = static_cast<R>(Acc(1) - wu * inverse); });
  });
  c.t.sync();
  store_loss(c, op, c.t.sum(m, [=](int i) { return each.p[i]; }) / Acc(m));
}

// Mean over rows of the circle's wells, laid into a plane of each row: row i's wells are at cos μ e₁ + sin μ e₂, where
// e₁, e₂ are rows 2i, 2i + 1 of E. Slots W, G, E; word: loss column; constants as circle_loss.
template <class T> POLARSCOPE_FN void rows_wells_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), e = c.mat(op, 2);
  const auto each = c.t.scratch(1, w.rows);
  const int cols = w.cols, m = w.rows, wells = static_cast<int>(c.constant(op, 0));
  c.t.rows(m, [&](auto& sub, int i) {
    const R *wi = w.row(i), *e1 = e.row(2 * i), *e2 = e.row(2 * i + 1);
    R* gi = g.row(i);
    const Acc ww = sub.sum(cols, [=](int j) { return wi[j] * wi[j]; });
    const Acc inverse = Acc(1) / sqrt_(ww);
    const R cx = static_cast<R>(sub.sum(cols, [=](int j) { return wi[j] * e1[j]; }) * inverse);
    const R cy = static_cast<R>(sub.sum(cols, [=](int j) { return wi[j] * e2[j]; }) * inverse);
    R value = 1, along1 = 0, along2 = 0;
    for (int k = 0; k < wells; ++k) {
      const R kappa = R(c.constant(op, 2 + 4 * k));
      const R cm = R(c.constant(op, 3 + 4 * k)), sm = R(c.constant(op, 4 + 4 * k));
      const R depth = well_depth(R(c.constant(op, 1 + 4 * k)), kappa, cx * cm + cy * sm);
      value -= depth;
      along1 += depth * kappa * cm;
      along2 += depth * kappa * sm;
    }
    const R scale = static_cast<R>(inverse / Acc(m));
    const R radial = (along1 * cx + along2 * cy) * static_cast<R>(inverse);
    sub.for_each(cols, [=](int j) { gi[j] = scale * (radial * wi[j] - along1 * e1[j] - along2 * e2[j]); });
    sub.single([=] { each.p[i] = value; });
  });
  c.t.sync();
  store_loss(c, op, c.t.sum(m, [=](int i) { return each.p[i]; }) / Acc(m));
}

// L = ½ mean over samples of ‖ŷ − y*‖², ŷ = z/rms(z), z = W x, without an epsilon (algorithms.md §G4);
// ∂L/∂z = (d − ŷ ⟨ŷ, d⟩/m) / (S rms(z)) with d = ŷ − y*. Slots W (m × n), G, X (S × n), Y* (S × m), Z (S × m, ends as
// ∂L/∂z); word: loss column.
template <class T> POLARSCOPE_FN void normalized_linear_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), x = c.mat(op, 2), y = c.mat(op, 3), z = c.mat(op, 4);
  const int samples = x.rows, m = w.rows;
  MatmulArgs<R> forward;
  forward.transpose_b = true;
  c.t.matmul(z, x, w, forward);
  c.t.sync();
  const auto each = c.t.scratch(1, samples);
  c.t.rows(samples, [=](auto& sub, int s) {
    R* zs = z.row(s);
    const R* ys = y.row(s);
    const Acc zz = sub.sum(m, [=](int i) { return zs[i] * zs[i]; });
    const R inverse = static_cast<R>(Acc(1) / sqrt_(zz / Acc(m)));
    const Acc dd = sub.sum(m, [=](int i) {
      const R d = zs[i] * inverse - ys[i];
      return d * d;
    });
    const Acc radial = sub.sum(m, [=](int i) { return zs[i] * inverse * (zs[i] * inverse - ys[i]); });
    const R keep = R(1) - static_cast<R>(radial / Acc(m)), scale = inverse / R(samples);
    sub.sync();
    sub.for_each(m, [=](int i) { zs[i] = scale * (zs[i] * inverse * keep - ys[i]); });
    sub.single([=] { each.p[s] = static_cast<R>(dd); });
  });
  c.t.sync();
  MatmulArgs<R> backward;
  backward.transpose_a = true;
  c.t.matmul(g, z, x, backward);
  store_loss(c, op, c.t.sum(samples, [=](int s) { return each.p[s]; }) / (Acc(2) * Acc(samples)));
}

// L = ½ mean over samples of ‖W x − y‖²; G = (1/S) Σ (W x − y) xᵀ. Slots and word as normalized_linear_loss.
template <class T> POLARSCOPE_FN void linear_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), x = c.mat(op, 2), y = c.mat(op, 3), z = c.mat(op, 4);
  const int samples = x.rows;
  MatmulArgs<R> forward;
  forward.transpose_b = true;
  forward.beta = R(-1);
  forward.d = y.p;
  c.t.matmul(z, x, w, forward);
  c.t.sync();
  const Acc total = c.t.sum(z.size(), [=](int i) { return z.p[i] * z.p[i]; });
  MatmulArgs<R> backward;
  backward.transpose_a = true;
  backward.alpha = R(1) / R(samples);
  c.t.matmul(g, z, x, backward);
  store_loss(c, op, total / (Acc(2) * Acc(samples)));
}

// L = ½ Σ hⱼ wⱼ²; gⱼ = hⱼ wⱼ. Slots W, G, H; word: loss column.
template <class T> POLARSCOPE_FN void quadratic_loss(Context<T>& c, const Op& op) {
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), h = c.mat(op, 2);
  const int n = flat_size(w);
  c.t.for_each(n, [=](int i) { g.p[i] = h.p[i] * w.p[i]; });
  const Acc total = c.t.sum(n, [=](int i) { return h.p[i] * w.p[i] * w.p[i]; });
  store_loss(c, op, total / Acc(2));
}

// Standard normal numbers into row i of z: one random block per four columns, counted along the rows, so that the numbers
// do not depend on padding. Streams are 1 + parameter; the host's start at 16 (engine/problem/random.hpp).
template <class T, class Row>
POLARSCOPE_FN void noise_row(Context<T>& c, Row& sub, const Mat<typename T::Real>& z, const Op& op, int i) {
  using R = typename T::Real;
  const int cols = z.cols, blocks = (cols + 3) / 4;
  const std::uint32_t stream = 1 + op.word;
  R* row = z.row(i);
  const auto seed = c.seed;
  const std::uint64_t step = c.step;
  sub.for_each(blocks, [=](int q) {
    const int first = 4 * q, left = cols - first;
    const auto bits = random_bits(seed, stream, step, static_cast<std::uint32_t>(i * blocks + q));
    const FourNormals<R> four = four_normals<R>(bits, left > 2);
    for (int k = 0; k < 4 && k < left; ++k) row[first + k] = four.v[k];
  });
}

// G ← G + σ P⊥(z)/‖W‖; slots W, G, Z; constant: σ; word: parameter.
template <class T> POLARSCOPE_FN void tangent_noise(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), z = c.mat(op, 2);
  c.t.rows(w.rows, [&](auto& sub, int i) { noise_row(c, sub, z, op, i); });
  c.t.sync();
  const int n = flat_size(w), cols = w.cols;
  const Acc ww = c.t.sum(n, [=](int i) { return w.p[i] * w.p[i]; });
  const Acc wz = c.t.sum(n, [=](int i) { return w.p[i] * z.p[i]; });
  const R scale = static_cast<R>(Acc(c.constant(op, 0)) / sqrt_(ww)), along = static_cast<R>(wz / ww);
  c.t.rows(w.rows, [=](auto& sub, int i) {
    const R *wi = w.row(i), *zi = z.row(i);
    R* gi = g.row(i);
    sub.for_each(cols, [=](int j) { gi[j] += scale * (zi[j] - along * wi[j]); });
  });
}

// The same, each row on its own: gᵢ ← gᵢ + σ P⊥(z)/‖wᵢ‖.
template <class T> POLARSCOPE_FN void tangent_noise_rows(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), z = c.mat(op, 2);
  const int cols = w.cols;
  const Acc sigma = static_cast<Acc>(c.constant(op, 0));
  c.t.rows(w.rows, [&](auto& sub, int i) {
    noise_row(c, sub, z, op, i);
    sub.sync();
    const R *wi = w.row(i), *zi = z.row(i);
    R* gi = g.row(i);
    const Acc ww = sub.sum(cols, [=](int j) { return wi[j] * wi[j]; });
    const Acc wz = sub.sum(cols, [=](int j) { return wi[j] * zi[j]; });
    const R scale = static_cast<R>(sigma / sqrt_(ww)), along = static_cast<R>(wz / ww);
    sub.for_each(cols, [=](int j) { gi[j] += scale * (zi[j] - along * wi[j]); });
  });
}

// How far G is from orthogonal to W: |⟨W, G⟩| / (1 + ‖W‖‖G‖). ‖W‖‖G‖ does not depend on the norm of W; the 1 stands
// for the loss itself and keeps round-off near a minimum from counting. word: metric column.
template <class T> POLARSCOPE_FN void gradient_tangency(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  const int n = flat_size(w);
  const Acc ww = c.t.sum(n, [=](int i) { return w.p[i] * w.p[i]; });
  const Acc gg = c.t.sum(n, [=](int i) { return g.p[i] * g.p[i]; });
  const Acc wg = c.t.sum(n, [=](int i) { return w.p[i] * g.p[i]; });
  R* out = c.metric(op);
  c.t.single([=] { out[0] = static_cast<R>(abs_(wg) / (Acc(1) + sqrt_(ww * gg))); });
}

// The largest of the rows' |⟨wᵢ, gᵢ⟩| / (1 + ‖wᵢ‖‖gᵢ‖).
template <class T> POLARSCOPE_FN void gradient_tangency_rows(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  const auto found = c.t.scratch(1, w.rows);
  const int cols = w.cols;
  c.t.rows(w.rows, [=](auto& sub, int i) {
    const R *wi = w.row(i), *gi = g.row(i);
    const Acc ww = sub.sum(cols, [=](int j) { return wi[j] * wi[j]; });
    const Acc gg = sub.sum(cols, [=](int j) { return gi[j] * gi[j]; });
    const Acc wg = sub.sum(cols, [=](int j) { return wi[j] * gi[j]; });
    sub.single([=] { found.p[i] = static_cast<R>(abs_(wg) / (Acc(1) + sqrt_(ww * gg))); });
  });
  c.t.sync();
  const R worst = c.t.max(w.rows, [=](int i) { return found.p[i]; });
  R* out = c.metric(op);
  c.t.single([=] { out[0] = worst; });
}

} // namespace ops
POLARSCOPE_KERNELS_END
