// A metric: something measured each step; and the registry of all of them. Each parameter-wise metric is emitted
// once per parameter.
//
// To add a metric: write engine/metric/<name>.cpp with one function that returns its Metric, and add one line to the
// list in engine/metric/metrics.def.
#pragma once

#include "engine/program.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

enum class MetricShape { scalar, per_row, per_column };

// What metrics need to know about the recipe that trains one parameter.
struct UpdateInfo {
  HparamId lr = kNone;    // η, after schedules
  SlotId update = kNone;  // U of W ← W − η U, as it stands when the weight has moved
  SlotId trained = kNone; // what U moves when it is not the weight itself: the direction part; kNone: the weight
  bool own_size = false;  // the geometry gives the update a size of its own: see effective_lr
};

// Metrics of one parameter (or of the whole run) that share an emit function and a cadence: one operation may fill all
// of their columns.
struct MetricBatch {
  ProgramBuilder& build;
  int parameter; // −1 for metrics of the whole run
  int every;
  UpdateInfo info;
  std::map<std::string, int, std::less<>> columns; // metric name → its first column

  int column(std::string_view metric) const; // −1 when it is not wanted here
  const ParamInfo& param() const { return build.parameters()[static_cast<std::size_t>(parameter)]; }
  void emit(Op op, std::string text);       // to the step list, at this batch's cadence
  void emit_start(Op op, std::string text); // to the start list, for row 0: no update has been made yet
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
  int every = 1;          // default cadence; 0: only when a scene asks for it
  int every_of_large = 0; // the same for parameters of more than kLargeParameter elements, where it is another
  bool of_update = false; // needs W_{t−1}: has no value in row 0
  bool log_by_default = false;
  void (*emit)(MetricBatch&) = nullptr;         // null: written by the problem's own operations (loss)
  void (*emit_one_row)(MetricBatch&) = nullptr; // instead, for a parameter of one row, where that is simpler
};

// Beyond it a spectral norm at every step would cost more than the steps of a small network.
inline constexpr std::uint32_t kLargeParameter = 128;

const std::vector<Metric>& metrics();
const Metric* find_metric(std::string_view name);
// Whether a column is recorded at a step: its cadence, and nothing of an update in row 0.
bool has_value_at(const MetricColumn& column, long step);

// Declares the columns of every wanted metric and emits what fills them, to the start list and to the step list. Call
// it once, after everything else has been emitted: metrics measure what a step has left behind. `every` overrides
// default cadences by metric name (0 = leave out); `updates` has one entry per parameter of the builder.
void emit_metrics(ProgramBuilder& build, const std::map<std::string, int>& every,
                  const std::vector<UpdateInfo>& updates);

} // namespace polarscope
