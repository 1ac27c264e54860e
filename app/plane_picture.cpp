#include "app/plane_picture.hpp"

#include "app/format.hpp"
#include "app/icons.hpp"
#include "app/widgets.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace polarscope {
namespace {

constexpr float kTurn = 2 * std::numbers::pi_v<float>;

} // namespace

float PlaneField::level(float angle) const {
  const auto n = static_cast<float>(loss.size());
  const float turns = angle / kTurn;
  const float at = (turns - std::floor(turns)) * n;
  const auto i = std::min(static_cast<std::size_t>(at), loss.size() - 1);
  const float value = std::lerp(loss[i], loss[(i + 1) % loss.size()], at - static_cast<float>(i));
  return std::clamp((value - low) / std::max(high - low, 1e-30f), 0.0f, 1.0f);
}

std::string field_words(const PlaneField& field) {
  return field.norm ? "loss at norm " + format_value(*field.norm) : "loss";
}

void set_field_range(PlaneField& field) {
  field.low = field.high = 0;
  bool first = true;
  for (float value : field.loss) {
    if (!std::isfinite(value)) continue;
    field.low = first ? value : std::min(field.low, value);
    field.high = first ? value : std::max(field.high, value);
    first = false;
  }
  if (field.low > -0.02f * field.high && field.low < 0.1f * field.high) field.low = 0;
}

std::vector<Well> find_wells(const PlaneField& field, std::size_t most) {
  std::vector<Well> wells;
  const std::size_t n = field.loss.size();
  const float deep = 0.05f * (field.high - field.low);
  if (n < 3 || !(deep > 0)) return wells;
  const auto at = [&](std::size_t i) { return field.loss[i % n]; };
  for (std::size_t i = 0; i < n; ++i) {
    if (!(at(i) < at(i + n - 1)) || !(at(i) <= at(i + 1))) continue;
    // depth: climb both ways until lower ground is met
    std::array<float, 2> wall{at(i), at(i)};
    for (std::size_t side = 0; side < 2; ++side)
      for (std::size_t k = 1; k < n; ++k) {
        const float value = at(side == 0 ? i + k : i + n - k);
        if (value < at(i)) break;
        wall[side] = std::max(wall[side], value);
      }
    if (std::min(wall[0], wall[1]) - at(i) >= deep)
      wells.push_back({kTurn * static_cast<float>(i) / static_cast<float>(n), at(i)});
  }
  std::stable_sort(wells.begin(), wells.end(), [](const Well& a, const Well& b) { return a.loss < b.loss; });
  if (wells.size() > most) wells.resize(most);
  return wells;
}

namespace {

// Share of the run's colour at an age: rises as age^1.35. Tabulated, because every point of every trail asks for it.
float strength_at(float age) {
  constexpr int kSteps = 256;
  static const std::array<float, kSteps + 1> table = [] {
    std::array<float, kSteps + 1> t{};
    for (int i = 0; i <= kSteps; ++i) t[static_cast<std::size_t>(i)] = std::pow(static_cast<float>(i) / kSteps, 1.35f);
    return t;
  }();
  return table[static_cast<std::size_t>(std::clamp(age, 0.0f, 1.0f) * kSteps)];
}

constexpr float kGhostAge = 0.35f;

} // namespace

void draw_fading_path(ImDrawList* list, const Theme& theme, const FadingPath& path, ImU32 colour, bool selected,
                      bool dimmed, float opacity) {
  static thread_local std::vector<int> kept;
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<ImU32> colours;
  static thread_local std::vector<float> widths;
  thin_points(path.points, std::max(0.9f, theme.px(0.9f)), kept);
  points.clear(), colours.clear(), widths.clear();
  const float least = theme.colour().dark ? 0.16f : 0.22f;
  const float thin = theme.stroke(1.1f),
              thick = theme.projector() ? theme.curve_width(selected) : theme.stroke(selected ? 2.6f : 2.1f);
  const float span = static_cast<float>(std::max(1L, path.newest - path.oldest));
  for (int k : kept) {
    const auto i = static_cast<std::size_t>(k);
    const float age = path.step.empty() ? kGhostAge : static_cast<float>(path.step[i] - path.oldest) / span;
    const float share = (least + (1 - least) * strength_at(age)) * (dimmed ? 0.45f : 1.0f) * opacity;
    points.push_back(path.points[i]);
    colours.push_back(mix(path.under(i), colour, share));
    widths.push_back(std::lerp(thin, thick, age));
  }
  stroke(list, points, colours, widths);
}

void draw_now_marker(ImDrawList* list, const Theme& theme, ImVec2 at, const RunStyle& style, bool selected,
                     bool dimmed) {
  const Palette& c = theme.colour();
  const float radius = theme.marker_radius(selected);
  const ImU32 colour = dimmed ? mix(c.panel, style.colour, 0.55f) : style.colour;
  if (selected) {
    const float ring = radius + theme.px(3.4f);
    list->AddCircle(at, ring, with_alpha(c.panel, 0.8f), 0, theme.px(3.4f));
    list->AddCircle(at, ring, c.text, 0, std::max(1.2f, theme.stroke(1.3f)));
  }
  draw_marker(list, style.marker, at, radius, colour, c.panel, theme.px(1.6f));
}

void draw_ended(ImDrawList* list, const Theme& theme, ImVec2 at) {
  list->AddCircleFilled(at, theme.px(7), with_alpha(theme.colour().panel, 0.85f));
  draw_icon(list, theme, Icon::cross, at, theme.colour().broken, 11);
}

void start_looks(const Theme& theme, std::span<const ImVec2> starts, std::vector<StartLook>& looks) {
  looks.assign(starts.size(), {});
  const auto apart = [&](std::size_t a, std::size_t b) {
    return std::hypot(starts[a].x - starts[b].x, starts[a].y - starts[b].y);
  };
  int glowing = 0;
  for (std::size_t i = 0; i < starts.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) {
      const float away = apart(i, k);
      if (away < 2) looks[i].drawn = looks[i].shared = false, looks[k].shared = true;
      else if (away < theme.px(30)) looks[i].alone = looks[k].alone = false;
      if (away < theme.px(40) && looks[k].glow > 0) looks[i].glow = 0;
    }
  for (const StartLook& look : looks) glowing += look.glow > 0;
  for (StartLook& look : looks) look.glow *= glowing > 4 ? 0.5f : 1.0f;
}

void draw_start_handle(ImDrawList* list, const Theme& theme, ImVec2 at, ImU32 colour, std::optional<ImVec2> along,
                       bool active, float glow) {
  const Palette& c = theme.colour();
  if (glow > 0 || active)
    draw_glow(list, at, theme.px(active ? 32 : 18 + 8 * glow), colour, (c.dark ? 0.75f : 0.6f) * (active ? 1 : glow));
  const float radius = theme.px(theme.projector() ? 5.5f : 4.6f);
  list->AddCircleFilled(at, radius + theme.px(1.4f), c.panel);
  list->AddCircleFilled(at, radius, colour);
  list->AddCircleFilled(at, radius - theme.px(2), c.panel);
  if (!along) return;
  const float reach = theme.px(active ? 14 : 12), arm = theme.px(6.5f);
  for (float way : {1.0f, -1.0f}) {
    const ImVec2 d{along->x * way, along->y * way};
    const ImVec2 tip{at.x + d.x * reach, at.y + d.y * reach};
    const float k = arm * 0.7071f;
    const std::array<ImVec2, 3> points{ImVec2{tip.x - d.x * k - d.y * k, tip.y - d.y * k + d.x * k}, tip,
                                       ImVec2{tip.x - d.x * k + d.y * k, tip.y - d.y * k - d.x * k}};
    stroke(list, points, with_alpha(c.panel, 0.7f), theme.stroke(1.5f) + theme.px(2));
    stroke(list, points, c.text, theme.stroke(1.5f));
  }
}

void draw_now_labels(ImDrawList* list, const Theme& theme, std::span<const NowLabel> labels, const Box& area,
                     std::span<const Box> obstacles, bool one_line, std::vector<int>& slots,
                     std::span<const Box> crossable) {
  const Palette& c = theme.colour();
  const float pad_x = theme.px(5), pad_y = theme.px(2.5f);
  const auto mark = [&](const NowLabel& label) { return label.style ? theme.px(14) : 0; }; // room before the name
  slots.resize(labels.size(), -1);
  std::vector<LabelRequest> requests;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ImVec2 name = measure(theme, text::kName, labels[i].name);
    name.x += mark(labels[i]);
    const float norm = labels[i].norm.empty() ? 0
                                              : (measure(theme, text::kLabel, "norm ").x + theme.px(2)) +
                                                    measure(theme, text::kTick, labels[i].norm).x;
    ImVec2 size = name;
    if (norm > 0 && one_line) size.x += theme.px(10) + norm;
    else if (norm > 0) size = {std::max(name.x, norm), name.y + measure(theme, text::kLabel, "norm").y - theme.px(1)};
    requests.push_back({labels[i].at, {size.x + 2 * pad_x, size.y + 2 * pad_y}, theme.px(15), slots[i]});
  }
  std::vector<Box> all(obstacles.begin(), obstacles.end());
  all.insert(all.end(), crossable.begin(), crossable.end());
  auto placed = place_labels(requests, area, all, theme.px(3));
  if (!crossable.empty() && std::any_of(placed.begin(), placed.end(), [](const PlacedLabel& l) { return l.slot < 0; }))
    placed = place_labels(requests, area, obstacles, theme.px(3));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    slots[i] = placed[i].slot;
    if (placed[i].slot < 0) continue;
    const Box& box = placed[i].box;
    const ImVec2 nearest{std::clamp(labels[i].at.x, box.min.x, box.max.x),
                         std::clamp(labels[i].at.y, box.min.y, box.max.y)};
    const ImVec2 way{nearest.x - labels[i].at.x, nearest.y - labels[i].at.y};
    const float reach = std::hypot(way.x, way.y), skip = theme.px(9);
    if (reach > skip + 2)
      stroke_line(list, {labels[i].at.x + way.x * skip / reach, labels[i].at.y + way.y * skip / reach}, nearest,
                  with_alpha(c.text2, 0.65f), theme.hairline());
    draw_plate(list, theme, box.min, box.max, 0.78f);
    const ImVec2 at{std::round(box.min.x + pad_x), std::round(box.min.y + pad_y)};
    ImVec2 name = measure(theme, text::kName, labels[i].name);
    if (labels[i].style)
      draw_marker(list, labels[i].style->marker, {at.x + theme.px(5), std::round(at.y + name.y * 0.5f)}, theme.px(4),
                  labels[i].style->colour);
    draw_text(list, theme, text::kName, {at.x + mark(labels[i]), at.y}, c.text, labels[i].name);
    name.x += mark(labels[i]);
    if (labels[i].norm.empty()) continue;
    const float drop = (name.y - measure(theme, text::kLabel, "n").y) * 0.5f;
    const ImVec2 second =
        one_line ? ImVec2{at.x + name.x + theme.px(10), at.y + drop} : ImVec2{at.x, at.y + name.y - theme.px(1)};
    draw_text(list, theme, text::kLabel, second, c.text2, "norm");
    draw_text(list, theme, text::kTick,
              {second.x + (measure(theme, text::kLabel, "norm ").x + theme.px(2)), second.y + theme.px(0.5f)}, c.text2,
              labels[i].norm);
  }
}

ArrowStyle faint_arrow(ArrowStyle style, ImU32 ground) {
  style.colour = mix(ground, style.colour, 0.35f);
  style.halo = 0;
  return style;
}

namespace {
constexpr float kKeyRow = 20;
int key_rows(bool with_gradient) { return with_gradient ? 4 : 3; }
} // namespace

float arrow_key_height(const Theme& theme, bool with_gradient) {
  return theme.px(kKeyRow) * static_cast<float>(key_rows(with_gradient) + 1);
}

float draw_arrow_key(ImDrawList* list, const Theme& theme, ImVec2 bottom_left, ImU32 run_colour, std::string_view title,
                     bool with_gradient, bool faint) {
  const Palette& c = theme.colour();
  static thread_local std::vector<float> dash;
  const int rows = key_rows(with_gradient);
  const float row = theme.px(kKeyRow), top = bottom_left.y - row * static_cast<float>(rows);
  for (int i = 0; i < rows; ++i) {
    const auto part = static_cast<UpdatePart>(i);
    const float y = std::round(top + row * (static_cast<float>(i) + 0.5f)) + 0.5f;
    ArrowStyle style = arrow_style(theme, part, run_colour, 0, dash);
    style.halo = 0;
    if (faint && part != UpdatePart::gradient) style = faint_arrow(style, c.panel);
    draw_arrow(list, {bottom_left.x, y}, {bottom_left.x + theme.px(36), y}, style);
    draw_text_aligned(list, theme, text::kLabel, {bottom_left.x + theme.px(46), y}, c.text2, arrow_words(part), 0,
                      0.5f);
  }
  if (title.empty()) return row * static_cast<float>(rows);
  draw_text_aligned(list, theme, text::kLabel, {bottom_left.x, top - theme.px(11)}, c.text2, title, 0, 0.5f);
  return arrow_key_height(theme, with_gradient);
}

std::pair<std::string, std::string> end_words(double low, double high) {
  constexpr int kLeast = 2, kMost = 6;
  for (int digits = kLeast;; ++digits) {
    std::pair<std::string, std::string> words{format_value(low, digits), format_value(high, digits)};
    if (digits == kMost || words.first != words.second) return words;
  }
}

void draw_field_key(ImDrawList* list, const Theme& theme, ImVec2 bottom_right, const PlaneField& field,
                    std::string_view words) {
  const Palette& c = theme.colour();
  const float wide = theme.snap(120), tall = theme.snap(7);
  const float x0 = std::round(bottom_right.x - wide), y0 = std::round(bottom_right.y - theme.px(22));
  constexpr int kParts = 16;
  for (int i = 0; i < kParts; ++i) {
    const auto x = [&](int k) { return x0 + wide * static_cast<float>(k) / kParts; };
    const ImU32 left = c.field(static_cast<float>(i) / kParts), right = c.field(static_cast<float>(i + 1) / kParts);
    list->AddRectFilledMultiColor({x(i), y0}, {x(i + 1), y0 + tall}, left, right, right, left);
  }
  list->AddRect({x0, y0}, {x0 + wide, y0 + tall}, c.frame, 0, theme.hairline());
  const float below = y0 + tall + theme.px(9);
  const auto [low, high] = end_words(field.low, field.high);
  draw_text_aligned(list, theme, text::kTick, {x0, below}, c.text3, low, 0, 0.5f);
  draw_text_aligned(list, theme, text::kTick, {x0 + wide, below}, c.text3, high, 1, 0.5f);
  if (words.substr(0, 4) == "loss")
    draw_text_aligned(list, theme, text::kLabel, {x0 - theme.px(8), y0 + tall * 0.5f}, c.text2, words, 1, 0.5f);
  else draw_text_aligned(list, theme, text::kLabel, {x0 + wide, y0 - theme.px(18)}, c.text2, words, 1, 0.5f);
}

namespace {
constexpr std::string_view kShareBefore = "this plane shows ", kShareAfter = " of the last update";
}

float share_width(const Theme& theme, double share) {
  return measure(theme, text::kLabel, kShareBefore).x + measure(theme, text::kValue, format_percent(share)).x +
         measure(theme, text::kLabel, kShareAfter).x + 2 * theme.px(2) + theme.px(10) + theme.snap(64);
}

void draw_share(ImDrawList* list, const Theme& theme, ImVec2 at, double share, bool ends_here) {
  const Palette& c = theme.colour();
  const std::string number = format_percent(share);
  const float gap = theme.px(2), bar = theme.snap(64), wide_before = measure(theme, text::kLabel, kShareBefore).x,
              wide_number = measure(theme, text::kValue, number).x,
              wide_after = measure(theme, text::kLabel, kShareAfter).x;
  float x = at.x;
  if (ends_here) x -= share_width(theme, share);
  draw_text_aligned(list, theme, text::kLabel, {x, at.y}, c.text2, kShareBefore, 0, 0.5f);
  x += wide_before + gap;
  draw_text_aligned(list, theme, text::kValue, {x, at.y}, c.text, number, 0, 0.5f);
  x += wide_number + gap;
  draw_text_aligned(list, theme, text::kLabel, {x, at.y}, c.text2, kShareAfter, 0, 0.5f);
  x += wide_after + theme.px(10);
  draw_meter(list, theme, {x, at.y - theme.snap(2)}, static_cast<float>(share), bar, theme.snap(4));
}

void draw_empty_text(ImDrawList* list, const Theme& theme, const Box& area, std::string_view words) {
  draw_text_aligned(list, theme, text::kLabel, {(area.min.x + area.max.x) * 0.5f, (area.min.y + area.max.y) * 0.5f},
                    theme.colour().text3, fit(theme, text::kLabel, words, area.max.x - area.min.x), 0.5f, 0.5f);
}

bool MeshCache::stale(std::span<const double> key) {
  if (std::equal(key.begin(), key.end(), key_.begin(), key_.end())) return false;
  key_.assign(key.begin(), key.end());
  clear();
  return true;
}

void MeshCache::clear() {
  vertices_.clear();
  indices_.clear();
}

unsigned MeshCache::vertex(ImVec2 at, ImU32 colour) {
  vertices_.push_back({at, colour});
  return static_cast<unsigned>(vertices_.size() - 1);
}

void MeshCache::triangle(unsigned a, unsigned b, unsigned c) { indices_.insert(indices_.end(), {a, b, c}); }

void MeshCache::quad(unsigned a, unsigned b, unsigned c, unsigned d) {
  indices_.insert(indices_.end(), {a, b, c, a, c, d});
}

void MeshCache::append(ImDrawList* list) const {
  const ImVec2 uv = ImGui::GetFontTexUvWhitePixel();
  list->PrimReserve(static_cast<int>(indices_.size()), static_cast<int>(vertices_.size()));
  const unsigned base = list->_VtxCurrentIdx;
  for (unsigned index : indices_) *list->_IdxWritePtr++ = base + index;
  for (const Vertex& v : vertices_) *list->_VtxWritePtr++ = ImDrawVert{v.at, uv, v.colour};
  list->_VtxCurrentIdx += static_cast<unsigned>(vertices_.size());
}

double nice_below(double value) {
  if (!(value > 0) || !std::isfinite(value)) return 1;
  const double decade = std::pow(10.0, std::floor(std::log10(value) + 1e-9));
  const double mantissa = value / decade * (1 + 1e-9);
  return decade * (mantissa >= 5 ? 5 : mantissa >= 2 ? 2 : 1);
}

std::uint64_t theme_key(const Theme& theme) {
  return static_cast<std::uint64_t>(theme.name()) * 1000003 + static_cast<std::uint64_t>(theme.px(1) * 10000);
}

} // namespace polarscope
