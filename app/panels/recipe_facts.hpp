// What the selected run's optimizer keeps of the shown parameter and costs per step, in the recipe panel and in its text.
#pragma once

#include "app/panels/recipe_parts.hpp"

#include <string>

namespace polarscope {

void draw_recipe_facts(const PanelContext& c, const RecipeView& view);
std::string text_of_recipe_facts(const PanelContext& c, const RunFrame& run);

} // namespace polarscope
