// Closed forms: what the algebra of a recipe predicts for one of its metrics, as points of an expected curve. A program
// declares which of them hold for it, with their conditions in words (StepProgram::theory); here they are evaluated.
//
// To add a closed form: add one entry to the list in theory.cpp, and let the recipe that obeys it declare it.
#pragma once

#include "engine/program.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// Base hyperparameters, in column order, that hold for the steps after `after` completed ones, until the next entry.
struct HparamsFrom {
  long after;
  std::vector<double> row;
};

struct TheoryInputs {
  const StepProgram& program;
  double start_norm;                    // ‖W₀‖ of the line's parameter as recorded in row 0
  std::span<const HparamsFrom> hparams; // ascending; the first holds from step 0, more after edits while running
  std::span<const long> steps;          // ascending: where points are wanted

  // The value of a hyperparameter in step t ≥ 1 (and, for row 0, in step 1); 0 when the program has none of that name.
  double hparam(std::string_view name, long t) const;
};

struct Theory {
  std::string kind; // as TheoryLine::kind
  std::string formula;
  std::string condition;
  std::string source;
  // One value per inputs.steps; NaN where the form predicts nothing. `numbers`: TheoryLine::numbers.
  std::vector<double> (*evaluate)(const std::vector<double>& numbers, const TheoryInputs& inputs);
};

const std::vector<Theory>& theories();
const Theory* find_theory(std::string_view kind);

// The points of one declared line; its kind must be in the registry.
std::vector<double> evaluate_theory(const TheoryLine& line, const TheoryInputs& inputs);

} // namespace polarscope
