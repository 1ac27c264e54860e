#include "kernels/cpu/lanes.hpp"

#include <algorithm>
#include <thread>

#if defined(__x86_64__)
#  include <immintrin.h>
#endif

namespace polarscope::kernels {

namespace {

// A lane that is not there after the few microseconds that lanes on cores of their own are apart has lost its core: it is waited
// for with this one offered to whoever needs it, and after a while asleep.
void wait_long(CpuLanes& lanes, std::uint32_t round) {
  constexpr std::int64_t kAwake = 100'000;
  const std::int64_t begin = lanes.now();
  while (lanes.round.load(std::memory_order_acquire) == round) {
    if (lanes.now() - begin < kAwake) std::this_thread::yield();
    else lanes.round.wait(round, std::memory_order_acquire);
  }
  lanes.waited.fetch_add(lanes.now() - begin, std::memory_order_relaxed);
}

} // namespace

CpuLanes::CpuLanes(int lanes, std::size_t terms, Clock clock)
    : count(lanes), now(clock), room(std::max(kMostSums * (terms / kSumBlock + 1), static_cast<std::size_t>(lanes))),
      memory(2 * room), partials(memory.data()) {}

void wait_for_all(CpuLanes& lanes) {
  constexpr int kSpins = 256;
  const std::uint32_t round = lanes.round.load(std::memory_order_relaxed);
  if (lanes.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(lanes.count)) {
    lanes.arrived.store(0, std::memory_order_relaxed);
    lanes.round.store(round + 1, std::memory_order_release);
    lanes.round.notify_all();
    return;
  }
  for (int spin = 0; spin < kSpins; ++spin) {
    if (lanes.round.load(std::memory_order_acquire) != round) return;
#if defined(__x86_64__)
    _mm_pause();
#endif
  }
  wait_long(lanes, round);
}

void begin_steps(CpuLanes& lanes, int lane) {
  if (lane > 0) return;
  lanes.began = lanes.now();
  lanes.waited.store(0, std::memory_order_relaxed);
}

bool hindered(CpuLanes& lanes, int lane) {
  if (lane == 0) {
    constexpr double kMostWaiting = 0.7; // of the time of all lanes but one; at 1 no two of them run at the same time
    const std::int64_t now = lanes.now();
    const double waited = static_cast<double>(lanes.waited.exchange(0, std::memory_order_relaxed));
    lanes.hindered = waited > kMostWaiting * (lanes.count - 1) * static_cast<double>(now - lanes.began);
    lanes.began = now;
  }
  wait_for_all(lanes);
  return lanes.hindered;
}

} // namespace polarscope::kernels
