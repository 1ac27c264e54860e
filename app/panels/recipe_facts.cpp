#include "app/panels/recipe_facts.hpp"

#include "app/caches.hpp"
#include "app/format.hpp"
#include "engine/docs.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/facts.hpp"
#include "engine/optimizer/route.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {
namespace {

constexpr std::size_t kDearest = 3; // operations shown

const ParamInfo& shown_parameter(const PanelContext& c, const RunFrame& run) {
  const auto& parameters = run.program->parameters();
  const auto wished = static_cast<std::size_t>(std::max(0, c.view.polar.plane.parameter));
  return parameters[std::min(wished, parameters.size() - 1)];
}

// Worked out once for a recipe and a shape.
const OptimizerFacts& facts_of(const PanelContext& c, const RunFrame& run) {
  const ParamInfo& p = shown_parameter(c, run);
  FactsCache& kept = c.caches.facts[run.id];
  if (kept.recipe == run.optimizer && kept.parameter == p.name && kept.facts.rows == p.rows &&
      kept.facts.cols == p.cols)
    return kept.facts;
  const RouteSpec* route = route_of(*run.optimizer, p);
  OptimizerSpec recipe = route ? *route->recipe : *run.optimizer;
  recipe.routes.clear(); // the facts are of this parameter alone
  forget_unknown_hparams(recipe);
  kept = {run.optimizer, p.name, optimizer_facts(recipe, p.rows, p.cols)};
  return kept.facts;
}

// The facts count numbers of four bytes.
double bytes_per_weight(const RunFrame& run, const OptimizerFacts& facts) {
  return facts.bytes_per_weight * static_cast<double>(run.program->scalar_bytes()) / 4;
}

std::string bytes_words(const RunFrame& run, const OptimizerFacts& facts) {
  if (facts.state.empty()) return "none";
  return format_value(bytes_per_weight(run, facts)) + " bytes per weight";
}

std::string flops_words(const OptimizerFacts& facts) {
  const char* mark = facts.step.kind == Flops::Kind::at_most ? "≤ " : facts.step.kind == Flops::Kind::about ? "≈ " : "";
  return fmt::format("{}{} flops per weight", mark, format_value(facts.flops_per_weight));
}

// Words at the left, numbers at the right end.
void fact_row(const PanelContext& c, const std::string& words, TextStyle style, const std::string& number,
              const std::string& help) {
  const Theme& t = c.theme;
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = recipe_width(c), tall = t.snap(19), middle = at.y + tall * 0.5f;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float room = width - measure(t, text::kTick, number).x - t.px(10);
  draw_text_aligned(list, t, style, {at.x, middle}, t.colour().text2, fit(t, style, words, room), 0, 0.5f);
  draw_text_aligned(list, t, text::kTick, {at.x + width, middle}, t.colour().text, number, 1, 0.5f);
  ImGui::Dummy({width, tall});
  item_help(t, help.c_str());
}

void draw_memory(const PanelContext& c, const RecipeView& view, const OptimizerFacts& facts) {
  for (const StateFact& s : facts.state)
    fact_row(c, s.name, text::kLabel, fmt::format("{} × {}", s.rows, s.cols),
             documented(s.name, s.shape + " of an m × n parameter", s.meaning, ""));
  fact_row(c, "state kept", text::kLabel, bytes_words(view.run, facts),
           facts.state.empty() ? "It keeps nothing from step to step."
                               : fmt::format("{} numbers of {} bytes, for each m × n parameter", facts.memory,
                                             view.run.program->scalar_bytes()));
  if (!view.other) return;
  const OptimizerFacts& there = facts_of(c, *view.other);
  if (bytes_words(*view.other, there) != bytes_words(view.run, facts))
    difference_line(c, view, bytes_words(*view.other, there),
                    fmt::format("{} keeps: {}.", view.other->label, state_text(there)));
}

void draw_cost(const PanelContext& c, const RecipeView& view, const OptimizerFacts& facts) {
  fact_row(c, "one step", text::kLabel, flops_words(facts),
           fmt::format("{} operations, {} flops for {} × {}: additions, multiplications, divisions and roots count one "
                       "each.\nLoss, gradient, metrics and checks are not counted.{}",
                       facts.costs.size(), format_value(facts.step.count), facts.rows, facts.cols,
                       facts.rises_with_size ? "\nPer weight it costs more for larger matrices." : ""));
  for (std::size_t i = 0; i < std::min(kDearest, facts.costs.size()); ++i) {
    const CostFact& cost = facts.costs[i];
    fact_row(c, cost.text, text::kTick, fmt::format("{:.0f} %", 100 * cost.flops.count / facts.step.count),
             fmt::format("{}\n{}, {} {} flops", cost.text, phase_name(cost.phase), flops_kind_name(cost.flops.kind),
                         format_value(cost.flops.count)));
  }
  if (!view.other) return;
  const OptimizerFacts& there = facts_of(c, *view.other);
  if (flops_words(there) != flops_words(facts))
    difference_line(c, view, flops_words(there),
                    fmt::format("One step of {}: {}.", view.other->label, cost_text(there)));
}

} // namespace

void draw_recipe_facts(const PanelContext& c, const RecipeView& view) {
  if (view.run.program->parameters().empty()) return;
  const ParamInfo& p = shown_parameter(c, view.run);
  const OptimizerFacts& facts = facts_of(c, view.run);
  recipe_indent(c);
  section_title(c.theme, "Memory and cost", {{}, fmt::format("of {}, {} × {}", p.name, p.rows, p.cols)});
  draw_memory(c, view, facts);
  draw_cost(c, view, facts);
}

std::string text_of_recipe_facts(const PanelContext& c, const RunFrame& run) {
  if (run.program->parameters().empty()) return {};
  const ParamInfo& p = shown_parameter(c, run);
  const OptimizerFacts& facts = facts_of(c, run);
  std::string text = fmt::format("For {}, {} × {}, it keeps: {}; {}.\n", p.name, p.rows, p.cols, state_text(facts),
                                 bytes_words(run, facts));
  return text + fmt::format("One step costs {}.\n", cost_text(facts));
}

} // namespace polarscope
