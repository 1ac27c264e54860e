// Fresh samples in every step, and how often a classifier is right.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"
#include "kernels/ops/network.hpp"
#include "kernels/ops/problem.hpp"
#include "kernels/rng.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// X_ij ← s_j z_ij, z standard normal and new in every step.  slots: X, s (1 × cols);  word: the stream, as in noise_row
template <class T> POLARSCOPE_FN void normal_rows(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto x = c.mat(op, 0);
  const R* scales = c.ptr(op, 1);
  const int cols = x.cols;
  c.t.rows(x.rows, [&](auto& sub, int i) {
    noise_row(c, sub, x, op, i);
    sub.sync();
    R* row = x.row(i);
    sub.for_each(cols, [=](int j) { row[j] *= scales[j]; });
  });
}

// The place of the largest of n numbers, the first of equals.
template <class F> POLARSCOPE_FN int largest_of(int n, F f) {
  int best = 0;
  for (int j = 1; j < n; ++j)
    if (f(j) > f(best)) best = j;
  return best;
}

// Labels drawn from softmax(Z/τ): argmaxⱼ (zⱼ + τ gⱼ), g = −ln(−ln u) (Gumbel 1954).  slots: Z, labels (rows × 1);
// constant: τ;  word: the stream
template <class T> POLARSCOPE_FN void gumbel_labels(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto z = c.mat(op, 0), labels = c.mat(op, 1);
  const auto noisy = c.t.scratch(z.rows, z.cols);
  const int cols = z.cols, blocks = (cols + 3) / 4;
  const R temperature = static_cast<R>(c.constant(op, 0));
  const std::uint64_t seed = c.seed, step = c.step;
  const std::uint32_t stream = 1 + op.word;
  c.t.rows(z.rows, [=](auto& sub, int i) {
    const R* from = z.row(i);
    R *to = noisy.row(i), *label = labels.row(i);
    sub.for_each(blocks, [=](int q) {
      const auto bits = random_bits(seed, stream, step, static_cast<std::uint32_t>(i * blocks + q));
      for (int k = 0; k < 4 && 4 * q + k < cols; ++k)
        to[4 * q + k] = from[4 * q + k] - temperature * log_(-log_(uniform_open<R>(bits.v[k])));
    });
    sub.sync();
    sub.single([=] { label[0] = static_cast<R>(largest_of(cols, [=](int j) { return to[j]; })); });
  });
}

// Share of the rows whose largest output is that of their label.  slots: Z, labels (rows × 1);  word: metric column
template <class T> POLARSCOPE_FN void label_hits(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  using Acc = typename T::Acc;
  const auto z = c.mat(op, 0), labels = c.mat(op, 1);
  const int cols = z.cols, rows = z.rows;
  const Acc hits = c.t.sum(rows, [=](int i) {
    const R* row = z.row(i);
    return largest_of(cols, [=](int j) { return row[j]; }) == static_cast<int>(labels.row(i)[0]) ? R(1) : R(0);
  });
  R* out = c.metric(op);
  c.t.single([=] { out[0] = static_cast<R>(hits / Acc(rows)); });
}

} // namespace ops
POLARSCOPE_KERNELS_END
