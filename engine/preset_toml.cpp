// Recipes as TOML: inside a scene over the preset that they come from, or whole as a file of their own.
#include "engine/embedded.hpp"
#include "engine/files.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/preset.hpp"
#include "engine/scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <system_error>

namespace polarscope {

namespace {

constexpr std::size_t kLongestName = 100, kLongestTitle = 200;

// `as_list`: also of one stage, which then inherits nothing.
std::string chain_toml(const StageChain& chain, bool as_list = false) {
  std::vector<std::string> links;
  for (const PartSpec& link : chain) {
    std::string inner = fmt::format("kind = {}", quoted_toml(link.kind));
    for (const auto& [name, value] : link.options) inner += fmt::format(", {} = {}", key_toml(name), value_toml(value));
    links.push_back(fmt::format("{{ {} }}", inner));
  }
  return links.size() == 1 && !as_list ? links.front() : fmt::format("[{}]", fmt::join(links, ", "));
}

// Would a table for this one stage keep something of the chain that it is written over?
bool would_inherit(const StageChain& chain, const StageChain& base) {
  return std::any_of(base.begin(), base.end(), [&](const PartSpec& link) {
    return link.kind == chain.front().kind &&
           (base.size() > 1 || std::any_of(link.options.begin(), link.options.end(), [&](const auto& option) {
              return !chain.front().options.contains(option.first);
            }));
  });
}

std::string schedule_value(const ScheduleSpec& schedule) {
  std::string inner = fmt::format("kind = {}", quoted_toml(schedule.kind));
  const Stage* stage = find_stage(Part::schedule, schedule.kind);
  ScheduleSpec copy = schedule;
  for (const Setting& option : stage ? stage->options : std::vector<Setting>{})
    if (const double* field = schedule_number(copy, option.name))
      inner += fmt::format(", {} = {}", option.name, number_toml(*field));
    else if (option.name == "shape") inner += fmt::format(", shape = {}", quoted_toml(schedule.shape));
  return fmt::format("{{ {} }}", inner);
}

// The preset that a spec can be written as changes of: it still has the name, and what the spec would inherit from it
// without wanting it is nothing.
std::optional<OptimizerSpec> origin(const OptimizerSpec& spec) {
  std::string name = spec.name;
  if (name.ends_with('*')) name.pop_back();
  if (name.empty() || name.find('/') != std::string::npos || name.ends_with(".toml")) return std::nullopt;
  auto base = load_optimizer(name);
  if (!base) return std::nullopt;
  const std::vector<Setting> known = hparam_settings(spec);
  const auto known_name = [&](const std::string& hparam) {
    return std::any_of(known.begin(), known.end(), [&](const Setting& s) { return s.name == hparam; });
  };
  for (const auto& [hparam, value] : base->hparams)
    if (known_name(hparam) && !spec.hparams.contains(hparam)) return std::nullopt;
  for (const auto& [hparam, schedule] : base->schedules)
    if (known_name(hparam) && !spec.schedules.contains(hparam)) return std::nullopt;
  return *base;
}

// The real folder, however it is written; empty when there is none.
std::string true_folder(const std::string& folder) {
  std::error_code failed;
  const auto path = std::filesystem::canonical(folder.empty() ? "." : folder, failed);
  return failed ? std::string() : path.string();
}

std::string with_slash(std::string folder) {
  if (!folder.empty() && folder.back() != '/') folder += '/';
  return folder;
}

bool is_preset_folder(const std::string& folder) {
  const std::string own = true_folder(std::string(kPresetFolder));
  return !own.empty() && own == true_folder(folder);
}

Result<void> check_preset_name(const std::string& name) {
  if (name.empty()) return bad_input("a recipe needs a name");
  if (name.size() > kLongestName)
    return bad_input(fmt::format("the name has {} characters; at most {} are possible", name.size(), kLongestName));
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  if (!std::all_of(name.begin(), name.end(), plain) || name.front() == '-')
    return bad_input("a name is made of letters a to z, digits, _ and -, with no - in front");
  return {};
}

} // namespace

std::vector<std::string> schedule_toml(const OptimizerSpec& spec) {
  const auto base = origin(spec);
  std::vector<std::string> lines;
  for (const auto& [name, s] : spec.schedules) {
    if (base && base->schedules.contains(name) && same_schedule(base->schedules.at(name), s)) continue;
    lines.push_back(fmt::format("schedule.{} = {}", hparam_key_toml(spec, name), schedule_value(s)));
  }
  return lines;
}

std::string hparam_key_toml(const OptimizerSpec& spec, const std::string& name) {
  const auto dot = name.rfind('.'); // a target may have dots, what follows it has none
  if (dot != std::string::npos && find_route(spec, name.substr(0, dot)))
    return key_toml(name.substr(0, dot)) + "." + key_toml(name.substr(dot + 1));
  return key_toml(name);
}

std::vector<std::string> optimizer_toml(const OptimizerSpec& spec, const std::string& key) {
  const auto found = origin(spec);
  const OptimizerSpec base = found ? *found : plain_recipe();
  std::vector<std::string> lines;
  for (const Part part : kRecipeParts)
    if (spec.chain(part) != base.chain(part))
      lines.push_back(fmt::format("{}.{} = {}", key, part_name(part),
                                  chain_toml(spec.chain(part), would_inherit(spec.chain(part), base.chain(part)))));
  for (const auto& [name, value] : spec.hparams)
    if (const auto it = base.hparams.find(name); it == base.hparams.end() || it->second != value)
      lines.push_back(fmt::format("{}.hparam.{} = {}", key, hparam_key_toml(spec, name), number_toml(value)));
  for (const auto& [field, text, old] :
       {std::tuple{"title", &spec.title, &base.title}, std::tuple{"description", &spec.description, &base.description},
        std::tuple{"source", &spec.source, &base.source},
        std::tuple{"not_promised", &spec.not_promised, &base.not_promised}})
    if (*text != *old) lines.push_back(fmt::format("{}.{} = {}", key, field, quoted_toml(*text)));
  if (found && lines.empty() && spec.name == base.name) return {fmt::format("{} = {}", key, quoted_toml(spec.name))};
  if (found) lines.insert(lines.begin(), fmt::format("{}.base = {}", key, quoted_toml(base.name)));
  lines.push_back(fmt::format("{}.name = {}", key, quoted_toml(spec.name)));
  return lines;
}

namespace {

std::vector<std::string> lines_of(const RouteSpec& route) {
  const std::string key = "route." + key_toml(route.target);
  if (!route.recipe) return {fmt::format("{} = {}", key, quoted_toml(kSameRecipe))};
  std::vector<std::string> lines = optimizer_toml(*route.recipe, key);
  for (const std::string& line : schedule_toml(*route.recipe)) lines.push_back(key + "." + line);
  return lines;
}

} // namespace

std::vector<std::string> route_toml(const OptimizerSpec& spec) {
  const auto base = origin(spec);
  std::vector<std::string> lines;
  for (const RouteSpec& route : spec.routes) {
    const std::vector<std::string> own = lines_of(route);
    bool inherited = false;
    for (const RouteSpec& other : base ? base->routes : std::vector<RouteSpec>{})
      inherited = inherited || (other.target == route.target && lines_of(other) == own);
    if (!inherited) lines.insert(lines.end(), own.begin(), own.end());
  }
  return lines;
}

std::string preset_toml(const OptimizerSpec& spec) {
  std::string out;
  for (const auto& [key, text] : {std::pair{"title", &spec.title}, std::pair{"description", &spec.description},
                                  std::pair{"source", &spec.source}, std::pair{"not_promised", &spec.not_promised}})
    if (!text->empty()) out += fmt::format("{} = {}\n", key, quoted_toml(*text));
  for (const Part part : kRecipeParts) out += fmt::format("{} = {}\n", part_name(part), chain_toml(spec.chain(part)));
  for (const Setting& setting : hparam_settings(spec))
    if (const auto it = spec.hparams.find(setting.name); it != spec.hparams.end())
      out += fmt::format("hparam.{} = {}\n", hparam_key_toml(spec, it->first), number_toml(it->second));
  for (const auto& [name, schedule] : spec.schedules)
    out += fmt::format("schedule.{} = {}\n", hparam_key_toml(spec, name), schedule_value(schedule));
  for (const RouteSpec& route : spec.routes)
    for (const std::string& line : lines_of(route)) out += line + "\n";
  return out;
}

std::string preset_folder_for(const std::string& scene_path) {
  if (file_exists(std::string(kPresetFolder))) return std::string(kPresetFolder);
  if (scene_path.empty() || !file_exists(scene_path)) return "./";
  const auto slash = scene_path.rfind('/');
  return slash == std::string::npos ? "./" : scene_path.substr(0, slash + 1);
}

std::string name_in_scenes(const PresetTarget& target, const std::string& scene_path) {
  if (is_preset_folder(target.folder)) return target.name;
  const auto slash = scene_path.rfind('/');
  const std::string beside = slash == std::string::npos ? "." : scene_path.substr(0, slash + 1);
  const bool near = !scene_path.empty() && file_exists(scene_path) && true_folder(beside) == true_folder(target.folder);
  return near ? target.name + ".toml" : with_slash(true_folder(target.folder)) + target.name + ".toml";
}

Result<std::string> preset_path(const PresetTarget& target) {
  if (auto ok = check_preset_name(target.name); !ok) return ok.error();
  std::error_code failed;
  if (!std::filesystem::is_directory(target.folder.empty() ? "." : target.folder, failed))
    return bad_input(fmt::format("there is no folder '{}'", target.folder));
  if (is_preset_folder(target.folder) && embedded_file(std::string(kPresetFolder) + target.name + ".toml"))
    return bad_input(fmt::format("{} is an optimizer that comes with the program; choose another name", target.name));
  return with_slash(target.folder) + target.name + ".toml";
}

Result<std::string> save_preset(const OptimizerSpec& spec, const PresetTarget& target, bool replace) {
  auto path = preset_path(target);
  if (!path) return path;
  if (spec.title.size() > kLongestTitle)
    return bad_input(
        fmt::format("the title has {} characters; at most {} are possible", spec.title.size(), kLongestTitle));
  if (!replace && file_exists(*path)) return bad_input(fmt::format("{} exists already", *path));
  if (auto written = write_file(*path, preset_toml(spec)); !written) return written.error();
  return path;
}

} // namespace polarscope
