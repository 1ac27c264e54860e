#include "app/unrolled_plot.hpp"

#include "app/format.hpp"
#include "app/plot.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <utility>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

struct Sheet {
  PlotAxis x, y;  // net degrees from the start direction; norm, log
  float zero = 0; // angle of the start direction, radians
  float strip_top = 0, strip_bottom = 0;
  float degrees(float angle) const { return (angle - zero) * 180 / kPi; }
  float angle(float pixel) const { return zero + static_cast<float>(x.value(pixel)) * kPi / 180; }
  ImVec2 at(float angle, float radius) const { return {x.pixel(degrees(angle)), y.pixel(radius)}; }
  // Of a run that has left the sheet: on its edge.
  ImVec2 inside(float angle, float radius) const {
    const ImVec2 p = at(angle, radius);
    return {std::clamp(p.x, x.first, x.last), std::clamp(p.y, y.last, y.first)};
  }
  float turn_pixels() const { return (x.last - x.first) * 360 / static_cast<float>(x.most - x.least); }
};
constexpr float kLeastTurn = 48; // design px of a whole turn: below, the field and its wells would be a blur

Sheet make_sheet(const Theme& theme, const Box& area, const PlanePicture& picture, bool keys) {
  Sheet sheet;
  const PlaneTrail* first = &picture.trails.front();
  for (const PlaneTrail& trail : picture.trails)
    if (trail.selected) first = &trail;
  sheet.zero = first->angle.empty() ? 0 : first->angle.front();
  float least = 0, most = 0;
  // a diverged run would take the sheet with it: where any run lives, the sheet is theirs
  const bool all_ended = std::all_of(picture.trails.begin(), picture.trails.end(),
                                     [](const PlaneTrail& t) { return t.ended || t.angle.empty(); });
  for (const PlaneTrail& trail : picture.trails)
    if (all_ended || !trail.ended)
      for (const std::vector<float>* path : {&trail.angle, &trail.ghost_angle})
        for (float angle : *path)
          least = std::min(least, sheet.degrees(angle)), most = std::max(most, sheet.degrees(angle));
  // To both sides alike, so that no run decides which way is right; growing in steps of 30° where the paths go, so that
  // the sheet does not creep.
  constexpr float kLeast = 90;
  const float low = std::min(-kLeast, std::floor((least - 12) / 30) * 30),
              high = std::max(kLeast, std::ceil((most + 12) / 30) * 30);
  const float strip = area.max.y - area.min.y > theme.px(200) ? theme.snap(40) : theme.snap(22);
  sheet.strip_top = std::round(area.min.y + theme.px(6));
  sheet.strip_bottom = sheet.strip_top + strip;
  sheet.x = {low, high, std::round(area.min.x + theme.px(52)), std::round(area.max.x - theme.px(24)), false};
  const double norm_least = picture.radius_least > 0 ? picture.radius_least / 1.22 : picture.radius_most / 10;
  sheet.y = {norm_least, picture.radius_most * 1.22, std::round(area.max.y - theme.px(keys ? 42 : 26)),
             sheet.strip_bottom + theme.snap(6), true};
  if (sheet.y.most < 1.5 * sheet.y.least)
    sheet.y.most = 1.25 * picture.radius_most, sheet.y.least = 0.8 * picture.radius_least;
  return sheet;
}

void build_field(const Theme& theme, const Sheet& sheet, const PlaneField& field, MeshCache& mesh) {
  const ImU32 rim = theme.colour().dark ? IM_COL32(232, 232, 234, 255) : IM_COL32(27, 28, 31, 255);
  const int columns = std::max(2, static_cast<int>((sheet.x.last - sheet.x.first) / 3));
  const float tall = sheet.strip_bottom - sheet.strip_top;
  for (int i = 0; i <= columns; ++i) {
    const float px =
        sheet.x.first + (sheet.x.last - sheet.x.first) * static_cast<float>(i) / static_cast<float>(columns);
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

void draw_ground(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlaneField& field,
                 UnrolledView& view) {
  const Palette& c = theme.colour();
  if (!field.empty() && sheet.turn_pixels() >= theme.px(kLeastTurn)) {
    const std::array<double, 10> key{sheet.x.least,
                                     sheet.x.most,
                                     sheet.x.first,
                                     sheet.x.last,
                                     sheet.y.first,
                                     sheet.strip_top,
                                     sheet.zero,
                                     sheet.strip_bottom,
                                     static_cast<double>(field.generation),
                                     static_cast<double>(theme_key(theme))};
    if (view.field.stale(key)) build_field(theme, sheet, field, view.field);
    view.field.append(list);
    static thread_local std::vector<ImVec2> edge;
    edge.clear();
    for (float px = sheet.x.first; px <= sheet.x.last; px += 3) {
      const float level = field.level(sheet.angle(px));
      edge.push_back({px, sheet.strip_bottom - (sheet.strip_bottom - sheet.strip_top) * level});
    }
    stroke(list, edge, with_alpha(c.grid, 0.62f), theme.stroke(1.25f));
    draw_text_aligned(list, theme, text::kLabel, {sheet.x.first - theme.px(10), sheet.strip_bottom - theme.px(12)},
                      c.text2, "loss", 1, 0.5f);
  }
  for (const PlotTick& tick : axis_ticks(sheet.y, 6)) {
    crisp_horizontal(list, sheet.x.first, sheet.x.last, sheet.y.pixel(tick.value),
                     with_alpha(c.grid, c.dark ? 0.12f : 0.16f), theme.hairline());
    draw_text_aligned(list, theme, text::kTick, {sheet.x.first - theme.px(10), sheet.y.pixel(tick.value)}, c.text3,
                      tick.words, 1, 0.5f);
  }
  const double every = angle_tick_distance(sheet.x, theme.px(58));
  for (double degrees = std::ceil(sheet.x.least / every) * every; degrees <= sheet.x.most; degrees += every) {
    const float px = sheet.x.pixel(degrees);
    crisp_vertical(list, px, sheet.y.last, sheet.y.first, with_alpha(c.grid, c.dark ? 0.10f : 0.13f), theme.hairline());
    draw_text_aligned(list, theme, text::kTick, {px, sheet.y.first + theme.px(13)}, c.text3,
                      format_count(std::lround(degrees)) + "°", 0.5f, 0.5f);
  }
  list->AddRect({sheet.x.first, sheet.y.last}, {sheet.x.last, sheet.y.first},
                with_alpha(c.grid, c.dark ? 0.30f : 0.36f), 0, theme.hairline());
}

// Where wells lie on the sheet: f(pixel, well).
template <class F> void each_well(const Theme& theme, const Sheet& sheet, const PlaneField& field, F f) {
  if (sheet.turn_pixels() < theme.px(kLeastTurn)) return;
  for (const Well& well : find_wells(field, 4))
    for (float turn = -10; turn <= 10; ++turn)
      if (const float degrees = sheet.degrees(well.angle + turn * 2 * kPi);
          degrees >= sheet.x.least && degrees <= sheet.x.most)
        f(sheet.x.pixel(degrees), well);
}

// Vertical dotted lines: the start direction, and the wells on the sheet.
void draw_marks(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlaneField& field) {
  const std::array<float, 2> dots{theme.stroke(3), theme.stroke(3)};
  const auto line = [&](float px, float alpha) {
    const std::array<ImVec2, 2> points{ImVec2{std::round(px) + 0.5f, sheet.y.last},
                                       {std::round(px) + 0.5f, sheet.y.first}};
    stroke_dashed(list, points, with_alpha(theme.colour().text2, alpha), theme.stroke(1.1f), dots);
  };
  line(sheet.x.pixel(0), 0.8f);
  each_well(theme, sheet, field, [&](float px, const Well&) { line(px, 0.5f); });
}

// "well 0.40" beside its line, where it touches nothing.
void draw_well_words(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlaneField& field,
                     std::vector<Box>& obstacles) {
  const Palette& c = theme.colour();
  each_well(theme, sheet, field, [&](float px, const Well& well) {
    const std::string number = format_fixed(well.loss, 2);
    const float word = measure(theme, text::kLabel, "well").x + theme.px(5),
                wide = word + measure(theme, text::kTick, number).x;
    for (const auto& [right, down] :
         {std::pair{true, 14.0f}, {false, 14.0f}, {true, 32.0f}, {false, 32.0f}, {true, 50.0f}}) {
      const ImVec2 at{right ? px + theme.px(8) : px - theme.px(8) - wide, sheet.y.last + theme.px(down)};
      const Box box{{at.x - theme.px(2), at.y - theme.px(8)}, {at.x + wide + theme.px(2), at.y + theme.px(8)}};
      const bool inside = box.min.x > sheet.x.first && box.max.x < sheet.x.last && box.max.y < sheet.y.first;
      if (!inside ||
          std::any_of(obstacles.begin(), obstacles.end(), [&](const Box& other) { return overlap(box, other); }))
        continue;
      draw_text_aligned(list, theme, text::kLabel, at, c.text2, "well", 0, 0.5f);
      draw_text_aligned(list, theme, text::kTick, {at.x + word, at.y}, c.text2, number, 0, 0.5f);
      obstacles.push_back(box);
      break;
    }
  });
}

void draw_trail(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlanePicture& picture,
                const PlaneTrail& trail) {
  static thread_local std::vector<ImVec2> points;
  const bool field = !picture.field.empty() && sheet.turn_pixels() >= theme.px(kLeastTurn);
  const auto draw = [&](const std::vector<float>& angle, const std::vector<float>& radius, std::span<const long> step) {
    points.clear();
    for (std::size_t i = 0; i < angle.size(); ++i) points.push_back(sheet.at(angle[i], radius[i]));
    const std::function<ImU32(std::size_t)> under = [&](std::size_t i) {
      return field ? theme.colour().field(picture.field.level(angle[i])) : theme.colour().panel;
    };
    const bool ghost = step.empty();
    draw_fading_path(list, theme, {points, step, ghost ? 0 : step.front(), ghost ? 0 : step.back(), under},
                     trail.style.colour, !ghost && trail.selected, !ghost && trail.dimmed);
  };
  if (!trail.ghost_angle.empty()) draw(trail.ghost_angle, trail.ghost_radius, {});
  draw(trail.angle, trail.radius, trail.step);
}

void draw_trails(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlanePicture& picture,
                 UnrolledView& view) {
  const std::array<double, 12> key{sheet.zero,
                                   sheet.x.least,
                                   sheet.x.most,
                                   sheet.x.first,
                                   sheet.x.last,
                                   sheet.y.least,
                                   sheet.y.most,
                                   sheet.y.first,
                                   sheet.y.last,
                                   static_cast<double>(picture.generation),
                                   static_cast<double>(picture.field.generation),
                                   static_cast<double>(theme_key(theme))};
  const bool same = picture.generation != 0 && key == view.trails_key;
  if (same && view.trails.replay(list)) return;
  view.trails_key = key;
  view.trails.clear();
  view.trails.begin(list);
  for (bool selected : {false, true})
    for (const PlaneTrail& trail : picture.trails)
      if (trail.selected == selected && !trail.angle.empty()) draw_trail(list, theme, sheet, picture, trail);
  if (same) view.trails.end(list); // kept from the second frame on: while the cursor moves there is none
}

// Starts, markers of where runs are now, and their names.
void draw_runs(ImDrawList* list, const Theme& theme, const Sheet& sheet, const PlanePicture& picture, bool keys,
               const Box& inside, std::vector<Box>& obstacles, UnrolledView& view) {
  static thread_local std::vector<ImVec2> starts;
  static thread_local std::vector<StartLook> looks;
  static thread_local std::vector<NowLabel> labels;
  starts.clear(), labels.clear();
  for (const PlaneTrail& trail : picture.trails)
    starts.push_back(trail.angle.empty() ? ImVec2{-1e6f, -1e6f}
                                         : sheet.inside(trail.angle.front(), trail.radius.front()));
  start_looks(theme, starts, looks);
  std::size_t chosen = 0; // labels of selected runs, which choose their places first
  for (std::size_t i = 0; i < picture.trails.size(); ++i) {
    const PlaneTrail& trail = picture.trails[i];
    if (trail.angle.empty()) continue;
    if (looks[i].drawn)
      draw_start_handle(list, theme, starts[i], looks[i].shared ? theme.colour().text : trail.style.colour,
                        std::nullopt, false, looks[i].glow);
    const ImVec2 now = sheet.inside(trail.angle.back(), trail.radius.back());
    if (trail.ended) draw_ended(list, theme, now);
    else draw_now_marker(list, theme, now, trail.style, trail.selected, trail.dimmed);
    const float r = theme.px(9);
    obstacles.push_back({{now.x - r, now.y - r}, {now.x + r, now.y + r}});
    if (!trail.name.empty())
      labels.insert(trail.selected ? labels.begin() + static_cast<std::ptrdiff_t>(chosen++) : labels.end(),
                    {now, trail.name, keys ? format_norm(trail.radius.back()) : std::string{}, trail.style});
  }
  for (const PlaneTrail& trail : picture.trails) {
    if (trail.ghost_angle.empty() || trail.name.empty()) continue;
    const ImVec2 end = sheet.at(trail.ghost_angle.back(), trail.ghost_radius.back());
    if (end.x >= inside.min.x && end.x <= inside.max.x && end.y >= inside.min.y && end.y <= inside.max.y)
      labels.push_back({end, trail.short_name + " before", {}, trail.style});
  }
  draw_well_words(list, theme, sheet, picture.field, obstacles);
  draw_now_labels(list, theme, labels, inside, obstacles, true, view.label_slots);
}

} // namespace

void draw_unrolled(const Theme& theme, const Box& area, const PlanePicture& picture, bool keys, UnrolledView& view) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  const bool nothing = picture.trails.empty() || std::all_of(picture.trails.begin(), picture.trails.end(),
                                                             [](const PlaneTrail& t) { return t.angle.empty(); });
  if (!picture.empty_text.empty() || nothing) {
    draw_empty_text(list, theme, area, picture.empty_text.empty() ? "nothing to draw yet" : picture.empty_text);
    return;
  }
  const Sheet sheet = make_sheet(theme, area, picture, keys);
  view.x = sheet.x;
  if (sheet.x.last - sheet.x.first < theme.px(60) || sheet.y.first - sheet.y.last < theme.px(30)) return;
  std::vector<Box> obstacles;
  draw_ground(list, theme, sheet, picture.field, view);
  const Box inside{{sheet.x.first, sheet.y.last}, {sheet.x.last, sheet.y.first}};
  list->PushClipRect({inside.min.x - theme.px(8), inside.min.y - theme.px(8)},
                     {inside.max.x + theme.px(8), inside.max.y + theme.px(8)}, true);
  draw_marks(list, theme, sheet, picture.field);
  draw_trails(list, theme, sheet, picture, view);
  draw_runs(list, theme, sheet, picture, keys, inside, obstacles, view);
  list->PopClipRect();
  if (!keys) return;
  const Palette& c = theme.colour();
  draw_text_aligned(list, theme, text::kLabel, {sheet.x.first, area.max.y - theme.px(6)}, c.text2, "↑ norm, log scale",
                    0, 1);
  draw_text_aligned(list, theme, text::kLabel, {sheet.x.last, area.max.y - theme.px(6)}, c.text2,
                    "net angle from the start direction", 1, 1);
  if (picture.field.norm && sheet.turn_pixels() >= theme.px(kLeastTurn))
    draw_text_aligned(list, theme, text::kLabel, {sheet.x.last, sheet.strip_top + theme.px(6)}, c.text2,
                      field_words(picture.field), 1, 0.5f);
  if (!picture.field_note.empty())
    draw_text_aligned(list, theme, text::kLabel,
                      {sheet.x.first, std::round((sheet.strip_top + sheet.strip_bottom) * 0.5f)}, c.text2,
                      fit(theme, text::kLabel, picture.field_note, sheet.x.last - sheet.x.first), 0, 0.5f);
}

double angle_tick_distance(const PlotAxis& axis, float least_pixels) {
  const double wanted =
      (axis.most - axis.least) * static_cast<double>(least_pixels / std::max(1.0f, std::abs(axis.last - axis.first)));
  for (double degrees : {30.0, 60.0, 90.0, 180.0, 360.0})
    if (degrees >= wanted) return degrees;
  // whole turns: 1, 2 or 5 times a power of ten
  for (double decade = 1;; decade *= 10)
    for (double digit : {1.0, 2.0, 5.0})
      if (360 * digit * decade >= wanted) return 360 * digit * decade;
}

} // namespace polarscope
