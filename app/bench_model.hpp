// A frame's runs as a sweep: which run each member repeats, which numbers vary, each setting's loss over its seeds and
// each run's best. What the panels of the layout Bench draw, for the step at the cursor.
#pragma once

#include "app/run_numbers.hpp"
#include "engine/frame.hpp"
#include "engine/statistics.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

// Members that differ in nothing but the seed.
struct BenchSetting {
  std::size_t group = 0;
  std::vector<std::optional<double>> values; // of BenchModel::swept; none: the run lacks the number
  std::vector<std::size_t> runs;             // positions in the frame, by seed
  std::size_t diverged = 0;
  Estimate loss; // over those that did not diverge

  bool sound() const { return diverged == 0 && loss.count > 0; }
};

struct BenchEdge {
  std::size_t number; // of BenchModel::swept
  bool largest;
};

struct BenchGroup {
  std::string name;
  std::vector<std::size_t> settings;
  std::optional<std::size_t> best;
  std::vector<BenchEdge> edges; // of what was tried, where the best stands
  int style = 0;
};

struct BenchModel {
  std::vector<std::string> swept; // numbers that differ between members of a run
  std::vector<BenchGroup> groups;
  std::vector<BenchSetting> settings;
  std::vector<double> loss;            // per run of the frame: mean over the last tenth of the steps up to the cursor
  std::vector<RunNumbers> numbers;     // per run of the frame, at the cursor
  std::vector<std::size_t> setting_of; // per run of the frame
  bool accuracy = false;               // some run measures it
  long from = 0, to = 0;               // the steps of that mean
  std::size_t seeds = 0;               // most members of one setting

  // Loss of the setting `a` less that of `b`, over the seeds that both have without divergence.
  Estimate difference(const Frame& frame, const BenchSetting& a, const BenchSetting& b) const;
  // The setting of this group with the numbers of `like`, as far as the group has them; nothing where there is none, or
  // where it is not said which of several.
  std::optional<std::size_t> same(std::size_t group, const BenchSetting& like) const;
  // Numbers that differ within this group and that `like` has no value of: "rest.lr, momentum"; "" where there is none.
  std::string lacking(std::size_t group, const BenchSetting& like) const;
  std::string words(const BenchSetting& setting) const; // "lr 0.01, momentum 0.9"
};

// `thin`: from few steps of the tail, while the frame is moving.
BenchModel make_bench_model(const Frame& frame, bool thin);

} // namespace polarscope
