// Axes of plots: values to pixels and back, round ticks, the grid; and the polyline of one source between two axes.
#include "app/plot.hpp"

#include "app/format.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

float PlotAxis::pixel(double value) const {
  const double t =
      log ? std::log(std::max(value, 1e-300) / least) / std::log(most / least) : (value - least) / (most - least);
  return first + static_cast<float>(std::clamp(t, -50.0, 50.0)) * (last - first);
}

double PlotAxis::value(float pixel) const {
  const double t = static_cast<double>(pixel - first) / static_cast<double>(last - first);
  return log ? least * std::pow(most / least, t) : least + t * (most - least);
}

void trace_curve(const PlotSource& source, const PlotAxis& x, const PlotAxis& y, std::vector<ImVec2>& points) {
  points.clear();
  if (source.empty()) return;
  static thread_local std::vector<MinMax> found;
  const auto add = [&](double step, double stored) {
    const double value = source.factor * stored;
    if (std::isfinite(value) && y.shows(value) && x.shows(step)) points.push_back({x.pixel(step), y.pixel(value)});
  };
  // a log axis is asked for piece by piece, so that each pixel has its bucket
  const int pieces = x.log ? std::clamp(static_cast<int>(std::log2(x.most / x.least)), 1, 24) : 1;
  const float width = std::abs(x.last - x.first);
  for (int i = 0; i < pieces; ++i) {
    PlotAxis part = x;
    const float w = (x.last - x.first) / static_cast<float>(pieces);
    const double from = i == 0 ? x.least : part.value(x.first + w * static_cast<float>(i));
    const double to = i + 1 == pieces ? x.most : part.value(x.first + w * static_cast<float>(i + 1));
    found.clear();
    // each bucket gives up to four points: half as many buckets as pixels
    source.series.query(source.column, from, to, std::max(2, static_cast<int>(width / static_cast<float>(2 * pieces))),
                        found);
    for (const MinMax& m : found) {
      if (m.first_step == m.last_step && m.min == m.max) {
        add(static_cast<double>(m.first_step), m.first);
        continue;
      }
      // extremes inside the bucket stand in its middle; where they are its ends, the ends alone keep slopes smooth
      const double middle = 0.5 * static_cast<double>(m.first_step + m.last_step);
      const double low = std::min(m.first, m.last), high = std::max(m.first, m.last);
      const bool rising = m.first <= m.last;
      add(static_cast<double>(m.first_step), m.first);
      for (bool least : {rising, !rising})
        if (least ? m.min < low : m.max > high) add(middle, least ? m.min : m.max);
      add(static_cast<double>(m.last_step), m.last);
    }
  }
}

std::vector<PlotTick> axis_ticks(const PlotAxis& axis, int most) {
  std::vector<PlotTick> ticks;
  const auto add = [&](double value) { ticks.push_back({value, format_value(value, 4)}); };
  if (axis.log) {
    const int first = static_cast<int>(std::floor(std::log10(axis.least))),
              last = static_cast<int>(std::ceil(std::log10(axis.most)));
    const double decades = std::log10(axis.most / axis.least);
    for (const std::vector<double>& digits : {std::vector<double>{1, 2, 3, 4, 6, 8}, {1, 2, 5}, {1, 3}, {1}}) {
      ticks.clear();
      const int every = digits.size() == 1 ? std::max(1, static_cast<int>(std::ceil(decades / most))) : 1;
      for (int decade = first; decade <= last; ++decade)
        if (decade % every == 0)
          for (double digit : digits)
            if (const double v = digit * std::pow(10.0, decade); v >= axis.least && v <= axis.most) add(v);
      if (static_cast<int>(ticks.size()) <= most) break;
    }
    if (ticks.size() >= 2) return ticks;
    ticks.clear(); // less than a factor of two: round numbers as on a linear axis
  }
  const double span = axis.most - axis.least;
  const double decade = std::pow(10.0, std::floor(std::log10(span)) - 1);
  double step = 0;
  for (double digit : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0}) {
    step = digit * decade;
    if (std::floor(axis.most / step) - std::ceil(axis.least / step) + 1 <= most) break;
  }
  for (double k = std::ceil(axis.least / step - 1e-9); k * step <= axis.most + 1e-9 * span; ++k)
    add(k == 0 ? 0.0 : k * step);
  return ticks;
}

void fit_axis(PlotAxis& axis, double least, double most) {
  if (axis.log) {
    const double room = std::max(0.06 * std::log(most / least), 0.08);
    axis.least = least * std::exp(-room), axis.most = most * std::exp(room);
    return;
  }
  double span = most - least;
  if (span <= 1e-12 * std::abs(most)) span = std::max(std::abs(most) * 0.1, 1e-12);
  axis.least = least - 0.07 * span;
  axis.most = most + 0.08 * span;
  if (least >= 0 && least < 0.3 * most) axis.least = -0.03 * most; // a whole scale from zero
}

void draw_axes(ImDrawList* list, const Theme& theme, const PlotAxis& x, const PlotAxis& y, bool step_axis) {
  const Palette& c = theme.colour();
  const int y_ticks = std::clamp(static_cast<int>((y.first - y.last) / theme.px(34)), 2, 5);
  for (const PlotTick& tick : axis_ticks(y, y_ticks)) {
    const float at = y.pixel(tick.value);
    crisp_horizontal(list, x.first, x.last, at, with_alpha(c.grid, c.dark ? 0.085f : 0.11f), theme.hairline());
    draw_text_aligned(list, theme, text::kTick, {x.first - theme.px(7), std::round(at)}, c.text3, tick.words, 1, 0.5f);
  }
  float taken = -1e9f;
  const int x_ticks = std::clamp(static_cast<int>((x.last - x.first) / theme.px(68)) + 1, 2, 7);
  for (const PlotTick& tick : axis_ticks(x, x_ticks)) {
    const std::string words = step_axis ? format_count(std::lround(tick.value)) : tick.words;
    const float half = measure(theme, text::kTick, words).x * 0.5f, at = x.pixel(tick.value);
    if (at - half < taken + theme.px(6)) continue;
    taken = at + half;
    draw_text_aligned(list, theme, text::kTick, {at, y.first + theme.px(13)}, c.text3, words, 0.5f, 0.5f);
  }
}

} // namespace polarscope
