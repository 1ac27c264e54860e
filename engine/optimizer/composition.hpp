// What a recipe is made of, apart from its numbers: comparing two, describing one, and choosing another stage for a part.
#pragma once

#include "engine/optimizer/stage.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// The composition that a recipe starts from: the first registered stage of every part.
OptimizerSpec plain_recipe();

// Every option of a chosen stage with the value it has, written down or not. None for a kind that is not registered.
std::map<std::string, SettingValue> resolved_options(Part part, const PartSpec& link);

// The same stages with the same options, written down or left at their defaults.
bool same_link(Part part, const PartSpec& a, const PartSpec& b);
bool same_chain(Part part, const StageChain& a, const StageChain& b);
bool same_schedule(const ScheduleSpec& a, const ScheduleSpec& b);
// Schedules that do nothing count as none.
bool same_schedules(const OptimizerSpec& a, const OptimizerSpec& b);
// The same parameters go by the same other recipes, as far as the targets say.
bool same_routes(const OptimizerSpec& a, const OptimizerSpec& b);
bool same_composition(const OptimizerSpec& a, const OptimizerSpec& b);
// Of two recipes of a route: a rate without a schedule follows that of the run, one that is said to be constant does not.
bool same_route_recipe(const OptimizerSpec& a, const OptimizerSpec& b);

// A part that has another chain than it had; `route`: of whose recipe, "": the run's own.
struct PartChange {
  std::string route;
  Part part;
  const StageChain *now, *was;
};
// Of routes those that both have.
std::vector<PartChange> changed_parts(const OptimizerSpec& now, const OptimizerSpec& was);

// The number of a schedule that an option of a schedule stage means; null for an option that is a word.
double* schedule_number(ScheduleSpec& schedule, std::string_view option);
// Does the hyperparameter keep its value whatever the step?
bool is_constant(const ScheduleSpec& schedule);

// "momentum", "momentum, then adam".
std::string chain_text(const StageChain& chain);

// The stage as a part's link: with the options that `opened` gives it where it has it, else with its defaults.
PartSpec chosen_stage(Part part, const std::string& kind, const OptimizerSpec& opened);

// Could the recipe have this chain for a part? Numbers and schedules that its stages would not know do not matter.
Result<void> check_choice(const OptimizerSpec& spec, Part part, const StageChain& chain);
// Drops numbers and schedules of hyperparameters that no stage of the recipe has.
void forget_unknown_hparams(OptimizerSpec& spec);

} // namespace polarscope
