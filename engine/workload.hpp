// The workload that training speed is compared with other programs by: three layers w × w on fixed batches, many runs at
// their own rates. From a file, so that every program computes the same thing, or drawn at random.
#pragma once

#include "engine/result.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polarscope {

struct Workload {
  std::string optimizer; // sgd | adam | muon | rmnp | muonh | md
  long steps = 100;
  std::uint32_t width = 0, batch = 0, runs = 1;
  std::array<std::vector<double>, 3> weights; // of every run: runs × width × width
  std::vector<double> inputs, targets;        // batches × batch × width
};

inline constexpr std::uint32_t kWorkloadBatches = 16; // step t uses batch t mod 16
inline constexpr std::uint32_t kWorkloadRates = 8;    // of several runs: base · 2^(run mod 8 − 4)

std::vector<std::string> workload_optimizers();

// `weight/1` … `weight/3` (runs, w, w), `inputs` and `targets` (16, batch, w), metadata `optimizer` and `steps`. Errors name
// what is missing or has another shape.
Result<Workload> read_workload(const std::string& path);

// N(0, 1) inputs and targets, weights N(0, 1/w).
Workload random_workload(const std::string& optimizer, std::uint32_t width, std::uint32_t batch, std::uint32_t runs,
                         std::uint64_t seed);

struct WorkloadOptions {
  int threads = 0;          // 0: one per core
  std::string isa = {};     // "": by rule
  bool all_metrics = false; // every default metric at every step; else the loss and each weight's norm
};

// Members of one program with the workload's weights, data and rates (the base rate, or for several runs base · 2^(r mod 8
// − 4)), ready to be stepped again and again.
class WorkloadRuns {
public:
  static Result<WorkloadRuns> open(const Workload& workload, const WorkloadOptions& options);
  WorkloadRuns(WorkloadRuns&&) noexcept;
  ~WorkloadRuns();

  void advance(long steps);
  // Loss of each run at the steps of the last advance(), step after step: steps × runs; NaN after a run has diverged.
  std::vector<std::vector<double>> losses() const;
  int ops() const;      // of one step
  int diverged() const; // runs that stand still

private:
  struct Impl;
  explicit WorkloadRuns(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The same runs as a scene with [sweep]: eight rates, base · 2^k with k from −4 to 3, and so many seeds. Data and starts are
// the scene's own.
std::string workload_sweep(const std::string& optimizer, std::uint32_t width, std::uint32_t batch, int seeds,
                           long steps);

// {"version":1, "optimizer", "width", "batch", "runs", "steps", "seconds", "losses":[[…]…]}; losses of one step in a row.
std::string workload_json(const Workload& workload, const std::vector<std::vector<double>>& losses, double seconds);
// A line for each step: its number and the loss of each run.
std::string workload_csv(const std::vector<std::vector<double>>& losses);

// Floating-point operations of one step of one run: forward and backward passes, norms, the optimizer. Newton–Schulz counts
// `dense` products, or half of those whose result is symmetric.
double workload_flops(const std::string& optimizer, double width, double batch, bool dense);

} // namespace polarscope
