// The three drawings of directions, shared by the panels Polar and Unrolled: picture made, drawn, input taken.
#pragma once

#include "app/labels.hpp"
#include "app/panel.hpp"
#include "app/projection_view.hpp"

#include <string>

namespace polarscope {

// The picture of the chosen plane; also asks the engine for the loss on it.
const PlaneDrawing& plane_drawing(const PanelContext& c);

void draw_polar_in(const PanelContext& c, const Box& area);
void draw_unrolled_in(const PanelContext& c, const std::string& panel, const Box& area);
void draw_sphere_in(const PanelContext& c, const Box& area);

// Plain sentences about every trail.
std::string text_of_drawing(const PanelContext& c);

} // namespace polarscope
