// Many runs to their end: a whole sweep, and the same runs with different numbers of threads.
#pragma once

#include "engine/bench_harness.hpp"

namespace polarscope {

Result<void> bench_sweep(const BenchHarness& harness, std::vector<BenchRow>& rows);
Result<void> bench_threads(const BenchHarness& harness, std::vector<BenchRow>& rows);

} // namespace polarscope
