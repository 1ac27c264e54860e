// What one run's recipe has that another's has not, as words and numbers for the recipe panel and its text.
#pragma once

#include "engine/frame.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace polarscope {

// Of two recipes for the same parameters: what the other has, by part and by hyperparameter.
struct StageDifferences {
  std::map<Part, std::string> parts;
  std::map<std::string, std::string> schedules;

  std::size_t count() const { return parts.size() + schedules.size(); }
};

struct RecipeDifferences {
  std::map<Part, std::string> parts;         // what the other run has for a part that differs
  std::map<std::string, std::string> routes; // by target, where only one of them has it: what the other goes by
  std::map<std::string, StageDifferences> within_routes; // by target, where both have it; those that differ
  std::map<std::string, std::string> schedules;          // by hyperparameter: the other's schedule, "constant" for none
  std::map<std::string, std::optional<double>>
      hparams;                              // this run's that differ: the other's value, none where it has none
  std::map<std::string, double> only_there; // hyperparameters of the other run alone
  std::vector<std::string> promises_here, promises_there; // names of invariants that the other does not promise

  std::size_t count() const {
    std::size_t sum = parts.size() + schedules.size() + routes.size() + hparams.size() + only_there.size() +
                      promises_here.size() + promises_there.size();
    for (const auto& [target, stages] : within_routes) sum += stages.count();
    return sum;
  }
};
RecipeDifferences recipe_differences(const RunFrame& here, const RunFrame& there);

// A chosen stage's options as they were written down: "quintic, ns_steps 5".
std::string options_words(const PartSpec& link);
// The routes that a parameter of the run goes by, by target; each has a recipe.
std::map<std::string, const RouteSpec*> routes_in_use(const RunFrame& run);
// "cosine, warmup 0.1".
std::string schedule_words(const ScheduleSpec& schedule);

} // namespace polarscope
