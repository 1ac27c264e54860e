// What follows from a composition as a whole: its schedules' operations and the closed forms it is known to obey.
#pragma once

#include "engine/optimizer/motion.hpp"
#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

#include <vector>

namespace polarscope {

// Writes the operation that sets the current value of a hyperparameter from its base value and the completed steps.
void emit_schedule(ProgramBuilder& build, HparamId column, const std::string& name, const ScheduleSpec& schedule,
                   long steps);

// Is the learning rate the same at every step, edits while running aside?
bool constant_rate(const OptimizerSpec& spec);

// The closed forms (StepProgram::theory) that hold for one parameter's metrics when its weight moves like this. Kinds and
// their `numbers`:
//   norm_constant                                        none
//   norm_normalized_growth                               ‖U‖_F
//   adamw_equilibrium_norm, adamw_equilibrium_angle      number of elements C
//   fixed_step_equilibrium_norm, …_angle                 ‖U‖_F, average (an Averaging)
std::vector<TheoryLine> theory_lines(const ParamInfo& parameter, const Motion& motion, bool rate_is_constant);

// How past gradients are averaged, as far as the equilibrium of a fixed-size update depends on it. With an average the
// hyperparameter `momentum` enters.
enum class Averaging { none, plain, nesterov };

} // namespace polarscope
