// Losses and gradients of the toy problems.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// f(w) = g(θ) = 1 − Σ A e^{κ (cos(θ−μ) − 1)};  ∇f = (g'(θ)/r) e_θ.  A weight of norm 0 has no direction: loss NaN.
template <class T> POLARSCOPE_FN void circle_loss(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0), g = c.mat(op, 1);
  R* loss = c.metric(op);
  const int wells = static_cast<int>(c.constant(op, 0));
  c.t.single([&] {
    const R x = w.p[0], y = w.p[1];
    const R inverse = R(1) / sqrt_(x * x + y * y);
    const R cx = x * inverse, cy = y * inverse;
    R value = 1, slope = 0;
    for (int k = 0; k < wells; ++k) {
      const R a = R(c.constant(op, 1 + 3 * k)), kappa = R(c.constant(op, 2 + 3 * k));
      const R mu = R(c.constant(op, 3 + 3 * k));
      const R cm = cos_(mu), sm = sin_(mu);
      const R depth = a * exp_(kappa * (cx * cm + cy * sm - R(1)));
      value -= depth;
      slope += depth * kappa * (cy * cm - cx * sm);
    }
    loss[0] = value;
    g.p[0] = -slope * inverse * cy;
    g.p[1] = slope * inverse * cx;
  });
}

} // namespace ops
POLARSCOPE_KERNELS_END
