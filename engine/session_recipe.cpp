// Commands that change what a run is made of: the run is made again with other stages and catches up from step 0.
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/session_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace polarscope {

namespace {

bool allowed(const Setting& setting, double value) {
  return !(setting.max > setting.min) || range_error(value, setting.min, setting.max).empty();
}

std::string starred(std::string name, bool changed) {
  if (name.ends_with('*')) name.pop_back();
  return changed ? name + "*" : name;
}

// The recipe that a command means: the spec's own, or that of one of its routes.
Result<OptimizerSpec> recipe_at(const OptimizerSpec& spec, const std::string& route) {
  if (route.empty()) return spec;
  const RouteSpec* found = find_route(spec, route);
  if (!found) return bad_input(fmt::format("{} has no route '{}'", spec.name, route));
  return *found->recipe;
}

// The spec with that recipe in its place. One of a route is starred while it differs from what was opened.
OptimizerSpec with_recipe_at(OptimizerSpec spec, const OptimizerSpec& opened, const std::string& target,
                             OptimizerSpec recipe) {
  if (target.empty()) return recipe;
  RouteSpec route = *find_route(spec, target);
  if (const RouteSpec* was = find_route(opened, target))
    recipe.name = same_route_recipe(recipe, *was->recipe) ? was->recipe->name : starred(was->recipe->name, true);
  recipe.place = {}; // it is no longer what a file says
  route.recipe = std::make_shared<const OptimizerSpec>(std::move(recipe));
  set_route(spec, std::move(route));
  return spec;
}

// "rest: " before what was changed in a route's recipe.
std::string of_route(const std::string& target) { return target.empty() ? "" : target + ": "; }

// Was the label made from the optimizer's name or title: itself, or with what told it from others, "Muon 2"?
bool made_from(const std::string& label, const std::string& name) {
  if (name.empty() || !label.starts_with(name)) return false;
  std::string rest = label.substr(name.size());
  if (rest.ends_with('*')) rest.pop_back();
  return rest.empty() ||
         (rest.size() > 1 && rest.front() == ' ' &&
          std::all_of(rest.begin() + 1, rest.end(), [](unsigned char c) { return std::isdigit(c) != 0; }));
}

} // namespace

// The run's spec with another recipe. Numbers that both recipes know keep their values at step 0; those that come back
// are as opened; a number that the new options make nothing of stays with the recipe, not with the run.
Result<RunSpec> Session::Impl::with_recipe(const Run& run, OptimizerSpec wanted) const {
  RunSpec spec = run.spec;
  std::map<std::string, double> numbers = run.opened_numbers;
  for (std::size_t i = 0; i < run.start_hparams.size(); ++i)
    numbers[run.program().hparams()[i].setting.name] = run.start_hparams[i];
  std::map<std::string, double> kept;
  for (const Setting& setting : hparam_settings(wanted)) {
    const double own = wanted.value_of(setting);
    const auto it = numbers.find(setting.name);
    const double value = it != numbers.end() && allowed(setting, it->second) ? it->second : own;
    if (wanted.hparams.contains(setting.name) || value != own) kept[setting.name] = value;
  }
  wanted.hparams = std::move(kept);
  wanted.inline_hparams.clear();
  wanted.place = {};
  std::erase_if(wanted.schedules, [](const auto& entry) { return is_constant(entry.second); });
  spec.optimizer = std::move(wanted);

  const std::map<std::string, double> of_run = std::exchange(spec.hparams, {});
  const auto program = compile(*scene, spec, {options.record});
  if (!program) return program.error();
  for (const HparamInfo& h : (*program)->hparams())
    if (of_run.contains(h.setting.name)) spec.hparams[h.setting.name] = spec.optimizer.value_of(h.setting);
  return spec;
}

// A name that the optimizer gave says whether the recipe is still its; a name that the user gave stays.
std::string Session::Impl::label_for(const Run& run, const OptimizerSpec& wanted) const {
  const std::string& label = run.spec.label;
  const OptimizerSpec& opened = *run.opened_optimizer;
  if (!made_from(label, opened.title) && !made_from(label, opened.name)) return label;
  const std::string next = starred(label, !same_composition(wanted, opened));
  return next == label ? label : free_label(next);
}

Result<std::string> Session::Impl::change_recipe(Run& run, Part part, const std::string& route, OptimizerSpec wanted,
                                                 const std::string& change) {
  if (run.before_drag) cancel_preview(run);
  refused.reset();
  const bool changed = !same_composition(wanted, *run.opened_optimizer);
  const std::string& name = run.opened_optimizer->name;
  wanted.name = changed ? starred(name, true) : name;
  auto spec = with_recipe(run, std::move(wanted));
  if (!spec) {
    refused = Refusal{run.id, part, spec.error().message, route};
    return spec.error();
  }
  const std::string before = run.spec.label;
  relabel(run, label_for(run, spec->optimizer));
  spec->label = run.spec.label;
  spec->group.clear(); // no longer a repetition of the run that [sweep] names
  auto built = build_run(std::move(*spec), run.id, run.style);
  if (!built) {
    relabel(run, before);
    refused = Refusal{run.id, part, built.error().message, route};
    return built.error();
  }
  Run& fresh = **built;
  fresh.opened_optimizer = run.opened_optimizer;
  fresh.opened_start = run.opened_start;
  for (const auto& [number, value] : run.opened_numbers) fresh.opened_numbers[number] = value;
  for (std::size_t i = 0; i < fresh.opened_hparams.size(); ++i)
    fresh.opened_hparams[i] = fresh.opened_numbers.at(fresh.program().hparams()[i].setting.name);
  const auto moved = [&](int column) {
    return fresh.program().find_hparam(run.program().hparams()[static_cast<std::size_t>(column)].setting.name);
  };
  for (const Edit& e : run.edits)
    if (const int column = moved(e.column);
        column >= 0 && allowed(fresh.program().hparams()[static_cast<std::size_t>(column)].setting, e.value)) {
      fresh.edits.push_back({e.step, column, e.value});
      fresh.hparams[static_cast<std::size_t>(column)] = e.value;
    }
  for (const auto& [column, event] : run.edit_events)
    if (const int now = moved(column); now >= 0) fresh.edit_events.emplace_back(now, event);
  if (run.step > 0) fresh.ghost = {run.series.view(), run.group->program};
  fresh.predicted_known = false;

  const auto slot = std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return r->id == run.id; });
  forget_past();
  run.members().remove(run.member);
  *slot = std::move(*built); // `run` is gone
  forget_empty_groups();
  update_scene();
  first_to_catch_up = fresh.id;
  catch_up_at_once(fresh);
  return fmt::format("{} from step 0: {}", fresh.spec.label, change);
}

Result<std::string> Session::Impl::set_part(const command::SetPart& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  Run& r = **run;
  if (c.part == Part::schedule) return bad_input("a schedule is set for one hyperparameter");
  auto recipe = recipe_at(r.spec.optimizer, c.route);
  if (!recipe) return recipe.error();
  const StageChain before = recipe->chain(c.part);
  if (auto ok = check_chain(c.chain, c.part, {}); !ok) {
    refused = Refusal{r.id, c.part, ok.error().message, c.route};
    return ok.error();
  }
  const std::string part = of_route(c.route) + part_name(c.part);
  if (same_chain(c.part, before, c.chain)) {
    refused.reset();
    return fmt::format("the {} of {} is {} already", part, r.spec.label, chain_text(before));
  }
  recipe->chain(c.part) = c.chain;
  forget_unknown_hparams(*recipe); // with their schedules
  OptimizerSpec wanted = with_recipe_at(r.spec.optimizer, *r.opened_optimizer, c.route, std::move(*recipe));
  forget_unknown_hparams(wanted);
  const std::string was = chain_text(before), now = chain_text(c.chain);
  return change_recipe(r, c.part, c.route, std::move(wanted),
                       was == now ? fmt::format("other options of the {} {}", part, now)
                                  : fmt::format("{} {} → {}", part, was, now));
}

Result<std::string> Session::Impl::set_schedule(const command::SetSchedule& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  Run& r = **run;
  auto recipe = recipe_at(r.spec.optimizer, c.route);
  if (!recipe) return recipe.error();
  // A route's rate without a schedule of its own follows the run's: there a constant one says something.
  const bool follows = !c.route.empty() && c.hparam == "lr" && r.spec.optimizer.schedules.contains("lr");
  if (is_constant(c.schedule) && !follows) recipe->schedules.erase(c.hparam);
  else recipe->schedules[c.hparam] = c.schedule;
  OptimizerSpec wanted = with_recipe_at(r.spec.optimizer, *r.opened_optimizer, c.route, std::move(*recipe));
  // what the run gave the route by the full name would stand over it
  if (!c.route.empty()) wanted.schedules.erase(c.route + "." + c.hparam);
  const std::string hparam = of_route(c.route) + c.hparam;
  if (same_composition(wanted, r.spec.optimizer)) {
    refused.reset();
    return fmt::format("the schedule of {} is {} already", hparam, c.schedule.kind);
  }
  return change_recipe(r, Part::schedule, c.route, std::move(wanted),
                       fmt::format("schedule of {} {}", hparam, c.schedule.kind));
}

Result<std::string> Session::Impl::reset_recipe(const command::ResetRecipe& c) {
  auto run = find_run(c.run);
  if (!run) return run.error();
  Run& r = **run;
  if (same_composition(r.spec.optimizer, *r.opened_optimizer))
    return fmt::format("{} has the stages that it was opened with", r.spec.label);
  return change_recipe(r, Part::direction, "", *r.opened_optimizer, "the stages that it was opened with");
}

} // namespace polarscope
