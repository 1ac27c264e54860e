// Counter-based random numbers: Philox 4×32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC'11), key = the run's seed, counter = (index, stream, step). No state: any number of any step of any run
// can be had on its own, by any lane, and does not depend on how many others are drawn.
#pragma once

#include "kernels/isa.hpp"

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

// A 32-bit word as a number in (0, 1): never 0, so that its logarithm is finite, and never 1, which float would round the
// greatest to, so that its logarithm is not 0. 24 bits in every precision, so that float and double runs see the same noise
// but for rounding.
template <class R> POLARSCOPE_FN R uniform_open(std::uint32_t bits) {
  constexpr R kGreatest = R(1.0 - 1.0 / 16777216.0);
  const R u = (static_cast<R>(static_cast<std::int32_t>(bits >> 8)) + R(0.5)) * R(1.0 / 16777216.0);
  return u < kGreatest ? u : kGreatest;
}

POLARSCOPE_KERNELS_END
