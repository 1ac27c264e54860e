// Bodies of directions, schedules and gains.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace ops {

// The current value of one hyperparameter from its base value and s = t − 1 completed steps. hparam: the column;
// word: 0 constant, 1 linear, 2 cosine, 3 warmup–stable–decay, 4 inverse power; constants: warmup w, cooldown c and
// total T in steps, exponent p, final fraction f.
template <class T> POLARSCOPE_FN void schedule(Context<T>& c, const Op& op) {
  using R = typename T::Real;
  const double s = static_cast<double>(c.step);
  const double warmup = c.constant(op, 0), cooldown = c.constant(op, 1), total = c.constant(op, 2);
  const double exponent = c.constant(op, 3), rest = c.constant(op, 4);
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
    c.block[c.program.slots[0].offset + op.hparam[0]] = static_cast<R>(c.base[op.hparam[0]] * factor);
  });
}

} // namespace ops
POLARSCOPE_KERNELS_END
