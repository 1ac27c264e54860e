// What the threads share that step one member together, and the barrier between them.
#pragma once

#include "kernels/isa.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#  include <immintrin.h>
#endif

namespace polarscope::kernels {

// For `count` threads and sums of at most `terms` terms. Belongs to one member at a time.
struct CpuLanes {
  CpuLanes(int lanes, std::size_t terms);

  const int count;
  const std::size_t room; // partials to a round
  std::vector<double> memory;
  double* const partials; // two rounds: a lane may begin the next sum while others still read this one
  alignas(64) std::atomic<std::uint32_t> arrived{0};
  alignas(64) std::atomic<std::uint32_t> round{0};
};

void yield_core();

} // namespace polarscope::kernels

POLARSCOPE_KERNELS_BEGIN

// Terms of a sum that are added in one piece, by one lane.
inline constexpr int kSumBlock = 1024;

// Between writes and reads of the same memory by different lanes. Waiting spins for a few microseconds, which is what lanes are
// apart on cores of their own, and then offers the core to whoever needs it: on a busy machine that is often the lane waited for.
inline __attribute__((noinline)) void wait_for_all(CpuLanes& lanes) {
  constexpr int kSpins = 256;
  const std::uint32_t round = lanes.round.load(std::memory_order_relaxed);
  if (lanes.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(lanes.count)) {
    lanes.arrived.store(0, std::memory_order_relaxed);
    lanes.round.store(round + 1, std::memory_order_release);
    return;
  }
  for (int spin = 0; lanes.round.load(std::memory_order_acquire) == round; ++spin) {
    if (spin >= kSpins) yield_core();
#if defined(__x86_64__)
    else _mm_pause();
#endif
  }
}

POLARSCOPE_KERNELS_END
