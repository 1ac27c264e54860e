#include "app/panels/curves.hpp"

#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "app/stroke.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

constexpr int kBandPoints = 140; // columns of a band at most
constexpr int kLogChunk = 16;    // pixels that share one query where steps are not evenly spaced

struct Drawing {
  const PanelContext& c;
  const StepPlot& plot;
  ImDrawList* list;
  PlotAxis x, y;
  ImVec2 min, max; // of the plot's area
  long not_positive = 0;
};

AxisScales scales_of(const PanelContext& c, const std::string& panel) {
  const auto found = c.view.scales.find(panel);
  return found == c.view.scales.end() ? AxisScales{} : found->second;
}

void widen(const SeriesView& series, int column, const Drawing& d, double& low, double& high) {
  if (series.empty()) return;
  const auto extent = series.extent(column, static_cast<long>(std::floor(d.x.low)), static_cast<long>(std::ceil(d.x.high)), d.y.log);
  if (!extent) return;
  low = std::min(low, extent->min * d.plot.factor);
  high = std::max(high, extent->max * d.plot.factor);
}

// Axes for what is to be shown; false when there is nothing.
bool set_axes(Drawing& d) {
  const AxisScales scales = scales_of(d.c, d.plot.panel);
  const StepRange range = d.c.view.steps_shown(d.c.frame);
  d.x.log = scales.log_x;
  d.y.log = scales.log_y;
  d.x.low = d.x.log ? std::max(1.0, range.from) : range.from;
  d.x.high = std::max(range.to, d.x.low + 1);
  double low = 1e300, high = -1e300;
  for (const CurveSource& curve : d.plot.curves) widen(curve.run->series, curve.column, d, low, high);
  for (const BandSource& band : d.plot.bands)
    for (int column : band.columns) widen(band.run->series, column, d, low, high);
  const bool any = high >= low;
  if (any && d.plot.target && (!d.y.log || *d.plot.target > 0)) {
    low = std::min(low, *d.plot.target);
    high = std::max(high, *d.plot.target);
  }
  pad_range(low, high, d.y.log);
  d.y.low = low;
  d.y.high = high;
  return any;
}

void count_hidden(Drawing& d) {
  if (!d.y.log) return;
  const auto count = [&](const RunFrame& run, int column) {
    if (!run.series.empty())
      d.not_positive += run.series.count_not_positive(column, static_cast<long>(d.x.low), static_cast<long>(std::ceil(d.x.high)));
  };
  for (const CurveSource& curve : d.plot.curves) count(*curve.run, curve.column);
  for (const BandSource& band : d.plot.bands)
    for (int column : band.columns) count(*band.run, column);
}

void add_bucket(const Drawing& d, const MinMax& m, std::vector<ImVec2>& points) {
  const float x = d.x.pixel(0.5 * static_cast<double>(m.first_step + m.last_step));
  const auto add = [&](double value) {
    if (!std::isfinite(value) || (d.y.log && value <= 0)) return;
    points.push_back({x, d.y.pixel(value * d.plot.factor)});
  };
  if (m.first_step == m.last_step || m.min == m.max) return add(m.last);
  // Both extremes, in the order that crosses least: a spike of one step stays visible at any zoom.
  const bool falls = m.first > m.last;
  add(falls ? m.max : m.min);
  add(falls ? m.min : m.max);
}

void curve_points(const Drawing& d, const SeriesView& series, int column, std::vector<ImVec2>& points) {
  points.clear();
  if (series.empty()) return;
  std::vector<MinMax> buckets;
  const int width = std::max(1, static_cast<int>(d.max.x - d.min.x));
  if (!d.x.log) {
    series.query(column, d.x.low, d.x.high, width, buckets);
    for (const MinMax& m : buckets) add_bucket(d, m, points);
    return;
  }
  long last = -1; // steps already drawn: neighbouring chunks share their border
  for (int p = 0; p < width; p += kLogChunk) {
    const double from = d.x.value(d.min.x + static_cast<float>(p)), to = d.x.value(d.min.x + static_cast<float>(std::min(width, p + kLogChunk)));
    series.query(column, from, to, kLogChunk, buckets);
    for (const MinMax& m : buckets)
      if (m.first_step > last) {
        add_bucket(d, m, points);
        last = m.last_step;
      }
  }
}

void draw_curves(const Drawing& d) {
  const Theme& t = d.c.theme;
  std::vector<ImVec2> points;
  for (const CurveSource& curve : d.plot.curves) {
    const ImU32 colour = t.run(curve.run->style).colour;
    curve_points(d, curve.run->ghost, curve.column, points);
    stroke(d.list, points, mix(t.colour().panel, colour, 0.35f), t.stroke(1.2f));
  }
  for (const CurveSource& curve : d.plot.curves) {
    const bool loud = curve.run->id == d.c.frame.selected || d.c.view.hover.run == curve.run->id;
    curve_points(d, curve.run->series, curve.column, points);
    const bool other_row = d.c.view.hover.row && curve.run->program->metrics()[static_cast<std::size_t>(curve.column)].index >= 0 &&
                           curve.run->program->metrics()[static_cast<std::size_t>(curve.column)].index != *d.c.view.hover.row;
    const ImU32 colour = t.run(curve.run->style).colour;
    stroke(d.list, points, other_row ? mix(t.colour().panel, colour, 0.45f) : colour, t.curve_width(loud));
  }
}

// Smallest, median and largest over the columns at up to kBandPoints steps.
struct BandPoints {
  std::vector<ImVec2> low, middle, high;
};

BandPoints band_points(const Drawing& d, const BandSource& band) {
  BandPoints found;
  const SeriesView& series = band.run->series;
  if (series.empty() || band.columns.empty()) return found;
  std::vector<double> values;
  long last = -1;
  for (int i = 0; i <= kBandPoints; ++i) {
    const double wanted = d.x.value(d.x.from + (d.x.to - d.x.from) * static_cast<float>(i) / kBandPoints);
    if (wanted > static_cast<double>(series.last_step()) + 0.5) break;
    const Sample nearest = series.nearest(band.columns.front(), wanted);
    if (nearest.step == last || !std::isfinite(nearest.value)) continue;
    last = nearest.step;
    values.clear();
    for (int column : band.columns)
      if (const auto v = series.at(column, nearest.step); v && std::isfinite(*v) && (!d.y.log || *v > 0)) values.push_back(*v * d.plot.factor);
    if (values.empty()) continue;
    std::sort(values.begin(), values.end());
    const float x = d.x.pixel(static_cast<double>(nearest.step));
    found.low.push_back({x, d.y.pixel(values.front())});
    found.high.push_back({x, d.y.pixel(values.back())});
    const std::size_t half = values.size() / 2;
    const double median = values.size() % 2 ? values[half] : 0.5 * (values[half - 1] + values[half]);
    found.middle.push_back({x, d.y.pixel(median)});
  }
  return found;
}

void draw_bands(const Drawing& d) {
  const Theme& t = d.c.theme;
  std::vector<std::pair<const BandSource*, BandPoints>> all;
  for (const BandSource& band : d.plot.bands) all.emplace_back(&band, band_points(d, band));
  for (const auto& [band, points] : all) {
    const ImU32 fill = with_alpha(t.run(band->run->style).colour, 0.15f);
    for (std::size_t i = 0; i + 1 < points.low.size(); ++i)
      d.list->AddQuadFilled(points.high[i], points.high[i + 1], points.low[i + 1], points.low[i], fill);
  }
  for (const auto& [band, points] : all) {
    const RunStyle style = t.run(band->run->style);
    const bool loud = band->run->id == d.c.frame.selected || d.c.view.hover.run == band->run->id;
    const std::vector<float> dash = dash_pattern(t, style);
    stroke_dashed(d.list, points.middle, style.colour, t.curve_width(loud), dash);
  }
}

void draw_dotted(const Drawing& d, const std::vector<ImVec2>& points) {
  const std::array<float, 2> dots{d.c.theme.px(2), d.c.theme.px(4)};
  stroke_dashed(d.list, points, d.c.theme.colour().text2, d.c.theme.stroke(1.2f), dots);
}

void draw_expected(const Drawing& d) {
  const Theme& t = d.c.theme;
  bool named = false;
  for (const auto& [run, line] : d.plot.expected) {
    std::vector<ImVec2> points;
    for (const Sample& sample : line->points)
      if (std::isfinite(sample.value) && (!d.y.log || sample.value > 0) && d.x.shows(static_cast<double>(sample.step)))
        points.push_back({d.x.pixel(static_cast<double>(sample.step)), d.y.pixel(sample.value * d.plot.factor)});
    if (points.size() < 2) continue;
    draw_dotted(d, points);
    if (!named)
      draw_text_aligned(d.list, t, text::kLabel, {d.min.x + t.px(6), d.max.y - t.px(10)}, t.colour().text2, "dotted: expected, " + line->condition, 0, 0.5f);
    named = true;
  }
  if (!d.plot.target) return;
  const float y = d.y.pixel(*d.plot.target);
  draw_dotted(d, {{d.min.x, y}, {d.max.x, y}});
  draw_text_aligned(d.list, t, text::kLabel, {d.min.x + t.px(6), y + t.px(10)}, t.colour().text2, "target " + format_value(*d.plot.target), 0, 0.5f);
}

// Where every curve ends: label, and marker where the cursor meets it.
void draw_ends(const Drawing& d) {
  const Theme& t = d.c.theme;
  std::vector<EndLabel> labels;
  const auto add = [&](const RunFrame& run, int column) {
    if (run.series.empty()) return;
    const long shown = std::min(run.series.last_step(), static_cast<long>(std::ceil(d.x.high)));
    const Sample end = run.series.nearest(column, static_cast<double>(shown));
    if (std::isfinite(end.value) && (!d.y.log || end.value > 0) && (labels.empty() || labels.back().run != &run))
      labels.push_back({{std::min(d.x.pixel(static_cast<double>(end.step)), d.max.x), std::clamp(d.y.pixel(end.value * d.plot.factor), d.min.y, d.max.y)}, &run});
    const double here = value_at(run, column, d.c.frame.cursor);
    if (std::isfinite(here) && (!d.y.log || here > 0) && d.x.shows(static_cast<double>(d.c.frame.cursor))) {
      const RunStyle style = t.run(run.style);
      draw_marker(d.list, style.marker, {d.x.pixel(static_cast<double>(d.c.frame.cursor)), d.y.pixel(here * d.plot.factor)}, t.px(3.6f), style.colour, t.colour().panel, t.px(1.4f));
    }
  };
  for (const CurveSource& curve : d.plot.curves) add(*curve.run, curve.column);
  for (const BandSource& band : d.plot.bands) add(*band.run, band.columns[band.columns.size() / 2]);
  float left = d.min.x;
  for (const EndLabel& label : labels) left = std::max(left, label.at.x);
  draw_end_labels(d.c, std::move(labels), left, d.min.y, d.max.y);
}

void draw_cursor(const Drawing& d) {
  const Palette& colour = d.c.theme.colour();
  const double cursor = static_cast<double>(d.c.frame.cursor);
  if (d.x.shows(cursor)) crisp_vertical(d.list, std::round(d.x.pixel(cursor)), d.min.y, d.max.y, colour.text, d.c.theme.hairline());
  const auto& step = d.c.view.hover.step;
  if (step && *step != d.c.frame.cursor && d.x.shows(static_cast<double>(*step)))
    crisp_vertical(d.list, std::round(d.x.pixel(static_cast<double>(*step))), d.min.y, d.max.y, with_alpha(colour.grid, 0.4f), d.c.theme.hairline());
}

// The curve nearest to the pointer at that step; columns of bands count as curves.
struct Found {
  const RunFrame* run = nullptr;
  int column = -1;
  float distance = 1e9f;
};
Found nearest_curve(const Drawing& d, long step, float y) {
  Found best;
  const auto consider = [&](const RunFrame& run, int column) {
    const double value = value_at(run, column, step);
    if (!std::isfinite(value) || (d.y.log && value <= 0)) return;
    const float distance = std::abs(d.y.pixel(value * d.plot.factor) - y);
    if (distance < best.distance) best = {&run, column, distance};
  };
  for (const CurveSource& curve : d.plot.curves) consider(*curve.run, curve.column);
  for (const BandSource& band : d.plot.bands)
    for (int column : band.columns) consider(*band.run, column);
  return best;
}

void take_wheel(const Drawing& d, double at) {
  const float wheel = ImGui::GetIO().MouseWheel;
  if (wheel == 0) return;
  const double factor = std::pow(0.8, static_cast<double>(wheel)), most = static_cast<double>(std::max(1L, d.c.frame.steps));
  StepRange range = d.c.view.steps_shown(d.c.frame);
  range.from = std::max(0.0, at - (at - range.from) * factor);
  range.to = std::min(most, at + (range.to - at) * factor);
  if (range.to - range.from < 4) return;
  if (range.from <= 0 && range.to >= most) d.c.view.range.reset();
  else d.c.view.range = range;
}

void take_input(const Drawing& d) {
  const PanelContext& c = d.c;
  ImGui::SetCursorScreenPos(d.min);
  ImGui::InvisibleButton("plot", {std::max(1.0f, d.max.x - d.min.x), std::max(1.0f, d.max.y - d.min.y)});
  ImGui::SetItemKeyOwner(ImGuiKey_MouseWheelY); // the wheel zooms; it does not scroll the panel
  const ImGuiIO& io = ImGui::GetIO();
  const double at = std::clamp(d.x.value(io.MousePos.x), d.x.low, d.x.high);
  const long step = std::clamp(std::lround(at), 0L, std::max(0L, c.frame.head));
  if (ImGui::IsItemActive()) {
    const double began = std::clamp(d.x.value(io.MouseClickedPos[0].x), d.x.low, d.x.high);
    const bool dragged = std::abs(io.MousePos.x - io.MouseClickedPos[0].x) > c.theme.px(4);
    if (io.KeyShift && dragged) c.view.range = StepRange{std::floor(std::min(began, at)), std::ceil(std::max(began, at))};
    else if (!io.KeyShift && step != c.frame.cursor) c.send(command::MoveCursor{step});
  }
  if (!ImGui::IsItemHovered()) return;
  c.view.focused_plot = d.plot.panel;
  if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) c.view.range.reset();
  take_wheel(d, at);
  c.view.next_hover.step = step;
  const Found found = nearest_curve(d, step, io.MousePos.y);
  if (!found.run || found.distance > c.theme.px(26)) return;
  c.view.next_hover.run = found.run->id;
  const int row = found.run->program->metrics()[static_cast<std::size_t>(found.column)].index;
  if (row >= 0) c.view.next_hover.row = row;
  show_hover_card(c.theme, card_for(c, *found.run, found.column, step));
}

} // namespace

void draw_step_plot(const PanelContext& c, const StepPlot& plot) {
  const Theme& t = c.theme;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 corner{ImGui::GetWindowPos().x + ImGui::GetWindowWidth(), ImGui::GetWindowPos().y + ImGui::GetWindowHeight()};
  Drawing d{c, plot, ImGui::GetWindowDrawList(), {}, {}, {at.x + t.snap(48), at.y + t.snap(4)}, {corner.x - t.snap(24), corner.y - t.snap(24)}};
  if (d.max.x - d.min.x < t.px(40) || d.max.y - d.min.y < t.px(20)) return;
  if (!set_axes(d)) {
    draw_text_aligned(d.list, t, text::kLabel, {(d.min.x + d.max.x) * 0.5f, (d.min.y + d.max.y) * 0.5f}, t.colour().text3, plot.empty_words, 0.5f, 0.5f);
    return;
  }
  // Names stand in the part that is not computed yet; where the head is near the end they get a margin.
  float margin = 0;
  for (const CurveSource& curve : plot.curves) margin = std::max(margin, measure(t, text::kButton, curve.run->label).x);
  for (const BandSource& band : plot.bands) margin = std::max(margin, measure(t, text::kButton, band.run->label).x);
  margin = std::min(margin, t.px(84)) + t.px(26);
  d.x.from = d.min.x;
  d.x.to = d.max.x;
  const float head = d.x.pixel(static_cast<double>(std::max<long>(c.frame.head, static_cast<long>(d.x.low))));
  if (head > corner.x - margin) d.x.to = d.max.x = std::min(d.max.x, corner.x - margin);
  d.y.from = d.max.y;
  d.y.to = d.min.y;
  count_hidden(d);

  const float computed = std::clamp(d.x.pixel(static_cast<double>(c.frame.head)), d.min.x, d.max.x);
  d.list->AddRectFilled({computed, d.min.y}, d.max, t.colour().not_computed());
  draw_grid(c, d.x, d.y, true, d.min, d.max);
  d.list->PushClipRect({d.min.x - t.px(2), d.min.y - t.px(2)}, {d.max.x + t.px(2), d.max.y + t.px(2)}, true);
  draw_bands(d);
  draw_curves(d);
  draw_expected(d);
  draw_cursor(d);
  d.list->PopClipRect();
  draw_ends(d);
  if (d.not_positive > 0)
    draw_text_aligned(d.list, t, text::kLabel, {d.max.x - t.px(4), d.min.y + t.px(8)}, t.colour().text2, format_count(d.not_positive) + " values ≤ 0 not shown", 1, 0.5f);
  take_input(d);
}

} // namespace polarscope
