#include "engine/metric/metric.hpp"

#include <algorithm>
#include <cassert>

namespace polarscope {

#define POLARSCOPE_METRIC(name) Metric name##_metric();
#include "engine/metric/metrics.def"
#undef POLARSCOPE_METRIC

namespace {

std::vector<Metric> make_metrics() {
  return {
#define POLARSCOPE_METRIC(name) name##_metric(),
#include "engine/metric/metrics.def"
#undef POLARSCOPE_METRIC
  };
}

struct Wanted {
  const Metric* metric;
  void (*emit)(MetricBatch&);
  int every;
  int column;
};

int indexed_columns(const Metric& metric, const ParamInfo& p) {
  switch (metric.shape) {
  case MetricShape::per_row: return static_cast<int>(p.rows);
  case MetricShape::per_column: return static_cast<int>(p.cols);
  case MetricShape::scalar: break;
  }
  return ProgramBuilder::kScalar;
}

int default_cadence(ProgramBuilder& build, const Metric& metric, int parameter) {
  if (parameter < 0 || metric.every_of_large == 0) return metric.every;
  const ParamInfo& p = build.parameter(parameter);
  return std::uint64_t{p.rows} * p.cols > kLargeParameter ? metric.every_of_large : metric.every;
}

// The metrics of one parameter, their columns declared in registry order.
std::vector<Wanted> declare(ProgramBuilder& build, const std::map<std::string, int>& every, int parameter) {
  std::vector<Wanted> wanted;
  for (const Metric& metric : metrics()) {
    if (!metric.emit || metric.per_parameter != (parameter >= 0)) continue;
    const auto asked = every.find(metric.name);
    const int cadence = asked == every.end() ? default_cadence(build, metric, parameter) : asked->second;
    if (cadence <= 0) continue;
    const int indexed = parameter < 0 ? ProgramBuilder::kScalar : indexed_columns(metric, build.parameter(parameter));
    const bool one_row = parameter >= 0 && build.parameter(parameter).rows == 1 && metric.emit_one_row;
    wanted.push_back({&metric, one_row ? metric.emit_one_row : metric.emit, cadence,
                      build.metric(metric.name, parameter, indexed, cadence)});
  }
  return wanted;
}

// One batch per emit function and cadence, in order of first appearance.
void emit_batches(ProgramBuilder& build, const std::vector<Wanted>& wanted, int parameter, const UpdateInfo& info) {
  build.set_parameter(parameter);
  std::vector<bool> done(wanted.size(), false);
  for (std::size_t first = 0; first < wanted.size(); ++first) {
    if (done[first]) continue;
    MetricBatch batch{build, parameter, wanted[first].every, info, {}};
    for (std::size_t k = first; k < wanted.size(); ++k) {
      const Metric& metric = *wanted[k].metric;
      if (wanted[k].emit != wanted[first].emit || wanted[k].every != batch.every) continue;
      done[k] = true;
      batch.columns.emplace(metric.name, wanted[k].column);
    }
    wanted[first].emit(batch);
  }
}

} // namespace

const std::vector<Metric>& metrics() {
  static const std::vector<Metric> list = make_metrics();
  return list;
}

const Metric* find_metric(std::string_view name) {
  const std::vector<Metric>& list = metrics();
  const auto it = std::find_if(list.begin(), list.end(), [&](const Metric& m) { return m.name == name; });
  return it == list.end() ? nullptr : &*it;
}

bool has_value_at(const MetricColumn& column, long step) {
  if (step % column.every != 0) return false;
  if (step > 0) return true;
  const Metric* metric = find_metric(column.metric);
  return metric && !metric->of_update;
}

int MetricBatch::column(std::string_view metric) const {
  const auto it = columns.find(metric);
  return it == columns.end() ? -1 : it->second;
}

void MetricBatch::emit(Op op, std::string text) {
  assert(every >= 1 && every <= 0xFFFF);
  op.every = static_cast<std::uint16_t>(every);
  build.emit(op, std::move(text));
}

void MetricBatch::emit_start(Op op, std::string text) {
  build.set_starting(true);
  build.emit(op, std::move(text));
  build.set_starting(false);
}

void emit_metrics(ProgramBuilder& build, const std::map<std::string, int>& every,
                  const std::vector<UpdateInfo>& updates) {
  assert(updates.size() == build.parameters().size());
  build.set_phase(Phase::metric);
  for (int parameter = -1; parameter < static_cast<int>(build.parameters().size()); ++parameter) {
    const UpdateInfo info = parameter < 0 ? UpdateInfo{} : updates[static_cast<std::size_t>(parameter)];
    emit_batches(build, declare(build, every, parameter), parameter, info);
  }
  build.set_parameter(-1);
}

} // namespace polarscope
