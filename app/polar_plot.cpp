#include "app/polar_plot.hpp"

#include "app/format.hpp"
#include "app/polar_parts.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr float kLogInner = 0.14f;             // of the outer radius: where the least norm of a log scale lies
constexpr float kMargin = 30, kBareMargin = 6; // design px around the rim: with angle labels, and in Show without

void find_hovered(const PolarFrame& d, const Box& area, PolarResult& result) {
  if (!ImGui::IsWindowHovered() || ImGui::IsAnyItemActive() || !ImGui::IsMouseHoveringRect(area.min, area.max)) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  float best = d.theme.px(9);
  for (std::size_t k = 0; k < d.picture.trails.size(); ++k) {
    const PlaneTrail& trail = d.picture.trails[k];
    for (std::size_t i = 0; i < trail.angle.size(); ++i) {
      const ImVec2 at = d.scale.at(trail.angle[i], std::min(trail.radius[i], d.scale.most));
      const float away = std::hypot(at.x - mouse.x, at.y - mouse.y) - (i + 1 == trail.angle.size() ? d.theme.px(3) : 0);
      if (away < best) best = away, result.hovered = static_cast<int>(k), result.hovered_step = trail.step[i];
    }
  }
  result.clicked = result.hovered >= 0 && ImGui::IsMouseClicked(ImGuiMouseButton_Left);
}

void draw_hover(const PolarFrame& d, const PolarResult& result) {
  const PlaneTrail& trail = d.picture.trails[static_cast<std::size_t>(result.hovered)];
  const auto found = std::lower_bound(trail.step.begin(), trail.step.end(), result.hovered_step);
  const auto i = static_cast<std::size_t>(found - trail.step.begin());
  d.list->AddCircle(d.scale.at(trail.angle[i], trail.radius[i]), d.theme.px(5), d.theme.colour().text, 0,
                    d.theme.stroke(1.3f));
  HoverCard card;
  card.run = trail.style;
  card.title = "Norm of the weight";
  card.place = trail.short_name + ", step " + format_count(trail.step[i]);
  card.value = format_digits(trail.radius[i]);
  if (i > 0 && trail.step[i] == trail.step[i - 1] + 1)
    card.change =
        format_digits(static_cast<double>(trail.radius[i]) - static_cast<double>(trail.radius[i - 1]), 3, true);
  card.formula = "‖w‖ = √ Σᵢ wᵢ²";
  card.sentence = "Direction in this plane: " +
                  format_fixed(std::remainder(trail.angle[i], 2 * kPi) * 180.0 / std::numbers::pi, 2) +
                  "°. The loss depends on the direction, not on the norm, where it is scale-invariant.";
  show_hover_card(d.theme, card);
}

// Names and norms where the runs are now, "before" where a ghost ends.
void draw_labels(const PolarFrame& d, const Box& area, const PolarOptions& options, std::span<const Box> obstacles,
                 PolarView& view) {
  static thread_local std::vector<NowLabel> labels;
  labels.clear();
  for (const bool selected : {true, false}) // the selected one chooses first
    for (const PlaneTrail& trail : d.picture.trails)
      if (trail.selected == selected && !trail.angle.empty() && !trail.name.empty())
        labels.push_back({now_point(d, trail), options.keys ? trail.name : trail.short_name,
                          options.keys ? format_norm(trail.radius.back()) : std::string{}, trail.style});
  for (const PlaneTrail& trail : d.picture.trails)
    if (!trail.name.empty())
      if (const auto at = ghost_point(d, trail)) labels.push_back({*at, trail.short_name + " before", {}, trail.style});
  const float reach = d.scale.outer + d.theme.px(30);
  const Box disc{{std::max(area.min.x, d.scale.centre.x - reach), std::max(area.min.y, d.scale.centre.y - reach)},
                 {std::min(area.max.x, d.scale.centre.x + reach), std::min(area.max.y, d.scale.centre.y + reach)}};
  draw_now_labels(d.list, d.theme, labels, disc, obstacles, false, view.label_slots);
}

// In two short lines beside the disc, the lower of them ending at `bottom`.
void draw_short_share(const PolarFrame& d, float left, float bottom) {
  const ImU32 colour = d.theme.colour().text2;
  draw_text_aligned(d.list, d.theme, text::kLabel, {left, bottom - d.theme.px(17)}, colour,
                    "plane shows " + format_percent(d.picture.share), 0, 1);
  draw_text_aligned(d.list, d.theme, text::kLabel, {left, bottom}, colour, "of the last update", 0, 1);
}

// Where the disc with its rim reaches furthest to either side, at this height; 0 above and below it.
float half_chord(const PolarFrame& d, float y) {
  const float reach = d.scale.outer + d.theme.px(5) + rim_height(d.theme, d.scale.outer), up = d.scale.centre.y - y;
  return std::sqrt(std::max(0.0f, reach * reach - up * up));
}

// Broken into lines that end before the disc and the angle label above it.
void draw_note(const PolarFrame& d, float left, float y) {
  const float tall = d.theme.px(16);
  std::string_view rest = d.picture.note;
  for (int line = 0; line < 4 && !rest.empty(); ++line, y += tall) {
    const float room =
        d.scale.centre.x - std::max(d.theme.px(24), half_chord(d, y + tall * 0.5f) + d.theme.px(8)) - left;
    const auto fits = [&](std::size_t count) {
      return measure(d.theme, text::kLabel, rest.substr(0, count)).x <= room;
    };
    std::size_t end = line == 3 || fits(rest.size()) ? rest.size() : rest.find(' ');
    for (std::size_t next = end; next < rest.size() && fits(next); next = rest.find(' ', next + 1)) end = next;
    draw_text_aligned(d.list, d.theme, text::kLabel, {left, y}, d.theme.colour().text2,
                      fit(d.theme, text::kLabel, rest.substr(0, end), room), 0, 0.5f);
    rest.remove_prefix(std::min(rest.size(), end == std::string_view::npos ? rest.size() : end + 1));
  }
}

// At the upper left the plane's share and why it is another plane than the chosen one.
void draw_upper_words(const PolarFrame& d, const Box& area) {
  const float left = area.min.x + d.theme.px(12);
  float y = area.min.y + d.theme.px(14);
  if (!std::isnan(d.picture.share)) {
    // One line over a disc this small would run into its labels.
    if (area.max.y - area.min.y < d.theme.px(220)) draw_short_share(d, left, area.max.y - d.theme.px(12));
    else if (left + share_width(d.theme, d.picture.share) < d.scale.centre.x - d.theme.px(24))
      draw_share(d.list, d.theme, {left, y}, d.picture.share, false), y += d.theme.px(18);
    else draw_short_share(d, left, y + d.theme.px(24)), y += d.theme.px(36);
  }
  if (!d.picture.note.empty()) draw_note(d, left, y);
}

// At the upper right, as much as there is room for: what the rings' numbers are, and why trails fade.
std::string_view caption_of(const Theme& theme, const PolarScale& scale, const Box& area) {
  for (const std::string_view words : {"rings: norm · trails fade with age", "rings: norm"})
    if (area.max.x - theme.px(12) - measure(theme, text::kLabel, words).x > scale.centre.x + theme.px(28)) return words;
  return {};
}

// Over the key of the arrows, as much as ends before the disc; whose update it is the header of the recipe says as well.
std::string update_title(const PolarFrame& d, const PlaneTrail& trail, float enlargement, ImVec2 key_corner,
                         bool gradient) {
  const std::string times = enlargement > 1 ? ", ×" + format_value(enlargement, 2) : std::string();
  const float top = key_corner.y - arrow_key_height(d.theme, gradient), tall = d.theme.px(16);
  const float reach = std::max(half_chord(d, top), half_chord(d, top + tall)) + d.theme.px(8);
  const float room = d.scale.centre.x - reach - key_corner.x;
  for (std::string words : {"last update of " + trail.short_name + times, "last update" + times})
    if (measure(d.theme, text::kLabel, words).x <= room) return words;
  return fit(d.theme, text::kLabel, "last update" + times, room);
}

void draw_keys(const PolarFrame& d, const Box& area, const PolarOptions& options, float enlargement) {
  const Palette& c = d.theme.colour();
  const float pad = d.theme.px(12);
  const bool roomy = area.max.y - area.min.y > d.theme.px(340) && area.max.x - area.min.x > d.theme.px(420);
  if (!options.keys) {
    draw_text_aligned(d.list, d.theme, text::kLabel, {area.min.x + pad, area.max.y - pad}, c.text2, options.rings_words,
                      0, 1);
    if (!std::isnan(d.picture.share)) draw_short_share(d, area.min.x + pad, area.max.y - pad - d.theme.px(17));
    return;
  }
  draw_upper_words(d, area);
  draw_text_aligned(d.list, d.theme, text::kLabel, {area.max.x - pad, area.min.y + d.theme.px(14)}, c.text3,
                    caption_of(d.theme, d.scale, area), 1, 0.5f);
  if (!roomy) return;
  if (d.picture.update) {
    const PlaneTrail& trail = d.picture.trails[static_cast<std::size_t>(d.picture.update->trail)];
    const bool faint = d.picture.share<kFaintShare, gradient = std::hypot(d.picture.update->gradient_radial,
                                                                          d.picture.update->gradient_tangential)> 0;
    const ImVec2 corner{area.min.x + pad, area.max.y - pad + d.theme.px(2)};
    const float key_height = draw_arrow_key(d.list, d.theme, corner, trail.style.colour,
                                            update_title(d, trail, enlargement, corner, gradient), gradient, faint);
    if (faint)
      draw_text_aligned(d.list, d.theme, text::kLabel,
                        {area.min.x + pad, area.max.y - pad - key_height - d.theme.px(8)}, c.text2,
                        "faint: hardly in this plane", 0, 0.5f);
  }
  if (!d.picture.field_note.empty())
    draw_text_aligned(d.list, d.theme, text::kLabel, {area.max.x - pad, area.max.y - pad}, c.text2,
                      d.picture.field_note, 1, 1);
  if (!d.picture.field.empty()) {
    const bool wide = area.max.x - area.min.x > d.theme.px(760);
    draw_field_key(d.list, d.theme, {area.max.x - pad, area.max.y - pad + d.theme.px(6)}, d.picture.field,
                   wide ? "in this plane, shade and rim: " + field_words(d.picture.field)
                        : field_words(d.picture.field));
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

namespace {

// In Show three lines of words stand at the lower left: the disc gives way to the right, then shrinks.
void clear_words(const Theme& theme, const Box& area, const PolarOptions& options, PolarScale& scale) {
  float wide = 0;
  for (const std::string_view words : {std::string_view(options.rings_words), std::string_view("plane shows 100 %"),
                                       std::string_view("of the last update")})
    wide = std::max(wide, measure(theme, text::kLabel, words).x);
  const ImVec2 corner{area.min.x + theme.px(18) + wide, area.max.y - theme.px(12 + 3 * 17 + 4)};
  const auto reach = [&] { return scale.outer + theme.px(5) + rim_height(theme, scale.outer); };
  const auto touches = [&] {
    return std::hypot(std::max(0.0f, scale.centre.x - corner.x), std::max(0.0f, corner.y - scale.centre.y)) < reach();
  };
  const float most = area.max.x - theme.px(kBareMargin);
  for (int i = 0; i < 40 && touches(); ++i) {
    if (scale.centre.x + reach() + 4 < most) scale.centre.x += 4;
    else scale.outer = std::round(scale.outer * 0.98f);
  }
}

} // namespace

PolarScale polar_scale(const Theme& theme, const Box& area, float radius_least, float radius_most,
                       const PolarOptions& options) {
  PolarScale scale;
  scale.log = options.log;
  scale.centre = {std::round((area.min.x + area.max.x) * 0.5f), std::round((area.min.y + area.max.y) * 0.5f)};
  const float room = 0.5f * std::min(area.max.x - area.min.x, area.max.y - area.min.y) -
                     theme.px(options.keys ? kMargin : kBareMargin);
  scale.outer = std::round(std::max(theme.px(20), (room - theme.px(5)) / 1.1f));
  if (!options.keys) clear_words(theme, area, options, scale);
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
  const bool captioned = options.keys ? !caption_of(theme, scale, area).empty() : !options.rings_words.empty();
  const PolarFrame d{list, theme, scale, picture, !captioned};
  list->PushClipRect(area.min, area.max, true);
  const std::vector<float> norms = ring_norms(scale);
  draw_polar_ground(list, theme, scale, picture.field, norms, view);
  if (options.keys) draw_angle_labels(list, theme, scale);
  static thread_local std::vector<Box> obstacles;
  obstacles.clear();
  mark_obstacles(d, obstacles);
  draw_ring_labels(d, norms, view, obstacles);
  draw_well_notches(d);
  draw_start_rays(d);
  draw_trails(d, view);
  result.drag = handle_starts(d, options, view);
  const float enlargement = arrow_enlargement(d, view.enlargement);
  if (enlargement > 0) view.enlargement = enlargement;
  if (picture.update && options.keys) draw_update(d, enlargement, obstacles);
  for (bool selected : {false, true})
    for (const PlaneTrail& trail : picture.trails) {
      if (trail.selected != selected || trail.angle.empty()) continue;
      if (trail.ended) draw_ended(list, theme, now_point(d, trail));
      else draw_now_marker(list, theme, now_point(d, trail), trail.style, trail.selected, trail.dimmed);
    }
  if (scale.outer > theme.px(150) && options.keys) draw_well_words(d, obstacles);
  draw_labels(d, area, options, obstacles, view);
  draw_keys(d, area, options, enlargement);
  find_hovered(d, area, result);
  if (result.hovered >= 0) draw_hover(d, result);
  list->PopClipRect();
  return result;
}

} // namespace polarscope
