// The parts of the polar drawing (polar_ground.cpp, polar_marks.cpp, polar_plot.cpp), for these only.
#pragma once

#include "app/polar_plot.hpp"

#include <optional>
#include <span>
#include <vector>

namespace polarscope {

inline constexpr float kPolarClearFrom = 0.035f,
                       kPolarClearTo = 0.16f; // of the outer radius: the field fades in, the centre has no angle

struct PolarFrame {
  ImDrawList* list;
  const Theme& theme;
  const PolarScale& scale;
  const PlanePicture& picture;
  bool name_rings = true; // "norm" before the first ring's number: where no caption says it

  // Field colour at a pixel distance from the centre, as it appears on the panel.
  ImU32 under(float angle, float pixels) const;
};

float field_opacity(float share_of_outer);
float rim_height(const Theme& theme, float outer);

// ---- polar_ground.cpp: what does not move ----
// Field, spokes, rings and rim, kept until the scale, the field or the theme changes.
void draw_polar_ground(ImDrawList* list, const Theme& theme, const PolarScale& scale, const PlaneField& field,
                       std::span<const float> norms, PolarView& view);
// Norms of the rings inside the outermost one.
std::vector<float> ring_norms(const PolarScale& scale);
// On one ray, the emptiest; those that would touch an obstacle are left out. Adds its own boxes.
void draw_ring_labels(const PolarFrame& d, std::span<const float> norms, PolarView& view, std::vector<Box>& obstacles);
void draw_angle_labels(ImDrawList* list, const Theme& theme, const PolarScale& scale);
void draw_well_notches(const PolarFrame& d);
// "well 0.40" beside its notch, where it touches no obstacle.
void draw_well_words(const PolarFrame& d, std::vector<Box>& obstacles);

// ---- polar_marks.cpp: what belongs to runs ----
void draw_trails(const PolarFrame& d, PolarView& view);
// Inside the disc: where a trail is beyond the outermost ring, on that ring.
ImVec2 now_point(const PolarFrame& d, const PlaneTrail& trail);
// The last point of the ghost that is inside the disc.
std::optional<ImVec2> ghost_point(const PolarFrame& d, const PlaneTrail& trail);
void draw_start_rays(const PolarFrame& d);
std::optional<StartDrag> handle_starts(const PolarFrame& d, const PolarOptions& options, PolarView& view);
// Round handles and now markers, which labels must leave free.
void mark_obstacles(const PolarFrame& d, std::vector<Box>& obstacles);
// Enlargement of the arrows: a round number that makes the update at most a quarter of the picture; 0: no update. From
// step to step it stays while the arrow is neither tiny nor large, so that lengths can be compared.
float arrow_enlargement(const PolarFrame& d, float before);
void draw_update(const PolarFrame& d, float enlargement, std::vector<Box>& obstacles);

} // namespace polarscope
