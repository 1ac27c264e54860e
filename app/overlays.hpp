// Windows over the panels: help with every action and key, the list of scenes, the list of optimizers to add, and the
// dialog that writes a recipe as a file.
#pragma once

#include "app/panel.hpp"

namespace polarscope {

// Draws those that the view state says are open, and closes them by their own means (click outside, Esc, choice).
void draw_overlays(const PanelContext& context);

// A window in the middle that closes by Esc, its cross or a click outside, and keeps the keyboard. False: not to be
// filled. end_overlay() ends it in any case.
bool begin_overlay(const PanelContext& context, const char* title, ImVec2 design, bool* open);
void end_overlay();

// save_recipe.cpp
void draw_save_recipe(const PanelContext& context);

} // namespace polarscope
