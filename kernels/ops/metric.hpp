// What is measured.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// word: the loss column. A run that is not finite is stopped and marked, never clipped silently.
template <class T> POLARSCOPE_FN void check_finite(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const auto w = c.mat(op, 0);
  const R bad = c.t.max(w.size(), [=](int i) { return finite_(w.p[i]) ? R(0) : R(1); });
  const R loss = *c.metric(op);
  if (bad > R(0) || !(finite_(loss) || c.starting)) c.stopped = true;
}

} // namespace ops
POLARSCOPE_KERNELS_END
