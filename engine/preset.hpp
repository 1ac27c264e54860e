// Optimizers as TOML tables: presets (scenes/optimizers/*.toml), files of the user, and tables inside a scene share
// this reader. `base` inherits from another preset or file.
#pragma once

#include "engine/optimizer/stage.hpp"
#include "engine/setting.hpp"
#include "engine/toml_reader.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// Where presets lie below the working folder and below those of the program.
inline constexpr std::string_view kPresetFolder = "scenes/optimizers/";

// Every hyperparameter that the spec's stages declare, each once, the learning rate first; values are the spec's.
std::vector<Setting> optimizer_hparams(const OptimizerSpec& spec);

// The keys of an optimizer's table.
const std::vector<Setting>& optimizer_keys();

// An optimizer as the value of a scene's `optimizer` key: a preset's name, a file, or a table. `folder` is that of
// the file that holds the value, for relative paths. Errors go to `errors`; the result is then unusable.
OptimizerSpec read_optimizer_value(const TomlValue& value, const std::string& folder, FirstError& errors);

// hparam.<name> and schedule.<name> tables, checked against the spec's stages.
// `places` receives where each was written.
void read_hparams(const TomlValue& table, const OptimizerSpec& spec, std::map<std::string, double>& out,
                  FirstError& errors, std::map<std::string, Place>* places = nullptr);
void read_schedules(const TomlValue& table, const OptimizerSpec& spec, std::map<std::string, ScheduleSpec>& out,
                    FirstError& errors);

// The routes of a table: target = a preset's name, a file, a table, or "same" for the run's own recipe.
void read_routes(const TomlValue& table, const std::string& folder, bool required, OptimizerSpec& spec,
                 FirstError& errors);

// The spec as the value of a key: lines of TOML, each starting with the key. Inherits where it can. Routes are not among it.
std::vector<std::string> optimizer_toml(const OptimizerSpec& spec, const std::string& key = "optimizer");
// Routes that differ from those of the preset the spec comes from: lines that start with "route".
std::vector<std::string> route_toml(const OptimizerSpec& spec);
// The name of a hyperparameter as a key: that of a route is a table's entry.
std::string hparam_key_toml(const OptimizerSpec& spec, const std::string& name);

// schedule lines that differ from those of the preset the spec comes from.
std::vector<std::string> schedule_toml(const OptimizerSpec& spec);

// The spec as a file of its own, which inherits nothing.
std::string preset_toml(const OptimizerSpec& spec);

// A preset's file to be written: <folder>/<name>.toml.
struct PresetTarget {
  std::string folder, name;
};
// Where a new preset is found best: the working folder's presets where there are any, else beside the scene's file.
std::string preset_folder_for(const std::string& scene_path);
// What a scene at this path writes after `optimizer =` to use the file.
std::string name_in_scenes(const PresetTarget& target, const std::string& scene_path);
// The file's path, or what is wrong with the name or the folder. Presets that come with the program stay.
Result<std::string> preset_path(const PresetTarget& target);
// Writes the file and returns its path. A file that exists is an error unless `replace`.
Result<std::string> save_preset(const OptimizerSpec& spec, const PresetTarget& target, bool replace);

} // namespace polarscope
