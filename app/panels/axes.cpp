// Axes of plots: scales, ticks, grid, labels at the ends of curves.
#include "app/format.hpp"
#include "app/panels/curves.hpp"
#include "app/panels/tools.hpp"
#include "app/stroke.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

float PlotAxis::pixel(double v) const {
  const double t = log ? (std::log(std::max(v, 1e-300)) - std::log(low)) / (std::log(high) - std::log(low)) : (v - low) / (high - low);
  return from + static_cast<float>(std::clamp(t, -10.0, 10.0)) * (to - from);
}

double PlotAxis::value(float p) const {
  const double t = static_cast<double>((p - from) / (to - from));
  return log ? std::exp(std::log(low) + t * (std::log(high) - std::log(low))) : low + t * (high - low);
}

void pad_range(double& low, double& high, bool log) {
  if (!(high >= low)) {
    low = log ? 0.1 : 0;
    high = 1;
  }
  if (log) {
    low = std::max(low, 1e-300);
    high = std::max(high, low);
    const double ratio = std::max(high / low, 1.25);
    const double middle = std::sqrt(low * high), half = std::pow(ratio, 0.5 * 1.1);
    low = middle / half;
    high = middle * half;
    return;
  }
  double span = high - low;
  const double least = std::max(1e-12, 0.02 * std::max(std::abs(low), std::abs(high)));
  if (span < least) {
    const double middle = 0.5 * (low + high);
    low = middle - 0.5 * least;
    high = middle + 0.5 * least;
    span = least;
  }
  const bool touches_zero = low >= 0 && low < 0.15 * span;
  low = touches_zero ? -0.03 * span : low - 0.06 * span;
  high += 0.06 * span;
}

std::vector<double> ticks(const PlotAxis& axis, float least) {
  std::vector<double> found;
  const float length = std::abs(axis.to - axis.from);
  if (axis.log) {
    const double decades = std::log10(axis.high / axis.low);
    const double pixels = static_cast<double>(length) / std::max(decades, 1e-9);
    std::vector<double> digits = {1};
    if (pixels > 3.4 * static_cast<double>(least)) digits = {1, 2, 5};
    const int every = std::max(1, static_cast<int>(std::ceil(static_cast<double>(least) / pixels)));
    for (int e = static_cast<int>(std::floor(std::log10(axis.low))); e <= static_cast<int>(std::ceil(std::log10(axis.high))); ++e) {
      if (every > 1 && ((e % every) + every) % every != 0) continue;
      for (double d : digits) {
        const double v = d * std::pow(10.0, e);
        if (v >= axis.low && v <= axis.high) found.push_back(v);
      }
    }
    if (found.size() >= 2) return found;
    found.clear(); // less than a decade: plain ticks
  }
  const double wanted = (axis.high - axis.low) * static_cast<double>(least / std::max(1.0f, length));
  const double power = std::pow(10.0, std::floor(std::log10(std::max(wanted, 1e-300))));
  double apart = 10 * power;
  for (double f : {1.0, 2.0, 5.0})
    if (f * power >= wanted) {
      apart = f * power;
      break;
    }
  for (double v = std::ceil(axis.low / apart) * apart; v <= axis.high + 1e-9 * apart; v += apart)
    found.push_back(std::abs(v) < 1e-9 * apart ? 0.0 : v);
  return found;
}

void draw_grid(const PanelContext& c, const PlotAxis& x, const PlotAxis& y, bool steps, ImVec2 min, ImVec2 max) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImU32 line = with_alpha(colour.grid, colour.dark ? 0.085f : 0.11f);
  for (double v : ticks(y, t.px(34))) {
    const float p = std::round(y.pixel(v));
    if (p < min.y || p > max.y) continue;
    crisp_horizontal(list, min.x, max.x, p, line, t.hairline());
    draw_text_aligned(list, t, text::kTick, {min.x - t.px(7), p}, colour.text3, format_value(v, 3), 1, 0.5f);
  }
  for (double v : ticks(x, t.px(68))) {
    const float p = x.pixel(v);
    if (p < min.x - 1 || p > max.x + 1) continue;
    const std::string words = steps ? format_count(std::lround(v)) : format_value(v, 3);
    const float half = 0.5f * measure(t, text::kTick, words).x;
    const float at = std::clamp(p, min.x - t.px(20) + half, max.x + t.px(10) - half);
    draw_text_aligned(list, t, text::kTick, {at, max.y + t.px(11)}, colour.text3, words, 0.5f, 0.5f);
  }
}

void draw_end_labels(const PanelContext& c, std::vector<EndLabel> labels, float left, float top, float bottom) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  std::stable_sort(labels.begin(), labels.end(), [](const EndLabel& a, const EndLabel& b) { return a.at.y < b.at.y; });
  const float tall = measure(t, text::kButton, "A").y + t.px(1);
  // From the top down, then back up from the bottom: near the wanted places, in order, never touching.
  std::vector<float> y;
  for (const EndLabel& label : labels) y.push_back(std::max(label.at.y, y.empty() ? top + tall * 0.5f : y.back() + tall));
  float limit = bottom - tall * 0.5f;
  for (std::size_t i = y.size(); i-- > 0;) {
    y[i] = std::min(y[i], limit);
    limit = y[i] - tall;
  }
  const float right = ImGui::GetWindowPos().x + ImGui::GetWindowWidth() - t.px(6);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (y[i] < top) continue; // no room for all
    const RunFrame& run = *labels[i].run;
    const RunStyle style = t.run(run.style);
    const float x = std::max(left, labels[i].at.x) + t.px(10);
    if (std::abs(y[i] - labels[i].at.y) > t.px(3))
      stroke_line(list, {labels[i].at.x + t.px(2), labels[i].at.y}, {x - t.px(2), y[i]}, with_alpha(t.colour().grid, 0.35f), t.hairline());
    const bool loud = c.view.hover.run == run.id;
    draw_marker(list, style.marker, {x + t.px(4), y[i]}, t.px(loud ? 5.0f : 4.0f), style.colour);
    draw_text_aligned(list, t, text::kButton, {x + t.px(12), y[i]}, t.colour().text, fit(t, text::kButton, run.label, std::max(t.px(12), right - x - t.px(12))), 0, 0.5f);
  }
}

} // namespace polarscope
