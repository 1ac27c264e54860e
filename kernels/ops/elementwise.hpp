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

// W ← (1 − s) W − η U with s = η λ, or s = λ when word is 1;  hparams: η, λ
template <class T> POLARSCOPE_FN void apply_decayed(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0), u = c.mat(op, 1);
  const R lr = c.hp(op, 0), decay = c.hp(op, 1);
  const R keep = R(1) - (op.word == 1 ? decay : lr * decay);
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
