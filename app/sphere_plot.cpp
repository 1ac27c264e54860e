#include "app/sphere_plot.hpp"

#include "app/format.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <utility>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr int kMeshRows = 72, kMeshCols = 144; // of the painted sphere
constexpr float kUnitShare = 0.78f;            // of the free radius for the unit sphere when paths stay near it

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
  const float polar = kPi * static_cast<float>(row) / kMeshRows, longitude = 2 * kPi * static_cast<float>(col) / kMeshCols;
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
    return c.dark ? mix(c.bar, mix(base, c.grid, 0.05f * light), 0.55f + 0.55f * light) : mix(mix(base, c.ridge, 0.6f), base, 0.35f + 0.75f * light);
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

// ---- contours ---------------------------------------------------------------------------------------------------

// Marching squares on the loss grid; segments are chained where they share an edge of the grid.
void make_contours(const SphereField& field, std::vector<std::vector<Point3>>& chains) {
  chains.clear();
  const auto value = [&](int r, int c) { return field.loss[static_cast<std::size_t>(r * field.cols + c % field.cols)]; };
  const auto direction = [&](float r, float c) {
    const float polar = kPi * r / static_cast<float>(field.rows - 1), longitude = 2 * kPi * c / static_cast<float>(field.cols);
    return Point3{std::sin(polar) * std::cos(longitude), std::sin(polar) * std::sin(longitude), std::cos(polar)};
  };
  for (int step = 1; step < 10; ++step) {
    const float level = std::lerp(field.low, field.high, static_cast<float>(step) / 10);
    std::multimap<int, int> ends;                  // edge → segment
    std::vector<std::pair<int, int>> segments;     // by edge ids
    std::map<int, Point3> points;                  // crossing of each edge
    const auto edge_point = [&](int r0, int c0, int r1, int c1) {
      const int id = 2 * (r0 * field.cols + c0 % field.cols) + (r0 == r1 ? 0 : 1);
      const float a = value(r0, c0), b = value(r1, c1), t = (level - a) / (b - a);
      points.emplace(id, direction(static_cast<float>(r0) + t * static_cast<float>(r1 - r0), static_cast<float>(c0) + t * static_cast<float>(c1 - c0)));
      return id;
    };
    for (int r = 0; r + 1 < field.rows; ++r)
      for (int c = 0; c < field.cols; ++c) {
        std::array<int, 4> found;
        int n = 0;
        const auto above = [&](int dr, int dc) { return value(r + dr, c + dc) > level; };
        if (above(0, 0) != above(0, 1)) found[static_cast<std::size_t>(n++)] = edge_point(r, c, r, c + 1);
        if (above(0, 1) != above(1, 1)) found[static_cast<std::size_t>(n++)] = edge_point(r, c + 1, r + 1, c + 1);
        if (above(1, 0) != above(1, 1)) found[static_cast<std::size_t>(n++)] = edge_point(r + 1, c, r + 1, c + 1);
        if (above(0, 0) != above(1, 0)) found[static_cast<std::size_t>(n++)] = edge_point(r, c, r + 1, c);
        for (int k = 0; k + 1 < n; k += 2) {
          const int index = static_cast<int>(segments.size());
          segments.push_back({found[static_cast<std::size_t>(k)], found[static_cast<std::size_t>(k + 1)]});
          ends.emplace(segments.back().first, index), ends.emplace(segments.back().second, index);
        }
      }
    std::vector<bool> used(segments.size());
    const auto next_of = [&](int edge) {
      for (auto [it, last] = ends.equal_range(edge); it != last; ++it)
        if (!used[static_cast<std::size_t>(it->second)]) return it->second;
      return -1;
    };
    for (std::size_t first = 0; first < segments.size(); ++first) {
      if (used[first]) continue;
      used[first] = true;
      std::vector<Point3> chain{points[segments[first].first], points[segments[first].second]};
      for (bool forwards : {true, false}) {
        int edge = forwards ? segments[first].second : segments[first].first;
        for (int s = next_of(edge); s >= 0; s = next_of(edge)) {
          used[static_cast<std::size_t>(s)] = true;
          const auto& segment = segments[static_cast<std::size_t>(s)];
          edge = segment.first == edge ? segment.second : segment.first;
          chain.push_back(points[edge]);
        }
        std::reverse(chain.begin(), chain.end());
      }
      chains.push_back(std::move(chain));
    }
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
    stroke_line(s.list, s.at(foot), top.at, mix(under(s, foot, trail.point[i]), trail.style.colour, 0.6f), s.theme.hairline());
    s.list->AddCircleFilled(s.at(foot), s.theme.px(1.5f), mix(under(s, foot, trail.point[i]), trail.style.colour, 0.6f));
  }
}

void draw_path(const Scene3& s, const SphereTrail& trail, bool front) {
  static thread_local std::vector<float> age, part_age;
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<ImU32> behind;
  path_ages(trail.step, age);
  const auto flush = [&] {
    if (points.size() > 1)
      draw_fading_path(s.list, s.theme, {points, part_age, behind}, trail.style.colour, trail.selected && front, trail.dimmed, front ? 1.0f : 0.55f);
    points.clear(), part_age.clear(), behind.clear();
  };
  for (std::size_t i = 0; i < trail.point.size(); ++i) {
    const Now now = now_of(s, trail, i);
    const bool here = s.hidden(now.seen) != front;
    if (here || !points.empty()) {
      points.push_back(now.at);
      part_age.push_back(age[i]);
      behind.push_back(under(s, now.seen, trail.point[i]));
    }
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
  draw_text_aligned(s.list, s.theme, text::kTick, {at.x, at.y + s.theme.px(15)}, s.theme.colour().text2, format_value(norm, 3), 0, 0.5f);
  obstacles.push_back({{at.x, at.y - s.theme.px(8)}, {at.x + measure(s.theme, text::kLabel, words).x, at.y + s.theme.px(22)}});
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
    draw_text_aligned(s.list, s.theme, text::kLabel, {origin.x + seen[0] * k * 1.4f, origin.y - seen[1] * k * 1.4f}, ink, words[i], 0.5f, 0.5f);
  }
}

bool take_drag(const Theme& theme, const Box& area, SphereView& view) {
  ImGui::SetCursorScreenPos(area.min);
  ImGui::InvisibleButton("sphere", {area.max.x - area.min.x, area.max.y - area.min.y}, ImGuiButtonFlags_EnableNav);
  if (ImGui::IsItemHovered()) ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
  if (!ImGui::IsItemActive()) return false;
  const ImVec2 moved = ImGui::GetIO().MouseDelta;
  if (moved.x == 0 && moved.y == 0) return false;
  const float rate = 0.008f / theme.ui_scale();
  view.yaw = std::remainder(view.yaw - moved.x * rate, 2 * kPi);
  view.pitch = std::clamp(view.pitch + moved.y * rate, -0.5f * kPi, 0.5f * kPi);
  return true;
}

} // namespace

float SphereField::level(Point3 d) const {
  const float r = std::acos(std::clamp(d[2], -1.0f, 1.0f)) / kPi * static_cast<float>(rows - 1);
  float turns = std::atan2(d[1], d[0]) / (2 * kPi);
  turns -= std::floor(turns);
  const float c = turns * static_cast<float>(cols);
  const int r0 = std::min(static_cast<int>(r), rows - 2), c0 = static_cast<int>(c) % cols;
  const float fr = r - static_cast<float>(r0), fc = c - std::floor(c);
  const auto at = [&](int i, int j) { return loss[static_cast<std::size_t>(i * cols + j % cols)]; };
  const float value = std::lerp(std::lerp(at(r0, c0), at(r0, c0 + 1), fc), std::lerp(at(r0 + 1, c0), at(r0 + 1, c0 + 1), fc), fr);
  return std::clamp((value - low) / std::max(high - low, 1e-30f), 0.0f, 1.0f);
}

void set_field_range(SphereField& field) {
  PlaneField flat;
  flat.loss = field.loss;
  set_field_range(flat);
  field.low = flat.low, field.high = flat.high;
}

bool draw_sphere(const Theme& theme, const Box& area, const SpherePicture& picture, bool keys, SphereView& view) {
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (!picture.empty_text.empty() || picture.trails.empty()) {
    draw_empty_text(list, theme, area, picture.empty_text);
    return false;
  }
  const bool turned = take_drag(theme, area, view);
  float reach = 1;
  for (const SphereTrail& trail : picture.trails)
    for (const Point3& p : trail.point) reach = std::max(reach, length(p) / picture.unit);
  const float room = 0.5f * std::min(area.max.x - area.min.x, area.max.y - area.min.y) - theme.px(16);
  const Scene3 s{list, theme, picture, Turn(view), {std::round((area.min.x + area.max.x) * 0.5f), std::round((area.min.y + area.max.y) * 0.5f)},
                 std::max(theme.px(12), std::min(kUnitShare * room, 0.94f * room / reach))};
  if (!picture.field.empty() && view.levels_of != picture.field.generation) {
    view.levels.clear();
    for (int row = 0; row <= kMeshRows; ++row)
      for (int col = 0; col <= kMeshCols; ++col) view.levels.push_back(picture.field.level(grid_direction(row, col)));
    make_contours(picture.field, view.contours);
    view.levels_of = picture.field.generation;
  } else if (picture.field.empty()) {
    view.levels.clear(), view.contours.clear(), view.levels_of = 0;
  }
  list->PushClipRect(area.min, area.max, true);
  const Palette& c = theme.colour();
  std::vector<Box> obstacles;
  const SphereTrail* shell = nullptr;
  for (const SphereTrail& trail : picture.trails)
    if (trail.selected) shell = &trail;
  if (shell) draw_shell(s, *shell, obstacles);
  for (bool front : {false, true}) {
    MeshCache& mesh = front ? view.front : view.back;
    const std::array<double, 7> key{view.yaw, view.pitch, s.centre.x, s.centre.y, s.pixels, static_cast<double>(picture.field.generation),
                                    static_cast<double>(theme_key(theme))};
    if (mesh.stale(key)) paint_half(s, view.levels, front, mesh);
    mesh.append(list);
    draw_graticule(s, front);
    for (const auto& chain : view.contours) stroke_side(s, chain, front, with_alpha(c.grid, front ? (c.dark ? 0.17f : 0.20f) : 0.05f));
    if (front) list->AddCircle(s.centre, s.pixels, with_alpha(c.grid, c.dark ? 0.42f : 0.5f), 180, std::max(1.3f, theme.stroke(1.2f)));
    for (bool selected : {false, true})
      for (const SphereTrail& trail : picture.trails)
        if (trail.selected == selected) {
          if (front) draw_stems(s, trail);
          draw_path(s, trail, front);
        }
  }
  std::vector<NowLabel> labels;
  for (const SphereTrail& trail : picture.trails) {
    const Now start = now_of(s, trail, 0), now = now_of(s, trail, trail.point.size() - 1);
    const bool behind = s.hidden(now.seen);
    if (!s.hidden(start.seen)) draw_start_handle(list, theme, start.at, trail.style.colour, std::nullopt, false);
    draw_now_marker(list, theme, now.at, trail.style, trail.selected, trail.dimmed || behind);
    const float r = theme.px(9);
    obstacles.push_back({{now.at.x - r, now.at.y - r}, {now.at.x + r, now.at.y + r}});
    labels.push_back({now.at, keys ? trail.name : trail.short_name, keys ? format_norm(length(trail.point.back())) : std::string{}});
  }
  draw_now_labels(list, theme, labels, area, obstacles, false, view.label_slots);
  if (keys && area.max.y - area.min.y > theme.px(300)) {
    const float pad = theme.px(12);
    draw_axes_cross(s, area);
    PlaneField range;
    range.low = picture.field.low, range.high = picture.field.high;
    if (!picture.field.empty()) draw_field_key(list, theme, {area.max.x - pad, area.max.y - pad - theme.px(18)}, range, "loss");
    draw_text_aligned(list, theme, text::kLabel, {area.min.x + pad, area.max.y - pad}, c.text2,
                      "sphere: norm " + format_value(picture.unit, 3) + "; thin stems: how far a path has left it", 0, 1);
    draw_text_aligned(list, theme, text::kLabel, {area.max.x - pad, area.max.y - pad}, c.text3, "drag to turn", 1, 1);
  }
  list->PopClipRect();
  return turned;
}

} // namespace polarscope
