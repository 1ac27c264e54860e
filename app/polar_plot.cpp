#include "app/polar_plot.hpp"

#include "app/format.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

// Arrow lengths between which the enlargement is kept, in radii of the outermost ring.
constexpr float kArrowLeast = 0.08f, kArrowMost = 0.40f;

constexpr float kPi = std::numbers::pi_v<float>;
constexpr float kLogInner = 0.14f;                  // of the outer radius: where the least norm of a log scale lies
constexpr float kClearFrom = 0.035f, kClearTo = 0.16f; // of the outer radius: the field fades in, the centre has no angle
constexpr int kSectors = 720;
constexpr float kMargin = 30, kBareMargin = 6;      // design px around the rim: with angle labels, and in Show without

float rim_height(const Theme& theme, float outer) { return std::clamp(outer * 0.1f, theme.px(12), theme.px(34)); }

// Grey, not the field's blue: the rim says the loss once more, to readers of a grey print too.
ImU32 rim_ink(const Theme& theme) { return theme.colour().dark ? IM_COL32(232, 232, 234, 255) : IM_COL32(27, 28, 31, 255); }

float field_opacity(float share_of_outer) {
  return std::clamp((share_of_outer - kClearFrom) / (kClearTo - kClearFrom), 0.0f, 1.0f);
}

std::array<double, 6> mesh_key(const Theme& theme, const PolarScale& scale, const PlaneField& field) {
  return {scale.centre.x, scale.centre.y, scale.outer, static_cast<double>(field.generation),
          static_cast<double>(theme_key(theme)), static_cast<double>(field.loss.size())};
}

void build_field(const Theme& theme, const PolarScale& scale, const PlaneField& field, MeshCache& mesh) {
  constexpr std::array<float, 4> kRings{kClearFrom, 0.5f * (kClearFrom + kClearTo), kClearTo, 1};
  for (int i = 0; i <= kSectors; ++i) {
    const float a = 2 * kPi * static_cast<float>(i) / kSectors;
    const ImU32 shade = theme.colour().field(field.level(a));
    for (float ring : kRings)
      mesh.vertex({scale.centre.x + ring * scale.outer * std::cos(a), scale.centre.y - ring * scale.outer * std::sin(a)},
                  with_alpha(shade, field_opacity(ring)));
    if (i == 0) continue;
    const auto before = static_cast<unsigned>(4 * (i - 1)), now = static_cast<unsigned>(4 * i);
    for (unsigned r = 0; r < 3; ++r) mesh.quad(before + r, before + r + 1, now + r + 1, now + r);
  }
}

void build_rim(const Theme& theme, const PolarScale& scale, const PlaneField& field, MeshCache& mesh) {
  const float inner = scale.outer + theme.px(5), height = rim_height(theme, scale.outer);
  const ImU32 ink = rim_ink(theme);
  for (int i = 0; i <= kSectors; ++i) {
    const float a = 2 * kPi * static_cast<float>(i) / kSectors, level = field.level(a);
    const ImVec2 d{std::cos(a), -std::sin(a)};
    for (float r : {inner, inner + height * level})
      mesh.vertex({scale.centre.x + d.x * r, scale.centre.y + d.y * r}, with_alpha(ink, std::lerp(0.10f, 0.36f, level)));
    if (i == 0) continue;
    const auto before = static_cast<unsigned>(2 * (i - 1)), now = static_cast<unsigned>(2 * i);
    mesh.quad(before, before + 1, now + 1, now);
  }
}

void draw_rim(ImDrawList* list, const Theme& theme, const PolarScale& scale, const PlaneField& field, PolarView& view) {
  const Palette& c = theme.colour();
  const auto key = mesh_key(theme, scale, field);
  if (view.rim.stale(key)) build_rim(theme, scale, field, view.rim);
  view.rim.append(list);
  static thread_local std::vector<ImVec2> edge;
  edge.clear();
  const float inner = scale.outer + theme.px(5), height = rim_height(theme, scale.outer);
  for (int i = 0; i < kSectors; i += 2) {
    const float a = 2 * kPi * static_cast<float>(i) / kSectors, r = inner + height * field.level(a);
    edge.push_back({scale.centre.x + r * std::cos(a), scale.centre.y - r * std::sin(a)});
  }
  stroke(list, edge, with_alpha(rim_ink(theme), 0.62f), theme.stroke(1.25f), true);
  list->AddCircle(scale.centre, inner, c.panel, kSectors / 2, std::max(2.0f, theme.px(2))); // the mesh has no smooth edge of its own
}

void draw_grid(ImDrawList* list, const Theme& theme, const PolarScale& scale) {
  const Palette& c = theme.colour();
  for (int degrees = 0; degrees < 360; degrees += 30) {
    const float a = static_cast<float>(degrees) * kPi / 180;
    const float alpha = degrees % 90 == 0 ? (c.dark ? 0.10f : 0.13f) : (c.dark ? 0.045f : 0.06f);
    const float from = scale.outer * (degrees % 90 == 0 ? 0.0f : kClearFrom);
    list->AddLine({scale.centre.x + from * std::cos(a), scale.centre.y - from * std::sin(a)},
                  {scale.centre.x + scale.outer * std::cos(a), scale.centre.y - scale.outer * std::sin(a)},
                  with_alpha(c.grid, alpha), theme.hairline());
  }
}

// Norms of the rings inside the outermost one.
std::vector<float> ring_norms(const PolarScale& scale) {
  std::vector<float> norms;
  if (!scale.log) {
    for (int i = 1; scale.ring_step * static_cast<float>(i) < scale.most * 0.999f; ++i)
      norms.push_back(scale.ring_step * static_cast<float>(i));
    return norms;
  }
  const auto first = static_cast<int>(std::floor(std::log10(scale.least))) - 1;
  const auto last = static_cast<int>(std::ceil(std::log10(scale.most)));
  const float range = scale.most / scale.least;
  const std::vector<float> digits = range < 8 ? std::vector<float>{1, 2, 3, 4, 5, 6, 8} : range < 300 ? std::vector<float>{1, 2, 5} : std::vector<float>{1};
  for (int decade = first; decade <= last; ++decade)
    for (float digit : digits) {
      const float norm = digit * std::pow(10.0f, static_cast<float>(decade));
      if (norm > scale.least * 0.999f && norm < scale.most * 0.985f) norms.push_back(norm);
    }
  return norms;
}

// The direction with the fewest trail points near it; the present one unless another is clearly emptier.
void choose_ring_ray(const PlanePicture& picture, PolarView& view) {
  constexpr std::array<float, 8> kDegrees{-27, 27, -153, 153, 63, -63, 117, -117};
  const std::size_t samples = std::clamp<std::size_t>(800 / picture.trails.size(), 8, 200); // of each trail
  const auto crowd = [&](float ray) {
    int count = 0;
    for (const PlaneTrail& trail : picture.trails) {
      const std::size_t stride = std::max<std::size_t>(1, trail.angle.size() / samples);
      for (std::size_t i = 0; i < trail.angle.size(); i += stride)
        if (std::abs(std::remainder(trail.angle[i] - ray, 2 * kPi)) < 0.24f) ++count;
    }
    return count;
  };
  int least = crowd(view.ring_ray);
  if (least == 0) return;
  for (float degrees : kDegrees) {
    const float ray = degrees * kPi / 180;
    const int count = crowd(ray);
    if (count + 4 < least) least = count, view.ring_ray = ray;
  }
}

void draw_rings(ImDrawList* list, const Theme& theme, const PolarScale& scale, const std::vector<float>& norms) {
  const Palette& c = theme.colour();
  const auto ring = [&](float radius, float alpha) {
    list->AddCircle(scale.centre, radius, with_alpha(c.grid, alpha), 0, theme.hairline());
  };
  for (float norm : norms) ring(scale.pixels(norm), c.dark ? 0.12f : 0.16f);
  ring(scale.outer, c.dark ? 0.34f : 0.42f);
}

void draw_ring_labels(ImDrawList* list, const Theme& theme, const PolarScale& scale, const std::vector<float>& norms,
                      const PolarView& view, std::vector<Box>& obstacles) {
  const Palette& c = theme.colour();
  bool first = true;
  float last_r = -1e9f;
  for (float norm : norms) {
    const float r = scale.pixels(norm);
    if (r < scale.outer * 0.13f || r - last_r < theme.px(24)) continue;
    last_r = r;
    const ImVec2 at = scale.at(view.ring_ray, norm);
    const std::string number = format_value(norm, 3);
    const float word = first ? measure(theme, text::kLabel, "norm ").x : 0, digits = measure(theme, text::kTick, number).x;
    float x = at.x - digits * 0.5f;
    if (first) draw_text_aligned(list, theme, text::kLabel, {x - word * 0.5f, at.y}, c.text2, "norm", 0, 0.5f), x += word * 0.5f;
    draw_text_aligned(list, theme, text::kTick, {x, at.y}, c.text2, number, 0, 0.5f);
    obstacles.push_back({{x - word, at.y - theme.px(6)}, {x + digits, at.y + theme.px(6)}});
    first = false;
  }
}

void draw_angle_labels(ImDrawList* list, const Theme& theme, const PolarScale& scale) {
  const int every = scale.outer > theme.px(230) ? 30 : 90;
  const float reach = scale.outer + theme.px(5) + rim_height(theme, scale.outer) + theme.px(14);
  for (int degrees = -150; degrees <= 180; degrees += 30) {
    if (degrees % every != 0) continue;
    const float a = static_cast<float>(degrees) * kPi / 180;
    const ImVec2 at{scale.centre.x + reach * std::cos(a), scale.centre.y - reach * std::sin(a)};
    draw_text_aligned(list, theme, text::kTick, at, degrees % 90 == 0 ? theme.colour().text2 : theme.colour().text3,
                      format_count(degrees) + "°", 0.5f - 0.5f * std::cos(a), 0.5f);
  }
}

void draw_wells(ImDrawList* list, const Theme& theme, const PolarScale& scale, const PlaneField& field, bool words,
                std::vector<Box>& obstacles) {
  const Palette& c = theme.colour();
  for (const Well& well : find_wells(field, 4)) {
    const ImVec2 d{std::cos(well.angle), -std::sin(well.angle)}, side{-d.y, d.x};
    const float r = scale.outer - theme.px(1.5f), size = theme.px(9), half = theme.px(4.5f);
    const auto at = [&](float radial, float across) {
      return ImVec2{scale.centre.x + d.x * radial + side.x * across, scale.centre.y + d.y * radial + side.y * across};
    };
    const std::array<ImVec2, 3> notch{at(r, half), at(r - size, 0), at(r, -half)};
    list->AddTriangleFilled(notch[0], notch[1], notch[2], c.text2);
    if (!words) continue;
    const std::string number = format_fixed(well.loss, 2);
    const float word = measure(theme, text::kLabel, "well ").x + theme.px(2), wide = word + measure(theme, text::kTick, number).x;
    ImVec2 middle = at(scale.outer - theme.px(22), 0);
    middle.x -= d.x * wide * 0.42f; // clear of the ring at the left and right
    const ImVec2 left{middle.x - wide * 0.5f, middle.y};
    draw_text_aligned(list, theme, text::kLabel, left, c.text2, "well", 0, 0.5f);
    draw_text_aligned(list, theme, text::kTick, {left.x + word, middle.y}, c.text, number, 0, 0.5f);
    obstacles.push_back({{left.x, middle.y - theme.px(7)}, {left.x + wide, middle.y + theme.px(7)}});
  }
}

struct Drawing {
  ImDrawList* list;
  const Theme& theme;
  const PolarScale& scale;
  const PlanePicture& picture;

  // Field colour at a pixel distance from the centre, as it appears on the panel.
  ImU32 under(float angle, float pixels) const {
    const Palette& c = theme.colour();
    if (picture.field.empty()) return c.panel;
    return mix(c.panel, c.field(picture.field.level(angle)), field_opacity(pixels / scale.outer));
  }
};

void draw_trail(const Drawing& d, const PlaneTrail& trail) {
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<float> age;
  static thread_local std::vector<ImU32> under;
  const auto collect = [&](const std::vector<float>& angle, const std::vector<float>& radius) {
    points.clear(), under.clear();
    for (std::size_t i = 0; i < angle.size(); ++i) {
      points.push_back(d.scale.at(angle[i], radius[i]));
      under.push_back(d.under(angle[i], d.scale.pixels(radius[i])));
    }
  };
  if (!trail.ghost_angle.empty()) {
    collect(trail.ghost_angle, trail.ghost_radius);
    age.assign(points.size(), 0.35f);
    draw_fading_path(d.list, d.theme, {points, age, under}, trail.style.colour, false, false);
  }
  collect(trail.angle, trail.radius);
  path_ages(trail.step, age);
  draw_fading_path(d.list, d.theme, {points, age, under}, trail.style.colour, trail.selected, trail.dimmed);
}

// Start rays, each direction once.
void draw_start_rays(const Drawing& d) {
  std::vector<float> drawn;
  const std::array<float, 2> dots{d.theme.stroke(2), d.theme.stroke(4)};
  for (const PlaneTrail& trail : d.picture.trails) {
    if (trail.angle.empty()) continue;
    const float a = trail.angle.front();
    if (std::any_of(drawn.begin(), drawn.end(), [&](float b) { return std::abs(std::remainder(a - b, 2 * kPi)) < 0.01f; })) continue;
    drawn.push_back(a);
    const std::array<ImVec2, 2> ray{ImVec2{d.scale.centre.x + 0.06f * d.scale.outer * std::cos(a), d.scale.centre.y - 0.06f * d.scale.outer * std::sin(a)},
                                    ImVec2{d.scale.centre.x + d.scale.outer * std::cos(a), d.scale.centre.y - d.scale.outer * std::sin(a)}};
    stroke_dashed(d.list, ray, with_alpha(d.theme.colour().text2, 0.7f), d.theme.stroke(1.1f), dots);
  }
}

// Enlargement of the arrows: a round number that makes the update at most a quarter of the picture. From step to step it
// stays while the arrow is neither tiny nor large, so that lengths can be compared.
float arrow_enlargement(const PolarScale& scale, const PlaneUpdate& update, float before) {
  const float size = std::hypot(update.radial, update.tangential);
  const float unit = scale.log ? scale.outer / 4 : scale.outer / scale.most; // pixels per unit of norm, about
  if (!(size * unit > 1e-20f)) return 0;
  const float share = before * size * unit / scale.outer;
  if (share > kArrowLeast && share < kArrowMost) return before;
  return std::max(1.0f, static_cast<float>(nice_below(0.26 * scale.outer / (size * unit))));
}

void draw_update(const Drawing& d, float enlargement, std::vector<Box>& obstacles) {
  const PlaneUpdate& update = *d.picture.update;
  const PlaneTrail& trail = d.picture.trails[static_cast<std::size_t>(update.trail)];
  if (trail.angle.empty()) return;
  const float angle = trail.angle.back();
  const ImVec2 now = d.scale.at(angle, trail.radius.back());
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
  std::vector<float> dash;
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
  draw_arrow(d.list, now, tip, arrow_style(d.theme, UpdatePart::update, trail.style.colour, halo, dash));
  if (std::abs(r) > 2 && std::abs(t) > 2) {
    const float k = d.theme.px(6), back = t > 0 ? -k : k, up = r > 0 ? k : -k;
    if (std::abs(r) > 2 * k && std::abs(t) > 2 * k) {
      const std::array<ImVec2, 3> square{from_now(0, t + back), from_now(up, t + back), from_now(up, t)};
      stroke(d.list, square, with_alpha(d.theme.colour().text, 0.8f), d.theme.stroke(1));
    }
    draw_arrow(d.list, now, corner, arrow_style(d.theme, UpdatePart::tangential, 0, halo, dash));
    draw_arrow(d.list, corner, tip, arrow_style(d.theme, UpdatePart::radial, 0, halo, dash));
  }
}

// Ink when two runs start at the same place, else the run's own colour.
ImU32 start_colour(const Drawing& d, const PlaneTrail& trail, ImVec2 at) {
  for (const PlaneTrail& other : d.picture.trails) {
    if (&other == &trail || other.angle.empty()) continue;
    const ImVec2 there = d.scale.at(other.angle.front(), other.radius.front());
    if (std::hypot(there.x - at.x, there.y - at.y) < 2) return d.theme.colour().text;
  }
  return trail.style.colour;
}

std::optional<StartDrag> handle_starts(const Drawing& d, const PolarOptions& options, PolarView& view,
                                       std::vector<Box>& obstacles) {
  std::optional<StartDrag> drag;
  const float half = d.theme.px(14);
  const ImVec2 cursor = ImGui::GetCursorScreenPos();
  for (std::size_t i = 0; i < d.picture.trails.size(); ++i) {
    const PlaneTrail& trail = d.picture.trails[i];
    if (trail.angle.empty()) continue;
    const float angle = trail.angle.front(), radius = trail.radius.front();
    const ImVec2 at = d.scale.at(angle, radius);
    const int index = static_cast<int>(i);
    const bool can = options.handles && trail.draggable;
    bool active = false;
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
      if (ImGui::IsItemHovered() || active) ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
      if (view.dragging == index && (active || ImGui::IsItemDeactivated())) {
        const ImVec2 way = ImGui::GetMouseDragDelta(ImGuiMouseButton_Left, 0);
        view.moved |= std::hypot(way.x, way.y) > 1;
        const ImVec2 to{mouse.x + view.grab_x - d.scale.centre.x, d.scale.centre.y - mouse.y - view.grab_y};
        const float reach = std::clamp(std::hypot(to.x, to.y), d.scale.outer * 0.03f, d.scale.outer);
        const bool along_ray = ImGui::GetIO().KeyShift;
        if (view.moved)
          drag = StartDrag{index, along_ray ? angle : std::atan2(to.y, to.x), d.scale.radius(reach), ImGui::IsItemDeactivated()};
        if (ImGui::IsItemDeactivated()) view.dragging = -1;
      }
    }
    const ImVec2 along{std::cos(angle), -std::sin(angle)};
    draw_start_handle(d.list, d.theme, at, start_colour(d, trail, at), can ? std::optional(along) : std::nullopt, active);
    obstacles.push_back({{at.x - d.theme.px(16), at.y - d.theme.px(16)}, {at.x + d.theme.px(16), at.y + d.theme.px(16)}});
  }
  ImGui::SetCursorScreenPos(cursor);
  return drag;
}

void find_hovered(const Drawing& d, const Box& area, PolarResult& result) {
  if (!ImGui::IsWindowHovered() || ImGui::IsAnyItemActive() || !ImGui::IsMouseHoveringRect(area.min, area.max)) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  float best = d.theme.px(9);
  for (std::size_t k = 0; k < d.picture.trails.size(); ++k) {
    const PlaneTrail& trail = d.picture.trails[k];
    for (std::size_t i = 0; i < trail.angle.size(); ++i) {
      const ImVec2 at = d.scale.at(trail.angle[i], trail.radius[i]);
      const float away = std::hypot(at.x - mouse.x, at.y - mouse.y) - (i + 1 == trail.angle.size() ? d.theme.px(3) : 0);
      if (away < best) best = away, result.hovered = static_cast<int>(k), result.hovered_step = trail.step[i];
    }
  }
  result.clicked = result.hovered >= 0 && ImGui::IsMouseClicked(ImGuiMouseButton_Left);
}

void draw_hover(const Drawing& d, const PolarResult& result) {
  const PlaneTrail& trail = d.picture.trails[static_cast<std::size_t>(result.hovered)];
  const auto found = std::lower_bound(trail.step.begin(), trail.step.end(), result.hovered_step);
  const auto i = static_cast<std::size_t>(found - trail.step.begin());
  d.list->AddCircle(d.scale.at(trail.angle[i], trail.radius[i]), d.theme.px(5), d.theme.colour().text, 0, d.theme.stroke(1.3f));
  HoverCard card;
  card.run = trail.style;
  card.title = "Norm of the weight";
  card.place = trail.short_name + ", step " + format_count(trail.step[i]);
  card.value = format_digits(trail.radius[i]);
  if (i > 0 && trail.step[i] == trail.step[i - 1] + 1)
    card.change = format_digits(static_cast<double>(trail.radius[i]) - static_cast<double>(trail.radius[i - 1]), 3, true);
  card.formula = "‖w‖ = √ Σᵢ wᵢ²";
  card.sentence = "Direction in this plane: " +
                  format_fixed(std::remainder(trail.angle[i], 2 * kPi) * 180.0 / std::numbers::pi, 2) +
                  "°. The loss depends on the direction, not on the norm, where it is scale-invariant.";
  show_hover_card(d.theme, card);
}

void draw_keys(const Drawing& d, const Box& area, const PolarOptions& options, float enlargement) {
  const Palette& c = d.theme.colour();
  const float pad = d.theme.px(12);
  const bool roomy = area.max.y - area.min.y > d.theme.px(340) && area.max.x - area.min.x > d.theme.px(420);
  if (!options.keys) {
    draw_text_aligned(d.list, d.theme, text::kLabel, {area.min.x + pad, area.max.y - pad}, c.text2, options.rings_words, 0, 1);
    if (!std::isnan(d.picture.share)) { // in two short lines, beside the disc
      const float line = d.theme.px(17), y = area.max.y - pad - line;
      draw_text_aligned(d.list, d.theme, text::kLabel, {area.min.x + pad, y - line}, c.text2,
                        "plane shows " + format_percent(d.picture.share), 0, 1);
      draw_text_aligned(d.list, d.theme, text::kLabel, {area.min.x + pad, y}, c.text2, "of the last update", 0, 1);
    }
    return;
  }
  if (!std::isnan(d.picture.share)) draw_share(d.list, d.theme, {area.min.x + pad, area.min.y + d.theme.px(14)}, d.picture.share, false);
  if (area.max.x - area.min.x > d.theme.px(480))
    draw_text_aligned(d.list, d.theme, text::kLabel, {area.max.x - pad, area.min.y + d.theme.px(14)}, c.text3, "trails fade with age", 1, 0.5f);
  if (!roomy) return;
  if (d.picture.update) {
    const PlaneTrail& trail = d.picture.trails[static_cast<std::size_t>(d.picture.update->trail)];
    std::string title = "last update of " + trail.short_name;
    if (enlargement > 1) title += ", ×" + format_value(enlargement, 2);
    draw_arrow_key(d.list, d.theme, {area.min.x + pad, area.max.y - pad + d.theme.px(2)}, trail.style.colour, title,
                   std::hypot(d.picture.update->gradient_radial, d.picture.update->gradient_tangential) > 0);
  }
  if (!d.picture.field.empty()) {
    const bool wide = area.max.x - area.min.x > d.theme.px(760);
    draw_field_key(d.list, d.theme, {area.max.x - pad, area.max.y - pad + d.theme.px(6)}, d.picture.field,
                   wide ? "in this plane, shade and rim: loss" : "loss");
  }
}

} // namespace

float PolarScale::pixels(float radius) const {
  if (!log) return radius / most * outer;
  if (!(radius > 0)) return 0;
  const float t = std::log(radius / least) / std::log(most / least);
  return outer * std::max(0.0f, kLogInner + t * (1 - kLogInner));
}

float PolarScale::radius(float pixels) const {
  if (!log) return pixels / outer * most;
  return least * std::pow(most / least, (pixels / outer - kLogInner) / (1 - kLogInner));
}

ImVec2 PolarScale::at(float angle, float radius) const {
  const float r = pixels(radius);
  return {centre.x + r * std::cos(angle), centre.y - r * std::sin(angle)};
}

PolarScale polar_scale(const Theme& theme, const Box& area, float radius_least, float radius_most,
                       const PolarOptions& options) {
  PolarScale scale;
  scale.log = options.log;
  scale.centre = {std::round((area.min.x + area.max.x) * 0.5f), std::round((area.min.y + area.max.y) * 0.5f)};
  const float room = 0.5f * std::min(area.max.x - area.min.x, area.max.y - area.min.y) -
                     theme.px(options.keys ? kMargin : kBareMargin);
  scale.outer = std::round(std::max(theme.px(20), (room - theme.px(5)) / 1.1f));
  const float most = radius_most > 0 && std::isfinite(radius_most) ? radius_most : 1;
  if (!scale.log) {
    scale.ring_step = static_cast<float>(nice_below(most * 1.04 / 2.5));
    const float rings = std::ceil(most * 1.04f / scale.ring_step - 1e-4f);
    scale.most = scale.ring_step * rings;
    return scale;
  }
  const float least = radius_least > 0 && radius_least < most ? radius_least : most / 10;
  scale.most = most * 1.15f;
  scale.least = std::min(least / 1.15f, scale.most / 4);
  return scale;
}

PolarResult draw_polar(const Theme& theme, const Box& area, const PlanePicture& picture, const PolarOptions& options,
                       PolarView& view) {
  PolarResult result;
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (!picture.empty_text.empty() || picture.trails.empty()) {
    draw_empty_text(list, theme, area, picture.empty_text.empty() ? "no run is shown" : picture.empty_text);
    return result;
  }
  PolarScale scale = polar_scale(theme, area, picture.radius_least, picture.radius_most, options);
  if (view.dragging >= 0 && view.held_most > 0) scale.least = view.held_least, scale.most = view.held_most;
  const Drawing d{list, theme, scale, picture};
  list->PushClipRect(area.min, area.max, true);
  if (!picture.field.empty()) {
    const auto key = mesh_key(theme, scale, picture.field);
    if (view.field.stale(key)) build_field(theme, scale, picture.field, view.field);
    view.field.append(list);
  }
  draw_grid(list, theme, scale);
  const std::vector<float> norms = ring_norms(scale);
  draw_rings(list, theme, scale, norms);
  if (!picture.field.empty()) draw_rim(list, theme, scale, picture.field, view);
  if (options.keys) draw_angle_labels(list, theme, scale);
  list->AddCircleFilled(scale.centre, theme.px(2), with_alpha(theme.colour().text2, 0.8f));
  std::vector<Box> obstacles;
  if (view.dragging < 0) choose_ring_ray(picture, view);
  draw_ring_labels(list, theme, scale, norms, view, obstacles);
  draw_wells(list, theme, scale, picture.field, scale.outer > theme.px(150) && options.keys, obstacles);
  draw_start_rays(d);
  for (bool selected : {false, true})
    for (const PlaneTrail& trail : picture.trails)
      if (trail.selected == selected && !trail.angle.empty()) draw_trail(d, trail);
  result.drag = handle_starts(d, options, view, obstacles);
  const float enlargement = picture.update ? arrow_enlargement(scale, *picture.update, view.enlargement) : 0;
  if (enlargement > 0) view.enlargement = enlargement;
  if (picture.update && options.keys) draw_update(d, enlargement, obstacles);
  std::vector<NowLabel> labels;
  for (bool selected : {false, true})
    for (const PlaneTrail& trail : picture.trails) {
      if (trail.selected != selected || trail.angle.empty()) continue;
      const ImVec2 now = scale.at(trail.angle.back(), trail.radius.back());
      draw_now_marker(list, theme, now, trail.style, trail.selected, trail.dimmed);
      const float r = theme.marker_radius(trail.selected) + theme.px(2);
      obstacles.push_back({{now.x - r, now.y - r}, {now.x + r, now.y + r}});
    }
  for (const PlaneTrail& trail : picture.trails)
    if (!trail.angle.empty() && !trail.name.empty())
      labels.push_back({scale.at(trail.angle.back(), trail.radius.back()), options.keys ? trail.name : trail.short_name,
                        options.keys ? format_norm(trail.radius.back()) : std::string{}});
  const float reach = scale.outer + theme.px(30);
  const Box disc{{std::max(area.min.x, scale.centre.x - reach), std::max(area.min.y, scale.centre.y - reach)},
                 {std::min(area.max.x, scale.centre.x + reach), std::min(area.max.y, scale.centre.y + reach)}};
  draw_now_labels(list, theme, labels, disc, obstacles, false, view.label_slots);
  draw_keys(d, area, options, enlargement);
  find_hovered(d, area, result);
  if (result.hovered >= 0) draw_hover(d, result);
  list->PopClipRect();
  return result;
}

} // namespace polarscope
