// Standard normal numbers from counter-based bits.
#pragma once

#include "kernels/math.hpp"
#include "kernels/rng.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class R> struct NormalPair { R first, second; };

// Box and Muller (1958): two independent numbers from two words. |z| ≤ 5.9.
template <class R, class Word> POLARSCOPE_FN NormalPair<R> box_muller(Word a, Word b) {
  const R radius = sqrt_(R(-2) * log_(uniform_open<R>(a)));
  const SinCos<R> angle = sincos_turns_(uniform_open<R>(b));
  return {radius * angle.cos, radius * angle.sin};
}

template <class R> struct FourNormals { R v[4]; };

// The four words of one block as four numbers; the second pair is made only when `all`.
template <class R, class Bits> POLARSCOPE_FN FourNormals<R> four_normals(const Bits& bits, bool all) {
  const NormalPair<R> a = box_muller<R>(bits.v[0], bits.v[1]);
  FourNormals<R> z{{a.first, a.second, R(0), R(0)}};
  if (!all) return z;
  const NormalPair<R> b = box_muller<R>(bits.v[2], bits.v[3]);
  z.v[2] = b.first;
  z.v[3] = b.second;
  return z;
}

POLARSCOPE_KERNELS_END
