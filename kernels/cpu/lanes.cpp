#include "kernels/cpu/lanes.hpp"

#include <algorithm>
#include <thread>

namespace polarscope::kernels {

CpuLanes::CpuLanes(int lanes, std::size_t terms)
    : count(lanes), room(std::max(terms / kSumBlock + 1, static_cast<std::size_t>(lanes))), memory(2 * room),
      partials(memory.data()) {}

void yield_core() { std::this_thread::yield(); }

} // namespace polarscope::kernels
