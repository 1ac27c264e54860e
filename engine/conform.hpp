// Conform: does a device compute what the double-precision CPU computes? Op by op over ops.def, from the states of real
// steps, then over short trajectories. Devices are not bit-equal; the tolerances say how far apart they may be.
#pragma once

#include "engine/result.hpp"

#include <string>
#include <vector>

namespace polarscope {

namespace kernels {
struct CudaModule;
}

// One op (or one trajectory) on one target: how far it was from the oracle at worst.
struct ConformRow {
  std::string name; // "apply_update"; for trajectories "rows, adamw"
  long checks = 0;  // comparisons of whole blocks
  double error = 0; // largest relative difference; infinite when a number met a NaN
  double tolerance = 0;
  std::string where; // the program in which it was largest
  // Of an op: the largest error that one which leaves everything as it was, or writes zeros, would have had.
  double if_idle = 0, if_zero = 0;
  bool passed() const { return error <= tolerance; }
};

struct ConformSection {
  std::string target; // "cpu v3 f32", "cuda f64"
  std::vector<ConformRow> ops;
  std::vector<ConformRow> trajectories;
  bool passed() const;
};

struct ConformReport {
  std::string device, description;
  std::size_t programs = 0;
  std::size_t ops_run = 0, ops_known = 0;
  std::vector<std::string> ops_missing; // of ops.def, run by no program
  std::vector<ConformSection> sections;
  bool passed() const;

  std::string to_text() const; // a table for people, failures first
  std::string to_json() const;
};

// `device`: "cpu" checks every instruction set of this machine in both precisions, "cuda" the GPU. Errors: an unknown
// device; a GPU that is not there.
Result<ConformReport> conform(const std::string& device);

// The same for a CUDA module given by its functions.
Result<ConformReport> conform_module(const kernels::CudaModule& module, const std::string& description);

} // namespace polarscope
