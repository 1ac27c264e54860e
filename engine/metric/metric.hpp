// A metric: something measured each step; and the registry of all of them. Each parameter-wise metric is emitted
// once per parameter.
//
// To add a metric: write engine/metric/<name>.cpp with one function that returns its Metric, and add one line to the
// list in engine/metric/metrics.def.
#pragma once

#include "engine/program.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

enum class MetricShape { scalar, per_row, per_column };

struct MetricContext {
  ProgramBuilder& build;
  int parameter; // −1 for metrics of the whole run
  int column;    // first metric column
  int every;
  HparamId lr;
  bool own_size; // the recipe's geometry gives the update a size of its own: see effective_lr
};

struct Metric {
  std::string name;    // "frobenius_norm"
  std::string title;   // "Frobenius norm", as panels write it
  std::string unit;    // "", "rad", "rad / step"
  std::string formula; // Unicode text: "‖W‖ = √ Σᵢⱼ Wᵢⱼ²"
  std::string meaning; // one sentence of at most 20 words
  std::string source;
  MetricShape shape = MetricShape::scalar;
  bool per_parameter = true;
  int every = 1;             // default cadence
  bool of_update = false;    // needs W_{t−1}: has no value in row 0
  bool log_by_default = false;
  void (*emit)(MetricContext&) = nullptr;
};

const std::vector<Metric>& metrics();
const Metric* find_metric(std::string_view name);

} // namespace polarscope
