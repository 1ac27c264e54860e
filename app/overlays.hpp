// Windows over the panels: help with every action and key, the list of scenes, the list of optimizers to add.
#pragma once

#include "app/panel.hpp"

namespace polarscope {

// Draws those that the view state says are open, and closes them by their own means (click outside, Esc, choice).
void draw_overlays(const PanelContext& context);

// A refusal, such as a scene that cannot be read, where no status bar says it: at the lower edge, until something newer
// is said or the pointer clicks it.
void draw_refusal(const PanelContext& context);

} // namespace polarscope
