#include "app/norm_plot.hpp"

#include "app/format.hpp"
#include "app/plane_picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

constexpr long kPoints = 240;

double window_mean(const PlotSource& source, long from, long to) {
  static thread_local std::vector<Sample> samples;
  samples.clear();
  source.series.samples(source.column, from, to, samples);
  double sum = 0;
  int count = 0;
  for (const Sample& s : samples)
    if (std::isfinite(s.value)) sum += s.value, ++count;
  return count ? sum / count : NAN;
}

struct Range {
  double least = INFINITY, most = -INFINITY;
  void add(double v) { least = std::min(least, v), most = std::max(most, v); }
  bool empty() const { return !(least <= most); }
  // at least a factor `factor` wide, with a margin
  void widen(double factor) {
    const double missing = std::max(1.0, factor / (most / least));
    least /= std::sqrt(missing) * 1.12, most *= std::sqrt(missing) * 1.12;
  }
};

// Dotted lines of slope −1, a factor of two apart.
void draw_slopes(ImDrawList* list, const Theme& theme, const PlotAxis& x, const PlotAxis& y) {
  const std::array<float, 2> dots{theme.px(2), theme.px(4)};
  const double low = y.least * x.least, high = y.most * x.most;
  for (double k = std::exp2(std::ceil(std::log2(low))); k < high; k *= 2) {
    const std::array<ImVec2, 2> line{ImVec2{x.first, y.pixel(k / x.least)}, {x.last, y.pixel(k / x.most)}};
    stroke_dashed(list, line, with_alpha(theme.colour().grid, theme.colour().dark ? 0.26f : 0.34f), theme.stroke(1), dots);
  }
}

void draw_card(const Theme& theme, const NormSpec& spec, const NormCurve& curve, const NormCache::Path& path, std::size_t i,
               std::optional<double> slope) {
  HoverCard card;
  card.run = curve.style;
  card.title = "Turning at this norm";
  card.place = curve.name + ", step " + format_count(path.step[i]);
  card.value = format_digits(path.turning[i] * spec.y_factor);
  card.unit = spec.y_words;
  card.formula = "norm " + format_digits(path.norm[i], 4) + (slope ? ",  slope " + format_fixed(*slope, 2) : "");
  card.sentence = "Mean over " + format_count(spec.smooth) +
                  " steps. Slope −1: steps of fixed size; slope −2: steps that shrink with the norm as well.";
  show_hover_card(theme, card);
}

} // namespace

void smoothed_path(const PlotSource& norm, const PlotSource& turning, long to, int smooth, NormCache::Path& path) {
  path.step.clear(), path.norm.clear(), path.turning.clear();
  if (norm.column < 0 || turning.column < 0 || norm.series.empty()) return;
  const long last = std::min(to, norm.series.last_step());
  const long stride = std::max(1L, (last + kPoints - 1) / kPoints), half = std::max(1, smooth / 2);
  for (long step = 1; step <= last; step = step == last ? last + 1 : std::min(step + stride, last)) {
    const long from = std::max(1L, step - half), until = std::min(last, step + half);
    const double n = window_mean(norm, from, until), t = window_mean(turning, from, until);
    if (!(n > 0) || !(t > 0)) continue;
    path.step.push_back(step);
    path.norm.push_back(n);
    path.turning.push_back(t);
  }
}

std::optional<double> local_slope(const NormCache::Path& path, std::size_t i) {
  const std::size_t reach = std::max<std::size_t>(3, path.step.size() / 12);
  const std::size_t from = i > reach ? i - reach : 0, to = std::min(path.step.size(), i + reach + 1);
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  const auto n = static_cast<double>(to - from);
  if (n < 3) return std::nullopt;
  for (std::size_t k = from; k < to; ++k) sx += std::log(path.norm[k]), sy += std::log(path.turning[k]);
  for (std::size_t k = from; k < to; ++k) {
    const double dx = std::log(path.norm[k]) - sx / n, dy = std::log(path.turning[k]) - sy / n;
    sxx += dx * dx, sxy += dx * dy;
  }
  if (sxx / n < 1e-6) return std::nullopt; // the norm moves by less than 0.1 %
  return sxy / sxx;
}

NormResult draw_norm_plot(const Theme& theme, ImVec2 min, ImVec2 max, const NormSpec& spec, std::span<const NormCurve> curves,
                          const PlotShared& shared, NormCache& cache) {
  NormResult result;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const Palette& c = theme.colour();
  Range norms, turns;
  std::vector<const NormCache::Path*> paths;
  for (const NormCurve& curve : curves) {
    NormCache::Path& path = cache.paths[curve.name];
    const long last = curve.norm.series.empty() ? -1 : curve.norm.series.last_step();
    if (path.cursor != shared.cursor || path.last != last || path.column != curve.turning.column) {
      smoothed_path(curve.norm, curve.turning, shared.cursor, spec.smooth, path);
      path.cursor = shared.cursor, path.last = last, path.column = curve.turning.column;
    }
    paths.push_back(&path);
    for (std::size_t i = 0; i < path.step.size(); ++i) norms.add(path.norm[i]), turns.add(path.turning[i] * spec.y_factor);
  }
  if (norms.empty()) {
    draw_empty_text(list, theme, {{min.x + theme.px(12), min.y}, {max.x - theme.px(12), max.y}}, spec.empty_text);
    return result;
  }
  norms.widen(1.6), turns.widen(4);
  const PlotAxis x{norms.least, norms.most, std::round(min.x + theme.px(48)), std::round(max.x - theme.px(22)), true};
  const PlotAxis y{turns.least, turns.most, std::round(max.y - theme.px(42)), std::round(min.y + theme.px(8)), true};
  if (x.last - x.first < theme.px(30) || y.first - y.last < theme.px(20)) return result;
  draw_axes(list, theme, x, y, false);
  list->PushClipRect({x.first, y.last}, {x.last, y.first}, true);
  draw_slopes(list, theme, x, y);
  static thread_local std::vector<ImVec2> points;
  static thread_local std::vector<float> age;
  static thread_local std::vector<ImU32> under;
  const auto at = [&](const NormCache::Path& path, std::size_t i) { return ImVec2{x.pixel(path.norm[i]), y.pixel(path.turning[i] * spec.y_factor)}; };
  std::size_t found = 0;
  float best = theme.px(20);
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const bool pointing = ImGui::IsWindowHovered() && ImGui::IsMouseHoveringRect({x.first, y.last}, {x.last, y.first});
  std::vector<NowLabel> labels;
  std::vector<Box> obstacles;
  for (std::size_t k = 0; k < curves.size(); ++k) {
    const NormCache::Path& path = *paths[k];
    if (path.step.empty()) continue;
    points.clear();
    for (std::size_t i = 0; i < path.step.size(); ++i) {
      points.push_back(at(path, i));
      const float away = std::hypot(points.back().x - mouse.x, points.back().y - mouse.y);
      if (pointing && away < best) best = away, result.hovered = static_cast<int>(k), found = i;
    }
    under.assign(points.size(), c.panel);
    path_ages(path.step, age);
    draw_fading_path(list, theme, {points, age, under}, curves[k].style.colour, curves[k].selected, curves[k].dimmed);
    draw_marker(list, curves[k].style.marker, points.back(), theme.px(curves[k].selected ? 5 : 4.4f),
                curves[k].dimmed ? mix(c.panel, curves[k].style.colour, 0.55f) : curves[k].style.colour, c.panel, theme.px(1.4f));
    const float r = theme.px(7);
    obstacles.push_back({{points.back().x - r, points.back().y - r}, {points.back().x + r, points.back().y + r}});
    if (!curves[k].name.empty()) labels.push_back({points.back(), curves[k].name, {}});
  }
  std::vector<int> slots; // few labels: placed anew
  draw_now_labels(list, theme, labels, {{x.first, y.last}, {x.last, y.first}}, obstacles, true, slots);
  list->PopClipRect();
  draw_text_aligned(list, theme, text::kLabel, {x.last, y.last + theme.px(8)}, c.text3, "dotted: fixed step, angle ∝ 1/norm", 1, 0.5f);
  draw_text_aligned(list, theme, text::kLabel, {min.x + theme.px(12), max.y - theme.px(4)}, c.text2,
                    "↑ " + spec.y_words + ", smoothed over " + format_count(spec.smooth) + " steps", 0, 1);
  draw_text_aligned(list, theme, text::kLabel, {x.last, max.y - theme.px(4)}, c.text2, "norm", 1, 1);
  if (result.hovered >= 0) {
    const NormCache::Path& path = *paths[static_cast<std::size_t>(result.hovered)];
    result.hover_step = path.step[found];
    result.slope = local_slope(path, found);
    list->AddCircle(at(path, found), theme.px(4.5f), c.text, 0, theme.stroke(1.4f));
    draw_card(theme, spec, curves[static_cast<std::size_t>(result.hovered)], path, found, result.slope);
  }
  ImGui::SetCursorScreenPos(min);
  ImGui::Dummy({max.x - min.x, max.y - min.y});
  return result;
}

} // namespace polarscope
