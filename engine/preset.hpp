// Optimizers as TOML tables: presets (scenes/optimizers/*.toml), files of the user, and tables inside a scene share
// this reader. `base` inherits from another preset or file.
#pragma once

#include "engine/optimizer/stage.hpp"
#include "engine/setting.hpp"
#include "engine/toml_reader.hpp"

#include <map>
#include <string>
#include <vector>

namespace polarscope {

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

} // namespace polarscope
