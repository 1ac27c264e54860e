// What a composition keeps and costs, read off the program that it compiles to: for listings, reference pages and the
// recipe panel.
#pragma once

#include "engine/op_cost.hpp"
#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace polarscope {

// One thing that an optimizer remembers of a parameter from step to step.
struct StateFact {
  std::string name;                 // "momentum"
  std::string shape;                // in terms of the parameter's m rows and n columns: "m × n", "1 × m", "1 × 1"
  std::string kind;                 // matrix | row | column | scalar; row: one number per column, column: one per row
  std::string meaning;              // "running average of the gradient"
  std::uint32_t rows = 0, cols = 0; // at the shape asked for
};

// One operation of a step.
struct CostFact {
  Phase phase;
  std::string text; // as the program's listing has it
  Flops flops;      // of one step
};

struct PromiseFact {
  std::string name, meaning;
  double tolerance = 0; // in the precision f32
  bool exact = true;
};

struct OptimizerFacts {
  std::uint32_t rows = 0, cols = 0; // the shape that numbers are for
  std::vector<StateFact> state;
  std::string memory;          // how many numbers the state has: "2mn + m"; "0"
  double bytes_per_weight = 0; // of the state, in f32
  std::vector<CostFact> costs; // the dearest first; gradient, metrics and checks are not among them
  Flops step;                  // their sum
  double flops_per_weight = 0;
  bool rises_with_size = false; // flops per weight grow with the matrix, as those of products do
  std::vector<PromiseFact> promises;
};

// Of one matrix of rows × cols. The spec has passed check_optimizer.
OptimizerFacts optimizer_facts(const OptimizerSpec& spec, std::uint32_t rows = 64, std::uint32_t cols = 64);

// "momentum (m × n)", one after the other; "none" without state.
std::string state_text(const OptimizerFacts& facts);
// "2mn numbers, 8 bytes per weight": the state's, in f32
std::string memory_text(const OptimizerFacts& facts);
// "about 19 flops per weight at 64 × 64, 90 % of them in …"
std::string cost_text(const OptimizerFacts& facts);

} // namespace polarscope
