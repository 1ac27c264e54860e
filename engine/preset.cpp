#include "engine/preset.hpp"

#include "engine/embedded.hpp"
#include "engine/files.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

namespace polarscope {

namespace {

constexpr std::size_t kLargestPreset = 1 << 20; // bytes
constexpr std::string_view kFolder = kPresetFolder;

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || (name.size() > 5 && name.ends_with(".toml"));
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string stem_of(const std::string& path) {
  std::string name = path.substr(folder_of(path).size());
  if (name.ends_with(".toml")) name.resize(name.size() - 5);
  return name;
}

struct Source {
  std::string path, text;
};

Result<Source> open_file(const std::string& path) {
  auto text = read_file(path, kLargestPreset);
  if (!text) return text.error();
  return Source{path, *text};
}

// A preset by name: the working folder's own, then the installed ones, then those built in.
Result<Source> find_preset(const std::string& name) {
  const std::string file = std::string(kFolder) + name + ".toml";
  if (file_exists(file)) return open_file(file);
  for (const std::string& folder : installed_folders())
    if (const std::string path = folder + "/" + file; file_exists(path)) return open_file(path);
  if (const EmbeddedFile embedded = embedded_file(file)) return Source{file, std::string(embedded.text())};
  return bad_input(fmt::format("unknown optimizer '{}'{}", name, suggestion(name, preset_names())));
}

Result<Source> find_source(const std::string& name, const std::string& folder) {
  if (!is_path(name)) return find_preset(name);
  if (name.front() != '/' && !folder.empty() && file_exists(folder + name)) return open_file(folder + name);
  return open_file(name);
}

// One stage of a part: a name, or a table that may leave the kind of `spec` as it is.
void read_stage(const TomlValue& value, Part part, PartSpec& spec, FirstError& errors) {
  const std::string name = part_name(part);
  const TomlValue* kind_at = &value;
  std::string kind = spec.kind;
  if (value.is_text()) {
    kind = value.text;
  } else if (value.is_table()) {
    if (const TomlEntry* entry = value.find("kind")) {
      kind_at = &entry->value;
      if (!kind_at->is_text()) {
        errors.add(
            bad_input(fmt::format("'{}.kind' must be text, not {}", name, kind_name(kind_at->kind)), kind_at->place));
        return;
      }
      kind = kind_at->text;
    }
  } else {
    errors.add(bad_input(
        fmt::format("'{}' must be a stage's name, a table or a list of these, not {}", name, kind_name(value.kind)),
        value.place));
    return;
  }
  if (kind != spec.kind) spec = PartSpec{kind, {}, {}}; // another stage has other options
  const Stage* stage = find_stage(part, kind);
  if (!stage) {
    errors.add(
        bad_input(fmt::format("unknown {} '{}'{}", name, kind, suggestion(kind, stage_kinds(part))), kind_at->place));
    return;
  }
  if (!value.is_table()) return;
  TomlTable table(value, fmt::format("{} '{}'", name, kind), errors);
  table.find("kind");
  for (const Setting& option : stage->options)
    if (const auto v = table.setting(option)) {
      spec.options[option.name] = *v;
      spec.places[option.name] = table.find(option.name)->place;
    }
  table.finish();
}

// The link of an inherited chain that a table without `kind` speaks of: the first that has all of its options.
PartSpec* link_with_options(const TomlValue& table, Part part, StageChain& chain) {
  for (PartSpec& link : chain) {
    const Stage* stage = find_stage(part, link.kind);
    const auto has = [&](const TomlEntry& entry) {
      return std::any_of(stage->options.begin(), stage->options.end(),
                         [&](const Setting& s) { return s.name == entry.key; });
    };
    if (stage && std::all_of(table.entries.begin(), table.entries.end(), has)) return &link;
  }
  return nullptr;
}

// A part over what it inherits: a list is a chain of its own; a stage that the inherited chain has is changed there, any
// other takes the chain's place.
void read_part(const TomlValue& value, Part part, StageChain& chain, FirstError& errors) {
  if (value.is_array()) {
    StageChain own;
    for (const TomlValue& item : value.items) read_stage(item, part, own.emplace_back(), errors);
    if (auto ok = check_chain(own, part, value.place); !ok) errors.add(ok.error());
    else chain = std::move(own);
    return;
  }
  if (chain.size() > 1 && value.is_table()) {
    const TomlEntry* kind = value.find("kind");
    for (PartSpec& link : chain)
      if (kind && kind->value.is_text() && link.kind == kind->value.text) return read_stage(value, part, link, errors);
    if (!kind)
      if (PartSpec* link = link_with_options(value, part, chain)) return read_stage(value, part, *link, errors);
  }
  chain.resize(1);
  read_stage(value, part, chain.front(), errors);
}

constexpr std::size_t kLongestChain = 16; // files that inherit from each other

using Chain = std::vector<std::string>; // files being read, outermost first, by their one true path

// The same for every way to write the path of one file.
std::string true_path(const std::string& path) {
  std::error_code failed;
  const auto canonical = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : canonical.string();
}

OptimizerSpec read_source(const Source& source, const Chain& chain, FirstError& errors);
OptimizerSpec read_table(const TomlValue& value, const std::string& file_name, const std::string& folder,
                         const Chain& chain, FirstError& errors);

// The spec that `base` names, or nothing after an error.
std::optional<OptimizerSpec> read_base(const std::string& name, const Place& place, const std::string& folder,
                                       const Chain& chain, FirstError& errors) {
  auto source = find_source(name, folder);
  if (!source) {
    Error error = source.error();
    if (error.place.file.empty()) error.place = place;
    errors.add_at(std::move(error), place);
    return std::nullopt;
  }
  if (std::find(chain.begin(), chain.end(), true_path(source->path)) != chain.end()) {
    std::string circle;
    for (const std::string& file : chain) circle += stem_of(file) + " → ";
    errors.add(bad_input(fmt::format("circular base: {}{}", circle, stem_of(source->path)), place));
    return std::nullopt;
  }
  if (chain.size() >= kLongestChain) {
    errors.add(bad_input(fmt::format("'base' leads through more than {} files", kLongestChain), place));
    return std::nullopt;
  }
  FirstError inner;
  OptimizerSpec spec = read_source(*source, chain, inner);
  if (inner.empty()) return spec;
  errors.add_at(inner.error(), place);
  return std::nullopt;
}

// `2.weight = "adam"` without quotes arrives as a table `2` whose only entries are no keys of a recipe: the name that was
// meant; "" for anything else.
std::string unquoted_name(const TomlEntry& route) {
  std::string name = route.key;
  const TomlEntry* at = &route;
  while (at->value.is_table() && !at->value.entries.empty()) {
    for (const TomlEntry& inner : at->value.entries)
      if (inner.key == "name" || std::any_of(optimizer_keys().begin(), optimizer_keys().end(),
                                             [&](const Setting& key) { return key.name == inner.key; }))
        return at == &route ? "" : name;
    at = &at->value.entries.front();
    name += "." + at->key;
  }
  if (at == &route || !at->value.is_text()) return "";
  const std::vector<std::string> presets = preset_names();
  const std::string& recipe = at->value.text;
  const bool named =
      recipe == kSameRecipe || is_path(recipe) || std::find(presets.begin(), presets.end(), recipe) != presets.end();
  return named ? name : "";
}

void read_route_entries(const TomlValue& value, const std::string& folder, const Chain& chain, bool required,
                        OptimizerSpec& spec, FirstError& errors) {
  for (const TomlEntry& entry : value.entries) {
    RouteSpec route{entry.key, nullptr, required, entry.place};
    const TomlValue& v = entry.value;
    if (const std::string name = unquoted_name(entry); !name.empty()) {
      errors.add(bad_input(
          fmt::format("a parameter's name with dots stands in quotes: route.{} = …", quoted_toml(name)), entry.place));
      continue;
    }
    if (v.is_text() && v.text != kSameRecipe) {
      auto read = read_base(v.text, v.place, folder, chain, errors);
      if (!read) continue;
      route.recipe = std::make_shared<const OptimizerSpec>(std::move(*read));
    } else if (v.is_table()) {
      route.recipe = std::make_shared<const OptimizerSpec>(read_table(v, "", folder, chain, errors));
    } else if (!v.is_text()) {
      errors.add(bad_input(
          fmt::format("'route.{}' must be an optimizer's name or a table, not {}", entry.key, kind_name(v.kind)),
          v.place));
      continue;
    }
    if (route.recipe && !route.recipe->routes.empty()) { // a parameter goes by one route
      OptimizerSpec plain_recipe = *route.recipe;
      plain_recipe.routes.clear();
      route.recipe = std::make_shared<const OptimizerSpec>(std::move(plain_recipe));
    }
    set_route(spec, std::move(route));
  }
}

// A whole optimizer table over its base; `inside` a scene it may also carry a name.
OptimizerSpec read_table(const TomlValue& value, const std::string& file_name, const std::string& folder,
                         const Chain& chain, FirstError& errors) {
  const bool inside = file_name.empty();
  TomlTable table(value, inside ? "optimizer" : "the optimizer", errors);
  OptimizerSpec spec = plain_recipe();
  bool changed = false;
  if (const TomlValue* base = table.find("base")) {
    if (const auto name = table.text("base")) {
      const auto read = read_base(*name, base->place, folder, chain, errors);
      if (!read) return spec;
      spec = *read;
    }
  }
  const std::string base_name = spec.name;
  for (const Part part : kRecipeParts)
    if (const TomlValue* v = table.find(part_name(part))) {
      read_part(*v, part, spec.chain(part), errors);
      changed = true;
    }
  forget_unknown_hparams(spec); // inherited from stages that it does not have
  for (auto [key, field] : {std::pair{"title", &spec.title}, std::pair{"description", &spec.description},
                            std::pair{"source", &spec.source}, std::pair{"not_promised", &spec.not_promised}})
    if (const auto text = table.text(key)) {
      *field = *text;
      changed = true;
    }
  if (const TomlValue* v = table.table("route")) {
    read_route_entries(*v, folder, chain, inside, spec, errors);
    changed = true;
  }
  if (const TomlValue* v = table.table("hparam")) {
    if (errors.empty()) read_hparams(*v, spec, spec.hparams, errors, inside ? &spec.inline_hparams : nullptr);
    changed = true;
  }
  if (const TomlValue* v = table.table("schedule")) {
    if (errors.empty()) read_schedules(*v, spec, spec.schedules, errors);
    changed = true;
  }
  spec.name = file_name;
  if (inside) {
    const auto own = table.text("name", 200);
    spec.name = own ? *own : base_name.empty() ? "custom" : changed ? base_name + "*" : base_name;
  }
  spec.place = value.place;
  table.finish();
  return spec;
}

OptimizerSpec read_source(const Source& source, const Chain& chain, FirstError& errors) {
  const auto tree = parse_toml(source.text, source.path);
  if (!tree) {
    errors.add(tree.error());
    return plain_recipe();
  }
  Chain longer = chain;
  longer.push_back(true_path(source.path));
  OptimizerSpec spec = read_table(*tree, stem_of(source.path), folder_of(source.path), longer, errors);
  spec.place.file = source.path;
  return spec;
}

void read_schedule(const TomlValue& value, const std::string& hparam, ScheduleSpec& schedule, FirstError& errors) {
  TomlTable table(value, fmt::format("schedule.{}", hparam), errors);
  const std::vector<std::string> kinds = stage_kinds(Part::schedule);
  if (const auto kind = table.word("kind", kinds)) schedule.kind = *kind;
  else if (table.has("kind")) return;
  const Stage* stage = find_stage(Part::schedule, schedule.kind);
  if (!stage) return;
  for (const Setting& option : stage->options) {
    const auto v = table.setting(option);
    if (!v) continue;
    if (double* field = schedule_number(schedule, option.name)) *field = std::get<double>(*v);
    else if (option.name == "shape") schedule.shape = std::get<std::string>(*v);
  }
  table.finish();
}

std::vector<Setting> make_optimizer_keys() {
  const auto text = [](const char* name, const char* meaning) { return word(name, "", {}, meaning); };
  return {text("title", "Name as lists and headings show it."),
          text("description", "One or two sentences."),
          text("source", "The code or paper whose choices it follows."),
          text("not_promised", "What it does not promise, in one sentence."),
          text("base", "A preset's name or a file to inherit from."),
          text("direction", "What to follow: a stage's name, or a table with kind and options."),
          text("geometry", "In which norm and granularity: a stage's name, or a table."),
          text("magnitude", "What may happen to the size of the weight: a stage's name, or a table."),
          text("decay", "Weight decay: a stage's name, or a table."),
          text("hparam", "Numbers: hparam.<name> = value; hparam.<target>.<name> of a route's recipe."),
          text("route", "Another recipe for some parameters: route.<target> = a name, a table, or \"same\"."),
          text("schedule", "How a number changes over the steps: schedule.<name> = { kind, … }.")};
}

} // namespace

const std::vector<Setting>& optimizer_keys() {
  static const std::vector<Setting> keys = make_optimizer_keys();
  return keys;
}

std::vector<Setting> optimizer_hparams(const OptimizerSpec& spec) {
  std::vector<Setting> out = hparam_settings(spec);
  std::stable_partition(out.begin(), out.end(), [](const Setting& s) { return s.name == "lr"; });
  for (Setting& setting : out) setting.value = spec.value_of(setting);
  return out;
}

namespace {

// Calls read(table, setting, full name) for every hyperparameter that the table of numbers or schedules may have: the
// recipe's own in it, those of a route in a table of the route's name.
template <class Read>
void read_by_hparam(const TomlValue& value, const std::string& where, const OptimizerSpec& spec, FirstError& errors,
                    Read read) {
  TomlTable table(value, where, errors);
  OptimizerSpec own = spec;
  own.routes.clear();
  for (const Setting& setting : optimizer_hparams(own)) read(table, setting, setting.name);
  for (const RouteSpec& route : spec.routes) {
    if (!route.recipe || !table.has(route.target)) continue;
    const TomlValue* inner_value = table.table(route.target);
    if (!inner_value) continue;
    TomlTable inner(*inner_value, fmt::format("{} of route '{}'", where, route.target), errors);
    for (const Setting& setting : optimizer_hparams(*route.recipe))
      read(inner, setting, route.target + "." + setting.name);
    inner.finish();
  }
  table.finish();
}

} // namespace

void read_hparams(const TomlValue& value, const OptimizerSpec& spec, std::map<std::string, double>& out,
                  FirstError& errors, std::map<std::string, Place>* places) {
  const std::string where = fmt::format("the hyperparameters of {}", spec.name.empty() ? "this optimizer" : spec.name);
  read_by_hparam(value, where, spec, errors, [&](TomlTable& table, const Setting& setting, const std::string& name) {
    const auto v = table.number(setting.name, setting.min, setting.max);
    if (!v) return;
    out[name] = *v;
    if (places) (*places)[name] = table.value().find(setting.name)->place;
  });
}

void read_schedules(const TomlValue& value, const OptimizerSpec& spec, std::map<std::string, ScheduleSpec>& out,
                    FirstError& errors) {
  read_by_hparam(value, "schedule", spec, errors,
                 [&](TomlTable& table, const Setting& setting, const std::string& name) {
                   const TomlValue* one = table.table(setting.name);
                   if (!one) return;
                   ScheduleSpec schedule;
                   read_schedule(*one, name, schedule, errors);
                   out[name] = schedule;
                 });
}

void read_routes(const TomlValue& table, const std::string& folder, bool required, OptimizerSpec& spec,
                 FirstError& errors) {
  read_route_entries(table, folder, {}, required, spec, errors);
}

OptimizerSpec read_optimizer_value(const TomlValue& value, const std::string& folder, FirstError& errors) {
  if (value.is_text()) {
    auto spec = read_base(value.text, value.place, folder, {}, errors);
    if (!spec) return plain_recipe();
    spec->place = value.place;
    return *spec;
  }
  if (value.is_table()) return read_table(value, "", folder, {}, errors);
  errors.add(
      bad_input(fmt::format("'optimizer' must be a name or a table, not {}", kind_name(value.kind)), value.place));
  return plain_recipe();
}

Result<OptimizerSpec> load_optimizer(const std::string& name_or_file) {
  if (name_or_file.empty()) return bad_input("the optimizer's name is empty");
  const auto source = find_source(name_or_file, "");
  if (!source) return source.error();
  FirstError errors;
  OptimizerSpec spec = read_source(*source, {}, errors);
  if (!errors.empty()) return errors.error();
  return spec;
}

std::vector<std::string> preset_names() {
  std::set<std::string> names;
  for (const std::string_view file : embedded_file_names())
    if (file.starts_with(kFolder) && file.ends_with(".toml")) names.insert(stem_of(std::string(file)));
  std::vector<std::string> folders = installed_folders();
  folders.push_back(".");
  for (const std::string& folder : folders)
    for (const std::string& file : toml_files_below(folder + "/" + std::string(kFolder)))
      if (file.find('/') == std::string::npos) names.insert(stem_of(file));
  return {names.begin(), names.end()};
}

} // namespace polarscope
