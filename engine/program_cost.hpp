// What one step of a whole run is made of and costs, and what the run keeps, read off its program: all parameters, each with
// the recipe that it goes by. Of a recipe by itself see engine/optimizer/facts.hpp.
#pragma once

#include "engine/op_cost.hpp"
#include "engine/program.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace polarscope {

// Step operations [first, last) that belong to one stage of the step. What a magnitude that reparametrises makes of the
// gradient is the magnitude's, not the problem's.
struct StageRange {
  Phase stage;
  std::uint32_t first, last;
};
// All operations of a step, in their order, cut where the stage changes.
std::vector<StageRange> stage_ranges(const StepProgram& program);

// What a stage is called where it is shown with others: "loss and gradient", "direction", "metrics and checks".
const char* stage_title(Phase stage);

struct StageCost {
  Phase stage;
  Flops flops; // of one step; those of operations that are not made at every step by their cadence
  int operations = 0;
};

// One of the optimizer's slots, over all parameters that have it.
struct KeptState {
  std::string name;    // "momentum"
  std::string meaning; // "running average of the gradient"
  double numbers = 0;
  int parameters = 0;
};

struct ProgramCost {
  double weights = 0;                      // numbers that are trained
  std::vector<StageCost> stages;           // in the order of Phase
  Flops problem, optimizer, metrics, step; // sums over stages; step: of all
  std::vector<KeptState> state;            // the largest first
  double state_numbers = 0;
  std::size_t number_bytes = 4; // of one number, in the run's precision

  double state_bytes() const { return state_numbers * static_cast<double>(number_bytes); }
  double bytes_per_weight() const { return weights > 0 ? state_bytes() / weights : 0; }
  double flops_per_weight() const { return weights > 0 ? optimizer.count / weights : 0; } // the optimizer's
};

ProgramCost program_cost(const StepProgram& program);

} // namespace polarscope
