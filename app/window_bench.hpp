// Measurements of the window without a display (experience budgets): cost of a frame, start, answer to a key, redraw of
// a drag, idling.
#pragma once

#include "engine/bench.hpp"

#include <vector>

namespace polarscope {

// For BenchOptions::more.
std::vector<MoreBench> window_benchmarks();

} // namespace polarscope
