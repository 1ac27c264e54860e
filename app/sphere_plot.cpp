#include "app/sphere_plot.hpp"

#include "app/format.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <utility>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr int kMeshRows = 72, kMeshCols = 144; // of the painted sphere
constexpr float kUnitShare = 0.92f;            // of the free radius for the unit sphere when paths stay near it

float dot(const Point3& a, const Point3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
float length(const Point3& a) { return std::sqrt(dot(a, a)); }

// Point in view space: x right, y up, z towards the viewer.
struct Turn {
  float cy, sy, cp, sp;
  explicit Turn(const SphereView& view)
      : cy(std::cos(view.yaw)), sy(std::sin(view.yaw)), cp(std::cos(view.pitch)), sp(std::sin(view.pitch)) {}
  Point3 operator()(const Point3& w) const {
    const float right = -sy * w[0] + cy * w[1], away = cy * w[0] + sy * w[1];
    return {right, cp * w[2] - sp * away, sp * w[2] + cp * away};
  }
};

Point3 grid_direction(int row, int col) {
  const float polar = kPi * static_cast<float>(row) / kMeshRows,
              longitude = 2 * kPi * static_cast<float>(col) / kMeshCols;
  return {std::sin(polar) * std::cos(longitude), std::sin(polar) * std::sin(longitude), std::cos(polar)};
}

struct Scene3 {
  ImDrawList* list;
  const Theme& theme;
  const SpherePicture& picture;
  Turn turn;
  ImVec2 centre;
  float pixels; // of the unit sphere's radius

  ImVec2 at(const Point3& seen) const { return {centre.x + seen[0] * pixels, centre.y - seen[1] * pixels}; }
  // Inside the limb and behind the sphere.
  bool hidden(const Point3& seen) const { return seen[2] < 0 && seen[0] * seen[0] + seen[1] * seen[1] < 1; }
  ImU32 ground(float level, const Point3& normal) const {
    const Palette& c = theme.colour();
    // light from the upper left, gentle, so that the shade still reads as loss
    const float light = std::clamp(-0.45f * normal[0] + 0.55f * normal[1] + 0.70f * normal[2], 0.0f, 1.0f);
    const ImU32 base = c.field(level);
    return c.dark ? mix(c.bar, mix(base, c.grid, 0.05f * light), 0.55f + 0.55f * light)
                  : mix(mix(base, c.ridge, 0.6f), base, 0.35f + 0.75f * light);
  }
};

// ---- surface ----------------------------------------------------------------------------------------------------

void paint_half(const Scene3& s, const std::vector<float>& levels, bool front, MeshCache& mesh) {
  const Palette& c = s.theme.colour();
  static thread_local std::vector<Point3> seen;
  seen.clear();
  for (int row = 0; row <= kMeshRows; ++row)
    for (int col = 0; col <= kMeshCols; ++col) {
      const Point3 p = s.turn(grid_direction(row, col));
      ImU32 colour = s.ground(levels.empty() ? 0.5f : levels[seen.size()], p);
      colour = front ? with_alpha(colour, 0.85f) : mix(colour, c.panel, 0.55f);
      // pushed to the limb rather than cut by it: half-visible cells would leave a ragged edge
      const float r = std::hypot(p[0], p[1]);
      const float k = (front ? p[2] < 0 : p[2] > 0) && r > 0 ? 1 / r : 1;
      mesh.vertex(s.at({p[0] * k, p[1] * k, 0}), colour);
      seen.push_back(p);
    }
  const auto visible = [&](unsigned i) { return front ? seen[i][2] >= 0 : seen[i][2] <= 0; };
  for (unsigned row = 0; row < kMeshRows; ++row)
    for (unsigned col = 0; col < kMeshCols; ++col) {
      const unsigned a = row * (kMeshCols + 1) + col, b = a + 1, d = a + kMeshCols + 1, e = d + 1;
      if (visible(a) || visible(b) || visible(d) || visible(e)) mesh.quad(a, b, e, d);
    }
}

// Lines of the sphere at one side of the limb.
void stroke_side(const Scene3& s, const std::vector<Point3>& line, bool front, ImU32 colour) {
  static thread_local std::vector<ImVec2> part;
  part.clear();
  for (const Point3& p : line) {
    const Point3 seen = s.turn(p);
    if ((seen[2] >= 0) == front) {
      part.push_back(s.at(seen));
      continue;
    }
    stroke(s.list, part, colour, s.theme.hairline());
    part.clear();
  }
  stroke(s.list, part, colour, s.theme.hairline());
}

void draw_graticule(const Scene3& s, bool front) {
  const ImU32 ink = with_alpha(s.theme.colour().grid, front ? 0.05f : 0.025f);
  std::vector<Point3> line;
  for (int meridian = 0; meridian < 12; ++meridian) {
    line.clear();
    for (int i = 0; i <= 48; ++i) {
      const float polar = kPi * static_cast<float>(i) / 48, a = kPi * static_cast<float>(meridian) / 6;
      line.push_back({std::sin(polar) * std::cos(a), std::sin(polar) * std::sin(a), std::cos(polar)});
    }
    stroke_side(s, line, front, ink);
  }
}

// ---- paths ------------------------------------------------------------------------------------------------------

struct Now {
  Point3 seen;
  ImVec2 at;
};

Now now_of(const Scene3& s, const SphereTrail& trail, std::size_t i) {
  const Point3& w = trail.point[i];
  const Point3 seen = s.turn({w[0] / s.picture.unit, w[1] / s.picture.unit, w[2] / s.picture.unit});
  return {seen, s.at(seen)};
}

ImU32 under(const Scene3& s, const Point3& seen, const Point3& weight) {
  const float r = std::hypot(seen[0], seen[1]);
  if (r >= 1 || s.picture.field.empty()) return s.theme.colour().panel;
  const float size = std::max(length(weight), 1e-20f);
  return s.ground(s.picture.field.level({weight[0] / size, weight[1] / size, weight[2] / size}), seen);
}

// Thin lines from the surface to the path: how far it has left the unit sphere.
void draw_stems(const Scene3& s, const SphereTrail& trail) {
  const std::size_t stride = std::max<std::size_t>(1, trail.point.size() / 14);
  for (std::size_t i = stride; i < trail.point.size(); i += stride) {
    const float size = length(trail.point[i]) / s.picture.unit;
    if (!(size > 1e-6f)) continue;
    const Now top = now_of(s, trail, i);
    const Point3 foot{top.seen[0] / size, top.seen[1] / size, top.seen[2] / size};
    if (foot[2] < 0 || std::abs(size - 1) * s.pixels < 2) continue;
    stroke_line(s.list, s.at(foot), top.at, mix(under(s, foot, trail.point[i]), trail.style.colour, 0.6f),
                s.theme.hairline());
    s.list->AddCircleFilled(s.at(foot), s.theme.px(1.5f),
                            mix(under(s, foot, trail.point[i]), trail.style.colour, 0.6f));
  }
}

void draw_path(const Scene3& s, const SphereTrail& trail, bool front) {
  static thread_local std::vector<long> steps;
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<std::size_t> index;
  static thread_local std::vector<Point3> seen;
  const std::function<ImU32(std::size_t)> behind = [&](std::size_t i) {
    return under(s, seen[i], trail.point[index[i]]);
  };
  const auto flush = [&] {
    if (points.size() > 1)
      draw_fading_path(s.list, s.theme, {points, steps, trail.step.front(), trail.step.back(), behind},
                       trail.style.colour, trail.selected && front, trail.dimmed, front ? 1.0f : 0.55f);
    points.clear(), steps.clear(), index.clear(), seen.clear();
  };
  for (std::size_t i = 0; i < trail.point.size(); ++i) {
    const Now now = now_of(s, trail, i);
    const bool here = s.hidden(now.seen) != front;
    if (here || !points.empty())
      points.push_back(now.at), steps.push_back(trail.step[i]), index.push_back(i), seen.push_back(now.seen);
    if (!here) flush(); // the first point of the other side joins the two
  }
  flush();
}

// Circle of the selected run's present norm, with a soft ring inside it down to the sphere.
void draw_shell(const Scene3& s, const SphereTrail& trail, std::vector<Box>& obstacles) {
  const float norm = length(trail.point.back()), r = norm / s.picture.unit * s.pixels;
  const ImU32 colour = trail.style.colour;
  if (r > s.pixels + 2) {
    const ImVec2 uv = ImGui::GetFontTexUvWhitePixel();
    constexpr int kParts = 120;
    s.list->PrimReserve(6 * kParts, 2 * (kParts + 1));
    const unsigned base = s.list->_VtxCurrentIdx;
    const ImU32 soft = with_alpha(s.theme.colour().dark ? s.theme.colour().mid : s.theme.colour().ridge, 0.0f);
    for (int i = 0; i <= kParts; ++i) {
      const float a = 2 * kPi * static_cast<float>(i) / kParts;
      const ImVec2 d{std::cos(a), std::sin(a)};
      s.list->PrimWriteVtx({s.centre.x + d.x * s.pixels, s.centre.y + d.y * s.pixels}, uv, with_alpha(soft, 0.85f));
      s.list->PrimWriteVtx({s.centre.x + d.x * r, s.centre.y + d.y * r}, uv, with_alpha(soft, 0.15f));
    }
    for (unsigned i = 0; i < kParts; ++i)
      for (unsigned v : {2 * i, 2 * i + 1, 2 * i + 3, 2 * i, 2 * i + 3, 2 * i + 2}) s.list->PrimWriteIdx(base + v);
  }
  std::vector<ImVec2> ring;
  for (int i = 0; i <= 180; ++i) {
    const float a = 2 * kPi * static_cast<float>(i) / 180;
    ring.push_back({s.centre.x + r * std::cos(a), s.centre.y + r * std::sin(a)});
  }
  const std::array<float, 2> dash{s.theme.stroke(5), s.theme.stroke(4)};
  stroke_dashed(s.list, ring, colour, s.theme.stroke(1.3f), dash);
  const ImVec2 at{s.centre.x + (r + s.theme.px(8)) * 0.83f, s.centre.y + (r + s.theme.px(8)) * 0.56f};
  const std::string words = "shell of " + trail.short_name;
  draw_text_aligned(s.list, s.theme, text::kLabel, at, s.theme.colour().text2, words, 0, 0.5f);
  draw_text_aligned(s.list, s.theme, text::kTick, {at.x, at.y + s.theme.px(15)}, s.theme.colour().text2,
                    format_value(norm, 3), 0, 0.5f);
  obstacles.push_back(
      {{at.x, at.y - s.theme.px(8)}, {at.x + measure(s.theme, text::kLabel, words).x, at.y + s.theme.px(22)}});
}

void draw_axes_cross(const Scene3& s, const Box& area) {
  const ImVec2 origin{area.min.x + s.theme.px(56), area.max.y - s.theme.px(64)};
  const std::array<Point3, 3> axes{Point3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const std::array<const char*, 3> words{"w₁", "w₂", "w₃"};
  for (std::size_t i = 0; i < 3; ++i) {
    const Point3 seen = s.turn(axes[i]);
    const float k = s.theme.px(30);
    const ImVec2 tip{origin.x + seen[0] * k, origin.y - seen[1] * k};
    const ImU32 ink = seen[2] < -0.1f ? s.theme.colour().text3 : s.theme.colour().text2;
    draw_arrow(s.list, origin, tip, {ink, s.theme.stroke(1.3f), ArrowHead::solid});
    if (std::hypot(seen[0], seen[1]) < 0.3f) continue; // towards the viewer: its name would cover the others'
    draw_text_aligned(s.list, s.theme, text::kLabel, {origin.x + seen[0] * k * 1.4f, origin.y - seen[1] * k * 1.4f},
                      ink, words[i], 0.5f, 0.5f);
  }
}

bool take_drag(const Theme& theme, const Box& area, SphereView& view) {
  ImGui::SetCursorScreenPos(area.min);
  ImGui::InvisibleButton("sphere", {area.max.x - area.min.x, area.max.y - area.min.y}, ImGuiButtonFlags_EnableNav);
  if (ImGui::IsItemHovered()) ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
  const ImVec2 moved = ImGui::IsItemActive() ? ImGui::GetIO().MouseDelta : ImVec2{};
  const float rate = 0.008f / theme.ui_scale();
  return turn(view, -moved.x * rate, moved.y * rate);
}

// Marks on the sphere's front where the loss is least, with its value beside them.
void draw_wells(const Scene3& s, const std::vector<SphereWell>& wells, bool words, std::vector<Box>& obstacles) {
  const Palette& c = s.theme.colour();
  for (const SphereWell& well : wells) {
    const Point3 seen = s.turn(well.direction);
    if (seen[2] < 0.05f) continue;
    const ImVec2 at = s.at(seen);
    s.list->AddCircle(at, s.theme.px(4), with_alpha(c.text2, 0.9f), 0, s.theme.stroke(1.2f));
    s.list->AddCircleFilled(at, s.theme.px(1.4f), c.text2);
    if (!words) continue;
    const std::string number = format_fixed(well.loss, 2);
    const float word = measure(s.theme, text::kLabel, "well ").x + s.theme.px(2),
                wide = word + measure(s.theme, text::kTick, number).x;
    for (const auto& [dx, dy] :
         {std::pair{0.0f, 18.0f}, {0.0f, -18.0f}, {40.0f, 0.0f}, {-40.0f, 0.0f}, {0.0f, 34.0f}, {0.0f, -34.0f}}) {
      const ImVec2 left{at.x + s.theme.px(dx) - wide * 0.5f, at.y + s.theme.px(dy)};
      const Box box{{left.x, left.y - s.theme.px(7)}, {left.x + wide, left.y + s.theme.px(7)}};
      if (std::any_of(obstacles.begin(), obstacles.end(), [&](const Box& other) { return overlap(box, other); }))
        continue;
      draw_plate(s.list, s.theme, {box.min.x - s.theme.px(4), box.min.y - s.theme.px(2)},
                 {box.max.x + s.theme.px(4), box.max.y + s.theme.px(2)}, 0.6f);
      draw_text_aligned(s.list, s.theme, text::kLabel, left, c.text2, "well", 0, 0.5f);
      draw_text_aligned(s.list, s.theme, text::kTick, {left.x + word, left.y}, c.text, number, 0, 0.5f);
      obstacles.push_back(box);
      break;
    }
  }
}

} // namespace

void aim(SphereView& view, const Point3& direction) {
  view.yaw = std::atan2(direction[1], direction[0]);
  view.pitch = std::atan2(direction[2], std::hypot(direction[0], direction[1]));
}

bool turn(SphereView& view, float yaw, float pitch) {
  if (yaw == 0 && pitch == 0) return false;
  view.yaw = std::remainder(view.yaw + yaw, 2 * kPi);
  view.pitch = std::clamp(view.pitch + pitch, -0.5f * kPi, 0.5f * kPi);
  return true;
}

Point3 seen(const SphereView& view, const Point3& direction) { return Turn(view)(direction); }

namespace {

// How far from the centre anything is seen, in units of the sphere. It only grows until the camera is aimed anew, so
// that the sphere keeps its size while it is turned.
float update_reach(const SpherePicture& picture, SphereView& view) {
  const Turn turned(view);
  float reach = 1;
  for (const SphereTrail& trail : picture.trails) {
    if (trail.ended && picture.trails.size() > 1) continue; // a diverged run would leave a dot of the sphere
    if (trail.selected) reach = std::max(reach, length(trail.point.back()) / picture.unit); // its shell
    for (const Point3& p : trail.point) {
      const Point3 at = turned(p);
      reach = std::max(reach, std::hypot(at[0], at[1]) / picture.unit);
    }
  }
  view.reach = std::max(view.reach, reach);
  return view.reach;
}

// What follows from the field alone.
void follow_field(const SpherePicture& picture, SphereView& view) {
  if (picture.field.empty()) {
    view.levels.clear(), view.contours.clear(), view.wells.clear(), view.levels_of = 0;
  } else if (view.levels_of != picture.field.generation) {
    view.levels.clear();
    for (int row = 0; row <= kMeshRows; ++row)
      for (int col = 0; col <= kMeshCols; ++col) view.levels.push_back(picture.field.level(grid_direction(row, col)));
    make_contours(picture.field, view.contours);
    view.wells = find_wells(picture.field, 4);
    view.levels_of = picture.field.generation;
  }
}

// One side of the sphere: paint, graticule, contours; kept until it is turned.
void draw_half(const Scene3& s, bool front, SphereView& view) {
  const Palette& c = s.theme.colour();
  const std::array<double, 7> key{view.yaw,
                                  view.pitch,
                                  s.centre.x,
                                  s.centre.y,
                                  s.pixels,
                                  static_cast<double>(s.picture.field.generation),
                                  static_cast<double>(theme_key(s.theme)) + (s.picture.field.empty() ? 0.5 : 0)};
  MeshCache& mesh = front ? view.front : view.back;
  if (mesh.stale(key)) paint_half(s, view.levels, front, mesh);
  mesh.append(s.list);
  DrawCache& lines = view.lines[front ? 1 : 0];
  auto& lines_key = view.lines_key[front ? 1 : 0];
  if (key == lines_key && lines.replay(s.list)) return;
  lines_key = key;
  lines.begin(s.list);
  draw_graticule(s, front);
  for (const auto& chain : view.contours)
    stroke_side(s, chain, front, with_alpha(c.grid, front ? (c.dark ? 0.17f : 0.20f) : 0.05f));
  if (front)
    s.list->AddCircle(s.centre, s.pixels, with_alpha(c.grid, c.dark ? 0.42f : 0.5f), 180,
                      std::max(1.3f, s.theme.stroke(1.2f)));
  lines.end(s.list);
}

// Starts, markers of where runs are now, wells and names.
void draw_runs(const Scene3& s, const Box& area, bool keys, std::vector<Box>& obstacles, SphereView& view) {
  static thread_local std::vector<ImVec2> starts;
  static thread_local std::vector<StartLook> looks;
  static thread_local std::vector<NowLabel> labels;
  starts.clear(), labels.clear();
  for (const SphereTrail& trail : s.picture.trails) {
    const Now start = now_of(s, trail, 0);
    starts.push_back(s.hidden(start.seen) ? ImVec2{-1e6f, -1e6f} : start.at);
  }
  start_looks(s.theme, starts, looks);
  for (std::size_t i = 0; i < s.picture.trails.size(); ++i) {
    const SphereTrail& trail = s.picture.trails[i];
    const Now now = now_of(s, trail, trail.point.size() - 1);
    const ImVec2 at{std::clamp(now.at.x, area.min.x, area.max.x), std::clamp(now.at.y, area.min.y, area.max.y)};
    if (looks[i].drawn)
      draw_start_handle(s.list, s.theme, starts[i], looks[i].shared ? s.theme.colour().text : trail.style.colour,
                        std::nullopt, false, looks[i].glow);
    if (trail.ended) draw_ended(s.list, s.theme, at);
    else draw_now_marker(s.list, s.theme, at, trail.style, trail.selected, trail.dimmed || s.hidden(now.seen));
    const float r = s.theme.px(9);
    obstacles.push_back({{at.x - r, at.y - r}, {at.x + r, at.y + r}});
    if (!trail.name.empty())
      labels.push_back({at, keys ? trail.name : trail.short_name,
                        keys ? format_norm(length(trail.point.back())) : std::string{}, trail.style});
  }
  draw_wells(s, view.wells, keys, obstacles);
  draw_now_labels(s.list, s.theme, labels, area, obstacles, false, view.label_slots);
}

void draw_keys(const Scene3& s, const Box& area) {
  const Palette& c = s.theme.colour();
  const float pad = s.theme.px(12);
  draw_axes_cross(s, area);
  PlaneField range;
  range.low = s.picture.field.low, range.high = s.picture.field.high;
  if (!s.picture.field.empty())
    draw_field_key(s.list, s.theme, {area.max.x - pad, area.max.y - pad - s.theme.px(18)}, range, "loss");
  const float top = area.min.y + s.theme.px(14);
  draw_text_aligned(s.list, s.theme, text::kLabel, {area.min.x + pad, top}, c.text2,
                    s.picture.note.empty() ? "sphere: norm " + format_value(s.picture.unit, 3) : s.picture.note, 0,
                    0.5f);
  draw_text_aligned(s.list, s.theme, text::kLabel, {area.min.x + pad, area.max.y - pad}, c.text3,
                    "thin stems: how far a path has left the sphere", 0, 1);
  draw_text_aligned(s.list, s.theme, text::kLabel, {area.max.x - pad, area.max.y - pad}, c.text3,
                    "drag or Alt + arrows to turn", 1, 1);
}

} // namespace

bool draw_sphere(const Theme& theme, const Box& area, const SpherePicture& picture, bool keys, SphereView& view) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (!picture.empty_text.empty() || picture.trails.empty()) {
    draw_empty_text(list, theme, area, picture.empty_text);
    return false;
  }
  if (view.aimed_at != picture.scene && length(picture.aim) > 0) {
    aim(view, picture.aim);
    view.reach = 1;
    view.aimed_at = picture.scene;
  }
  const bool turned = take_drag(theme, area, view);
  const float room = 0.5f * std::min(area.max.x - area.min.x, area.max.y - area.min.y) - theme.px(8);
  const float radius = std::max(theme.px(12), std::min(kUnitShare * room, 0.96f * room / update_reach(picture, view)));
  const Scene3 s{list,
                 theme,
                 picture,
                 Turn(view),
                 {std::round((area.min.x + area.max.x) * 0.5f), std::round((area.min.y + area.max.y) * 0.5f)},
                 radius};
  follow_field(picture, view);
  list->PushClipRect(area.min, area.max, true);
  std::vector<Box> obstacles;
  for (const SphereTrail& trail : picture.trails)
    if (trail.selected && !trail.ended) draw_shell(s, trail, obstacles);
  for (bool front : {false, true}) {
    draw_half(s, front, view);
    for (bool selected : {false, true})
      for (const SphereTrail& trail : picture.trails)
        if (trail.selected == selected) {
          if (front) draw_stems(s, trail);
          draw_path(s, trail, front);
        }
  }
  draw_runs(s, area, keys, obstacles, view);
  if (keys && area.max.y - area.min.y > theme.px(300)) draw_keys(s, area);
  list->PopClipRect();
  return turned;
}

} // namespace polarscope
