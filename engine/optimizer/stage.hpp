// A stage: one reusable piece of an optimizer, and the registry of all of them.
//
// To add a stage: write engine/optimizer/stages/<name>.cpp with one function that returns its Stage, and add one
// line to the list in engine/optimizer/stages.def. Options, ranges, documentation, `list stages`, the recipe panel and
// the property tests follow from the record.
#pragma once

#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"
#include "engine/setting.hpp"

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
  const PartSpec& part;          // this stage's own options as written
  const struct Stage* stage;     // this stage
  std::map<std::string, SlotId> shared; // slots one hook hands to the next

  // Options and hyperparameters resolved against the stage's declaration.
  std::string word(std::string_view option) const;
  bool flag(std::string_view option) const;
  long integer(std::string_view option) const;
  HparamId hparam(std::string_view name);
};

// What a stage promises about the weights or the update; checked live, by tests and by the exit code.
struct Promise {
  std::string name;    // "matrix norm fixed"
  std::string meaning; // one sentence
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
  void (*start)(StageContext&) = nullptr;   // once, before step 1: state, projections of the start
  void (*enter)(StageContext&) = nullptr;   // before the direction: reparametrise, coupled decay
  void (*emit)(StageContext&) = nullptr;    // the stage's own place in the step
  void (*leave)(StageContext&) = nullptr;   // after the weight moved: retract, recompose
};

// Every stage, in the order of stages.def.
const std::vector<Stage>& stages();
const Stage* find_stage(Part part, std::string_view kind);

} // namespace polarscope
