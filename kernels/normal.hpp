// Standard normal numbers from counter-based bits.
#pragma once

#include "kernels/math.hpp"
#include "kernels/rng.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class R> struct FourNormals {
  R v[4];
};

// Box–Muller on the four words of one block; the second pair is made only when `all`.
template <class R> POLARSCOPE_FN FourNormals<R> four_normals(const RandomBits& bits, bool all) {
  constexpr double kTwoPi = 6.283185307179586;
  FourNormals<R> z{};
  for (int k = 0; k < (all ? 4 : 2); k += 2) {
    const R radius = sqrt_(R(-2) * log_(uniform_open<R>(bits.v[k])));
    const R angle = R(kTwoPi) * uniform_open<R>(bits.v[k + 1]);
    z.v[k] = radius * cos_(angle);
    z.v[k + 1] = radius * sin_(angle);
  }
  return z;
}

POLARSCOPE_KERNELS_END
