// A problem: parameters, data, and the operations that compute loss and gradient; and the registry of all of them.
//
// To add a problem: write engine/problem/<name>.cpp with one function that returns its Problem, and add one line to the
// list in engine/problem/problems.def.
#pragma once

#include "engine/program.hpp"
#include "engine/setting.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

class Trace;

// Values of a problem's keys, resolved against its schema.
struct ProblemValues {
  std::map<std::string, SettingValue> values;
  std::shared_ptr<const Trace> trace = {}; // of a problem `from_trace`: the file that its keys name, opened and checked
  double number(std::string_view key) const;
  long integer(std::string_view key) const;
  std::string word(std::string_view key) const;
  bool flag(std::string_view key) const;
};

// Host-side contents of one data or weight slot at step 0, row-major without padding, in double; the backend rounds
// it to the program's precision.
using SlotContents = std::vector<double>;

// Most elements of one parameter or data slot; a larger problem is refused before anything is allocated.
inline constexpr double kMostElements = 1 << 24;

struct Problem {
  std::string kind;
  std::string title;
  std::string meaning; // one or two sentences
  std::string formula;
  std::string source;
  std::vector<Setting> keys;
  // Elements that the largest parameter or data slot would have, for refusing absurd sizes before allocating.
  double (*elements)(const ProblemValues&) = nullptr;
  bool from_trace = false; // gradients come from a file: no loss, and as many steps as the file has
  // Declares the metric "loss" before anything else, so that it is column 0, then parameters and data, and emits the
  // gradient ops (loss ops between begin_loss and end_loss, then noise, then what the invariants measure).
  void (*emit)(const ProblemValues&, ProgramBuilder&) = nullptr;
  // Contents of every data slot, by slot name, from the run's seed.
  std::map<std::string, SlotContents> (*data)(const ProblemValues&, std::uint64_t seed) = nullptr;
  // The start weight of every parameter from the run's seed, by parameter name, before `start` of the scene.
  std::map<std::string, SlotContents> (*start)(const ProblemValues&, std::uint64_t seed) = nullptr;
  // Start keys that only this problem understands (circle: radius and angle), or null.
  std::map<std::string, SlotContents> (*start_from_keys)(const ProblemValues&,
                                                         const std::map<std::string, double>&) = nullptr;
  std::vector<Setting> start_keys = {};
};

const std::vector<Problem>& problems();
const Problem* find_problem(std::string_view kind);

} // namespace polarscope
