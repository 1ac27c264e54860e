// Writing a run's recipe as an optimizer's file: what is written, and the dialog's state when it opens. The dialog itself
// is draw_save_recipe (overlays.hpp).
#pragma once

#include "app/actions.hpp"
#include "engine/optimizer/spec.hpp"

#include <string>

namespace polarscope {

// The run's stages, its schedules and its numbers as they are now, as a preset of this name and title.
OptimizerSpec recipe_to_save(const RunFrame& run, const std::string& name, const std::string& title);

// What it could be called: "Muon with hyperball", "Muon at lr 0.01", and as a file's name "muon_with_hyperball".
std::string recipe_title(const RunFrame& run);
std::string file_name_for(const std::string& title);

// Opens the dialog for the selected run.
void open_save_recipe(ActionContext& context);

} // namespace polarscope
