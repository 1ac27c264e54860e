#include "app/plot.hpp"

#include "app/plane_picture.hpp"
#include "app/plot_parts.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

// Paths before an edit, but for those that ran away: they would flatten what is there now.
void add_ghosts(const PlotFrame& f, PlotExtent& extent) {
  constexpr double kReach = 30; // times the greatest value now
  const double most = kReach * std::max(std::abs(extent.least), std::abs(extent.most));
  const long from = static_cast<long>(std::floor(f.x.least)), to = static_cast<long>(std::ceil(f.x.most));
  for (const PlotCurve& curve : f.curves) {
    if (!curve.ghost || curve.ghost->empty()) continue;
    const auto found = curve.ghost->series.extent(curve.ghost->column, from, to, f.spec.log_y);
    if (!found) continue;
    const double low = curve.ghost->factor * found->min, high = curve.ghost->factor * found->max;
    if (std::abs(low) <= most && std::abs(high) <= most) extent.add(low), extent.add(high);
  }
}

// Of the living runs; of all where none lives.
PlotExtent value_extent(const PlotFrame& f) {
  PlotExtent extent;
  const bool all_ended =
      std::all_of(f.curves.begin(), f.curves.end(), [](const PlotCurve& curve) { return curve.ended(); });
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    if (f.curves[i].ended() && !all_ended) continue;
    const PlotExtent& own = f.cache.curves[i].extent;
    extent.add(own.least), extent.add(own.most);
  }
  if (extent.empty()) return extent;
  add_ghosts(f, extent);
  for (const PlotExpected& line : f.spec.expected)
    for (const Sample& s : line.points)
      if (const double value = line.factor * s.value;
          static_cast<double>(s.step) >= f.x.least && static_cast<double>(s.step) <= f.x.most && f.y.shows(value))
        extent.add(value);
  return extent;
}

void draw_curve(const PlotFrame& f, const PlotCurve& curve, const PlotCache::Curve& kept) {
  static thread_local std::vector<ImVec2> points;
  if (curve.ghost) {
    trace_curve(*curve.ghost, f.x, f.y, points);
    stroke(f.list, points, mix(f.theme.colour().panel, curve.style.colour, 0.32f), f.theme.stroke(1.2f));
  }
  if (curve.band()) return draw_band(f, curve, kept.band);
  trace_curve(curve.sources.front(), f.x, f.y, points);
  stroke(f.list, points, curve_colour(f.theme, curve), f.theme.curve_width(curve.selected));
}

void draw_curves(const PlotFrame& f) {
  for (bool selected : {false, true})
    for (std::size_t i = 0; i < f.curves.size(); ++i) {
      const PlotCurve& curve = f.curves[i];
      PlotCache::Curve& kept = f.cache.curves[i];
      if (curve.selected != selected || curve.sources.empty()) continue;
      const ImU32 colour = curve_colour(f.theme, curve);
      const float width = f.theme.curve_width(curve.selected);
      const bool same = kept.drawn_of == kept.made && kept.drawn_x == f.x && kept.drawn_y == f.y &&
                        kept.ghost == curve.ghost && kept.colour == colour && kept.width == width;
      if (same && kept.drawing.replay(f.list)) continue;
      kept.drawing.begin(f.list);
      draw_curve(f, curve, kept);
      kept.drawing.end(f.list);
      kept.drawn_of = kept.made, kept.drawn_x = f.x, kept.drawn_y = f.y, kept.ghost = curve.ghost;
      kept.colour = colour, kept.width = width;
    }
}

// The rectangle of the axes; names at the curves' ends need room at the right where the head is near it.
void place_axes(PlotFrame& f, ImVec2 min, ImVec2 max) {
  const Theme& theme = f.theme;
  const bool log_x = f.shared.log_x && f.shared.to > 1;
  float widest = 0;
  for (const PlotCurve& curve : f.curves) widest = std::max(widest, measure(theme, text::kName, curve.name).x);
  const float needed = std::min(widest + theme.px(34), (max.x - min.x) * 0.42f);
  f.x = {log_x ? std::max(1.0, f.shared.from) : f.shared.from, std::max(f.shared.to, f.shared.from + 1),
         std::round(min.x + theme.px(48)), std::round(max.x - theme.px(22)), log_x};
  const float free = f.x.last - f.x.pixel(std::min(static_cast<double>(f.shared.head), f.x.most));
  f.x.last = std::round(f.x.last - std::max(0.0f, needed - theme.px(22) - free * 0.5f));
  f.y = {0, 1, std::round(max.y - theme.px(f.spec.y_words.empty() ? 24 : 40)), std::round(min.y + theme.px(8)),
         f.spec.log_y};
}

} // namespace

Sample PlotSource::nearest(double step) const {
  if (empty()) return {-1, std::nan("")};
  Sample s = series.nearest(column, step);
  s.value *= factor;
  return s;
}

bool PlotCurve::ended() const {
  return !sources.empty() &&
         std::all_of(sources.begin(), sources.end(), [](const PlotSource& s) { return s.ended_at.has_value(); });
}

ImU32 curve_colour(const Theme& theme, const PlotCurve& curve) {
  return curve.dimmed ? mix(theme.colour().panel, curve.style.colour, 0.55f) : curve.style.colour;
}

PlotResult draw_plot(const Theme& theme, ImVec2 min, ImVec2 max, const PlotSpec& spec,
                     std::span<const PlotCurve> curves, const PlotShared& shared, PlotCache& cache) {
  PlotResult result;
  ImDrawList* list = ImGui::GetWindowDrawList();
  PlotFrame f{list, theme, spec, curves, shared, cache, {}, {}};
  place_axes(f, min, max);
  if (f.x.last - f.x.first < theme.px(30) || f.y.first - f.y.last < theme.px(20)) return result;
  update_curves(f);
  const PlotExtent extent = value_extent(f);
  if (extent.empty()) {
    draw_empty_text(list, theme, {{min.x + theme.px(12), min.y}, {max.x - theme.px(12), max.y}}, spec.empty_text);
    return result;
  }
  fit_axis(f.y, extent.least, extent.most);
  plot_input(f, result);
  draw_axes(list, theme, f.x, f.y, true);
  if (static_cast<double>(shared.head) < f.x.most) {
    const float head = std::round(f.x.pixel(std::max(static_cast<double>(shared.head), f.x.least)));
    list->AddRectFilled({head, f.y.last}, {f.x.last, f.y.first}, theme.colour().not_computed());
  }
  list->PushClipRect({f.x.first - theme.px(2), f.y.last - theme.px(6)},
                     {f.x.last + theme.px(2), f.y.first + theme.px(6)}, true);
  draw_targets(f);
  draw_curves(f);
  draw_expected(f);
  draw_cursor(f);
  list->PopClipRect();
  draw_end_labels(f, max.x - theme.px(6));
  note_not_shown(f, result);
  if (!spec.y_words.empty())
    draw_text_aligned(list, theme, text::kLabel, {min.x, max.y - theme.px(2)}, theme.colour().text3, spec.y_words, 0,
                      1);
  read_pointer(f, result);
  ImGui::SetCursorScreenPos(min);
  ImGui::Dummy({max.x - min.x, max.y - min.y});
  return result;
}

} // namespace polarscope
