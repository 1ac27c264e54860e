// Norms of the rows of one parameter over steps: curves while there are few, one band per run beyond that.
#include "app/panels/curves.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {
namespace {

constexpr std::size_t kMostCurves = 8;

// Columns of "<parameter>.row_norm[i]" in a run's series.
std::vector<int> row_columns(const RunFrame& run, int parameter) {
  std::vector<int> columns;
  const auto& metrics = run.program->metrics();
  for (std::size_t i = 0; i < metrics.size(); ++i)
    if (metrics[i].metric == "row_norm" && metrics[i].parameter == parameter && !metrics[i].hidden) columns.push_back(static_cast<int>(i));
  // A parameter that is one row has its whole norm only.
  if (const int norm = column_of(run, "frobenius_norm", parameter); columns.empty() && norm >= 0) columns.push_back(norm);
  return columns;
}

} // namespace

void draw_row_norms(const PanelContext& c) {
  const int parameter = c.view.polar.plane.parameter;
  std::vector<std::pair<const RunFrame*, std::vector<int>>> sources;
  std::size_t curves = 0, rows = 0;
  for (const RunFrame* run : visible_runs(c)) {
    sources.emplace_back(run, row_columns(*run, parameter));
    rows = std::max(rows, sources.back().second.size());
    curves += sources.back().second.size();
  }
  const bool band = curves > kMostCurves && rows > 1;
  const std::string note = rows <= 1 ? "" : fmt::format("{} rows{}", rows, band ? ": band, median" : "");
  AxisScales& scales = c.view.scales["row_norms"];
  show_header(c, "row_norms", {{}, note},
              {HeaderControl::make_toggle("log y", &scales.log_y, "Logarithmic norm (L)"),
               HeaderControl::make_toggle("log x", &scales.log_x, "Logarithmic steps (Shift L)")});
  StepPlot plot;
  plot.panel = "row_norms";
  plot.empty_words = "no norms are recorded";
  for (auto& [run, columns] : sources) {
    if (columns.empty()) continue;
    for (const auto& line : run->expected)
      if (line->metric.find("row_norm") != std::string::npos) plot.expected.emplace_back(run, line.get());
    if (band) plot.curves.push_back({run, std::move(columns)});
    else
      for (int column : columns) plot.curves.push_back({run, {column}});
  }
  draw_step_plot(c, plot);
}

std::string text_of_row_norms(const PanelContext& c) {
  std::string text;
  for (const RunFrame* run : visible_runs(c)) {
    text += fmt::format("Run {}, step {}: row norms", run->label, c.frame.cursor);
    for (int column : row_columns(*run, c.view.polar.plane.parameter)) text += fmt::format(" {:.6g}", value_at(*run, column, c.frame.cursor));
    text += ".\n";
  }
  return text;
}

} // namespace polarscope
