// Norms of the rows of one parameter over steps: curves while there are few, one band per run beyond that.
#include "app/panels/curves.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace polarscope {
namespace {

// Columns of "<parameter>.row_norm[i]" in a run's series.
std::vector<int> row_columns(const RunFrame& run, int parameter) {
  std::vector<int> columns;
  const auto& metrics = run.program->metrics();
  for (std::size_t i = 0; i < metrics.size(); ++i)
    if (metrics[i].metric == "row_norm" && metrics[i].parameter == parameter && !metrics[i].hidden)
      columns.push_back(static_cast<int>(i));
  // A parameter that is one row has its whole norm only.
  if (const int norm = column_of(run, "frobenius_norm", parameter); columns.empty() && norm >= 0)
    columns.push_back(norm);
  return columns;
}

// The rows of one run: curves, a band, or part of its optimizer's band. A lone run's curves need not say whose they are.
void add_rows(std::vector<CurveSource>& curves, const RunFrame& run, const std::vector<int>& columns, bool band,
              bool grouped, bool alone) {
  if (columns.empty()) return;
  if (!band) {
    for (int column : columns) {
      const std::string row = fmt::format("row {}", run.program->metrics()[static_cast<std::size_t>(column)].index);
      curves.push_back({&run, {{&run, column}}, alone ? row : run.label + " " + row});
    }
    return;
  }
  auto found = curves.end();
  if (grouped)
    found =
        std::find_if(curves.begin(), curves.end(), [&](const CurveSource& s) { return s.name == run.optimizer_name; });
  if (found == curves.end()) found = curves.insert(found, {&run, {}, grouped ? run.optimizer_name : run.label});
  for (int column : columns) found->columns.emplace_back(&run, column);
}

} // namespace

RowCurves curves_of_rows(const PanelContext& c) {
  const int parameter = c.view.polar.plane.parameter;
  const std::vector<const RunFrame*> runs = visible_runs(c);
  RowCurves made;
  std::size_t curves = 0;
  for (const RunFrame* run : runs) {
    const std::size_t count = row_columns(*run, parameter).size();
    made.rows = std::max(made.rows, count);
    curves += count;
  }
  made.bands = curves > kMostCurves && made.rows > 1;
  if (made.rows <= 1) made.curves = curves_of_runs(c, "frobenius_norm");
  else
    for (const RunFrame* run : runs)
      add_rows(made.curves, *run, row_columns(*run, parameter), made.bands,
               runs.size() > kMostCurves && run->id != c.frame.selected, runs.size() == 1);
  return made;
}

void draw_row_norms(const PanelContext& c) {
  RowCurves rows = curves_of_rows(c);
  const std::string note =
      rows.rows <= 1 ? "" : fmt::format("{} rows{}", rows.rows, rows.bands ? ": band, median" : "");
  AxisScales& scales = c.view.scales["row_norms"];
  show_header(c, "row_norms", {{}, note},
              {HeaderControl::make_toggle("log y", &scales.log_y, "Logarithmic norm (L)"),
               HeaderControl::make_toggle("log x", &scales.log_x, "Logarithmic steps (Shift L)")});
  StepPlot plot;
  plot.panel = "row_norms";
  plot.empty_words = "no norms are recorded";
  plot.curves = std::move(rows.curves);
  for (const RunFrame* run : visible_runs(c))
    for (const auto& line : run->expected)
      if (line->metric.find("row_norm") != std::string::npos) plot.expected.emplace_back(run, line.get());
  draw_step_plot(c, plot);
}

std::string text_of_row_norms(const PanelContext& c) {
  std::string text;
  for (const RunFrame* run : visible_runs(c)) {
    text += fmt::format("Run {}, step {}: row norms", run->label, c.frame.cursor);
    for (int column : row_columns(*run, c.view.polar.plane.parameter))
      text += fmt::format(" {:.6g}", value_at(*run, column, c.frame.cursor));
    text += ".\n";
  }
  return text;
}

} // namespace polarscope
