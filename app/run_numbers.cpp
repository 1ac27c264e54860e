#include "app/run_numbers.hpp"

#include "engine/metric/metric.hpp"
#include "engine/report.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace polarscope {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// Columns of a parameter; −1: not recorded.
struct Columns {
  int norm = -1, turn = -1;
};

std::vector<Columns> columns_of(const StepProgram& program) {
  std::vector<Columns> out(program.parameters().size());
  for (std::size_t i = 0; i < program.metrics().size(); ++i) {
    const MetricColumn& column = program.metrics()[i];
    if (column.parameter < 0 || column.index >= 0) continue;
    Columns& own = out[static_cast<std::size_t>(column.parameter)];
    if (column.metric == "frobenius_norm") own.norm = static_cast<int>(i);
    if (column.metric == "angular_update") own.turn = static_cast<int>(i);
  }
  return out;
}

double exact(const RunFrame& run, int column, long step) {
  return column < 0 ? kNothing : run.series.at(column, step).value_or(kNothing);
}

// Where cadence, thinning or divergence left none at the step.
double nearest(const RunFrame& run, int column, long step) {
  return column < 0 ? kNothing : run.series.nearest(column, static_cast<double>(step)).value;
}

double joint_norm(const RunFrame& run, const std::vector<Columns>& columns, long step) {
  double norm = 0;
  for (const Columns& own : columns) norm = std::hypot(norm, nearest(run, own.norm, step));
  return norm;
}

double joint_turn(const RunFrame& run, const std::vector<Columns>& columns, long step) {
  std::vector<Turn> turns;
  for (const Columns& own : columns)
    turns.push_back({exact(run, own.norm, step - 1), exact(run, own.norm, step), exact(run, own.turn, step)});
  return joint_turn(turns);
}

double accuracy_at(const RunFrame& run, long step, bool lost) {
  const int column = run.program->find_metric("accuracy");
  if (column < 0 || lost) return exact(run, column, step);
  const MetricColumn& info = run.program->metrics()[static_cast<std::size_t>(column)];
  const long measured = step - step % info.every;
  return has_value_at(info, measured) ? nearest(run, column, measured) : kNothing;
}

} // namespace

RunNumbers run_numbers(const RunFrame& run, long step) {
  const std::vector<Columns> columns = columns_of(*run.program);
  const bool lost = run.diverged && run.diverged_at <= step;
  const long end = lost ? run.diverged_at : step;
  RunNumbers out{joint_norm(run, columns, 0), joint_norm(run, columns, end), kNothing, accuracy_at(run, end, lost)};
  if (end > 0)
    out.angular_update =
        columns.size() == 1 ? nearest(run, columns.front().turn, end) : joint_turn(run, columns, lost ? end - 1 : end);
  return out;
}

bool measures_accuracy(const RunFrame& run) { return run.program->find_metric("accuracy") >= 0; }

} // namespace polarscope
