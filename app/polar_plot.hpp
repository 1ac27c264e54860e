// The signature view: angle is direction in a plane, radius is norm; the loss is painted behind at every angle.
#pragma once

#include "app/plane_picture.hpp"

#include <vector>

namespace polarscope {

struct PolarOptions {
  bool log = false;        // radius
  bool keys = true;        // arrow key, field key, share: not in Show, where nothing needs a legend
  bool handles = true;     // start points can be dragged
  std::string rings_words; // bottom left when keys are off: "rings: norm"
};

// Kept by the panel between frames.
struct PolarView {
  MeshCache field;
  DrawCache lines, trails; // spokes, rings and rim; paths
  std::vector<double> lines_key;
  std::array<double, 9> trails_key{};
  std::vector<int> label_slots;
  float ring_ray = -0.45f;             // radians, where the rings are labelled
  int dragging = -1;                   // trail whose start is held
  bool moved = false;                  // since it was grabbed
  float grab_x = 0, grab_y = 0;        // from the pointer to the start, pixels
  float enlargement = 0;               // of the arrows in the last picture
  float held_least = 0, held_most = 0; // rings keep still while dragging
};

struct PolarResult {
  std::optional<StartDrag> drag;
  int hovered = -1;      // trail under the pointer
  long hovered_step = 0; // nearest stored step of it
  bool clicked = false;  // the hovered trail was clicked
};

// Radius scale of the drawing; public so that tests can hit handles.
struct PolarScale {
  ImVec2 centre;
  float outer = 100;         // pixels of the outermost ring
  float least = 0, most = 1; // norm at the inner end (log only) and at the outermost ring
  bool log = false;
  float ring_step = 1;

  float pixels(float radius) const;
  float radius(float pixels) const;
  ImVec2 at(float angle, float radius) const; // y upwards
};
PolarScale polar_scale(const Theme& theme, const Box& area, float radius_least, float radius_most,
                       const PolarOptions& options);

// Draws into `area` of the current window. Start handles are items "start of <short_name>".
PolarResult draw_polar(const Theme& theme, const Box& area, const PlanePicture& picture, const PolarOptions& options,
                       PolarView& view);

} // namespace polarscope
