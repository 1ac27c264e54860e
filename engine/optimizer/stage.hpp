// A stage: one reusable piece of an optimizer, and the registry of all of them.
//
// To add a stage: write engine/optimizer/stages/<name>.cpp with one function that returns its Stage, and add one
// line to the list in engine/optimizer/stages.def. Options, ranges, documentation, `list stages`, the recipe panel and
// the property tests follow from the record.
#pragma once

#include "engine/optimizer/motion.hpp"
#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"
#include "engine/result.hpp"
#include "engine/setting.hpp"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// What a stage sees while it writes its operations for one parameter. A stage that reparametrises (magnitude with
// gains) redirects weight and gradient in `enter` and undoes it in `leave`.
struct StageContext {
  ProgramBuilder& build;
  int parameter;
  std::uint32_t rows, cols;
  SlotId weight;   // what the inner stages train: W, or the direction part of W
  SlotId gradient; // loss gradient with respect to `weight`
  SlotId update;   // scratch: the update U, W ← W − η U
  HparamId lr;
  const OptimizerSpec& spec;
  const PartSpec& part;                      // this stage's own options as written
  const struct Stage* stage;                 // this stage
  Phase phase = Phase::direction;            // of this hook's operations
  std::map<std::string, SlotId> shared = {}; // slots that one hook of the stage hands to its next

  // Options and hyperparameters resolved against the stage's declaration.
  std::string word(std::string_view option) const;
  bool flag(std::string_view option) const;
  long integer(std::string_view option) const;
  double number(std::string_view option) const;
  HparamId hparam(std::string_view name);
  // A hyperparameter of whichever stage of the recipe declares it; kNone when none does.
  HparamId hparam_of_recipe(std::string_view name);
  // A slot "<parameter>.<name>" that another stage of the recipe has made, or kNone.
  SlotId slot_of_recipe(std::string_view name) const;

  // New slots of this parameter, named "<parameter>.<name>"; "<parameter>.<kind>_<name>" where another stage has the name.
  SlotId state(std::string_view name, std::uint32_t slot_rows, std::uint32_t slot_cols, std::string meaning);
  SlotId scratch(std::string_view name, std::uint32_t slot_rows, std::uint32_t slot_cols, std::string meaning);
  SlotId slot(std::string_view name, Role role, std::uint32_t slot_rows, std::uint32_t slot_cols, std::string meaning);
  // Declares the stage's promise number `index` for this parameter. The op that measures the violation (a number that
  // is 0 when the promise is kept) writes it to the returned metric column. `exact` as in InvariantColumn.
  std::uint32_t promise(std::size_t index, double tolerance, int every = 1, bool exact = true);
  // Emits an op that only measures a violation: it counts among the metrics, not as a part of the step.
  void emit_check(Op op, std::string text);
  // Tolerance of relations that hold up to rounding: norms re-established each step.
  double rounding() const { return build.precision() == Precision::f64 ? 1e-12 : 2e-6; }
};

// What a stage promises about the weights or the update; checked live, by tests and by the exit code.
struct Promise {
  std::string name;    // "matrix norm fixed"
  std::string meaning; // one sentence
  std::string column;  // name of the hidden metric that holds the violation
};

struct Stage {
  Part part = Part::direction;
  std::string kind;    // registry key: "adam", "orthogonalise", "hyperball"
  std::string meaning; // one sentence
  std::string formula; // Unicode text
  std::string source;
  std::vector<Setting> options;
  std::vector<Setting> hparams;
  std::vector<Promise> promises;
  bool own_size = false; // geometry: the update has a size of its own (sign, normalised, orthogonalised, Adam)
  // Hooks, in the order of a step; null when the stage has nothing to do there.
  void (*start)(StageContext&) = nullptr; // once, before step 1: state, projections of the start
  void (*enter)(StageContext&) = nullptr; // before the direction: reparametrise, coupled decay
  void (*emit)(StageContext&) = nullptr;  // the stage's own place in the step
  void (*leave)(StageContext&) = nullptr; // after the weight moved: retract, recompose
  // States the stage's fact about the weight's motion under its options; null states none. Writes no operations.
  void (*motion)(const StageContext&, Motion&) = nullptr;
};

// Every stage, in the order of stages.def.
const std::vector<Stage>& stages();
const Stage* find_stage(Part part, std::string_view kind);
std::vector<std::string> stage_kinds(Part part); // of the part's stages
// What a recipe has when it does not name this part: the first of the part's stages.
const Stage& default_stage(Part part);

// The parts that a recipe names; schedules are named per hyperparameter.
inline constexpr std::array<Part, 4> kRecipeParts = {Part::direction, Part::geometry, Part::magnitude, Part::decay};

// One stage of a recipe as chosen: its place, what was written for it, and its registry entry.
struct StageLink {
  Part part;
  std::size_t index; // in the part's chain
  const PartSpec* spec;
  const Stage* stage;
};
// Every stage of a recipe in the order of a step. A kind that is not registered is left out (check_optimizer refuses it).
std::vector<StageLink> stage_links(const OptimizerSpec& spec);
const Stage& stage_of(const OptimizerSpec& spec, Part part); // the first of a part of a checked recipe
// The first stage of the part's chain that has the option; null when none has.
const StageLink* find_option(const std::vector<StageLink>& links, Part part, std::string_view option);

// The learning rate, a hyperparameter of every direction.
Setting learning_rate(double value);
// Every hyperparameter that a recipe's stages know, the learning rate first; then those of its routes by their full names.
std::vector<Setting> hparam_settings(const OptimizerSpec& spec);
// Does the value have the setting's kind and lie in its range? `where` names it in the error: "geometry.ns_steps".
Result<void> check_value(const Setting& setting, const SettingValue& value, const std::string& where,
                         const Place& place);
// A chain has a stage, and none twice: a stage's options and slots go by its name. Decay is one stage, as it also applies
// the step.
Result<void> check_chain(const StageChain& chain, Part part, const Place& place);
// Kinds, options, hyperparameters and schedules of a recipe against the registry.
Result<void> check_optimizer(const OptimizerSpec& spec);

} // namespace polarscope
