// Expected curves: the closed forms a run's program declares, evaluated with the run's own numbers and edits.
#include "engine/session_impl.hpp"
#include "engine/theory.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

namespace {

constexpr long kMostPoints = 2000;

double norm(const std::vector<double>& w) {
  double square = 0;
  for (const double x : w) square += x * x;
  return std::sqrt(square);
}

std::vector<HparamsFrom> rows_of(const Run& run) {
  std::vector<HparamsFrom> rows = {{0, run.start_hparams}};
  for (const Edit& e : run.edits) {
    std::vector<double> row = rows.back().row;
    row[static_cast<std::size_t>(e.column)] = e.value;
    if (rows.back().after == e.step) rows.back().row = std::move(row);
    else rows.push_back({e.step, std::move(row)});
  }
  return rows;
}

} // namespace

// The forms are evaluated once per edit, over the whole scene; frames show them as far as the run has come.
void Session::Impl::evaluate_expected(Run& run) {
  const StepProgram& program = run.program();
  const std::vector<HparamsFrom> rows = rows_of(run);
  const long stride = (scene->steps + kMostPoints - 2) / (kMostPoints - 1);
  std::vector<long> steps;
  for (long step = 0; step < scene->steps; step += stride) steps.push_back(step);
  steps.push_back(scene->steps);
  run.predicted.clear();
  for (const TheoryLine& line : program.theory()) {
    const int column = program.find_metric(line.metric);
    if (column < 0) continue; // a curve that is not recorded has none beside it
    const int parameter = program.metrics()[static_cast<std::size_t>(column)].parameter;
    const double start_norm = parameter < 0 ? 0 : norm((*run.start)[static_cast<std::size_t>(parameter)]);
    const std::vector<double> values = evaluate_theory(line, {program, start_norm, rows, steps});
    ExpectedLine e{line.metric, line.condition, line.formula, {}};
    for (std::size_t i = 0; i < steps.size(); ++i)
      if (std::isfinite(values[i])) e.points.push_back({steps[i], values[i]});
    run.predicted.push_back(std::move(e));
  }
  run.predicted_known = true;
  run.expected_until = -1;
}

// `exactly`: up to the last step made; else a little behind is good enough while playing.
void Session::Impl::update_expected(Run& run, bool exactly) {
  if (run.program().theory().empty()) return;
  if (!run.predicted_known) evaluate_expected(run);
  const long behind_by = exactly ? 0 : run.step / 64;
  if (run.expected_until >= 0 && run.step - run.expected_until <= behind_by && run.expected_until <= run.step) return;
  run.expected.clear();
  for (const ExpectedLine& line : run.predicted) {
    auto shown = std::make_shared<ExpectedLine>(line);
    const auto end = std::upper_bound(shown->points.begin(), shown->points.end(), run.step,
                                      [](long step, const Sample& s) { return step < s.step; });
    shown->points.erase(end, shown->points.end());
    run.expected.push_back(std::move(shown));
  }
  run.expected_until = run.step;
}

} // namespace polarscope
