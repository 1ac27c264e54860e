#include "app/stroke.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

constexpr float kMitreCosine = 0.819f; // cos 35°
constexpr float kFringe = 1.0f;        // width of the anti-aliased edge, pixels
constexpr float kPi = std::numbers::pi_v<float>;

ImVec2 operator+(ImVec2 a, ImVec2 b) { return {a.x + b.x, a.y + b.y}; }
ImVec2 operator-(ImVec2 a, ImVec2 b) { return {a.x - b.x, a.y - b.y}; }
ImVec2 operator*(ImVec2 a, float s) { return {a.x * s, a.y * s}; }
float dot(ImVec2 a, ImVec2 b) { return a.x * b.x + a.y * b.y; }
float cross(ImVec2 a, ImVec2 b) { return a.x * b.y - a.y * b.x; }
float length(ImVec2 a) { return std::sqrt(dot(a, a)); }
ImVec2 left_of(ImVec2 direction) { return {direction.y, -direction.x}; }

// Writes one stroke into a draw list. A cross-section is four vertices: faded edge, body, body, faded edge.
class Strip {
public:
  explicit Strip(ImDrawList* list) : list_(list), uv_(ImGui::GetFontTexUvWhitePixel()) {}

  // A cross-section at `at`; `side` is the unit normal, longer on a mitre.
  unsigned section(ImVec2 at, ImVec2 side, float width, ImU32 colour) {
    const float body = std::max(0.0f, (width - kFringe) * 0.5f), edge = body + kFringe;
    if (width < kFringe) colour = fade(colour, width / kFringe);
    const ImU32 clear = colour & ~IM_COL32_A_MASK;
    list_->PrimReserve(0, 4);
    const unsigned first = list_->_VtxCurrentIdx;
    list_->PrimWriteVtx(at + side * edge, uv_, clear);
    list_->PrimWriteVtx(at + side * body, uv_, colour);
    list_->PrimWriteVtx(at - side * body, uv_, colour);
    list_->PrimWriteVtx(at - side * edge, uv_, clear);
    return first;
  }

  void join(unsigned a, unsigned b) {
    list_->PrimReserve(18, 0);
    for (unsigned k = 0; k < 3; ++k) {
      triangle(a + k, b + k, b + k + 1);
      triangle(a + k, b + k + 1, a + k + 1);
    }
  }

  // A faded end: one more section, transparent, a fringe further out.
  void cap(unsigned end, ImVec2 at, ImVec2 outward, ImVec2 side, float width, ImU32 colour) {
    const unsigned beyond = section(at + outward * kFringe, side, width, colour & ~IM_COL32_A_MASK);
    if (cross(outward, side) > 0) join(beyond, end);
    else join(end, beyond);
  }

  // The outer wedge of a sharp joint, from normal n0 to n1 (both pointing outwards).
  void wedge(ImVec2 at, ImVec2 n0, ImVec2 n1, float width, ImU32 colour) {
    const float body = std::max(0.0f, (width - kFringe) * 0.5f), edge = body + kFringe;
    if (width < kFringe) colour = fade(colour, width / kFringe);
    const float a0 = std::atan2(n0.y, n0.x);
    float turn = std::atan2(n1.y, n1.x) - a0;
    if (turn > kPi) turn -= 2 * kPi;
    if (turn < -kPi) turn += 2 * kPi;
    const int parts = std::clamp(static_cast<int>(std::abs(turn) * (2 + 0.5f * body)), 1, 12);
    list_->PrimReserve(parts * 9, 1 + 2 * (parts + 1));
    const unsigned centre = list_->_VtxCurrentIdx;
    list_->PrimWriteVtx(at, uv_, colour);
    for (int i = 0; i <= parts; ++i) {
      const float a = a0 + turn * static_cast<float>(i) / static_cast<float>(parts);
      const ImVec2 n{std::cos(a), std::sin(a)};
      list_->PrimWriteVtx(at + n * body, uv_, colour);
      list_->PrimWriteVtx(at + n * edge, uv_, colour & ~IM_COL32_A_MASK);
    }
    for (unsigned i = 0; i < static_cast<unsigned>(parts); ++i) {
      const unsigned in = centre + 1 + 2 * i;
      triangle(centre, in, in + 2);
      triangle(in, in + 1, in + 3);
      triangle(in, in + 3, in + 2);
    }
  }

private:
  void triangle(unsigned a, unsigned b, unsigned c) {
    list_->PrimWriteIdx(a);
    list_->PrimWriteIdx(b);
    list_->PrimWriteIdx(c);
  }

  ImDrawList* list_;
  ImVec2 uv_;
};

template <class T> const T& entry(std::span<const T> values, std::size_t i) {
  return values[values.size() == 1 ? 0 : i];
}

// Joint between directions d0 and d1 at one point. Returns the section that the next segment starts from.
unsigned joint(Strip& strip, unsigned previous, ImVec2 at, ImVec2 d0, ImVec2 d1, float width, ImU32 colour) {
  const float along = dot(d0, d1);
  if (along > kMitreCosine) {
    const ImVec2 middle = left_of(d0) + left_of(d1);
    const float m = dot(middle, middle);
    const unsigned section = strip.section(at, middle * (2.0f / m), width, colour);
    strip.join(previous, section);
    return section;
  }
  strip.join(previous, strip.section(at, left_of(d0), width, colour));
  const float sign = cross(d0, d1) > 0 ? 1.0f : -1.0f; // the outer side lies left when it turns right
  strip.wedge(at, left_of(d0) * sign, left_of(d1) * sign, width, colour);
  return strip.section(at, left_of(d1), width, colour);
}

} // namespace

void stroke(ImDrawList* list, std::span<const ImVec2> points, std::span<const ImU32> colours,
            std::span<const float> widths, bool closed) {
  static thread_local std::vector<int> kept;
  kept.clear();
  for (std::size_t i = 0; i < points.size(); ++i)
    if (kept.empty() || length(points[i] - points[static_cast<std::size_t>(kept.back())]) > 0.05f)
      kept.push_back(static_cast<int>(i));
  if (closed && kept.size() > 2 && length(points[static_cast<std::size_t>(kept.back())] - points[0]) <= 0.05f)
    kept.pop_back();
  const std::size_t n = kept.size();
  if (n < 2) return;
  const auto point = [&](std::size_t k) { return points[static_cast<std::size_t>(kept[k % n])]; };
  const auto colour = [&](std::size_t k) { return entry(colours, static_cast<std::size_t>(kept[k % n])); };
  const auto width = [&](std::size_t k) { return entry(widths, static_cast<std::size_t>(kept[k % n])); };
  const auto direction = [&](std::size_t k) {
    const ImVec2 d = point(k + 1) - point(k);
    return d * (1.0f / length(d));
  };
  Strip strip(list);
  ImVec2 d = direction(0);
  if (closed) { // begins and ends in the middle of the first segment, where both ends fit without a joint
    const ImVec2 middle = (point(0) + point(1)) * 0.5f;
    unsigned section = strip.section(middle, left_of(d), width(0), colour(0));
    for (std::size_t k = 1; k <= n; ++k) {
      const ImVec2 next = direction(k % n);
      section = joint(strip, section, point(k), d, next, width(k), colour(k));
      d = next;
    }
    strip.join(section, strip.section(middle, left_of(d), width(0), colour(0)));
    return;
  }
  unsigned section = strip.section(point(0), left_of(d), width(0), colour(0));
  strip.cap(section, point(0), d * -1.0f, left_of(d), width(0), colour(0));
  for (std::size_t k = 1; k + 1 < n; ++k) {
    const ImVec2 next = direction(k);
    section = joint(strip, section, point(k), d, next, width(k), colour(k));
    d = next;
  }
  const unsigned last = strip.section(point(n - 1), left_of(d), width(n - 1), colour(n - 1));
  strip.join(section, last);
  strip.cap(last, point(n - 1), d, left_of(d), width(n - 1), colour(n - 1));
}

void stroke(ImDrawList* list, std::span<const ImVec2> points, ImU32 colour, float width, bool closed) {
  stroke(list, points, std::span<const ImU32>(&colour, 1), std::span<const float>(&width, 1), closed);
}

void stroke_line(ImDrawList* list, ImVec2 from, ImVec2 to, ImU32 colour, float width) {
  const std::array<ImVec2, 2> points{from, to};
  stroke(list, points, colour, width);
}

void stroke_dashed(ImDrawList* list, std::span<const ImVec2> points, ImU32 colour, float width,
                   std::span<const float> pattern, float phase) {
  float period = 0;
  for (float part : pattern) period += part;
  if (period < 0.5f) return stroke(list, points, colour, width);
  std::size_t part = 0;
  float left = std::fmod(phase, period);
  while (left >= pattern[part]) left -= pattern[part], part = (part + 1) % pattern.size();
  left = pattern[part] - left;
  std::vector<ImVec2> dash;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const ImVec2 from = points[i], step = points[i + 1] - from;
    const float size = length(step);
    if (size <= 0) continue;
    float done = 0;
    if (part % 2 == 0 && dash.empty()) dash.push_back(from);
    while (size - done > left) {
      done += left;
      const ImVec2 at = from + step * (done / size);
      if (part % 2 == 0) {
        dash.push_back(at);
        stroke(list, dash, colour, width);
        dash.clear();
      } else {
        dash.push_back(at);
      }
      part = (part + 1) % pattern.size();
      left = pattern[part];
    }
    left -= size - done;
    if (part % 2 == 0) dash.push_back(points[i + 1]);
  }
  if (dash.size() > 1) stroke(list, dash, colour, width);
}

std::vector<float> dash_pattern(const Theme& theme, const RunStyle& style) {
  std::vector<float> pattern(style.dash.begin(), style.dash.end());
  for (float& part : pattern) part = theme.stroke(part);
  return pattern;
}

void thin_points(std::span<const ImVec2> points, float least, std::vector<int>& kept) {
  kept.clear();
  for (std::size_t i = 0; i < points.size(); ++i)
    if (kept.empty() || length(points[i] - points[static_cast<std::size_t>(kept.back())]) >= least)
      kept.push_back(static_cast<int>(i));
  const int last = static_cast<int>(points.size()) - 1;
  if (kept.size() > 1 && kept.back() != last) kept.back() = last;
  else if (!kept.empty() && kept.back() != last) kept.push_back(last);
}

void crisp_horizontal(ImDrawList* list, float x0, float x1, float y, ImU32 colour, float thickness) {
  const float top = std::round(y - thickness * 0.5f);
  list->AddRectFilled({std::round(x0), top}, {std::round(x1), top + std::round(thickness)}, colour);
}

void crisp_vertical(ImDrawList* list, float x, float y0, float y1, ImU32 colour, float thickness) {
  const float left = std::round(x - thickness * 0.5f);
  list->AddRectFilled({left, std::round(y0)}, {left + std::round(thickness), std::round(y1)}, colour);
}

namespace {

// Corners of a regular figure, clockwise on screen, the first at `start` degrees (0 = right, 90 = down).
int regular(ImVec2 centre, float radius, int corners, float start, ImVec2* out) {
  for (int i = 0; i < corners; ++i) {
    const float a = (start + 360.0f * static_cast<float>(i) / static_cast<float>(corners)) * kPi / 180;
    out[i] = {centre.x + radius * std::cos(a), centre.y + radius * std::sin(a)};
  }
  return corners;
}

// Outline of a plus, turned by `turn` radians.
int plus_outline(ImVec2 centre, float radius, float turn, ImVec2* out) {
  const float a = radius * 1.18f, b = radius * 0.40f;
  const std::array<ImVec2, 12> shape{ImVec2{-b, -a}, {b, -a}, {b, -b}, {a, -b}, {a, b},   {b, b},
                                     {b, a},         {-b, a}, {-b, b}, {-a, b}, {-a, -b}, {-b, -b}};
  const float c = std::cos(turn), s = std::sin(turn);
  for (std::size_t i = 0; i < shape.size(); ++i)
    out[i] = {centre.x + c * shape[i].x - s * shape[i].y, centre.y + s * shape[i].x + c * shape[i].y};
  return static_cast<int>(shape.size());
}

int marker_outline(Marker marker, ImVec2 c, float r, ImVec2* out) {
  switch (marker) {
  case Marker::triangle: return regular({c.x, c.y + 0.18f * r}, 1.32f * r, 3, -90, out);
  case Marker::triangle_down: return regular({c.x, c.y - 0.18f * r}, 1.32f * r, 3, 90, out);
  case Marker::square: return regular(c, 1.27f * r, 4, 45, out);
  case Marker::diamond: return regular(c, 1.30f * r, 4, 0, out);
  case Marker::pentagon: return regular({c.x, c.y + 0.05f * r}, 1.15f * r, 5, -90, out);
  case Marker::plus: return plus_outline(c, r, 0, out);
  case Marker::cross: return plus_outline(c, r, kPi / 4, out);
  case Marker::disc: break;
  }
  return 0;
}

} // namespace

void draw_marker(ImDrawList* list, Marker marker, ImVec2 centre, float radius, ImU32 colour, ImU32 halo_colour,
                 float halo) {
  if (marker == Marker::disc) {
    if (halo > 0) list->AddCircleFilled(centre, radius + halo, halo_colour);
    list->AddCircleFilled(centre, radius, colour);
    return;
  }
  std::array<ImVec2, 12> outline;
  const int corners = marker_outline(marker, centre, radius, outline.data());
  if (halo > 0) list->AddPolyline(outline.data(), corners, halo_colour, 2 * halo, ImDrawFlags_Closed);
  if (corners == 12) { // concave: filled as a bar and two stubs, which do not overlap
    const auto quad = [&](int a, int b, int c, int d) {
      const auto at = [&](int i) { return outline[static_cast<std::size_t>(i)]; };
      const std::array<ImVec2, 4> points{at(a), at(b), at(c), at(d)};
      list->AddConvexPolyFilled(points.data(), 4, colour);
    };
    quad(0, 1, 6, 7);
    quad(3, 4, 9, 10);
    return;
  }
  list->AddConvexPolyFilled(outline.data(), corners, colour);
}

namespace {

void arrow_body(ImDrawList* list, ImVec2 tail, ImVec2 tip, const ArrowStyle& style, ImU32 colour, float grow) {
  const ImVec2 whole = tip - tail;
  const float size = length(whole);
  const ImVec2 d = whole * (1.0f / size), side = left_of(d);
  const float head =
      std::min(style.head == ArrowHead::solid ? 4.6f * style.width : 3.0f + 3.2f * style.width, 0.7f * size);
  const float spread = head * (style.head == ArrowHead::solid ? 0.46f : 0.5f);
  const float width = style.width + 2 * grow;
  const ImVec2 neck = style.head == ArrowHead::solid ? tip - d * (head * 0.8f) : tip;
  const std::array<ImVec2, 2> line{tail, neck};
  if (grow > 0) stroke(list, line, colour, width); // a halo has no gaps
  else stroke_dashed(list, line, colour, width, style.dash);
  const ImVec2 base = tip - d * head;
  if (style.head == ArrowHead::solid) {
    std::array<ImVec2, 3> points{tip, base - side * spread, base + side * spread};
    if (grow > 0) list->AddPolyline(points.data(), 3, colour, 2 * grow, ImDrawFlags_Closed);
    list->AddConvexPolyFilled(points.data(), 3, colour);
  } else if (style.head == ArrowHead::open) {
    const std::array<ImVec2, 3> points{base + side * spread, tip, base - side * spread};
    stroke(list, points, colour, width);
  } else {
    const float half = std::min(4.5f + style.width * 0.5f, 0.6f * size + 1);
    stroke_line(list, tip + side * half, tip - side * half, colour, width);
  }
}

} // namespace

void draw_arrow(ImDrawList* list, ImVec2 tail, ImVec2 tip, const ArrowStyle& style) {
  if (length(tip - tail) < 1.5f) return;
  if (style.halo > 0) arrow_body(list, tail, tip, style, style.halo_colour, style.halo);
  arrow_body(list, tail, tip, style, style.colour, 0);
}

ArrowStyle arrow_style(const Theme& theme, UpdatePart part, ImU32 run_colour, ImU32 halo_colour,
                       std::vector<float>& scratch) {
  const Palette& c = theme.colour();
  ArrowStyle style{run_colour, theme.stroke(2.6f), ArrowHead::solid, {}, halo_colour, theme.stroke(1.5f)};
  scratch.clear();
  switch (part) {
  case UpdatePart::update: break;
  case UpdatePart::tangential:
    style = {c.text, theme.stroke(1.6f), ArrowHead::open, {}, halo_colour, theme.stroke(1.5f)};
    scratch = {theme.stroke(7), theme.stroke(4)};
    break;
  case UpdatePart::radial:
    style = {c.text, theme.stroke(1.8f), ArrowHead::bar, {}, halo_colour, theme.stroke(1.5f)};
    scratch = {theme.stroke(2), theme.stroke(3)};
    break;
  case UpdatePart::gradient:
    style = {c.text2, theme.stroke(1.5f), ArrowHead::open, {}, halo_colour, theme.stroke(1.5f)};
    break;
  }
  style.dash = scratch;
  return style;
}

std::string_view arrow_words(UpdatePart part) {
  switch (part) {
  case UpdatePart::update: return "update";
  case UpdatePart::tangential: return "tangential part";
  case UpdatePart::radial: return "radial part";
  case UpdatePart::gradient: break;
  }
  return "−∇L, direction only";
}

void DrawCache::begin(const ImDrawList* list) {
  first_vertex_ = list->VtxBuffer.Size, first_index_ = list->IdxBuffer.Size;
  uv_ = ImGui::GetFontTexUvWhitePixel();
}

void DrawCache::end(const ImDrawList* list) {
  vertices_.assign(list->VtxBuffer.Data + first_vertex_, list->VtxBuffer.Data + list->VtxBuffer.Size);
  indices_.assign(list->IdxBuffer.Data + first_index_, list->IdxBuffer.Data + list->IdxBuffer.Size);
  const unsigned base = list->_VtxCurrentIdx - static_cast<unsigned>(vertices_.size());
  for (ImDrawIdx& index : indices_) index -= base;
  kept_ = true;
}

bool DrawCache::replay(ImDrawList* list) const {
  const ImVec2 uv = ImGui::GetFontTexUvWhitePixel();
  if (!kept_ || uv.x != uv_.x || uv.y != uv_.y) return false;
  list->PrimReserve(static_cast<int>(indices_.size()), static_cast<int>(vertices_.size()));
  const unsigned base = list->_VtxCurrentIdx;
  std::copy(vertices_.begin(), vertices_.end(), list->_VtxWritePtr);
  std::transform(indices_.begin(), indices_.end(), list->_IdxWritePtr,
                 [base](ImDrawIdx index) { return index + base; });
  list->_VtxWritePtr += vertices_.size();
  list->_IdxWritePtr += indices_.size();
  list->_VtxCurrentIdx += static_cast<unsigned>(vertices_.size());
  return true;
}

void draw_glow(ImDrawList* list, ImVec2 centre, float radius, ImU32 colour, float strength) {
  constexpr int kSectors = 32;
  constexpr std::array<float, 4> kRadius{0, 0.3f, 0.6f, 1}, kLight{1, 0.55f, 0.18f, 0};
  const ImVec2 uv = ImGui::GetFontTexUvWhitePixel();
  const auto light = [&](std::size_t ring) { return fade(colour, strength * kLight[ring]); };
  list->PrimReserve(kSectors * (3 + 6 + 6), 1 + 3 * kSectors);
  const unsigned middle = list->_VtxCurrentIdx;
  list->PrimWriteVtx(centre, uv, light(0));
  for (int i = 0; i < kSectors; ++i) {
    const float a = 2 * kPi * static_cast<float>(i) / kSectors;
    const ImVec2 d{std::cos(a), std::sin(a)};
    for (std::size_t ring = 1; ring < 4; ++ring)
      list->PrimWriteVtx(centre + d * (radius * kRadius[ring]), uv, light(ring));
  }
  for (unsigned i = 0; i < kSectors; ++i) {
    const unsigned a = middle + 1 + 3 * i, b = middle + 1 + 3 * ((i + 1) % kSectors);
    for (unsigned v : {middle, a, b}) list->PrimWriteIdx(v);
    for (unsigned ring = 0; ring < 2; ++ring)
      for (unsigned v : {a + ring, a + ring + 1, b + ring + 1, a + ring, b + ring + 1, b + ring}) list->PrimWriteIdx(v);
  }
}

} // namespace polarscope
