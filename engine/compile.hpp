// Scene → step program: resolves every stage and metric of one run and lets them write their operations.
#pragma once

#include "engine/program.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace polarscope {

struct CompileOptions {
  RecordOptions record;
};

// The program of one run. Runs that differ only in numbers (hyperparameters, seed, start) get equal programs.
Result<std::shared_ptr<const StepProgram>> compile(const Scene& scene, const RunSpec& run,
                                                   const CompileOptions& options = {});

// Does the program that the run's options make read this hyperparameter? False also when it makes none.
bool uses_hparam(const Scene& scene, const RunSpec& run, std::string_view name);

// Base hyperparameter row of a run for its program, in column order.
std::vector<double> hparam_row(const StepProgram& program, const RunSpec& run);

// Contents of every data and weight slot at step 0, by slot, row-major without padding.
struct InitialContents {
  std::vector<std::pair<SlotId, std::vector<double>>> slots;
};
Result<InitialContents> initial_contents(const Scene& scene, const RunSpec& run, const StepProgram& program);

// Steps of one burst of a member, at most: its records stay within about a megabyte, or are one.
long longest_burst(const StepProgram& program);

// Bytes that runs of these programs need for so many steps on `threads` threads (0 = one per core), of their past only what
// cannot be left out; for refusing before allocating.
double memory_estimate(const std::vector<std::shared_ptr<const StepProgram>>& runs, long steps, int threads);

} // namespace polarscope
