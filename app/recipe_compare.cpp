#include "app/recipe_compare.hpp"

#include "app/format.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace polarscope {
namespace {

// The chain in words; where the stages are the same, only the options that differ.
std::string chain_words(Part part, const StageChain& there, const StageChain& here) {
  const bool same_stages = chain_text(there) == chain_text(here);
  std::string out;
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (!same_stages) {
      const std::string options = options_words(there[i]);
      out += (out.empty() ? "" : ", then ") + there[i].kind + (options.empty() ? "" : ": " + options);
      continue;
    }
    const auto mine = resolved_options(part, here[i]);
    for (const auto& [name, value] : resolved_options(part, there[i]))
      if (mine.at(name) != value) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, to_text(value));
  }
  return out;
}

ScheduleSpec schedule_of(const OptimizerSpec& spec, const std::string& hparam) {
  const auto it = spec.schedules.find(hparam);
  return it == spec.schedules.end() || is_constant(it->second) ? ScheduleSpec{} : it->second;
}

std::vector<std::string> promises_missing(const RunFrame& here, const RunFrame& there) {
  std::vector<std::string> out;
  for (const InvariantStatus& mine : here.invariants)
    if (std::none_of(there.invariants.begin(), there.invariants.end(),
                     [&](const InvariantStatus& theirs) { return theirs.name == mine.name; }))
      out.push_back(mine.name);
  return out;
}

StageDifferences stage_differences(const OptimizerSpec& here, const OptimizerSpec& there) {
  StageDifferences d;
  for (const Part part : kRecipeParts)
    if (!same_chain(part, here.chain(part), there.chain(part)))
      d.parts[part] = chain_words(part, there.chain(part), here.chain(part));
  std::set<std::string> scheduled;
  for (const OptimizerSpec* spec : {&here, &there})
    for (const auto& [hparam, schedule] : spec->schedules) scheduled.insert(hparam);
  for (const std::string& hparam : scheduled)
    if (const ScheduleSpec theirs = schedule_of(there, hparam); !same_schedule(schedule_of(here, hparam), theirs))
      d.schedules[hparam] = schedule_words(theirs);
  return d;
}

} // namespace

std::map<std::string, const RouteSpec*> routes_in_use(const RunFrame& run) {
  std::map<std::string, const RouteSpec*> out;
  for (const ParamInfo& p : run.program->parameters())
    if (const RouteSpec* route = route_of(*run.optimizer, p)) out[route->target] = route;
  return out;
}

std::string options_words(const PartSpec& link) {
  std::string words;
  for (const auto& [name, value] : link.options) {
    words += words.empty() ? "" : ", ";
    if (const auto* word = std::get_if<std::string>(&value)) words += *word;
    else if (const auto* flag = std::get_if<bool>(&value)) words += *flag ? name : "no " + name;
    else words += name + " " + to_text(value);
  }
  return words;
}

std::string schedule_words(const ScheduleSpec& schedule) {
  std::string words = schedule.kind;
  if (schedule.warmup > 0) words += ", warmup " + format_value(schedule.warmup);
  return words;
}

RecipeDifferences recipe_differences(const RunFrame& here, const RunFrame& there) {
  RecipeDifferences d;
  if (!here.optimizer || !there.optimizer) return d;
  StageDifferences own = stage_differences(*here.optimizer, *there.optimizer);
  d.parts = std::move(own.parts);
  d.schedules = std::move(own.schedules);
  const auto mine = routes_in_use(here), theirs = routes_in_use(there);
  for (const auto& [target, route] : theirs) {
    const auto it = mine.find(target);
    if (it == mine.end()) d.routes[target] = route->recipe->name;
    else if (StageDifferences within = stage_differences(*it->second->recipe, *route->recipe); within.count() > 0)
      d.within_routes[target] = std::move(within);
  }
  for (const auto& [target, route] : mine)
    if (!theirs.contains(target)) d.routes[target] = "the run's own";
  for (std::size_t i = 0; i < here.hparams.size(); ++i) {
    const std::string& name = here.program->hparams()[i].setting.name;
    const int column = there.program->find_hparam(name);
    if (column < 0) d.hparams[name] = std::nullopt;
    else if (there.hparams[static_cast<std::size_t>(column)] != here.hparams[i])
      d.hparams[name] = there.hparams[static_cast<std::size_t>(column)];
  }
  for (std::size_t i = 0; i < there.hparams.size(); ++i)
    if (const std::string& name = there.program->hparams()[i].setting.name; here.program->find_hparam(name) < 0)
      d.only_there[name] = there.hparams[i];
  d.promises_here = promises_missing(here, there);
  d.promises_there = promises_missing(there, here);
  return d;
}

} // namespace polarscope
