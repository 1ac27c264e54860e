// What follows from a composition as a whole: its schedules' operations and the closed forms it is known to obey.
#pragma once

#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

namespace polarscope {

// Writes the operation that sets the current value of a hyperparameter from its base value and the completed steps.
void emit_schedule(ProgramBuilder& build, HparamId column, const std::string& name, const ScheduleSpec& schedule, long steps);

// Declares the closed forms (StepProgram::theory) of one parameter's metrics that this recipe has on this problem.
// `update_norm`: ‖U‖_F where the geometry fixes it, else 0. Kinds and their `numbers`:
//   norm_constant                                        none
//   norm_normalized_growth                               ‖U‖_F
//   adamw_equilibrium_norm, adamw_equilibrium_angle      number of elements C
//   fixed_step_equilibrium_norm, …_angle                 ‖U‖_F, momentum form (a MomentumShape)
void declare_theory(ProgramBuilder& build, int parameter, const OptimizerSpec& spec, double update_norm);

// How past gradients are averaged, as far as the equilibrium of a fixed-size update depends on it. With a momentum the
// hyperparameter `momentum` enters.
enum class MomentumShape { none, plain, nesterov };

} // namespace polarscope
