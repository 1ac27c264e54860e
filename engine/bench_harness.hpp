// What measurements share: blocks of work, percentiles, rows of rates, the peak that they are compared with.
#pragma once

#include "engine/bench.hpp"

#include <functional>
#include <string>
#include <vector>

namespace polarscope {

class BenchHarness {
public:
  explicit BenchHarness(const BenchOptions& options);

  // Runs `work(n)` in blocks and returns seconds per unit of n, one number for each block.
  std::vector<double> measure(const std::function<void(long)>& work) const;
  // The same for several kinds of work that take turns, block by block, so that each meets the same machine.
  std::vector<std::vector<double>> measure_in_turns(const std::vector<std::function<void(long)>>& works) const;

private:
  long units_of_a_block(const std::function<void(long)>& work) const;
  int blocks_;
  double block_seconds_;
};

double percentile(std::vector<double> values, double p);

// Of numbers of one kind.
BenchRow row_of_values(std::string id, std::string name, std::string unit, const std::vector<double>& values);
// `amount` per unit of work, from the seconds of each.
BenchRow rate_row(std::string id, std::string name, std::string unit, double amount, std::vector<double> seconds);

// Multiply-adds in f32 per second, GFLOP/s, of `threads` threads at once, by an instruction set's probe.
double multiply_add_peak(const BenchHarness& harness, const char* isa, int threads);

} // namespace polarscope
