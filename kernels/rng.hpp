// Counter-based random bits: Philox 4×32-10 (Salmon, Moraes, Dror, Shaw, SC'11), keyed by (seed, stream) and
// counted by (step, index). No state, so any step of any run can be reproduced on its own.
#pragma once

#include "kernels/isa.hpp"

#include <cstdint>

POLARSCOPE_KERNELS_BEGIN

struct RandomBits {
  std::uint32_t v[4];
};

POLARSCOPE_FN RandomBits random_bits(std::uint64_t seed, std::uint32_t stream, std::uint64_t step,
                                     std::uint32_t index) {
  std::uint32_t k0 = static_cast<std::uint32_t>(seed) ^ (stream * 0x9E3779B9u);
  std::uint32_t k1 = static_cast<std::uint32_t>(seed >> 32) ^ stream;
  std::uint32_t c0 = index, c1 = stream, c2 = static_cast<std::uint32_t>(step),
                c3 = static_cast<std::uint32_t>(step >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(0xD2511F53u) * c0;
    const std::uint64_t p1 = static_cast<std::uint64_t>(0xCD9E8D57u) * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// A 32-bit word as a number in (0, 1): never 0, so that its logarithm is finite.
template <class R> POLARSCOPE_FN R uniform_open(std::uint32_t bits) {
  return (static_cast<R>(bits >> 8) + R(0.5)) * R(1.0 / 16777216.0);
}

POLARSCOPE_KERNELS_END
