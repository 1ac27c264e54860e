// The dialogs with a list to choose from: scenes to open, optimizers to add as a run.
#pragma once

#include "app/matching.hpp"
#include "app/panel.hpp"

#include <string>
#include <vector>

namespace polarscope {

void draw_scene_picker(const PanelContext& context);
void draw_optimizer_picker(const PanelContext& context);

// TOML files beside the scene's own, or in the working directory where the scene is an installed one, that are scenes or
// optimizers; the name of an entry is the file's.
std::vector<ListEntry> own_scenes(const Scene& scene);
std::vector<ListEntry> own_optimizers(const Scene& scene);

} // namespace polarscope
