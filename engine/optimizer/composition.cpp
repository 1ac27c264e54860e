#include "engine/optimizer/composition.hpp"

#include "engine/optimizer/route.hpp"

#include <algorithm>

namespace polarscope {

namespace {

const Stage* stage_of_link(Part part, const PartSpec& link) {
  return link.kind.empty() ? &default_stage(part) : find_stage(part, link.kind);
}

SettingValue of_kind(const Setting& option, const SettingValue& value) {
  const long* whole = std::get_if<long>(&value);
  return option.kind == SettingKind::number && whole ? SettingValue(static_cast<double>(*whole)) : value;
}

} // namespace

OptimizerSpec plain_recipe() {
  OptimizerSpec spec;
  for (const Part part : kRecipeParts) spec.part(part).kind = default_stage(part).kind;
  return spec;
}

std::map<std::string, SettingValue> resolved_options(Part part, const PartSpec& link) {
  std::map<std::string, SettingValue> out;
  const Stage* stage = stage_of_link(part, link);
  if (!stage) return out;
  for (const Setting& option : stage->options) {
    const auto given = link.options.find(option.name);
    out[option.name] = of_kind(option, given == link.options.end() ? option.value : given->second);
  }
  return out;
}

bool same_link(Part part, const PartSpec& a, const PartSpec& b) {
  const Stage *one = stage_of_link(part, a), *other = stage_of_link(part, b);
  if (!one || !other) return a == b;
  return one == other && resolved_options(part, a) == resolved_options(part, b);
}

bool same_chain(Part part, const StageChain& a, const StageChain& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](const PartSpec& x, const PartSpec& y) { return same_link(part, x, y); });
}

bool same_schedule(const ScheduleSpec& a, const ScheduleSpec& b) {
  return a.kind == b.kind && a.warmup == b.warmup && a.cooldown == b.cooldown && a.shape == b.shape &&
         a.final_value == b.final_value && a.floor == b.floor;
}

std::vector<PartChange> changed_parts(const OptimizerSpec& now, const OptimizerSpec& was) {
  std::vector<PartChange> out;
  const auto compare = [&out](const std::string& route, const OptimizerSpec& one, const OptimizerSpec& other) {
    for (const Part part : kRecipeParts)
      if (!same_chain(part, one.chain(part), other.chain(part)))
        out.push_back({route, part, &one.chain(part), &other.chain(part)});
  };
  compare("", now, was);
  for (const RouteSpec& route : now.routes)
    if (const RouteSpec* before = find_route(was, route.target); before && route.recipe)
      compare(route.target, *route.recipe, *before->recipe);
  return out;
}

double* schedule_number(ScheduleSpec& schedule, std::string_view option) {
  if (option == "warmup") return &schedule.warmup;
  if (option == "cooldown") return &schedule.cooldown;
  if (option == "final") return &schedule.final_value;
  if (option == "floor") return &schedule.floor;
  return nullptr;
}

bool is_constant(const ScheduleSpec& schedule) { return schedule.kind == "constant" && schedule.warmup == 0; }

bool same_schedules(const OptimizerSpec& a, const OptimizerSpec& b) {
  const auto has_all = [](const OptimizerSpec& one, const OptimizerSpec& other) {
    return std::all_of(one.schedules.begin(), one.schedules.end(), [&](const auto& entry) {
      if (is_constant(entry.second)) return true;
      const auto it = other.schedules.find(entry.first);
      return it != other.schedules.end() && same_schedule(entry.second, it->second);
    });
  };
  return has_all(a, b) && has_all(b, a);
}

bool same_route_recipe(const OptimizerSpec& a, const OptimizerSpec& b) {
  return a.schedules.contains("lr") == b.schedules.contains("lr") && same_composition(a, b);
}

bool same_routes(const OptimizerSpec& a, const OptimizerSpec& b) {
  return std::is_permutation(a.routes.begin(), a.routes.end(), b.routes.begin(), b.routes.end(),
                             [](const RouteSpec& one, const RouteSpec& other) {
                               if (one.target != other.target || !one.recipe != !other.recipe) return false;
                               return one.recipe == other.recipe || same_route_recipe(*one.recipe, *other.recipe);
                             });
}

bool same_composition(const OptimizerSpec& a, const OptimizerSpec& b) {
  return std::all_of(kRecipeParts.begin(), kRecipeParts.end(),
                     [&](Part part) { return same_chain(part, a.chain(part), b.chain(part)); }) &&
         same_schedules(a, b) && same_routes(a, b);
}

std::string chain_text(const StageChain& chain) {
  std::string out;
  for (const PartSpec& link : chain) out += (out.empty() ? "" : ", then ") + link.kind;
  return out;
}

PartSpec chosen_stage(Part part, const std::string& kind, const OptimizerSpec& opened) {
  for (const PartSpec& link : opened.chain(part))
    if (link.kind == kind) return {link.kind, link.options, {}};
  return {kind, {}, {}};
}

void forget_unknown_hparams(OptimizerSpec& spec) {
  const std::vector<Setting> known = hparam_settings(spec);
  const auto unknown = [&](const auto& entry) {
    return std::none_of(known.begin(), known.end(), [&](const Setting& s) { return s.name == entry.first; });
  };
  std::erase_if(spec.hparams, unknown);
  std::erase_if(spec.schedules, unknown);
}

Result<void> check_choice(const OptimizerSpec& spec, Part part, const StageChain& chain) {
  OptimizerSpec wanted = spec;
  wanted.chain(part) = chain;
  forget_unknown_hparams(wanted);
  wanted.hparams.clear(); // a value that a new stage does not allow falls back to that stage's own
  wanted.place = {};
  return check_optimizer(wanted);
}

} // namespace polarscope
