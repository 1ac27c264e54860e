// Losses and gradients of the toy problems, and the gradient noise. A weight (or row) of norm 0 has no direction: its
// loss and gradient are NaN and the run is marked as diverged.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/normal.hpp"
#include "kernels/ops/flat.hpp"

POLARSCOPE_KERNELS_BEGIN

namespace ops {

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
      const R depth = a * exp_(kappa * (cx * cm + cy * sm - R(1)));
      value -= depth;
      slope += depth * kappa * (cy * cm - cx * sm);
    }
    loss[0] = value;
    const R scale = slope * static_cast<R>(inverse);
    g.p[0] = -scale * cy;
    g.p[1] = scale * cx;
  });
}

// Standard normal numbers into z (rows × cols): one random block per four columns of a row, counted along the rows, so
// that the stream does not depend on padding. Stream 1 + parameter, step t − 1.
template <class T, class Row>
POLARSCOPE_FN void noise_row(Context<T>& c, Row& sub, const Mat<typename T::Real>& z, std::uint32_t parameter, int i) {
  using R = typename T::Real;
  const int cols = z.cols, blocks = (cols + 3) / 4;
  R* row = z.row(i);
  const std::uint64_t seed = c.seed, step = c.step;
  sub.for_each(blocks, [=](int q) {
    const int first = 4 * q, left = cols - first;
    const auto bits = random_bits(seed, 1 + parameter, step, static_cast<std::uint32_t>(i * blocks + q));
    const FourNormals<R> four = four_normals<R>(bits, left > 2);
    for (int k = 0; k < 4 && k < left; ++k) row[first + k] = four.v[k];
  });
}

// G ← G + σ P⊥(z)/‖W‖; slots W, G, Z; constant: σ; word: parameter.
template <class T> POLARSCOPE_FN void tangent_noise(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto w = c.mat(op, 0), g = c.mat(op, 1), z = c.mat(op, 2);
  c.t.rows(w.rows, [&](auto& sub, int i) { noise_row(c, sub, z, op.word, i); });
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
    noise_row(c, sub, z, op.word, i);
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
