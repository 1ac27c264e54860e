// Actions on the selected run's recipe.
#include "app/actions.hpp"
#include "app/save_recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace polarscope {
namespace {

using Context = ActionContext;

// No run, then each other run in the list's order.
void compare_with_next(Context& c) {
  const auto& runs = c.frame.runs;
  const auto now =
      std::find_if(runs.begin(), runs.end(), [&](const RunFrame& r) { return c.view.compare_with == r.id; });
  const auto other = [&](const RunFrame& r) { return r.id != c.frame.selected; };
  const auto next = std::find_if(now == runs.end() ? runs.begin() : now + 1, runs.end(), other);
  if (next == runs.end()) {
    c.view.compare_with.reset();
    return c.view.say("the recipe is compared with no run");
  }
  c.view.compare_with = next->id;
  c.view.say(fmt::format("the recipe is compared with {}", next->label));
}

} // namespace

void Actions::add_recipe() {
  const auto shown = [](const Context& c) {
    return c.frame.find(c.frame.selected) && c.view.layout == LayoutKind::study;
  };
  for (const Part part : kParts) {
    const std::string name = part_name(part);
    actions_.push_back({"recipe.change." + name, "Runs/Recipe", "Change the " + name,
                        "Lists what the selected run can have for it; the run is computed again.", false, false,
                        [part](Context& c) {
                          c.view.plots_only = false;
                          c.view.panels["recipe"] = true;
                          c.view.requests.front_panel = "recipe";
                          c.view.requests.open_part = part;
                        },
                        shown});
  }
  actions_.push_back({"recipe.as_opened", "Runs/Recipe", "Stages as opened",
                      "Gives the selected run the stages and schedules back that it had at first.", false, false,
                      [](Context& c) { c.send(command::ResetRecipe{c.frame.selected}); },
                      [](const Context& c) {
                        const RunFrame* run = c.frame.find(c.frame.selected);
                        return run && run->recipe_changed;
                      }});
  actions_.push_back({"recipe.compare", "Runs/Recipe", "Compare with the next run",
                      "Marks what differs in the next run's recipe; after the last run, nothing.", false, false,
                      [](Context& c) { compare_with_next(c); },
                      [shown](const Context& c) { return shown(c) && c.frame.runs.size() > 1; }});
  actions_.push_back({"recipe.save", "Runs/Recipe", "Save the recipe…",
                      "Writes the selected run's stages and numbers as an optimizer's TOML file.", true, false,
                      [](Context& c) { open_save_recipe(c); }, shown});
}

} // namespace polarscope
