#include "app/unrolled_plot.hpp"

#include "app/format.hpp"
#include "app/plot.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

struct Sheet {
  PlotAxis x, y;      // degrees travelled; norm, log
  float zero = 0;     // angle of the start direction, radians
  float sign = 1;     // paths turn to the right
  float strip_top = 0, strip_bottom = 0;
  float degrees(float angle) const { return sign * (angle - zero) * 180 / kPi; }
  float angle(float pixel) const { return zero + sign * static_cast<float>(x.value(pixel)) * kPi / 180; }
  ImVec2 at(float angle, float radius) const { return {x.pixel(degrees(angle)), y.pixel(radius)}; }
};

Sheet make_sheet(const Theme& theme, const Box& area, const PlanePicture& picture, bool keys) {
  Sheet sheet;
  const PlaneTrail* first = &picture.trails.front();
  for (const PlaneTrail& trail : picture.trails)
    if (trail.selected) first = &trail;
  sheet.zero = first->angle.empty() ? 0 : first->angle.front();
  float least = 0, most = 0, travelled = 0;
  for (const PlaneTrail& trail : picture.trails)
    if (!trail.angle.empty())
      if (const float way = trail.angle.back() - sheet.zero; std::abs(way) > std::abs(travelled)) travelled = way;
  sheet.sign = travelled < -0.1f ? -1.0f : 1.0f;
  for (const PlaneTrail& trail : picture.trails)
    for (float angle : trail.angle) least = std::min(least, sheet.degrees(angle)), most = std::max(most, sheet.degrees(angle));
  // growing in steps of 30° on the side where the paths go, so that the sheet does not creep
  const float low = std::floor((least - 12) / 30) * 30, high = std::max(std::ceil((most + 12) / 30) * 30, low + 120);
  const float strip = area.max.y - area.min.y > theme.px(200) ? theme.snap(40) : theme.snap(22);
  sheet.strip_top = std::round(area.min.y + theme.px(6));
  sheet.strip_bottom = sheet.strip_top + strip;
  sheet.x = {low, high, std::round(area.min.x + theme.px(52)), std::round(area.max.x - theme.px(24)), false};
  const double norm_least = picture.radius_least > 0 ? picture.radius_least / 1.22 : picture.radius_most / 10;
  sheet.y = {norm_least, picture.radius_most * 1.22, std::round(area.max.y - theme.px(keys ? 42 : 26)), sheet.strip_bottom + theme.snap(6), true};
  if (sheet.y.most < 1.5 * sheet.y.least) sheet.y.most = 1.25 * picture.radius_most, sheet.y.least = 0.8 * picture.radius_least;
  return sheet;
}

void build_field(const Theme& theme, const Sheet& sheet, const PlaneField& field, MeshCache& mesh) {
  const ImU32 rim = theme.colour().dark ? IM_COL32(232, 232, 234, 255) : IM_COL32(27, 28, 31, 255);
  const int columns = std::max(2, static_cast<int>((sheet.x.last - sheet.x.first) / 3));
  const float tall = sheet.strip_bottom - sheet.strip_top;
  for (int i = 0; i <= columns; ++i) {
    const float px = sheet.x.first + (sheet.x.last - sheet.x.first) * static_cast<float>(i) / static_cast<float>(columns);
    const float level = field.level(sheet.angle(px));
    const ImU32 shade = theme.colour().field(level), ink = with_alpha(rim, std::lerp(0.10f, 0.36f, level));
    const unsigned v = mesh.vertex({px, sheet.y.last}, shade);
    mesh.vertex({px, sheet.y.first}, shade);
    mesh.vertex({px, sheet.strip_bottom - tall * level}, ink);
    mesh.vertex({px, sheet.strip_bottom}, ink);
    if (i == 0) continue;
    mesh.quad(v - 4, v, v + 1, v - 3);
    mesh.quad(v - 2, v + 2, v + 3, v - 1);
  }
}

void draw_ground(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlaneField& field, UnrolledView& view) {
  const Palette& c = theme.colour();
  if (!field.empty()) {
    const std::array<double, 11> key{sheet.sign, sheet.x.least, sheet.x.most, sheet.x.first, sheet.x.last, sheet.y.first, sheet.strip_top,
                                     sheet.zero, sheet.strip_bottom, static_cast<double>(field.generation), static_cast<double>(theme_key(theme))};
    if (view.field.stale(key)) build_field(theme, sheet, field, view.field);
    view.field.append(list);
    static thread_local std::vector<ImVec2> edge;
    edge.clear();
    for (float px = sheet.x.first; px <= sheet.x.last; px += 3) {
      const float level = field.level(sheet.angle(px));
      edge.push_back({px, sheet.strip_bottom - (sheet.strip_bottom - sheet.strip_top) * level});
    }
    stroke(list, edge, with_alpha(c.grid, 0.62f), theme.stroke(1.25f));
    draw_text_aligned(list, theme, text::kLabel, {sheet.x.first - theme.px(10), sheet.strip_bottom - theme.px(12)}, c.text2, "loss", 1, 0.5f);
  }
  for (const PlotTick& tick : axis_ticks(sheet.y, 6)) {
    crisp_horizontal(list, sheet.x.first, sheet.x.last, sheet.y.pixel(tick.value), with_alpha(c.grid, c.dark ? 0.12f : 0.16f), theme.hairline());
    draw_text_aligned(list, theme, text::kTick, {sheet.x.first - theme.px(10), sheet.y.pixel(tick.value)}, c.text3, tick.words, 1, 0.5f);
  }
  const double span = sheet.x.most - sheet.x.least;
  const int every = span > 1500 ? 360 : span > 600 ? 180 : span > 400 ? 90 : span > 240 ? 60 : 30;
  for (int degrees = static_cast<int>(std::ceil(sheet.x.least / every)) * every; degrees <= sheet.x.most; degrees += every) {
    const float px = sheet.x.pixel(degrees);
    crisp_vertical(list, px, sheet.y.last, sheet.y.first, with_alpha(c.grid, c.dark ? 0.10f : 0.13f), theme.hairline());
    draw_text_aligned(list, theme, text::kTick, {px, sheet.y.first + theme.px(13)}, c.text3, format_count(degrees) + "°", 0.5f, 0.5f);
  }
  list->AddRect({sheet.x.first, sheet.y.last}, {sheet.x.last, sheet.y.first}, with_alpha(c.grid, c.dark ? 0.30f : 0.36f), 0, theme.hairline());
}

// Vertical dotted lines: the start direction, and the wells on the sheet with their loss.
void draw_marks(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlaneField& field, std::vector<Box>& obstacles) {
  const Palette& c = theme.colour();
  const std::array<float, 2> dots{theme.stroke(3), theme.stroke(3)};
  const auto line = [&](float px, float alpha) {
    const std::array<ImVec2, 2> points{ImVec2{std::round(px) + 0.5f, sheet.y.last}, {std::round(px) + 0.5f, sheet.y.first}};
    stroke_dashed(list, points, with_alpha(c.text2, alpha), theme.stroke(1.1f), dots);
  };
  line(sheet.x.pixel(0), 0.8f);
  for (const Well& well : find_wells(field, 4))
    for (float turn = -10; turn <= 10; ++turn) {
      const float degrees = sheet.degrees(well.angle + turn * 2 * kPi);
      if (degrees < sheet.x.least || degrees > sheet.x.most) continue;
      const float px = sheet.x.pixel(degrees), y = sheet.y.last + theme.px(14);
      line(px, 0.5f);
      const std::string number = format_fixed(well.loss, 2);
      const float word = measure(theme, text::kLabel, "well").x + theme.px(5), wide = word + measure(theme, text::kTick, number).x;
      if (px + wide + theme.px(12) > sheet.x.last) continue;
      draw_text_aligned(list, theme, text::kLabel, {px + theme.px(8), y}, c.text2, "well", 0, 0.5f);
      draw_text_aligned(list, theme, text::kTick, {px + theme.px(8) + word, y}, c.text2, number, 0, 0.5f);
      obstacles.push_back({{px, y - theme.px(8)}, {px + wide + theme.px(10), y + theme.px(8)}});
    }
}

void draw_trail(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlanePicture& picture, const PlaneTrail& trail) {
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<float> age;
  static thread_local std::vector<ImU32> under;
  const auto draw = [&](const std::vector<float>& angle, const std::vector<float>& radius) {
    points.clear(), under.clear();
    for (std::size_t i = 0; i < angle.size(); ++i) {
      points.push_back(sheet.at(angle[i], radius[i]));
      under.push_back(picture.field.empty() ? theme.colour().panel : theme.colour().field(picture.field.level(angle[i])));
    }
  };
  if (!trail.ghost_angle.empty()) {
    draw(trail.ghost_angle, trail.ghost_radius);
    age.assign(points.size(), 0.35f);
    draw_fading_path(list, theme, {points, age, under}, trail.style.colour, false, false);
  }
  draw(trail.angle, trail.radius);
  path_ages(trail.step, age);
  draw_fading_path(list, theme, {points, age, under}, trail.style.colour, trail.selected, trail.dimmed);
}

} // namespace

void draw_unrolled(const Theme& theme, const Box& area, const PlanePicture& picture, bool keys, UnrolledView& view) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const bool nothing = picture.trails.empty() || std::all_of(picture.trails.begin(), picture.trails.end(), [](const PlaneTrail& t) { return t.angle.empty(); });
  if (!picture.empty_text.empty() || nothing) {
    draw_empty_text(list, theme, area, picture.empty_text.empty() ? "nothing to draw yet" : picture.empty_text);
    return;
  }
  const Sheet sheet = make_sheet(theme, area, picture, keys);
  if (sheet.x.last - sheet.x.first < theme.px(60) || sheet.y.first - sheet.y.last < theme.px(30)) return;
  std::vector<Box> obstacles;
  draw_ground(list, theme, sheet, picture.field, view);
  const Box inside{{sheet.x.first, sheet.y.last}, {sheet.x.last, sheet.y.first}};
  list->PushClipRect({inside.min.x - theme.px(8), inside.min.y - theme.px(8)}, {inside.max.x + theme.px(8), inside.max.y + theme.px(8)}, true);
  draw_marks(list, theme, sheet, picture.field, obstacles);
  for (bool selected : {false, true})
    for (const PlaneTrail& trail : picture.trails)
      if (trail.selected == selected && !trail.angle.empty()) draw_trail(list, theme, sheet, picture, trail);
  std::vector<NowLabel> labels;
  for (const PlaneTrail& trail : picture.trails) {
    if (trail.angle.empty()) continue;
    draw_start_handle(list, theme, sheet.at(trail.angle.front(), trail.radius.front()), trail.style.colour, std::nullopt, false);
    const ImVec2 now = sheet.at(trail.angle.back(), trail.radius.back());
    draw_now_marker(list, theme, now, trail.style, trail.selected, trail.dimmed);
    const float r = theme.px(9);
    obstacles.push_back({{now.x - r, now.y - r}, {now.x + r, now.y + r}});
    if (!trail.name.empty()) labels.push_back({now, trail.name, keys ? format_norm(trail.radius.back()) : std::string{}});
  }
  draw_now_labels(list, theme, labels, inside, obstacles, true, view.label_slots);
  list->PopClipRect();
  if (!keys) return;
  const Palette& c = theme.colour();
  draw_text_aligned(list, theme, text::kLabel, {sheet.x.first, area.max.y - theme.px(6)}, c.text2, "↑ norm, log scale", 0, 1);
  draw_text_aligned(list, theme, text::kLabel, {sheet.x.last, area.max.y - theme.px(6)}, c.text2, "angle travelled from the start direction", 1, 1);
}

} // namespace polarscope
