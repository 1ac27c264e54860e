// Measurements of this program on this machine, by the rules of one harness: blocks of a few milliseconds, median and the
// 10th and 90th percentile of at least seven, ceilings probed in the same process, never asserted in tests.
#pragma once

#include "engine/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace polarscope {

struct BenchRow {
  std::string id;   // "B1"
  std::string name; // "circle, sgd: steps per second, one core"
  std::string unit; // "GFLOP/s", "steps/s"
  double median = 0, p10 = 0, p90 = 0;
  double percent = -1; // of the ceiling in `against`; negative: there is none
  std::string against; // "FMA probe, v3"
  double limit = -1;   // budget that the median must not pass, in `unit`; negative: there is none
};

struct BenchReport {
  std::string cpu, isa, version;
  std::string commit, compiler; // of this build; commit "" where it was not built from a repository
  std::string governor;         // of the first core's clock; "" where it cannot be read
  double clock_mhz = 0;         // of the first core as the measurements began; 0: not readable
  int cores = 0;
  double load = 0;        // load average before
  double others_busy = 0; // cores that other processes, or other guests of the host, used while it was measured
  bool idle() const { return others_busy < 0.05; }
  std::vector<BenchRow> rows;

  std::string to_text() const;
  std::string to_json() const;
};

struct BenchInfo {
  std::string id, what; // "B4", "small matrix products, percent of the probe"
};
const std::vector<BenchInfo>& benchmarks();

// Measurements of layers above this one: run among the others, and idleness is judged over all.
struct MoreBench {
  BenchInfo info; // an id of benchmarks() adds rows to it
  std::function<Result<std::vector<BenchRow>>()> run;
};
struct BenchOptions {
  int blocks = 15;              // at least 7
  double block_seconds = 0.005; // each; longer blocks only collect what else the machine does
  bool quick = false;           // a part of the work where all of it takes seconds: for tests
  bool full = false;            // all of it where it takes half a minute
  std::vector<MoreBench> more = {};
};

// `ids`: of benchmarks() and of options.more; empty = all. Errors: an unknown id.
Result<BenchReport> run_bench(const std::vector<std::string>& ids, const BenchOptions& options = {});

} // namespace polarscope
