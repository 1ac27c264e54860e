#include "engine/optimizer/stage.hpp"

#include "engine/optimizer/route.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace polarscope {

#define POLARSCOPE_STAGE(function) Stage function();
#include "engine/optimizer/stages.def"
#undef POLARSCOPE_STAGE

const char* part_name(Part part) {
  switch (part) {
  case Part::direction: return "direction";
  case Part::geometry: return "geometry";
  case Part::magnitude: return "magnitude";
  case Part::decay: return "decay";
  case Part::schedule: return "schedule";
  }
  return "";
}

const std::vector<Stage>& stages() {
  static const std::vector<Stage> all = {
#define POLARSCOPE_STAGE(function) function(),
#include "engine/optimizer/stages.def"
#undef POLARSCOPE_STAGE
  };
  return all;
}

const Stage* find_stage(Part part, std::string_view kind) {
  for (const Stage& s : stages())
    if (s.part == part && s.kind == kind) return &s;
  return nullptr;
}

std::vector<std::string> stage_kinds(Part part) {
  std::vector<std::string> kinds;
  for (const Stage& s : stages())
    if (s.part == part) kinds.push_back(s.kind);
  return kinds;
}

const Stage& default_stage(Part part) {
  const auto& all = stages();
  const auto it = std::find_if(all.begin(), all.end(), [&](const Stage& s) { return s.part == part; });
  assert(it != all.end());
  return *it;
}

Setting learning_rate(double value) {
  Setting s = log_number("lr", value, 0, 1e9, "Learning rate: how far one step goes along the update.");
  s.formula = "W ← W − η U";
  return s;
}

namespace {

template <class List> auto find_setting(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const Setting& s) { return s.name == name; });
}

const SettingValue& option_value(const StageContext& c, std::string_view option) {
  const auto declared = find_setting(c.stage->options, option);
  assert(declared != c.stage->options.end() && "a stage asks only for options that it declares");
  const auto given = c.part.options.find(std::string(option));
  return given == c.part.options.end() ? declared->value : given->second;
}

bool fits(const Setting& setting, const SettingValue& value) {
  switch (setting.kind) {
  case SettingKind::number: return std::holds_alternative<double>(value) || std::holds_alternative<long>(value);
  case SettingKind::integer: return std::holds_alternative<long>(value);
  case SettingKind::boolean: return std::holds_alternative<bool>(value);
  case SettingKind::word: return std::holds_alternative<std::string>(value);
  }
  return false;
}

const char* kind_text(SettingKind kind) {
  switch (kind) {
  case SettingKind::number: return "a number";
  case SettingKind::integer: return "a whole number";
  case SettingKind::boolean: return "true or false";
  case SettingKind::word: return "a word";
  }
  return "";
}

double as_number(const SettingValue& value) {
  if (const auto* whole = std::get_if<long>(&value)) return static_cast<double>(*whole);
  return std::get<double>(value);
}

} // namespace

Result<void> check_value(const Setting& setting, const SettingValue& value, const std::string& where,
                         const Place& place) {
  if (!fits(setting, value)) return bad_input(fmt::format("{} takes {}", where, kind_text(setting.kind)), place);
  if (setting.kind == SettingKind::word) {
    const std::string& typed = std::get<std::string>(value);
    std::vector<std::string> words;
    for (const SettingWord& w : setting.words) words.push_back(w.word);
    if (std::find(words.begin(), words.end(), typed) == words.end())
      return bad_input(fmt::format("{} has no choice '{}'{}", where, typed, did_you_mean(typed, words)), place);
  }
  if (setting.kind == SettingKind::number || setting.kind == SettingKind::integer) {
    if (const std::string wrong = range_error(as_number(value), setting.min, setting.max); !wrong.empty())
      return bad_input(fmt::format("{} = {}", where, wrong), place);
  }
  return {};
}

const Stage& stage_of(const OptimizerSpec& spec, Part part) {
  const std::string& kind = spec.part(part).kind;
  if (kind.empty()) return default_stage(part);
  const Stage* stage = find_stage(part, kind);
  assert(stage && "checked by check_optimizer");
  return *stage;
}

std::vector<StageLink> stage_links(const OptimizerSpec& spec) {
  std::vector<StageLink> links;
  for (const Part part : kRecipeParts) {
    const StageChain& chain = spec.chain(part);
    for (std::size_t i = 0; i < chain.size(); ++i) {
      const Stage* stage = chain[i].kind.empty() ? &default_stage(part) : find_stage(part, chain[i].kind);
      if (stage) links.push_back({part, i, &chain[i], stage});
    }
  }
  return links;
}

const StageLink* find_option(const std::vector<StageLink>& links, Part part, std::string_view option) {
  for (const StageLink& link : links)
    if (link.part == part && find_setting(link.stage->options, option) != link.stage->options.end()) return &link;
  return nullptr;
}

std::vector<Setting> hparam_settings(const OptimizerSpec& spec) {
  std::vector<Setting> all;
  for (const StageLink& link : stage_links(spec))
    for (const Setting& s : link.stage->hparams)
      if (find_setting(all, s.name) == all.end()) all.push_back(s);
  for (const RouteSpec& route : spec.routes)
    for (Setting s : route.recipe ? hparam_settings(*route.recipe) : std::vector<Setting>{}) {
      s.name = route.target + "." + s.name;
      all.push_back(std::move(s));
    }
  return all;
}

namespace {

Result<void> check_part(const PartSpec& given, Part part, const Place& fallback) {
  const auto place_of = [&](const std::string& option) {
    const auto it = given.places.find(option);
    return it == given.places.end() ? fallback : it->second;
  };
  if (!given.kind.empty() && !find_stage(part, given.kind))
    return bad_input(
        fmt::format("unknown {} '{}'{}", part_name(part), given.kind, did_you_mean(given.kind, stage_kinds(part))),
        place_of("kind"));
  const Stage& stage = given.kind.empty() ? default_stage(part) : *find_stage(part, given.kind);
  std::vector<std::string> names;
  for (const Setting& s : stage.options) names.push_back(s.name);
  for (const auto& [name, value] : given.options) {
    const auto declared = find_setting(stage.options, name);
    if (declared == stage.options.end())
      return bad_input(
          fmt::format("{} '{}' has no option '{}'{}", part_name(part), stage.kind, name, did_you_mean(name, names)),
          place_of(name));
    if (auto ok = check_value(*declared, value, fmt::format("{}.{}", part_name(part), name), place_of(name)); !ok)
      return ok;
  }
  return {};
}

// Two stages that own a hyperparameter of the same name would turn one knob for two things. The learning rate is the
// recipe's own.
Result<void> check_owners(const OptimizerSpec& spec) {
  const std::vector<StageLink> links = stage_links(spec);
  for (auto a = links.begin(); a != links.end(); ++a)
    for (auto b = a + 1; b != links.end(); ++b)
      for (const Setting& s : a->stage->hparams)
        if (s.name != "lr" && find_setting(b->stage->hparams, s.name) != b->stage->hparams.end())
          return bad_input(fmt::format("{} '{}' and {} '{}' cannot be combined: both have a hyperparameter {}",
                                       part_name(a->part), a->stage->kind, part_name(b->part), b->stage->kind, s.name),
                           spec.place);
  return {};
}

} // namespace

Result<void> check_chain(const StageChain& chain, Part part, const Place& place) {
  if (chain.empty()) return bad_input(fmt::format("{} needs a stage", part_name(part)), place);
  if (part == Part::decay && chain.size() > 1)
    return bad_input("decay takes one stage: it also applies the step", place);
  for (auto a = chain.begin(); a != chain.end(); ++a)
    for (auto b = a + 1; b != chain.end(); ++b)
      if (a->kind == b->kind)
        return bad_input(fmt::format("{} has the stage '{}' twice", part_name(part), a->kind), place);
  return {};
}

Result<void> check_optimizer(const OptimizerSpec& spec) {
  for (const Part part : kRecipeParts) {
    if (auto ok = check_chain(spec.chain(part), part, spec.place); !ok) return ok;
    for (const PartSpec& link : spec.chain(part))
      if (auto ok = check_part(link, part, spec.place); !ok) return ok;
  }
  if (auto ok = check_owners(spec); !ok) return ok;
  const std::vector<Setting> known = hparam_settings(spec);
  std::vector<std::string> names;
  for (const Setting& s : known) names.push_back(s.name);
  for (const auto& [name, value] : spec.hparams) {
    const auto setting = find_setting(known, name);
    if (setting == known.end())
      return bad_input(fmt::format("this optimizer has no hyperparameter '{}'{}", name, did_you_mean(name, names)),
                       spec.place);
    if (auto ok = check_value(*setting, value, "hparam." + name, spec.place); !ok) return ok;
  }
  for (const auto& [name, schedule] : spec.schedules) {
    if (find_setting(known, name) == known.end())
      return bad_input(fmt::format("schedule.{}: this optimizer has no hyperparameter '{}'{}", name, name,
                                   did_you_mean(name, names)),
                       spec.place);
    if (!find_stage(Part::schedule, schedule.kind))
      return bad_input(fmt::format("unknown schedule '{}'{}", schedule.kind,
                                   did_you_mean(schedule.kind, stage_kinds(Part::schedule))),
                       spec.place);
  }
  return check_routes(spec);
}

std::string StageContext::word(std::string_view option) const {
  return std::get<std::string>(option_value(*this, option));
}
bool StageContext::flag(std::string_view option) const { return std::get<bool>(option_value(*this, option)); }
long StageContext::integer(std::string_view option) const { return std::get<long>(option_value(*this, option)); }
double StageContext::number(std::string_view option) const { return as_number(option_value(*this, option)); }

HparamId StageContext::hparam(std::string_view name) {
  const auto declared = find_setting(stage->hparams, name);
  assert(declared != stage->hparams.end() && "a stage asks only for hyperparameters that it declares");
  return build.hparam(*declared, part_name(stage->part));
}

HparamId StageContext::hparam_of_recipe(std::string_view name) {
  for (const StageLink& link : stage_links(spec)) {
    const auto declared = find_setting(link.stage->hparams, name);
    if (declared != link.stage->hparams.end()) return build.hparam(*declared, part_name(link.part));
  }
  return kNone;
}

SlotId StageContext::slot_of_recipe(std::string_view name) const {
  return build.find_slot(fmt::format("{}.{}", build.parameter(parameter).name, name));
}

SlotId StageContext::state(std::string_view name, std::uint32_t slot_rows, std::uint32_t slot_cols,
                           std::string meaning) {
  return slot(name, Role::state, slot_rows, slot_cols, std::move(meaning));
}

SlotId StageContext::scratch(std::string_view name, std::uint32_t slot_rows, std::uint32_t slot_cols,
                             std::string meaning) {
  return slot(name, Role::scratch, slot_rows, slot_cols, std::move(meaning));
}

SlotId StageContext::slot(std::string_view name, Role role, std::uint32_t slot_rows, std::uint32_t slot_cols,
                          std::string meaning) {
  const std::string& owner = build.parameter(parameter).name;
  std::string full = fmt::format("{}.{}", owner, name);
  if (build.has_slot(full)) full = fmt::format("{}.{}_{}", owner, stage->kind, name);
  return build.slot(std::move(full), role, slot_rows, slot_cols, std::move(meaning), parameter);
}

void StageContext::emit_check(Op op, std::string text) {
  build.set_phase(Phase::metric);
  build.emit(op, std::move(text));
  build.set_phase(phase);
}

std::uint32_t StageContext::promise(std::size_t index, double tolerance, int every, bool exact) {
  const Promise& p = stage->promises.at(index);
  const int column = build.metric(p.column, parameter, ProgramBuilder::kScalar, every, true);
  build.invariant({p.name, p.meaning, column, tolerance, parameter, exact});
  return static_cast<std::uint32_t>(column);
}

} // namespace polarscope
