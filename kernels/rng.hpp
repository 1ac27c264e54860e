// Counter-based random numbers: Philox 4×32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC'11), key = the run's seed, counter = (index, stream, step). No state: any number of any step of any run
// can be had on its own, by any lane, and does not depend on how many others are drawn.
#pragma once

#include "kernels/math.hpp"
#include "kernels/view.hpp"

#include <cstdint>

POLARSCOPE_KERNELS_BEGIN

struct RandomBits {
  std::uint32_t v[4];
};

POLARSCOPE_FN RandomBits philox(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                                std::uint32_t k0, std::uint32_t k1) {
  POLARSCOPE_UNROLL(10)
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(0xD2511F53u) * c0;
    const std::uint64_t p1 = static_cast<std::uint64_t>(0xCD9E8D57u) * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

POLARSCOPE_FN RandomBits random_bits(std::uint64_t seed, std::uint32_t stream, std::uint64_t step,
                                     std::uint32_t index) {
  return philox(index, stream, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32),
                static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

// A 32-bit word as a number in (0, 1): never 0, so that its logarithm is finite. 24 bits in every precision, so that
// float and double runs see the same noise.
template <class R> POLARSCOPE_FN R uniform_open(std::uint32_t bits) {
  return (static_cast<R>(static_cast<std::int32_t>(bits >> 8)) + R(0.5)) * R(1.0 / 16777216.0);
}

template <class R> struct NormalPair {
  R first, second;
};

// Box and Muller (1958): two independent standard normal numbers from two words. |z| ≤ 5.9.
template <class R> POLARSCOPE_FN NormalPair<R> box_muller(std::uint32_t a, std::uint32_t b) {
  const R radius = sqrt_(R(-2) * log_(uniform_open<R>(a)));
  const SinCos<R> angle = sincos_turns_(uniform_open<R>(b));
  return {radius * angle.cos, radius * angle.sin};
}

template <class R>
POLARSCOPE_FN NormalPair<R> normal_pair(std::uint64_t seed, std::uint32_t stream, std::uint64_t step,
                                        std::uint32_t index) {
  const RandomBits bits = random_bits(seed, stream, step, index);
  return box_muller<R>(bits.v[0], bits.v[1]);
}

// Fills the logical elements of m with standard normal numbers; padding stays. Element e = i · cols + j of n is number
// e / q of group e mod q, q = ⌈n / 4⌉, and a group is one call of the generator: so neighbours lie in neighbouring lanes and
// the values depend on the shape, not on the layout or the team. The caller syncs before others read.
template <class T>
POLARSCOPE_FN void fill_normal(T& t, Mat<typename T::Real> m, std::uint64_t seed, std::uint32_t stream,
                               std::uint64_t step) {
  using R = typename T::Real;
  const int n = m.rows * m.cols, groups = (n + 3) / 4;
  if (m.ld == m.cols && n % 4 == 0) { // contiguous: plain stores
    t.for_each(groups, [=](int g) {
      const RandomBits bits = random_bits(seed, stream, step, static_cast<std::uint32_t>(g));
      const NormalPair<R> a = box_muller<R>(bits.v[0], bits.v[1]), b = box_muller<R>(bits.v[2], bits.v[3]);
      m.p[g] = a.first;
      m.p[g + groups] = a.second;
      m.p[g + 2 * groups] = b.first;
      m.p[g + 3 * groups] = b.second;
    });
    return;
  }
  t.for_each(groups, [=](int g) {
    const RandomBits bits = random_bits(seed, stream, step, static_cast<std::uint32_t>(g));
    const NormalPair<R> a = box_muller<R>(bits.v[0], bits.v[1]), b = box_muller<R>(bits.v[2], bits.v[3]);
    const R z[4] = {a.first, a.second, b.first, b.second};
    for (int k = 0; k < 4; ++k) {
      const int e = g + k * groups;
      if (e < n) m(e / m.cols, e % m.cols) = z[k];
    }
  });
}

POLARSCOPE_KERNELS_END
