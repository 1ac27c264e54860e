// Loss over steps.
#include "app/panels/curves.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {

void draw_loss(const PanelContext& c) {
  AxisScales& scales = c.view.scales["loss"];
  show_header(c, "loss", {},
              {HeaderControl::make_toggle("log y", &scales.log_y, "Logarithmic loss (L)"),
               HeaderControl::make_toggle("log x", &scales.log_x, "Logarithmic steps (Shift L)")});
  StepPlot plot;
  plot.panel = "loss";
  plot.target = c.frame.scene->view.target;
  const std::vector<const RunFrame*> runs = visible_runs(c);
  const bool none = !runs.empty() && std::all_of(runs.begin(), runs.end(),
                                                 [](const RunFrame* r) { return r->program->find_metric("loss") < 0; });
  plot.empty_words = none ? "recorded gradients come from no loss of their own" : "no loss yet: press play";
  plot.curves = curves_of_runs(c, "loss");
  for (const RunFrame* run : runs)
    for (const auto& line : run->expected)
      if (line->metric == "loss") plot.expected.emplace_back(run, line.get());
  draw_step_plot(c, plot);
}

std::string text_of_loss(const PanelContext& c) {
  std::string text;
  for (const RunFrame* run : visible_runs(c))
    if (run->program->find_metric("loss") < 0)
      text += fmt::format("Run {} has no loss: its gradients were recorded.\n", run->label);
    else
      text += fmt::format("Run {}, step {}: loss {:.9g}.\n", run->label, c.frame.cursor,
                          value_at(*run, column_of(*run, "loss"), c.frame.cursor));
  return text;
}

} // namespace polarscope
