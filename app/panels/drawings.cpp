#include "app/panels/drawings.hpp"

#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace polarscope {
namespace {

// What the drawings report, whichever it was.
void take_result(const PanelContext& c, const PlaneDrawing& drawing, const std::optional<StartDrag>& drag, int hovered,
                 long hovered_step, bool clicked) {
  if (hovered >= 0 && hovered < static_cast<int>(drawing.runs.size())) {
    const RunId run = drawing.runs[static_cast<std::size_t>(hovered)];
    c.view.next_hover.run = run;
    c.view.next_hover.step = hovered_step;
    if (clicked) c.send(command::SelectRun{run});
  }
  if (!drag || drag->trail < 0 || drag->trail >= static_cast<int>(drawing.runs.size())) return;
  const RunFrame* run = c.frame.find(drawing.runs[static_cast<std::size_t>(drag->trail)]);
  if (!run) return;
  if (drag->given_up) {
    c.send(command::CancelPreview{run->id});
    return;
  }
  const auto parameter = static_cast<std::size_t>(c.view.polar.plane.parameter);
  c.send(command::MoveStart{run->id, run->program->parameters()[parameter].name,
                            dragged_start(*run, c.view.polar.plane, c.caches.projection.plane, *drag),
                            !drag->released});
}

} // namespace

const PlaneDrawing& plane_drawing(const PanelContext& c) {
  Caches::DrawingKey key;
  key.number = c.frame.number;
  key.choice = c.view.polar.plane;
  key.hidden = c.view.hidden;
  key.solo = c.view.solo;
  key.loss = c.plane.latest;
  key.theme = theme_key(c.theme);
  key.held = ImGui::IsMouseDown(ImGuiMouseButton_Left);
  PlaneDrawing& drawing = c.caches.drawing;
  if (c.caches.drawing_key != key) {
    const auto shown = [&c](RunId run) { return c.view.visible(run); };
    const std::uint64_t generation = drawing.picture.generation + 1;
    drawing = make_plane_drawing(c.theme, c.frame, c.view.polar.plane, shown, c.plane.latest, c.caches.projection);
    drawing.picture.generation = generation;
    c.caches.drawing_key = std::move(key);
  }
  if (drawing.request && !c.caches.sphere_asks) c.plane.request(*drawing.request);
  return drawing;
}

void draw_polar_in(const PanelContext& c, const Box& area) {
  const PlaneDrawing& drawing = plane_drawing(c);
  PolarOptions options;
  options.log = c.view.polar.log_radius;
  options.keys = c.view.layout == LayoutKind::study;
  if (!options.keys) options.rings_words = "rings: norm";
  const PolarResult result = draw_polar(c.theme, area, drawing.picture, options, c.caches.polar);
  take_result(c, drawing, result.drag, result.hovered, result.hovered_step, result.clicked);
}

void draw_unrolled_in(const PanelContext& c, const std::string& panel, const Box& area) {
  const PlaneDrawing& drawing = plane_drawing(c);
  draw_unrolled(c.theme, area, drawing.picture, c.view.layout == LayoutKind::study, c.caches.unrolled[panel]);
}

void draw_sphere_in(const PanelContext& c, const Box& area) {
  int parameter = -1;
  if (!c.frame.runs.empty()) {
    const auto& parameters = c.frame.runs.front().program->parameters();
    for (std::size_t i = 0; i < parameters.size() && parameter < 0; ++i)
      if (parameters[i].rows * parameters[i].cols == 3) parameter = static_cast<int>(i);
  }
  if (parameter < 0) return;
  const RunFrame* run = c.frame.find(c.frame.selected);
  const auto request = c.caches.sphere_loss.update(run ? run->id : c.frame.runs.front().id, parameter,
                                                   c.frame.scene_generation, c.plane.latest);
  if (request) c.plane.request(*request);
  c.caches.sphere_asks = request.has_value();
  const auto shown = [&c](RunId id) { return c.view.visible(id); };
  const SpherePicture picture = make_sphere_picture(c.theme, c.frame, parameter, shown, c.caches.sphere_loss.field());
  turn(c.caches.sphere, std::exchange(c.view.polar.turn_yaw, 0.0f), std::exchange(c.view.polar.turn_pitch, 0.0f));
  draw_sphere(c.theme, area, picture, c.view.layout == LayoutKind::study, c.caches.sphere);
}

std::string text_of_drawing(const PanelContext& c) {
  const PlaneDrawing& drawing = plane_drawing(c);
  std::string text;
  for (const PlaneTrail& trail : drawing.picture.trails) {
    if (trail.step.empty()) continue;
    text += fmt::format(
        "Run {}, step {}: at {:.2f} degrees in the plane, norm {:.6g}; it started at {:.2f} degrees, norm {:.6g}.\n",
        trail.name, trail.step.back(), static_cast<double>(trail.angle.back()) * kDegrees,
        static_cast<double>(trail.radius.back()), static_cast<double>(trail.angle.front()) * kDegrees,
        static_cast<double>(trail.radius.front()));
  }
  if (std::isfinite(drawing.picture.share))
    text += fmt::format("This plane shows {} of the last update.\n", format_percent(drawing.picture.share));
  return text;
}

} // namespace polarscope
