// The routes of the recipe panel: which parameters go by another recipe, and that recipe part by part.
#include "app/panels/recipe_parts.hpp"
#include "app/stroke.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/optimizer/stage.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

namespace polarscope {
namespace {

constexpr float kRow = 28, kLabel = 80;

// "embedding, head.gain": the parameters that go by the route.
std::string parameters_of(const RunFrame& run, const RouteSpec& route) {
  std::string names;
  for (const ParamInfo& p : run.program->parameters())
    if (route_of(*run.optimizer, p) == &route) names += (names.empty() ? "" : ", ") + p.name;
  return names;
}

std::string parts_text(const OptimizerSpec& recipe) {
  std::string out;
  for (const Part part : kRecipeParts) out += (out.empty() ? "" : " × ") + chain_text(recipe.chain(part));
  return out;
}

// The line that folds a route's parts in and out.
bool draw_fold(const PanelContext& c, const RunFrame& run, const RouteSpec& route) {
  const Theme& t = c.theme;
  std::set<std::string>& unfolded = c.view.unfolded_routes;
  bool open = unfolded.contains(route.target);
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = recipe_width(c), tall = t.snap(kRow), middle = at.y + tall * 0.5f;
  if (ImGui::InvisibleButton(("route " + route.target).c_str(), {width, tall}, ImGuiButtonFlags_EnableNav)) {
    open = !open;
    if (open) unfolded.insert(route.target);
    else unfolded.erase(route.target);
  }
  ring_if_highlighted(c, "route." + route.target);
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (ImGui::IsItemHovered()) list->AddRectFilled(at, {at.x + width, at.y + tall}, t.colour().hover, t.px(4));
  const std::string words = route.target + ": " + route.recipe->name;
  item_help(t, fmt::format("{}\n{}\nFor {}. The parts above are those of every other parameter.\nClick: its parts.",
                           words, parts_text(*route.recipe), parameters_of(run, route))
                   .c_str());
  draw_text_aligned(list, t, text::kLabel, {at.x, middle}, t.colour().text2, "route", 0, 0.5f);
  const float left = at.x + t.snap(kLabel), right = at.x + width - t.px(22);
  draw_text_aligned(list, t, text::kButton, {left, middle}, t.colour().text, fit(t, text::kButton, words, right - left),
                    0, 0.5f);
  draw_icon(list, t, open ? Icon::chevron_down : Icon::chevron_right,
            {std::round(at.x + width - t.px(11)), std::round(middle)}, t.colour().text2, 10);
  return open;
}

} // namespace

void draw_recipe_routes(const PanelContext& c, const RecipeView& view) {
  const Theme& t = c.theme;
  const RecipeDifferences& d = view.differences;
  for (const auto& [target, route] : routes_in_use(view.run)) {
    const bool open = draw_fold(c, view.run, *route);
    const auto within = d.within_routes.find(target);
    const StageDifferences differ = within == d.within_routes.end() ? StageDifferences{} : within->second;
    const bool refused = c.frame.refused && c.frame.refused->run == view.run.id && c.frame.refused->route == target;
    if (!open && !refused) { // what differs is said also while the parts are folded away
      for (const auto& [part, words] : differ.parts)
        difference_line(c, view, fmt::format("{} {}", part_name(part), words),
                        fmt::format("In {}, {} has {} {}.", view.other->label, target, part_name(part), words));
      for (const auto& [hparam, words] : differ.schedules)
        difference_line(c, view, fmt::format("{} {}", hparam, words),
                        fmt::format("In {}, {} has for {} the schedule {}.", view.other->label, target, hparam, words));
      continue;
    }
    const RouteSpec* opened = find_route(*view.run.opened_optimizer, target);
    const EditedRecipe recipe{view.run, *route->recipe, opened ? *opened->recipe : *route->recipe, target};
    const float top = ImGui::GetCursorScreenPos().y;
    ImGui::PushID(("route " + target).c_str());
    draw_recipe_parts(c, view, recipe, differ.parts);
    draw_recipe_schedules(c, view, recipe, differ.schedules);
    ImGui::PopID();
    crisp_vertical(ImGui::GetWindowDrawList(), ImGui::GetWindowPos().x + t.snap(5), top, ImGui::GetCursorScreenPos().y,
                   t.colour().text3, t.snap(2));
  }
  for (const auto& [target, words] : d.routes)
    difference_line(c, view, fmt::format("{}: {}", target, words),
                    fmt::format("In {}, {} goes by {}.", view.other->label, target, words));
}

} // namespace polarscope
