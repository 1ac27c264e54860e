// Recorded series: what appending to them and drawing from them costs.
#pragma once

#include "engine/bench_harness.hpp"

namespace polarscope {

Result<void> bench_series(const BenchHarness& harness, std::vector<BenchRow>& rows);

} // namespace polarscope
