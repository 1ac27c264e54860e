// What of the polar drawing does not move: field, spokes, rings, rim, and the words on them.
#include "app/polar_parts.hpp"

#include "app/format.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr int kSectors = 720;

// Grey, not the field's blue: the rim says the loss once more, to readers of a grey print too.
ImU32 rim_ink(const Theme& theme) {
  return theme.colour().dark ? IM_COL32(232, 232, 234, 255) : IM_COL32(27, 28, 31, 255);
}

std::array<double, 6> mesh_key(const Theme& theme, const PolarScale& scale, const PlaneField& field) {
  return {scale.centre.x,
          scale.centre.y,
          scale.outer,
          static_cast<double>(field.generation),
          static_cast<double>(theme_key(theme)),
          static_cast<double>(field.loss.size())};
}

void build_field(const Theme& theme, const PolarScale& scale, const PlaneField& field, MeshCache& mesh) {
  constexpr std::array<float, 4> kRings{kPolarClearFrom, 0.5f * (kPolarClearFrom + kPolarClearTo), kPolarClearTo, 1};
  for (int i = 0; i <= kSectors; ++i) {
    const float a = 2 * kPi * static_cast<float>(i) / kSectors;
    const ImU32 shade = theme.colour().field(field.level(a));
    for (float ring : kRings)
      mesh.vertex(
          {scale.centre.x + ring * scale.outer * std::cos(a), scale.centre.y - ring * scale.outer * std::sin(a)},
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
      mesh.vertex({scale.centre.x + d.x * r, scale.centre.y + d.y * r},
                  with_alpha(ink, std::lerp(0.10f, 0.36f, level)));
    if (i == 0) continue;
    const auto before = static_cast<unsigned>(2 * (i - 1)), now = static_cast<unsigned>(2 * i);
    mesh.quad(before, before + 1, now + 1, now);
  }
}

void draw_rim(ImDrawList* list, const Theme& theme, const PolarScale& scale, const PlaneField& field) {
  MeshCache rim;
  build_rim(theme, scale, field, rim);
  rim.append(list);
  std::vector<ImVec2> edge;
  const float inner = scale.outer + theme.px(5), height = rim_height(theme, scale.outer);
  for (int i = 0; i < kSectors; i += 2) {
    const float a = 2 * kPi * static_cast<float>(i) / kSectors, r = inner + height * field.level(a);
    edge.push_back({scale.centre.x + r * std::cos(a), scale.centre.y - r * std::sin(a)});
  }
  stroke(list, edge, with_alpha(rim_ink(theme), 0.62f), theme.stroke(1.25f), true);
  list->AddCircle(scale.centre, inner, theme.colour().panel, kSectors / 2,
                  std::max(2.0f, theme.px(2))); // the mesh has no smooth edge of its own
}

void draw_grid(ImDrawList* list, const Theme& theme, const PolarScale& scale) {
  const Palette& c = theme.colour();
  for (int degrees = 0; degrees < 360; degrees += 30) {
    const float a = static_cast<float>(degrees) * kPi / 180;
    const float alpha = degrees % 90 == 0 ? (c.dark ? 0.10f : 0.13f) : (c.dark ? 0.045f : 0.06f);
    const float from = scale.outer * (degrees % 90 == 0 ? 0.0f : kPolarClearFrom);
    list->AddLine({scale.centre.x + from * std::cos(a), scale.centre.y - from * std::sin(a)},
                  {scale.centre.x + scale.outer * std::cos(a), scale.centre.y - scale.outer * std::sin(a)},
                  with_alpha(c.grid, alpha), theme.hairline());
  }
}

void draw_rings(ImDrawList* list, const Theme& theme, const PolarScale& scale, std::span<const float> norms) {
  const Palette& c = theme.colour();
  const auto ring = [&](float radius, float alpha) {
    list->AddCircle(scale.centre, radius, with_alpha(c.grid, alpha), 0, theme.hairline());
  };
  for (float norm : norms) ring(scale.pixels(norm), c.dark ? 0.12f : 0.16f);
  ring(scale.outer, c.dark ? 0.34f : 0.42f);
}

struct RingLabel {
  ImVec2 at;  // left end of the number, middle
  float word; // width of "norm " before it
  std::string number;
  Box box;
};

// Labels of the rings on one ray, a readable distance apart.
std::vector<RingLabel> ring_labels(const PolarFrame& d, std::span<const float> norms, float ray) {
  std::vector<RingLabel> labels;
  float last_r = -1e9f;
  for (float norm : norms) {
    const float r = d.scale.pixels(norm);
    if (r < d.scale.outer * 0.13f || r - last_r < d.theme.px(24)) continue;
    last_r = r;
    const ImVec2 at = d.scale.at(ray, norm);
    RingLabel label;
    label.number = format_value(norm, 3);
    label.word = labels.empty() && d.name_rings ? measure(d.theme, text::kLabel, "norm ").x : 0;
    const float digits = measure(d.theme, text::kTick, label.number).x, half = d.theme.px(6);
    label.at = {at.x - digits * 0.5f + label.word * 0.5f, at.y};
    label.box = {{label.at.x - label.word, at.y - half}, {label.at.x + digits, at.y + half}};
    labels.push_back(std::move(label));
  }
  return labels;
}

bool touches(const Box& box, std::span<const Box> obstacles) {
  return std::any_of(obstacles.begin(), obstacles.end(), [&](const Box& other) { return overlap(box, other, 1); });
}

// The ray on which fewest labels touch an obstacle and fewest trail points are near; the present one unless another is
// clearly emptier.
void choose_ring_ray(const PolarFrame& d, std::span<const float> norms, std::span<const Box> obstacles,
                     PolarView& view) {
  constexpr std::array<float, 8> kDegrees{-27, 27, -153, 153, 63, -63, 117, -117};
  const std::size_t samples = std::clamp<std::size_t>(800 / d.picture.trails.size(), 8, 200); // of each trail
  const auto crowd = [&](float ray) {
    int count = 0;
    for (const RingLabel& label : ring_labels(d, norms, ray)) count += touches(label.box, obstacles) ? 1000 : 0;
    for (const PlaneTrail& trail : d.picture.trails) {
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

} // namespace

float rim_height(const Theme& theme, float outer) { return std::clamp(outer * 0.1f, theme.px(12), theme.px(34)); }

float field_opacity(float share_of_outer) {
  return std::clamp((share_of_outer - kPolarClearFrom) / (kPolarClearTo - kPolarClearFrom), 0.0f, 1.0f);
}

ImU32 PolarFrame::under(float angle, float pixels) const {
  const Palette& c = theme.colour();
  if (picture.field.empty()) return c.panel;
  return mix(c.panel, c.field(picture.field.level(angle)), field_opacity(pixels / scale.outer));
}

void draw_polar_ground(ImDrawList* list, const Theme& theme, const PolarScale& scale, const PlaneField& field,
                       std::span<const float> norms, PolarView& view) {
  if (!field.empty()) {
    if (view.field.stale(mesh_key(theme, scale, field))) build_field(theme, scale, field, view.field);
    view.field.append(list);
  }
  const auto shape = mesh_key(theme, scale, field);
  std::vector<double> key(shape.begin(), shape.end());
  for (float norm : norms) key.push_back(norm);
  if (key == view.lines_key && view.lines.replay(list)) return;
  view.lines_key = std::move(key);
  view.lines.begin(list);
  draw_grid(list, theme, scale);
  draw_rings(list, theme, scale, norms);
  if (!field.empty()) draw_rim(list, theme, scale, field);
  list->AddCircleFilled(scale.centre, theme.px(2), with_alpha(theme.colour().text2, 0.8f));
  view.lines.end(list);
}

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
  const std::vector<float> digits = range < 8     ? std::vector<float>{1, 2, 3, 4, 5, 6, 8}
                                    : range < 300 ? std::vector<float>{1, 2, 5}
                                                  : std::vector<float>{1};
  for (int decade = first; decade <= last; ++decade)
    for (float digit : digits) {
      const float norm = digit * std::pow(10.0f, static_cast<float>(decade));
      if (norm > scale.least * 0.999f && norm < scale.most * 0.985f) norms.push_back(norm);
    }
  return norms;
}

void draw_ring_labels(const PolarFrame& d, std::span<const float> norms, PolarView& view, std::vector<Box>& obstacles) {
  if (view.dragging < 0) choose_ring_ray(d, norms, obstacles, view);
  const ImU32 ink = d.theme.colour().text2;
  for (const RingLabel& label : ring_labels(d, norms, view.ring_ray)) {
    if (touches(label.box, obstacles)) continue;
    if (label.word > 0)
      draw_text_aligned(d.list, d.theme, text::kLabel, {label.at.x - label.word, label.at.y}, ink, "norm", 0, 0.5f);
    draw_text_aligned(d.list, d.theme, text::kTick, label.at, ink, label.number, 0, 0.5f);
    obstacles.push_back(label.box);
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

void draw_well_notches(const PolarFrame& d) {
  for (const Well& well : find_wells(d.picture.field, 4)) {
    const ImVec2 out{std::cos(well.angle), -std::sin(well.angle)}, side{-out.y, out.x};
    const float r = d.scale.outer - d.theme.px(1.5f), size = d.theme.px(9), half = d.theme.px(4.5f);
    const auto at = [&](float radial, float across) {
      return ImVec2{d.scale.centre.x + out.x * radial + side.x * across,
                    d.scale.centre.y + out.y * radial + side.y * across};
    };
    d.list->AddTriangleFilled(at(r, half), at(r - size, 0), at(r, -half), d.theme.colour().text2);
  }
}

void draw_well_words(const PolarFrame& d, std::vector<Box>& obstacles) {
  const Palette& c = d.theme.colour();
  for (const Well& well : find_wells(d.picture.field, 4)) {
    const std::string number = format_fixed(well.loss, 2);
    const float word = measure(d.theme, text::kLabel, "well ").x + d.theme.px(2),
                wide = word + measure(d.theme, text::kTick, number).x;
    const float half = d.theme.px(7);
    // beside the notch first, then further along the ring on either side, then further in
    for (const auto& [in, turn] :
         {std::pair{22.0f, 0.0f}, {22.0f, 0.25f}, {22.0f, -0.25f}, {44.0f, 0.0f}, {40.0f, 0.22f}, {40.0f, -0.22f}}) {
      const ImVec2 out{std::cos(well.angle + turn), -std::sin(well.angle + turn)};
      const float r = d.scale.outer - d.theme.px(in);
      const float middle =
          d.scale.centre.x + out.x * r - out.x * wide * 0.42f; // clear of the ring at the left and right
      const ImVec2 left{middle - wide * 0.5f, d.scale.centre.y + out.y * r};
      const Box box{{left.x, left.y - half}, {left.x + wide, left.y + half}};
      if (touches(box, obstacles)) continue;
      draw_text_aligned(d.list, d.theme, text::kLabel, left, c.text2, "well", 0, 0.5f);
      draw_text_aligned(d.list, d.theme, text::kTick, {left.x + word, left.y}, c.text, number, 0, 0.5f);
      obstacles.push_back(box);
      break;
    }
  }
}

} // namespace polarscope
