// Bodies that work element by element.
#pragma once

#include "kernels/context.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

template <class T> POLARSCOPE_FN void copy(Context<T>& c, const Op& op) {
  const auto a = c.mat(op, 0), d = c.mat(op, 1);
  c.t.for_each(c.t.pad(a.size()), [=](int i) { d.p[i] = a.p[i]; });
}

template <class T> POLARSCOPE_FN void apply_update(Context<T>& c, const Op& op) {
  const auto w = c.mat(op, 0), u = c.mat(op, 1);
  const auto lr = c.hp(op, 0);
  c.t.for_each(c.t.pad(w.size()), [=](int i) { w.p[i] -= lr * u.p[i]; });
}

} // namespace ops
POLARSCOPE_KERNELS_END
