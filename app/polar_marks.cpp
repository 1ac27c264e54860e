// What of the polar drawing belongs to runs: trails, starts, the arrows of the last update.
#include "app/polar_parts.hpp"

#include "app/widgets.hpp"

#include "imgui_internal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

// Arrow lengths between which the enlargement is kept, in radii of the outermost ring.
constexpr float kArrowLeast = 0.08f, kArrowMost = 0.40f;
constexpr float kPi = std::numbers::pi_v<float>;

// Where the line from a point inside the disc to one outside meets the ring.
ImVec2 meet_ring(ImVec2 centre, float radius, ImVec2 inside, ImVec2 outside) {
  const ImVec2 p{inside.x - centre.x, inside.y - centre.y}, way{outside.x - inside.x, outside.y - inside.y};
  const float a = way.x * way.x + way.y * way.y, b = p.x * way.x + p.y * way.y,
              c = p.x * p.x + p.y * p.y - radius * radius;
  const float t = a > 0 ? std::clamp((-b + std::sqrt(std::max(0.0f, b * b - a * c))) / a, 0.0f, 1.0f) : 0;
  return {inside.x + way.x * t, inside.y + way.y * t};
}

// Draws the parts of a path that lie in the disc. `step` empty: a ghost.
void draw_clipped(const PolarFrame& d, const PlaneTrail& trail, std::span<const float> angle,
                  std::span<const float> radius, std::span<const long> step) {
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<std::size_t> index; // of the path, for each point
  static thread_local std::vector<long> steps;
  const bool ghost = step.empty();
  const std::function<ImU32(std::size_t)> under = [&](std::size_t i) {
    return d.under(angle[index[i]], std::min(d.scale.pixels(radius[index[i]]), d.scale.outer));
  };
  const auto flush = [&] {
    if (points.size() > 1)
      draw_fading_path(d.list, d.theme, {points, steps, ghost ? 0 : step.front(), ghost ? 0 : step.back(), under},
                       trail.style.colour, !ghost && trail.selected, !ghost && trail.dimmed);
    points.clear(), index.clear(), steps.clear();
  };
  const auto add = [&](ImVec2 at, std::size_t i) {
    points.push_back(at), index.push_back(i);
    if (!ghost) steps.push_back(step[i]);
  };
  flush();
  ImVec2 before{};
  bool was_in = false;
  for (std::size_t i = 0; i < angle.size(); ++i) {
    const bool in = radius[i] <= d.scale.most * 1.0001f;
    const ImVec2 at = d.scale.at(angle[i], in ? radius[i] : std::min(radius[i], 50 * d.scale.most));
    if (i > 0 && in != was_in) add(meet_ring(d.scale.centre, d.scale.outer, in ? at : before, in ? before : at), i);
    if (in) add(at, i);
    else flush();
    before = at, was_in = in;
  }
  flush();
}

} // namespace

void draw_trails(const PolarFrame& d, PolarView& view) {
  const std::array<double, 9> key{d.scale.centre.x,
                                  d.scale.centre.y,
                                  d.scale.outer,
                                  d.scale.least,
                                  d.scale.most,
                                  d.scale.log ? 1.0 : 0.0,
                                  static_cast<double>(d.picture.generation),
                                  static_cast<double>(d.picture.field.generation),
                                  static_cast<double>(theme_key(d.theme))};
  const bool same = d.picture.generation != 0 && key == view.trails_key;
  if (same && view.trails.replay(d.list)) return;
  view.trails_key = key;
  view.trails.clear();
  view.trails.begin(d.list);
  for (bool selected : {false, true})
    for (const PlaneTrail& trail : d.picture.trails) {
      if (trail.selected != selected || trail.angle.empty()) continue;
      if (!trail.ghost_angle.empty()) draw_clipped(d, trail, trail.ghost_angle, trail.ghost_radius, {});
      draw_clipped(d, trail, trail.angle, trail.radius, trail.step);
    }
  if (same) view.trails.end(d.list); // kept from the second frame on: while the cursor moves there is none
}

ImVec2 now_point(const PolarFrame& d, const PlaneTrail& trail) {
  return d.scale.at(trail.angle.back(), std::min(trail.radius.back(), d.scale.most));
}

std::optional<ImVec2> ghost_point(const PolarFrame& d, const PlaneTrail& trail) {
  for (std::size_t i = trail.ghost_angle.size(); i-- > 0;)
    if (trail.ghost_radius[i] <= d.scale.most) return d.scale.at(trail.ghost_angle[i], trail.ghost_radius[i]);
  return std::nullopt;
}

void draw_start_rays(const PolarFrame& d) {
  static thread_local std::vector<float> drawn; // each direction once
  drawn.clear();
  const std::array<float, 2> dots{d.theme.stroke(2), d.theme.stroke(4)};
  for (const PlaneTrail& trail : d.picture.trails) {
    if (trail.angle.empty()) continue;
    const float a = trail.angle.front();
    if (std::any_of(drawn.begin(), drawn.end(),
                    [&](float b) { return std::abs(std::remainder(a - b, 2 * kPi)) < 0.01f; }))
      continue;
    drawn.push_back(a);
    const std::array<ImVec2, 2> ray{
        ImVec2{d.scale.centre.x + 0.06f * d.scale.outer * std::cos(a),
               d.scale.centre.y - 0.06f * d.scale.outer * std::sin(a)},
        ImVec2{d.scale.centre.x + d.scale.outer * std::cos(a), d.scale.centre.y - d.scale.outer * std::sin(a)}};
    stroke_dashed(d.list, ray, with_alpha(d.theme.colour().text2, 0.7f), d.theme.stroke(1.1f), dots);
  }
}

void mark_obstacles(const PolarFrame& d, std::vector<Box>& obstacles) {
  for (const PlaneTrail& trail : d.picture.trails) {
    if (trail.angle.empty()) continue;
    const ImVec2 start = d.scale.at(trail.angle.front(), std::min(trail.radius.front(), d.scale.most)),
                 now = now_point(d, trail);
    const float s = d.theme.px(16), r = d.theme.marker_radius(trail.selected) + d.theme.px(trail.selected ? 5 : 2);
    obstacles.push_back({{start.x - s, start.y - s}, {start.x + s, start.y + s}});
    obstacles.push_back({{now.x - r, now.y - r}, {now.x + r, now.y + r}});
  }
}

std::optional<StartDrag> handle_starts(const PolarFrame& d, const PolarOptions& options, PolarView& view) {
  static thread_local std::vector<ImVec2> starts;
  static thread_local std::vector<StartLook> looks;
  starts.clear();
  for (const PlaneTrail& trail : d.picture.trails)
    starts.push_back(trail.angle.empty()
                         ? ImVec2{-1e6f, -1e6f}
                         : d.scale.at(trail.angle.front(), std::min(trail.radius.front(), d.scale.most)));
  start_looks(d.theme, starts, looks);
  std::optional<StartDrag> drag;
  const float half = d.theme.px(14);
  const ImVec2 cursor = ImGui::GetCursorScreenPos();
  for (std::size_t i = 0; i < d.picture.trails.size(); ++i) {
    const PlaneTrail& trail = d.picture.trails[i];
    if (trail.angle.empty()) continue;
    const float angle = trail.angle.front();
    const ImVec2 at = starts[i];
    const int index = static_cast<int>(i);
    const bool can = options.handles && trail.draggable;
    bool active = false, hovered = false;
    if (can) {
      ImGui::SetCursorScreenPos({at.x - half, at.y - half});
      const std::string id = "start of " + trail.short_name;
      ImGui::InvisibleButton(id.c_str(), {2 * half, 2 * half}, ImGuiButtonFlags_EnableNav);
      active = ImGui::IsItemActive();
      const ImVec2 mouse = ImGui::GetIO().MousePos;
      if (ImGui::IsItemActivated()) {
        view.dragging = index;
        view.moved = false;
        view.grab_x = at.x - mouse.x, view.grab_y = at.y - mouse.y;
        view.held_least = d.scale.least, view.held_most = d.scale.most;
      }
      hovered = ImGui::IsItemHovered();
      if (hovered || active) ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
      // ImGui may have let go already: the key cancels its own focus as well.
      if (view.dragging == index && (active || ImGui::IsItemDeactivated()) &&
          ImGui::IsKeyPressed(ImGuiKey_Escape, false)) {
        ImGui::ClearActiveID();
        view.dragging = -1;
        if (view.moved) drag = StartDrag{.trail = index, .given_up = true};
      } else if (view.dragging == index && (active || ImGui::IsItemDeactivated())) {
        const ImVec2 way = ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0);
        view.moved |= std::hypot(way.x, way.y) > 1;
        const ImVec2 to{mouse.x + view.grab_x - d.scale.centre.x, d.scale.centre.y - mouse.y - view.grab_y};
        const float reach = std::clamp(std::hypot(to.x, to.y), d.scale.outer * 0.03f, d.scale.outer);
        const bool along_ray = ImGui::GetIO().KeyShift;
        if (view.moved)
          drag = StartDrag{index, along_ray ? angle : std::atan2(to.y, to.x), d.scale.radius(reach),
                           ImGui::IsItemDeactivated()};
        if (ImGui::IsItemDeactivated()) view.dragging = -1;
      }
    }
    if (!looks[i].drawn && !active) continue;
    const ImVec2 along{std::cos(angle), -std::sin(angle)};
    const bool chevrons = can && (looks[i].alone || hovered || active);
    draw_start_handle(d.list, d.theme, at, looks[i].shared ? d.theme.colour().text : trail.style.colour,
                      chevrons ? std::optional(along) : std::nullopt, active, looks[i].glow);
  }
  ImGui::SetCursorScreenPos(cursor);
  return drag;
}

float arrow_enlargement(const PolarFrame& d, float before) {
  if (!d.picture.update) return 0;
  const float size = std::hypot(d.picture.update->radial, d.picture.update->tangential);
  const float unit = d.scale.log ? d.scale.outer / 4 : d.scale.outer / d.scale.most; // pixels per unit of norm, about
  if (!(size * unit > 1e-20f)) return 0;
  const float share = before * size * unit / d.scale.outer;
  if (share > kArrowLeast && share < kArrowMost) return before;
  return std::max(1.0f, static_cast<float>(nice_below(0.26 * d.scale.outer / (size * unit))));
}

void draw_update(const PolarFrame& d, float enlargement, std::vector<Box>& obstacles) {
  const PlaneUpdate& update = *d.picture.update;
  const PlaneTrail& trail = d.picture.trails[static_cast<std::size_t>(update.trail)];
  if (trail.angle.empty()) return;
  const float angle = trail.angle.back();
  const ImVec2 now = now_point(d, trail);
  const ImVec2 out{std::cos(angle), -std::sin(angle)}, across{-std::sin(angle), -std::cos(angle)};
  const ImU32 halo = d.under(angle, d.scale.pixels(trail.radius.back()));
  const float unit = (d.scale.log ? d.scale.outer / 4 : d.scale.outer / d.scale.most) * enlargement;
  const auto from_now = [&](float radial, float tangential) {
    return ImVec2{now.x + out.x * radial + across.x * tangential, now.y + out.y * radial + across.y * tangential};
  };
  const auto keep_free = [&](ImVec2 a, ImVec2 b) { // labels stay off the arrows
    for (float t : {0.25f, 0.5f, 0.75f, 1.0f}) {
      const ImVec2 at{std::lerp(a.x, b.x, t), std::lerp(a.y, b.y, t)};
      const float half = d.theme.px(4);
      obstacles.push_back({{at.x - half, at.y - half}, {at.x + half, at.y + half}});
    }
  };
  // An update that the plane hardly shows is not drawn as if it were the whole of it.
  const bool faint = d.picture.share < kFaintShare;
  static thread_local std::vector<float> dash;
  const auto style = [&](UpdatePart part, ImU32 colour) {
    const ArrowStyle full = arrow_style(d.theme, part, colour, halo, dash);
    return faint ? faint_arrow(full, halo) : full;
  };
  const float gradient = std::hypot(update.gradient_radial, update.gradient_tangential);
  if (gradient > 0) {
    const float k = std::min(d.theme.px(64), 0.2f * d.scale.outer) / gradient;
    const ImVec2 down = from_now(update.gradient_radial * k, update.gradient_tangential * k);
    draw_arrow(d.list, now, down, arrow_style(d.theme, UpdatePart::gradient, 0, halo, dash));
    keep_free(now, down);
  }
  if (enlargement <= 0) return;
  const float r = update.radial * unit, t = update.tangential * unit;
  const ImVec2 corner = from_now(0, t), tip = from_now(r, t);
  keep_free(now, tip), keep_free(now, corner), keep_free(corner, tip);
  draw_arrow(d.list, now, tip, style(UpdatePart::update, trail.style.colour));
  if (std::abs(r) > 2 && std::abs(t) > 2) {
    const float k = d.theme.px(6), back = t > 0 ? -k : k, up = r > 0 ? k : -k;
    if (std::abs(r) > 2 * k && std::abs(t) > 2 * k) {
      const std::array<ImVec2, 3> square{from_now(0, t + back), from_now(up, t + back), from_now(up, t)};
      stroke(d.list, square, with_alpha(d.theme.colour().text, faint ? 0.3f : 0.8f), d.theme.stroke(1));
    }
    draw_arrow(d.list, now, corner, style(UpdatePart::tangential, 0));
    draw_arrow(d.list, corner, tip, style(UpdatePart::radial, 0));
  }
}

} // namespace polarscope
