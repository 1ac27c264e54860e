// Training steps of small normalised networks (engine/workload.hpp) against the probed peak.
#pragma once

#include "engine/bench_harness.hpp"

namespace polarscope {

Result<void> bench_single_networks(const BenchHarness& harness, std::vector<BenchRow>& rows);
Result<void> bench_network_ensembles(const BenchHarness& harness, std::vector<BenchRow>& rows);
Result<void> bench_telemetry(const BenchHarness& harness, std::vector<BenchRow>& rows);

} // namespace polarscope
