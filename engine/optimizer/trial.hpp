// Tries a composition's promises on random matrices: what `check` reports beside the composition.
#pragma once

#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

#include <string>
#include <vector>

namespace polarscope {

struct TrialShape {
  std::string name; // wide, tall, square, row, column, low rank
  std::uint32_t rows = 0, cols = 0;
  long diverged_at = 0; // the step whose weight was not finite; 0: none was
};

struct TrialPromise {
  std::string name, meaning;
  double tolerance = 0;
  std::vector<double> worst; // per shape; NaN where it was not looked at
  bool held() const;         // nowhere beyond the tolerance
};

struct Trial {
  long steps = 0;
  std::vector<TrialShape> shapes;
  std::vector<TrialPromise> promises;
  bool good() const; // every promise held, nothing diverged
};

// Gradients of sizes from 0.1 to 10, one of them zero; "low rank": a square matrix whose gradients all lie in two
// directions. The spec has passed check_optimizer.
Trial try_promises(const OptimizerSpec& spec, Precision precision);

} // namespace polarscope
