// Measurements of this program on this machine, by the rules of one harness: blocks of a few milliseconds, median and the
// 10th and 90th percentile of at least seven, ceilings probed in the same process, never asserted in tests.
#pragma once

#include "engine/result.hpp"

#include <string>
#include <vector>

namespace polarscope {

struct BenchOptions {
  int blocks = 15;              // at least 7
  double block_seconds = 0.005; // each; longer blocks only collect what else the machine does
};

struct BenchRow {
  std::string id;   // "B1"
  std::string name; // "circle, sgd: steps per second, one core"
  std::string unit; // "GFLOP/s", "steps/s"
  double median = 0, p10 = 0, p90 = 0;
  double percent = -1;  // of the ceiling in `against`; negative: there is none
  std::string against;  // "FMA probe, v3"
};

struct BenchReport {
  std::string cpu, isa, version;
  int cores = 0;
  double load = 0;          // load average before
  double others_busy = 0;   // cores that other processes used while it was measured
  bool idle() const { return others_busy < 0.05; }
  std::vector<BenchRow> rows;

  std::string to_text() const;
  std::string to_json() const;
};

struct BenchInfo {
  std::string id, what; // "B4", "small matrix products, percent of the probe"
};
const std::vector<BenchInfo>& benchmarks();

// `ids`: of benchmarks(); empty = all. Errors: an unknown id.
Result<BenchReport> run_bench(const std::vector<std::string>& ids, const BenchOptions& options = {});

} // namespace polarscope
