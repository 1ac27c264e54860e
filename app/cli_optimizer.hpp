// What `check` says of an optimizer beyond its composition: state, cost, promises tried on random matrices, symmetries.
#pragma once

#include "engine/optimizer/facts.hpp"
#include "engine/optimizer/symmetry.hpp"
#include "engine/optimizer/trial.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace polarscope {

struct OptimizerReport {
  OptimizerSpec spec;
  OptimizerFacts facts;
  Trial trial; // in f32, as scenes run
  std::vector<SymmetryResult> symmetries;
  bool size_of_its_own = false; // a stage gives the update a size that the gradient's does not change
};

// The spec has passed check_optimizer.
OptimizerReport report_on(const OptimizerSpec& spec);

// State, memory and cost: what `list` has of every preset.
nlohmann::ordered_json facts_json(const OptimizerFacts& facts);

std::string report_text(const OptimizerReport& report);
std::string report_json(const OptimizerReport& report); // ends with a line break

} // namespace polarscope
