// What measurements share: blocks of work, percentiles, rows of rates, the peak that they are compared with.
#pragma once

#include "engine/bench.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace polarscope {

// Instruction sets that a build may have, narrow to wide.
inline constexpr const char* kBenchIsas[] = {"v2", "v3", "v4", "base"};

class BenchHarness {
public:
  explicit BenchHarness(const BenchOptions& options);

  // Runs `work(n)` in blocks and returns seconds per unit of n, one number for each block.
  std::vector<double> measure(const std::function<void(long)>& work) const;
  // The same for several kinds of work that take turns, block by block, so that each meets the same machine.
  std::vector<std::vector<double>> measure_in_turns(const std::vector<std::function<void(long)>>& works) const;

  bool quick() const { return quick_; }
  bool full() const { return full_; }

private:
  long units_of_a_block(const std::function<void(long)>& work) const;
  int blocks_;
  double block_seconds_;
  bool quick_, full_;
};

// Numbers in −1 … 1 on a cache line's border; not zero: some units are faster on zeros.
struct FreeNumbers {
  void operator()(float* p) const;
};
std::unique_ptr<float, FreeNumbers> bench_numbers(std::size_t count);

// Between the two nearest of the sorted values; never beyond them, so that percentiles keep their order to the last bit.
double percentile(std::vector<double> values, double p);

// Clock ticks of all cores that were not idle, by the first line of /proc/stat. What the host gave to other guests while
// a core here had work, its "steal", counts: it is missing from what is measured.
double busy_ticks(const std::string& line);

// The same numbers in another unit.
std::vector<double> scaled(std::vector<double> values, double factor);

// Of numbers of one kind.
BenchRow row_of_values(std::string id, std::string name, std::string unit, const std::vector<double>& values);
// `amount` per unit of work, from the seconds of each.
BenchRow rate_row(std::string id, std::string name, std::string unit, double amount, std::vector<double> seconds);

// What others are measured against is what this machine reaches in its good blocks: the 90th percentile of the rate.
//
// Numbers read again and again by an instruction set's probe, one core, GB/s, in a set of so many KiB.
std::vector<double> read_seconds(const BenchHarness& harness, const char* isa, std::size_t kib);
double read_bandwidth(const BenchHarness& harness, const char* isa, std::size_t kib);

// Multiply-adds in f32 per second, GFLOP/s, of `threads` threads at once, by an instruction set's probe.
double multiply_add_peak(const BenchHarness& harness, const char* isa, int threads);

} // namespace polarscope
