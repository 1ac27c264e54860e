#include "engine/scene.hpp"

#include "engine/compile.hpp"
#include "engine/embedded.hpp"
#include "engine/files.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/preset.hpp"
#include "engine/scene_read.hpp"
#include "engine/scene_tree.hpp"
#include "engine/sweep.hpp"
#include "engine/toml_reader.hpp"
#include "engine/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

namespace polarscope {

namespace {

bool names_scene_key(const SetArgument& set) {
  const std::string first = split_key(set.key).front();
  return first != set.key && (first == "scene" || first == "problem" || first == "metrics" || first == "view" ||
                              first == "expect" || first == "sweep");
}

std::string joined(const std::vector<std::string>& path, std::size_t from) {
  return fmt::format("{}", fmt::join(path.begin() + static_cast<std::ptrdiff_t>(from), path.end(), "."));
}

// route.2.weight.lr: of the parts from `at` on, those that make one dotted name of the recorded parameters, or a pattern
// that one of them matches, become one part; as many as do. A role's word and a name that is there stand for themselves.
void join_dotted_target(std::vector<std::string>& path, std::size_t at, const Scene& scene, const RunSpec& run) {
  if (!scene.problem_values.trace || path.size() < at + 2) return;
  const auto& words = route_words();
  if (std::find(words.begin(), words.end(), path[at]) != words.end() || find_route(run.optimizer, path[at])) return;
  const auto& parameters = scene.problem_values.trace->parameters();
  std::string target = path[at], longest;
  std::size_t count = 0;
  for (std::size_t next = at + 1; next < path.size(); ++next) {
    target += "." + path[next];
    const bool met = std::any_of(parameters.begin(), parameters.end(), [&](const TraceParameter& p) {
      ParamInfo info{p.name, p.rows, p.cols};
      info.role = p.role;
      return is_target_of(target, info);
    });
    if (!met) continue;
    count = next - at;
    longest = target;
  }
  if (count == 0) return;
  path[at] = longest;
  const auto after = path.begin() + static_cast<std::ptrdiff_t>(at + 1);
  path.erase(after, after + static_cast<std::ptrdiff_t>(count));
}

// Where in a run's table the key of a --set belongs; empty when the run has no such key. `ambiguous` receives the
// full names when a short one means several.
std::vector<std::string> run_path(const Scene& scene, const RunSpec& run, const SetArgument& set,
                                  std::vector<std::string>& ambiguous) {
  std::vector<std::string> path = split_key(set.key);
  if (path.front() == "route") join_dotted_target(path, 1, scene, run);
  const std::string& first = path.front();
  const auto hparams = optimizer_hparams(run.optimizer);
  const auto has_hparam = [&](const std::string& name) {
    return std::any_of(hparams.begin(), hparams.end(), [&](const Setting& s) { return s.name == name; });
  };
  // As a table's path: the number of a route is an entry of the table of its target, whose name may have dots.
  const auto hparam_path = [](const std::string& name) {
    const auto dot = name.rfind('.');
    if (dot == std::string::npos) return std::vector<std::string>{"hparam", name};
    return std::vector<std::string>{"hparam", name.substr(0, dot), name.substr(dot + 1)};
  };
  if (path.size() > 1 &&
      (first == "hparam" || first == "optimizer" || first == "schedule" || first == "start" || first == "route")) {
    if (first != "hparam") return path;
    const std::string name = joined(path, 1);
    return has_hparam(name) ? hparam_path(name) : std::vector<std::string>{};
  }
  if (set.key == "optimizer" || (!set.label.empty() && (set.key == "seed" || set.key == "label"))) return path;
  if (const std::string name = joined(path, 0); has_hparam(name)) return hparam_path(name);
  std::vector<std::vector<std::string>> found;
  if (is_recipe_part(first) && (path.size() == 1 || (path.size() == 2 && path[1] == "kind")))
    return {"optimizer", first, "kind"};
  const std::vector<StageLink> links = stage_links(run.optimizer);
  for (const Part part : kRecipeParts) {
    const std::string name = part_name(part);
    if (path.size() > 2 || (path.size() == 2 && first != name)) continue;
    if (find_option(links, part, path.back())) found.push_back({"optimizer", name, path.back()});
  }
  if (found.size() == 1) return found.front();
  for (const auto& one : found) ambiguous.push_back(one[1] + "." + one[2]);
  return {};
}

std::vector<std::string> settable_keys(const Scene& scene) {
  std::set<std::string> keys = {"optimizer"};
  for (const RunSpec& run : scene.runs) {
    for (const Setting& hparam : optimizer_hparams(run.optimizer)) keys.insert(hparam.name);
    for (const StageLink& link : stage_links(run.optimizer)) {
      keys.insert(part_name(link.part) + std::string(".kind"));
      for (const Setting& option : link.stage->options) {
        keys.insert(option.name);
        keys.insert(part_name(link.part) + ("." + option.name));
      }
    }
  }
  for (const Setting& key : scene_keys()) keys.insert("scene." + key.name);
  for (const auto& [key, value] : scene.problem_values.values) keys.insert("problem." + key);
  return {keys.begin(), keys.end()};
}

bool is_swept(const Scene& scene, std::size_t run, const std::vector<std::string>& path) {
  if (!scene.sweep || path[0] != "hparam") return false;
  const std::string name = joined(path, 1);
  return std::any_of(scene.sweep->hparams.begin(), scene.sweep->hparams.end(),
                     [&](const SweepAxis& axis) { return axis.hparam == name && axis.of_run[run]; });
}

// One --set that concerns runs, applied to the tables of every run that has the key.
Result<void> apply_run_set(TomlValue& tree, const Scene& scene, const SetArgument& set, const TomlValue& value) {
  TomlEntry* runs = tree.find("run");
  bool label_found = set.label.empty(), applied = false;
  std::vector<std::string> ambiguous;
  for (std::size_t i = 0; i < scene.runs.size(); ++i) {
    if (!set.label.empty() && scene.runs[i].label != set.label) continue;
    label_found = true;
    const std::vector<std::string> path = run_path(scene, scene.runs[i], set, ambiguous);
    if (path.empty()) continue;
    if (is_swept(scene, i, path))
      return bad_input(fmt::format("'{0}' is swept; sweep.hparam.{0} sets what it goes through", joined(path, 1)),
                       value.place);
    set_path(runs->value.items[i], path, 0, value);
    applied = true;
  }
  if (applied) return {};
  if (!label_found) {
    std::vector<std::string> labels;
    for (const RunSpec& run : scene.runs) labels.push_back(run.label);
    return bad_input(fmt::format("no run is labelled '{}'{}", set.label, suggestion(set.label, labels)), value.place);
  }
  if (!ambiguous.empty())
    return bad_input(fmt::format("'{}' is ambiguous: {}", set.key, fmt::join(ambiguous, " or ")), value.place);
  const std::vector<std::string> keys = settable_keys(scene);
  const auto longer =
      std::find_if(keys.begin(), keys.end(), [&](const std::string& k) { return k.ends_with("." + set.key); });
  const std::string near = longer == keys.end() ? nearest_word(set.key, keys) : *longer;
  return bad_input(
      fmt::format("no run has the key '{}'{}", set.key, near.empty() ? "" : fmt::format("; did you mean '{}'?", near)),
      value.place);
}

// A number that was set for all runs is left out where the run's options make nothing of it, as long as another run
// uses it; compiling refuses it where none does.
void drop_unused(Scene& scene, const Place& written) {
  std::vector<std::pair<RunSpec*, std::string>> unused;
  bool used = false;
  for (RunSpec& run : scene.runs)
    for (const auto& [name, place] : run.hparam_places) {
      if (place.file != written.file) continue;
      if (uses_hparam(scene, run, name)) used = true;
      else unused.emplace_back(&run, name);
    }
  if (!used) return;
  for (const auto& [run, name] : unused) {
    run->hparams.erase(name);
    run->hparam_places.erase(name);
  }
}

// Writes the default labels down: a run keeps its name when a --set changes its optimizer.
void pin_labels(TomlValue& tree, const Scene& scene) {
  TomlEntry* runs = tree.find("run");
  for (std::size_t i = 0; i < scene.runs.size(); ++i)
    if (TomlValue& run = runs->value.items[i]; !run.find("label"))
      run.entries.push_back({"label", run.place, toml_text(scene.runs[i].label, run.place)});
}

struct Found {
  std::string path, text;
};

// The names under which a scene may be stored, most literal first.
std::vector<std::string> spellings(const std::string& name) {
  if (name.ends_with(".toml")) return {name};
  return {name, name + ".toml"};
}

Result<Found> find_scene(const std::string& name) {
  std::vector<std::string> paths = spellings(name);
  std::vector<std::string> folders = installed_folders();
  folders.insert(folders.begin(), ".");
  if (name.empty() || name.front() != '/')
    for (const std::string& folder : folders)
      for (const std::string& spelling : spellings(name)) {
        paths.push_back(folder == "." ? "scenes/" + spelling : folder + "/scenes/" + spelling);
        if (name.starts_with("scenes/")) paths.push_back(folder + "/" + spelling);
      }
  bool folder_met = false;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    if (std::filesystem::is_directory(path, error)) {
      folder_met = true;
      continue;
    }
    auto text = read_file(path, kLargestScene);
    if (!text) return text.error();
    return Found{path, *text};
  }
  for (const std::string& spelling : spellings(name))
    for (const std::string& path : {"scenes/" + spelling, spelling})
      if (const EmbeddedFile file = embedded_file(path); file && path.starts_with("scenes/"))
        return Found{path, std::string(file.text())};
  if (folder_met) return bad_input("is a folder, not a scene", {name});
  std::vector<std::string> names;
  for (const SceneEntry& entry : installed_scenes()) names.push_back(entry.name);
  return bad_input(fmt::format("no scene '{}'{}", name, did_you_mean(name, names)));
}

// What a file that is no scene is, by its keys; nothing where it may be one.
std::optional<Error> not_a_scene(const TomlValue& tree, const std::string& file) {
  const auto has = [&](const char* key) { return tree.find(key) != nullptr; };
  if (has("scene") || has("problem") || has("run")) return std::nullopt;
  if (has("lesson") || has("part")) return bad_input("is a lesson, not a scene", {file});
  const std::vector<Setting>& keys = optimizer_keys();
  if (std::none_of(keys.begin(), keys.end(), [&](const Setting& key) { return has(key.name.c_str()); }))
    return std::nullopt;
  return bad_input(fmt::format("is an optimizer, not a scene; a scene can use it: --set optimizer={}", file), {file});
}

std::string text_of(const TomlValue& tree, const char* key) {
  const TomlEntry* table = tree.find("scene");
  const TomlEntry* entry = table && table->value.is_table() ? table->value.find(key) : nullptr;
  return entry && entry->value.is_text() ? entry->value.text : "";
}

} // namespace

Result<SetArgument> parse_set(const std::string& text) {
  const Place place{"--set " + text};
  const auto equals = text.find('=');
  if (equals == std::string::npos) return bad_input("must be [LABEL:]key=value", place);
  SetArgument set;
  set.key = text.substr(0, equals);
  set.value = text.substr(equals + 1);
  if (const auto colon = set.key.rfind(':'); colon != std::string::npos) {
    set.label = set.key.substr(0, colon);
    set.key.erase(0, colon + 1);
    if (set.label.empty()) return bad_input("the label before ':' is empty", place);
  }
  const std::vector<std::string> parts = split_key(set.key);
  if (std::any_of(parts.begin(), parts.end(), [](const std::string& p) { return p.empty(); }) || parts.size() > 8)
    return bad_input("must be [LABEL:]key=value", place);
  if (set.value.empty()) return bad_input("the value is empty", place);
  return set;
}

Result<Scene> parse_scene(const std::string& text, const std::string& file, const std::vector<SetArgument>& sets) {
  if (text.size() > kLargestScene) return bad_input(fmt::format("is larger than {} bytes", kLargestScene), {file});
  auto tree = parse_toml(text, file);
  if (!tree) return tree.error();
  if (const auto other = not_a_scene(*tree, file)) return *other;
  const auto value_of = [](const SetArgument& set) {
    const std::string label = set.label.empty() ? "" : set.label + ":";
    return parse_toml_value(set.value, {fmt::format("--set {}{}={}", label, set.key, set.value)});
  };
  for (const SetArgument& set : sets) {
    if (!names_scene_key(set)) continue;
    const TomlValue value = value_of(set);
    if (!set.label.empty()) return bad_input("a label goes with a run's key, not with the scene's", value.place);
    set_path(*tree, split_key(set.key), 0, value);
  }
  // What is set for a run may concern one of those that the words of [sweep] make of it.
  if (std::any_of(sets.begin(), sets.end(), [](const SetArgument& s) { return !names_scene_key(s); })) {
    FirstError errors;
    lower_sweep(*tree, folder_of_scene(file), errors);
    if (!errors.empty()) return errors.error();
  }
  for (const SetArgument& set : sets) {
    if (names_scene_key(set)) continue;
    const auto scene = read_scene(*tree, file);
    if (!scene) return scene.error();
    pin_labels(*tree, *scene);
    if (auto done = apply_run_set(*tree, *scene, set, value_of(set)); !done) return done.error();
  }
  auto scene = read_scene(*tree, file);
  if (!scene) return scene;
  for (const SetArgument& set : sets)
    if (set.label.empty()) drop_unused(*scene, value_of(set).place);
  if (auto ok = check_sweep_size(*scene); !ok) return ok.error();
  drop_unused_axes(*scene);
  if (auto ok = check_member_labels(*scene); !ok) return ok.error();
  return scene;
}

Result<Scene> load_scene(const std::string& name, const std::vector<SetArgument>& sets) {
  const auto found = find_scene(name);
  if (!found) return found.error();
  return parse_scene(found->text, found->path, sets);
}

std::vector<SceneEntry> installed_scenes() {
  std::set<std::string> names;
  const auto add = [&](const std::string& file) { // path under scenes/
    if (!file.starts_with("optimizers/") && !file.starts_with("lessons/"))
      names.insert(file.substr(0, file.size() - 5));
  };
  for (const std::string_view file : embedded_file_names())
    if (file.starts_with("scenes/") && file.ends_with(".toml")) add(std::string(file.substr(7)));
  std::vector<std::string> folders = installed_folders();
  folders.push_back(".");
  for (const std::string& folder : folders)
    for (const std::string& file : toml_files_below(folder + "/scenes")) add(file);
  std::vector<SceneEntry> out;
  for (const std::string& name : names) {
    SceneEntry entry{name, "", ""};
    if (const auto found = find_scene("scenes/" + name))
      if (const auto tree = parse_toml(found->text, found->path)) {
        entry.title = text_of(*tree, "title");
        entry.description = text_of(*tree, "description");
      }
    out.push_back(std::move(entry));
  }
  const auto folder = [](const std::string& name) {
    const auto slash = name.rfind('/');
    return slash == std::string::npos ? std::string() : name.substr(0, slash);
  };
  std::stable_sort(out.begin(), out.end(), [&](const SceneEntry& a, const SceneEntry& b) {
    return std::pair(folder(a.name), a.name) < std::pair(folder(b.name), b.name);
  });
  return out;
}

} // namespace polarscope
