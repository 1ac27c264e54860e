// An optimizer as data: five parts, each a chain of registered stages with options, plus hyperparameters. Made from TOML
// (scenes/optimizers/*.toml, or inline in a scene); nothing in the program asks for an optimizer's name.
#pragma once

#include "engine/result.hpp"
#include "engine/setting.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace polarscope {

enum class Part { direction, geometry, magnitude, decay, schedule };
inline constexpr std::array<Part, 5> kParts = {Part::direction, Part::geometry, Part::magnitude, Part::decay,
                                               Part::schedule};
const char* part_name(Part part);

// One chosen stage: its registry kind and the options given for it (others are at their defaults).
struct PartSpec {
  std::string kind;
  std::map<std::string, SettingValue> options;
  std::map<std::string, Place> places = {}; // where each option was written, for errors

  friend bool operator==(const PartSpec& a, const PartSpec& b) { return a.kind == b.kind && a.options == b.options; }
};

// The stages of one part, in the order in which they run; never empty, and one stage for most parts of most recipes.
using StageChain = std::vector<PartSpec>;

// How one hyperparameter changes over the steps (interface.md, "Scene keys": schedule.<name>).
struct ScheduleSpec {
  std::string kind = "constant"; // constant | linear | cosine | wsd | inverse_power
  double warmup = 0;             // ≥ 1: steps; < 1: fraction of scene.steps
  double cooldown = 0.2;
  std::string shape = "sqrt";
  double final_value = 0; // fraction of the base value at the end
  double floor = 0;       // smallest value, not a fraction; 0: none
};

struct OptimizerSpec;

// Another recipe for some of the parameters (engine/optimizer/route.hpp says which).
struct RouteSpec {
  std::string target;
  std::shared_ptr<const OptimizerSpec> recipe; // without routes of its own; null: the run's own
  bool required = false;                       // a scene asks for it: some parameter must go by it
  Place place = {};
};

struct OptimizerSpec {
  std::string name;  // preset's file name without .toml, or the run's own
  std::string title; // "Muon on a hyperball"
  std::string description;
  std::string source;       // which code or paper it copies
  std::string not_promised; // one sentence
  std::array<StageChain, 4> parts = {StageChain(1), StageChain(1), StageChain(1),
                                     StageChain(1)}; // direction, geometry, magnitude, decay
  std::map<std::string, double> hparams;             // values that differ from the stages' defaults
  std::map<std::string, Place> inline_hparams;       // those written in a scene's own table, where
  std::map<std::string, ScheduleSpec> schedules;     // by hyperparameter
  std::vector<RouteSpec> routes = {};                // by target; their hyperparameters are named <target>.<name>
  Place place;

  StageChain& chain(Part p) { return parts[static_cast<std::size_t>(p)]; }
  const StageChain& chain(Part p) const { return parts[static_cast<std::size_t>(p)]; }
  PartSpec& part(Part p) { return chain(p).front(); } // the first of its stages
  const PartSpec& part(Part p) const { return chain(p).front(); }
  // The recipe's own value of one of its hyperparameters, whatever a run sets instead.
  double value_of(const Setting& hparam) const {
    if (const auto given = hparams.find(hparam.name); given != hparams.end()) return given->second;
    for (const RouteSpec& route : routes) {
      if (!route.recipe || !hparam.name.starts_with(route.target + ".")) continue;
      const auto given = route.recipe->hparams.find(hparam.name.substr(route.target.size() + 1));
      if (given != route.recipe->hparams.end()) return given->second;
    }
    return std::get<double>(hparam.value);
  }
};

} // namespace polarscope
