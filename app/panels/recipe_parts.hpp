// The upper half of the recipe panel: which stage each part has, and its schedules, each with a list to choose another
// from; and the line that says what a run it is compared with has instead.
#pragma once

#include "app/panels/tools.hpp"
#include "app/recipe_compare.hpp"

#include <map>
#include <string>

namespace polarscope {

// The run on show, and the one it is compared with; `other` null: none.
struct RecipeView {
  const RunFrame& run;
  const RunFrame* other;
  RecipeDifferences differences;
};

// A recipe whose parts the panel lets change: the run's own, or that of one of its routes.
struct EditedRecipe {
  const RunFrame& run;
  const OptimizerSpec& spec;
  const OptimizerSpec& opened; // as it was at first
  std::string route = {};      // target; "": the run's own
};

// `differences`: what the run compared with has instead.
void draw_recipe_parts(const PanelContext& c, const RecipeView& view, const EditedRecipe& recipe,
                       const std::map<Part, std::string>& differences);
void draw_recipe_schedules(const PanelContext& c, const RecipeView& view, const EditedRecipe& recipe,
                           const std::map<std::string, std::string>& differences);
// Which parameters go by another recipe, each with its parts when it is unfolded; nothing where none does.
void draw_recipe_routes(const PanelContext& c, const RecipeView& view);

// "≠" with the other run's mark and what it has, under the row that differs.
void difference_line(const PanelContext& c, const RecipeView& view, const std::string& words, const std::string& help);

// A documented thing as a tooltip: title, formula, meaning, source; a part that is empty has no line.
std::string documented(std::string_view title, std::string_view formula, std::string_view meaning,
                       std::string_view source);

// Where the rows of the panel begin, and how wide they are beside a scroll bar.
void recipe_indent(const PanelContext& c);
float recipe_width(const PanelContext& c);

} // namespace polarscope
