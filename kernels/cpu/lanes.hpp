// What the threads share that step one member together, and the barrier between them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace polarscope::kernels {

inline constexpr int kSumBlock = 1024; // terms of a sum that are added in one piece, by one lane
inline constexpr int kMostSums = 9;    // made in one pass

// For `count` threads and sums of at most `terms` terms. Belongs to one member at a time. `clock`: nanoseconds from any time on.
struct CpuLanes {
  using Clock = std::int64_t (*)();
  CpuLanes(int lanes, std::size_t terms, Clock clock);

  const int count;
  const Clock now;
  const std::size_t room; // partials to a round
  std::vector<double> memory;
  double* const partials; // two rounds: a lane may begin the next sum while others still read this one
  alignas(64) std::atomic<std::uint32_t> arrived{0};
  alignas(64) std::atomic<std::uint32_t> round{0};

  // Of the step under way: when it began, and how long lanes have waited for each other in it, all together.
  std::int64_t began = 0;
  std::atomic<std::int64_t> waited{0};
  bool hindered = false;
};

// Between writes and reads of the same memory by different lanes.
void wait_for_all(CpuLanes& lanes);

// Between two steps: are the lanes so often kept from running at the same time that one thread would be as fast? Every lane
// asks, and all get the same answer. On a busy machine the lanes wait for each other's turns on the cores, dozens of times in
// a step.
void begin_steps(CpuLanes& lanes, int lane);
bool hindered(CpuLanes& lanes, int lane);

} // namespace polarscope::kernels
