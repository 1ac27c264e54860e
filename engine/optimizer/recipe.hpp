// Writes a recipe into a step program. The caller declares the loss as metric column 0 and the parameters, and provides
// gradients (a problem's operations, or recorded ones); in the order of a step:
//
//   lr = write_schedules(…); gradients; updates = write_updates(…); emit_metrics(…, updates); write_finite_checks(…)
#pragma once

#include "engine/metric/metric.hpp"
#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace polarscope {

// Declares the learning rate, the first hyperparameter of every program, and whatever else is scheduled; writes the
// operations that set their current values before anything reads them. `steps`: length of the scene. The recipe has
// passed check_optimizer.
HparamId write_schedules(ProgramBuilder& build, const OptimizerSpec& spec, long steps);

// Every parameter's step: the hooks of the stages of the recipe that it goes by, start, enter, emit, leave. The rates and
// schedules of routes in use are declared and written first; a route's rate follows the schedule of the run's rate where it
// has none of its own. One entry per parameter.
std::vector<UpdateInfo> write_updates(ProgramBuilder& build, const OptimizerSpec& spec, HparamId lr, long steps);

// The program of one parameter W by itself: its gradient slot is filled by whoever runs it, metrics are the checks alone.
// The recipe has passed check_optimizer.
std::shared_ptr<const StepProgram> recipe_program(const OptimizerSpec& spec, std::uint32_t rows, std::uint32_t cols,
                                                  Precision precision, long steps = 1000,
                                                  Invariance invariance = Invariance::none);

// Last of all: a run whose loss or weight is not finite stops.
void write_finite_checks(ProgramBuilder& build);

} // namespace polarscope
