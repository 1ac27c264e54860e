#include "app/plot.hpp"

#include "app/format.hpp"
#include "app/plane_picture.hpp"

#include "implot.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

constexpr float kBandAlpha = 0.15f;
constexpr double kBandSeconds = 0.1; // bands of growing data are renewed at most this often

struct Frame2 { // everything a part of the plot needs
  ImDrawList* list;
  const Theme& theme;
  const PlotSpec& spec;
  std::span<const PlotCurve> curves;
  const PlotShared& shared;
  PlotCache& cache;
  PlotAxis x, y;
};

ImU32 curve_colour(const Theme& theme, const PlotCurve& curve) {
  return curve.dimmed ? mix(theme.colour().panel, curve.style.colour, 0.55f) : curve.style.colour;
}

bool is_band(const PlotCurve& curve) { return curve.sources.size() > 1; }

// ---- bands ------------------------------------------------------------------------------------------------------

std::vector<double> band_key(const PlotCurve& curve, const PlotAxis& x, long buckets) {
  std::vector<double> key{x.least, x.most, static_cast<double>(x.log), static_cast<double>(buckets)};
  key.push_back(static_cast<double>(curve.sources.size()));
  key.push_back(curve.sources.front().column);
  for (const PlotSource& source : curve.sources) key.push_back(static_cast<double>(source.series.last_step()));
  return key;
}

// Least, median and greatest of all sources, bucket by bucket. A source takes part in a bucket with its extremes in
// the band and with the middle of its ends in the median.
void make_band(const PlotCurve& curve, const PlotAxis& x, int buckets, PlotCache::Band& band) {
  static thread_local std::vector<MinMax> found;
  std::vector<std::vector<double>> middles(static_cast<std::size_t>(buckets));
  std::vector<double> least(middles.size(), INFINITY), greatest(middles.size(), -INFINITY), step_sum(middles.size());
  const float width = x.last - x.first;
  for (const PlotSource& source : curve.sources) {
    if (source.column < 0 || source.series.empty()) continue;
    found.clear();
    source.series.query(source.column, x.least, x.most, x.log ? 4 * buckets : buckets, found);
    for (const MinMax& m : found) {
      const double step = 0.5 * static_cast<double>(m.first_step + m.last_step);
      const float share = (x.pixel(std::max(step, x.log ? 1.0 : step)) - x.first) / width;
      if (!(share >= 0) || share > 1 || !std::isfinite(m.min)) continue;
      const auto i = std::min(static_cast<std::size_t>(share * static_cast<float>(buckets)), middles.size() - 1);
      least[i] = std::min(least[i], m.min);
      greatest[i] = std::max(greatest[i], m.max);
      step_sum[i] += step;
      middles[i].push_back(0.5 * (m.first + m.last));
    }
  }
  band.step.clear(), band.least.clear(), band.median.clear(), band.greatest.clear();
  for (std::size_t i = 0; i < middles.size(); ++i) {
    auto& values = middles[i];
    if (values.empty()) continue;
    band.step.push_back(step_sum[i] / static_cast<double>(values.size()));
    const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), half, values.end());
    double median = *half;
    if (values.size() % 2 == 0) median = 0.5 * (median + *std::max_element(values.begin(), half));
    band.median.push_back(median);
    band.least.push_back(least[i]);
    band.greatest.push_back(greatest[i]);
  }
}

const PlotCache::Band& band_of(PlotCache& cache, const PlotCurve& curve, std::size_t index, const PlotAxis& x) {
  PlotCache::Band& band = cache.bands[index];
  const int buckets = std::max(8, static_cast<int>((x.last - x.first) / 3));
  const auto key = band_key(curve, x, buckets);
  const bool same_view = band.key.size() == key.size() && std::equal(key.begin(), key.begin() + 6, band.key.begin());
  const double now = ImGui::GetTime();
  if (band.key == key || (same_view && now - band.made_at < kBandSeconds)) return band;
  make_band(curve, x, buckets, band);
  band.key = key;
  band.made_at = now;
  return band;
}

void draw_band(const Frame2& f, const PlotCurve& curve, const PlotCache::Band& band) {
  const ImU32 fill = with_alpha(curve_colour(f.theme, curve), kBandAlpha);
  const ImVec2 uv = ImGui::GetFontTexUvWhitePixel();
  static thread_local std::vector<ImVec2> low, high, middle;
  low.clear(), high.clear(), middle.clear();
  for (std::size_t i = 0; i < band.step.size(); ++i) {
    if (!f.x.shows(band.step[i]) || !f.y.shows(band.greatest[i])) continue;
    const float px = f.x.pixel(band.step[i]);
    const double least = f.y.shows(band.least[i]) ? band.least[i] : f.y.least;
    low.push_back({px, f.y.pixel(least)});
    high.push_back({px, f.y.pixel(band.greatest[i])});
    if (f.y.shows(band.median[i])) middle.push_back({px, f.y.pixel(band.median[i])});
  }
  if (low.size() > 1) {
    const auto n = static_cast<unsigned>(low.size());
    f.list->PrimReserve(static_cast<int>(6 * (n - 1)), static_cast<int>(2 * n));
    const unsigned base = f.list->_VtxCurrentIdx;
    for (unsigned i = 0; i < n; ++i) {
      f.list->PrimWriteVtx(high[i], uv, fill);
      f.list->PrimWriteVtx(low[i], uv, fill);
    }
    for (unsigned i = 0; i + 1 < n; ++i)
      for (unsigned v : {2 * i, 2 * i + 2, 2 * i + 3, 2 * i, 2 * i + 3, 2 * i + 1}) f.list->PrimWriteIdx(base + v);
  }
  stroke_dashed(f.list, middle, curve_colour(f.theme, curve), f.theme.curve_width(curve.selected),
                dash_pattern(f.theme, curve.style));
}

// ---- range of values --------------------------------------------------------------------------------------------

struct Extent {
  double least = INFINITY, most = -INFINITY;
  void add(double value) {
    if (!std::isfinite(value)) return;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  bool empty() const { return !(least <= most); }
};

Extent value_extent(const Frame2& f) {
  Extent extent;
  const long from = static_cast<long>(std::floor(f.x.least)), to = static_cast<long>(std::ceil(f.x.most));
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    const PlotCurve& curve = f.curves[i];
    if (is_band(curve)) {
      const PlotCache::Band& band = band_of(f.cache, curve, i, f.x);
      for (std::size_t k = 0; k < band.step.size(); ++k)
        for (double v : {band.least[k], band.greatest[k]})
          if (f.y.shows(v)) extent.add(v);
      continue;
    }
    for (const PlotSource& source : curve.sources)
      if (source.column >= 0)
        if (const auto m = source.series.extent(source.column, from, to, f.y.log)) extent.add(m->min), extent.add(m->max);
  }
  if (extent.empty()) return extent;
  for (const PlotExpected& line : f.spec.expected)
    for (const Sample& s : line.points)
      if (static_cast<double>(s.step) >= f.x.least && static_cast<double>(s.step) <= f.x.most && f.y.shows(s.value)) extent.add(s.value);
  return extent;
}

// ---- drawing ----------------------------------------------------------------------------------------------------

void draw_curves(const Frame2& f) {
  static thread_local std::vector<ImVec2> points;
  for (bool selected : {false, true})
    for (std::size_t i = 0; i < f.curves.size(); ++i) {
      const PlotCurve& curve = f.curves[i];
      if (curve.selected != selected || curve.sources.empty()) continue;
      if (curve.ghost) {
        trace_curve(*curve.ghost, f.x, f.y, points);
        stroke(f.list, points, mix(f.theme.colour().panel, curve.style.colour, 0.32f), f.theme.stroke(1.2f));
      }
      if (is_band(curve)) {
        draw_band(f, curve, band_of(f.cache, curve, i, f.x));
        continue;
      }
      trace_curve(curve.sources.front(), f.x, f.y, points);
      stroke(f.list, points, curve_colour(f.theme, curve), f.theme.curve_width(curve.selected));
    }
}

void draw_expected(const Frame2& f) {
  const std::array<float, 2> dots{f.theme.stroke(1.5f), f.theme.stroke(3)};
  std::vector<ImVec2> points;
  std::string caption;
  for (const PlotExpected& line : f.spec.expected) {
    points.clear();
    for (const Sample& s : line.points)
      if (f.x.shows(static_cast<double>(s.step)) && f.y.shows(s.value) && std::isfinite(s.value)) {
        const ImVec2 at{f.x.pixel(static_cast<double>(s.step)), f.y.pixel(s.value)};
        if (points.empty() || std::hypot(at.x - points.back().x, at.y - points.back().y) > 0.8f) points.push_back(at);
      }
    stroke_dashed(f.list, points, mix(line.style.colour, f.theme.colour().text, 0.35f), f.theme.stroke(1.4f), dots);
    if (caption.empty()) caption = line.words;
  }
  draw_text_aligned(f.list, f.theme, text::kLabel, {f.x.first + f.theme.px(6), f.y.first - f.theme.px(9)},
                    f.theme.colour().text2, fit(f.theme, text::kLabel, caption, f.x.last - f.x.first), 0, 0.5f);
}

void draw_targets(const Frame2& f) {
  const std::array<float, 2> dots{f.theme.px(2), f.theme.px(3)};
  for (const PlotTarget& target : f.spec.targets) {
    if (!f.y.shows(target.value) || target.value < f.y.least || target.value > f.y.most) continue;
    const float y = std::round(f.y.pixel(target.value)) + 0.5f;
    const std::array<ImVec2, 2> line{ImVec2{f.x.first, y}, {f.x.last, y}};
    stroke_dashed(f.list, line, f.theme.colour().text3, f.theme.stroke(1.1f), dots);
    const bool above = y - f.theme.px(18) > f.y.last;
    draw_text_aligned(f.list, f.theme, text::kLabel, {f.x.first + f.theme.px(6), y + f.theme.px(above ? -9 : 9)},
                      f.theme.colour().text2, target.words, 0, 0.5f);
  }
}

// Value of a curve at a step: the stored sample nearest to it, the median for bands.
std::optional<double> value_at(const Frame2& f, std::size_t index, double step) {
  const PlotCurve& curve = f.curves[index];
  if (is_band(curve)) {
    const PlotCache::Band& band = band_of(f.cache, curve, index, f.x);
    if (band.step.empty()) return std::nullopt;
    const auto after = std::lower_bound(band.step.begin(), band.step.end(), step);
    const auto k = static_cast<std::size_t>(std::min<std::ptrdiff_t>(after - band.step.begin(), static_cast<std::ptrdiff_t>(band.step.size()) - 1));
    return band.median[k];
  }
  if (curve.sources.empty() || curve.sources.front().column < 0) return std::nullopt;
  const Sample s = curve.sources.front().series.nearest(curve.sources.front().column, step);
  return std::isfinite(s.value) ? std::optional(s.value) : std::nullopt;
}

long last_step_of(const PlotCurve& curve) {
  long last = 0;
  for (const PlotSource& source : curve.sources)
    if (!source.series.empty()) last = std::max(last, source.series.last_step());
  return last;
}

void draw_cursor(const Frame2& f) {
  const Palette& c = f.theme.colour();
  const auto inside = [&](double step) { return step >= f.x.least && step <= f.x.most; };
  if (f.shared.hover_step && inside(static_cast<double>(*f.shared.hover_step)))
    crisp_vertical(f.list, f.x.pixel(static_cast<double>(*f.shared.hover_step)), f.y.last, f.y.first, with_alpha(c.text, 0.25f), f.theme.hairline());
  if (!inside(static_cast<double>(f.shared.cursor))) return;
  const float px = f.x.pixel(static_cast<double>(f.shared.cursor));
  if (!f.spec.presenting) crisp_vertical(f.list, px, f.y.last, f.y.first, with_alpha(c.text, 0.92f), f.theme.hairline());
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    const auto value = value_at(f, i, static_cast<double>(f.shared.cursor));
    if (!value || !f.y.shows(*value)) continue;
    const ImVec2 at{std::round(px), f.y.pixel(*value)};
    if (at.y < f.y.last - 2 || at.y > f.y.first + 2) continue;
    const float radius = f.spec.presenting ? f.theme.marker_radius(false) : f.theme.px(f.curves[i].selected ? 4.4f : 3.8f);
    draw_marker(f.list, f.curves[i].style.marker, at, radius, curve_colour(f.theme, f.curves[i]), c.panel, f.theme.px(1.4f));
  }
}

// Values that the log axis cannot show. Counting reads every sample of the sources that have any, so the number is kept
// for a moment.
long count_not_shown(const Frame2& f) {
  const double now = ImGui::GetTime();
  const long from = std::lround(f.x.least), to = std::lround(f.x.most);
  const std::array<double, 3> key{f.x.least, f.x.most, static_cast<double>(f.curves.size())};
  if (f.cache.not_shown_key == key && now - f.cache.not_shown_at < 4 * kBandSeconds) return f.cache.not_shown;
  long count = 0;
  for (const PlotCurve& curve : f.curves)
    for (const PlotSource& source : curve.sources) {
      if (source.column < 0 || source.series.empty()) continue;
      const auto extent = source.series.extent(source.column, from, to);
      if (extent && extent->min <= 0) count += source.series.count_not_positive(source.column, from, to);
    }
  f.cache.not_shown = count, f.cache.not_shown_key = key, f.cache.not_shown_at = now;
  return count;
}

// Marker and name at each curve's end, pushed apart, with a leader.
void draw_end_labels(const Frame2& f, float right_edge) {
  const Palette& c = f.theme.colour();
  std::vector<float> wanted;
  std::vector<std::size_t> which;
  float end = f.x.first;
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    const PlotCurve& curve = f.curves[i];
    if (curve.name.empty() || curve.sources.empty()) continue;
    const auto last = std::min(static_cast<double>(last_step_of(curve)), f.x.most);
    const auto value = value_at(f, i, last);
    if (!value || !f.y.shows(*value) || !f.x.shows(last)) continue;
    which.push_back(i);
    wanted.push_back(std::clamp(f.y.pixel(*value), f.y.last, f.y.first));
    end = std::max(end, f.x.pixel(last));
  }
  const float height = f.theme.px(f.spec.presenting ? 16 : 15), half = height * 0.5f;
  const auto placed = spread_labels(wanted, height, f.y.last + half, f.y.first - half);
  for (std::size_t k = 0; k < which.size(); ++k) {
    if (std::isnan(placed[k])) continue;
    const PlotCurve& curve = f.curves[which[k]];
    const float name = measure(f.theme, text::kName, curve.name).x;
    const float marker = std::min(end + f.theme.px(16), right_edge - name - f.theme.px(14));
    const float own_end = f.x.pixel(std::max(std::min(static_cast<double>(last_step_of(curve)), f.x.most), f.x.least));
    const float y = std::round(placed[k]);
    if (marker - own_end > f.theme.px(8) && !f.spec.presenting) {
      const std::array<ImVec2, 3> leader{ImVec2{own_end + f.theme.px(2), wanted[k]}, {end + f.theme.px(4), y}, {marker - f.theme.px(7), y}};
      stroke(f.list, leader, with_alpha(c.text3, 0.6f), f.theme.hairline());
    }
    const ImU32 ground = own_end < f.x.last - 1 ? mix(c.panel, c.bar, 0.65f) : c.panel;
    f.list->AddRectFilled({marker - f.theme.px(6), y - half}, {marker + name + f.theme.px(11), y + half}, ground);
    draw_marker(f.list, curve.style.marker, {marker, y}, f.theme.px(f.spec.presenting ? 5 : 4.2f), curve_colour(f.theme, curve), c.panel, f.theme.px(1.2f));
    draw_text_aligned(f.list, f.theme, text::kName, {marker + f.theme.px(9), y}, curve.dimmed ? c.text2 : c.text, curve.name, 0, 0.5f);
  }
}

// ---- the pointer ------------------------------------------------------------------------------------------------

struct Found {
  int curve = -1;
  std::size_t source = 0;
  Sample sample{};
};

Found nearest_sample(const Frame2& f, ImVec2 mouse) {
  Found found;
  float best = f.theme.px(48);
  const double step = f.x.value(mouse.x);
  for (std::size_t i = 0; i < f.curves.size(); ++i)
    for (std::size_t k = 0; k < f.curves[i].sources.size(); ++k) {
      const PlotSource& source = f.curves[i].sources[k];
      if (source.column < 0 || source.series.empty()) continue;
      const Sample s = source.series.nearest(source.column, step);
      if (!std::isfinite(s.value) || !f.y.shows(s.value) || !f.x.shows(static_cast<double>(s.step))) continue;
      if (std::abs(f.x.pixel(static_cast<double>(s.step)) - mouse.x) > f.theme.px(24)) continue;
      const float away = std::abs(f.y.pixel(s.value) - mouse.y);
      if (away < best) best = away, found = {static_cast<int>(i), k, s};
    }
  return found;
}

void show_sample(const Frame2& f, const Found& found) {
  const PlotCurve& curve = f.curves[static_cast<std::size_t>(found.curve)];
  const PlotSource& source = curve.sources[found.source];
  const ImVec2 at{f.x.pixel(static_cast<double>(found.sample.step)), f.y.pixel(found.sample.value)};
  f.list->AddCircleFilled(at, f.theme.px(4.5f), f.theme.colour().panel);
  f.list->AddCircle(at, f.theme.px(4.5f), f.theme.colour().text, 0, f.theme.stroke(1.4f));
  HoverCard card;
  card.run = curve.style;
  card.title = curve.card_title.empty() ? f.spec.title : curve.card_title;
  card.place = curve.card_place.empty() ? curve.name : curve.card_place;
  if (curve.sources.size() > 1) card.place += ", " + format_count(static_cast<long>(found.source)) + " of " + format_count(static_cast<long>(curve.sources.size()));
  card.place += ", step " + format_count(found.sample.step);
  card.value = format_digits(found.sample.value);
  if (found.sample.step > 0)
    if (const auto before = source.series.at(source.column, found.sample.step - 1); before && std::isfinite(*before))
      card.change = format_digits(found.sample.value - *before, 3, true);
  card.unit = f.spec.unit;
  card.formula = f.spec.formula;
  card.sentence = f.spec.sentence;
  card.exact = format_exact(found.sample.value);
  show_hover_card(f.theme, card);
}

// The invisible ImPlot under the drawing: wheel and drag change the step range.
void plot_input(const Frame2& f, PlotResult& result) {
  double from = f.x.least, to = f.x.most;
  const double most = std::max(1.0, static_cast<double>(f.shared.steps));
  ImGui::SetCursorScreenPos({f.x.first, f.y.last});
  for (ImPlotCol which : {ImPlotCol_FrameBg, ImPlotCol_PlotBg, ImPlotCol_PlotBorder}) ImPlot::PushStyleColor(which, ImU32{0});
  constexpr ImPlotAxisFlags kAxis = ImPlotAxisFlags_NoDecorations | ImPlotAxisFlags_NoMenus | ImPlotAxisFlags_NoHighlight | ImPlotAxisFlags_NoSideSwitch;
  if (ImPlot::BeginPlot(f.spec.id, {f.x.last - f.x.first, f.y.first - f.y.last}, ImPlotFlags_CanvasOnly | ImPlotFlags_NoFrame)) {
    ImPlot::SetupAxis(ImAxis_X1, nullptr, kAxis);
    ImPlot::SetupAxis(ImAxis_Y1, nullptr, kAxis | ImPlotAxisFlags_Lock);
    if (f.x.log) ImPlot::SetupAxisScale(ImAxis_X1, ImPlotScale_Log10);
    ImPlot::SetupAxisLimitsConstraints(ImAxis_X1, f.x.log ? 0.5 : 0, most);
    ImPlot::SetupAxisLinks(ImAxis_X1, &from, &to);
    ImPlot::SetupAxisLimits(ImAxis_Y1, 0, 1);
    ImPlot::SetupFinish();
    if (ImPlot::IsPlotHovered()) {
      result.focused = true;
      result.hover_step = std::lround(std::clamp(f.x.value(ImGui::GetIO().MousePos.x), 0.0, most));
      if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) result.reset_range = true;
    }
    ImPlot::EndPlot(); // writes the links
  }
  ImPlot::PopStyleColor(3);
  const double moved = std::abs(from - f.x.least) + std::abs(to - f.x.most);
  if (!result.reset_range && moved > 1e-9 * most && to > from) result.range = std::pair(f.x.log && from <= 1 ? 0.0 : from, to);
}

} // namespace

float PlotAxis::pixel(double value) const {
  const double t = log ? std::log(std::max(value, 1e-300) / least) / std::log(most / least) : (value - least) / (most - least);
  return first + static_cast<float>(std::clamp(t, -50.0, 50.0)) * (last - first);
}

double PlotAxis::value(float pixel) const {
  const double t = static_cast<double>(pixel - first) / static_cast<double>(last - first);
  return log ? least * std::pow(most / least, t) : least + t * (most - least);
}

void trace_curve(const PlotSource& source, const PlotAxis& x, const PlotAxis& y, std::vector<ImVec2>& points) {
  points.clear();
  if (source.column < 0 || source.series.empty()) return;
  static thread_local std::vector<MinMax> found;
  const auto add = [&](double step, double value) {
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
    source.series.query(source.column, from, to, std::max(2, static_cast<int>(width / static_cast<float>(2 * pieces))), found);
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
    const int first = static_cast<int>(std::floor(std::log10(axis.least))), last = static_cast<int>(std::ceil(std::log10(axis.most)));
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
  for (double k = std::ceil(axis.least / step - 1e-9); k * step <= axis.most + 1e-9 * span; ++k) add(k == 0 ? 0.0 : k * step);
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

PlotResult draw_plot(const Theme& theme, ImVec2 min, ImVec2 max, const PlotSpec& spec, std::span<const PlotCurve> curves,
                     const PlotShared& shared, PlotCache& cache) {
  PlotResult result;
  ImDrawList* list = ImGui::GetWindowDrawList();
  Frame2 f{list, theme, spec, curves, shared, cache, {}, {}};
  const bool log_x = shared.log_x && shared.to > 1;
  float widest = 0;
  for (const PlotCurve& curve : curves) widest = std::max(widest, measure(theme, text::kName, curve.name).x);
  const float needed = std::max(theme.px(22), std::min(widest, (max.x - min.x) * 0.25f) + theme.px(22));
  f.x = {log_x ? std::max(1.0, shared.from) : shared.from, std::max(shared.to, shared.from + 1), std::round(min.x + theme.px(48)),
         std::round(max.x - theme.px(22)), log_x};
  // where the head is near the right edge, the names of the curves need room there
  const float free = f.x.last - f.x.pixel(std::min(static_cast<double>(shared.head), f.x.most));
  f.x.last = std::round(f.x.last - std::max(0.0f, needed - theme.px(22) - free * 0.5f));
  f.y = {0, 1, std::round(max.y - theme.px(24)), std::round(min.y + theme.px(8)), spec.log_y};
  if (f.x.last - f.x.first < theme.px(30) || f.y.first - f.y.last < theme.px(20)) return result;
  const Extent extent = value_extent(f);
  const Box area{{min.x + theme.px(12), min.y}, {max.x - theme.px(12), max.y}};
  if (extent.empty()) {
    draw_empty_text(list, theme, area, spec.empty_text);
    return result;
  }
  fit_axis(f.y, extent.least, extent.most);
  plot_input(f, result);
  draw_axes(list, theme, f.x, f.y, true);
  if (static_cast<double>(shared.head) < f.x.most) {
    const float head = std::round(f.x.pixel(std::max(static_cast<double>(shared.head), f.x.least)));
    list->AddRectFilled({head, f.y.last}, {f.x.last, f.y.first}, theme.colour().not_computed());
  }
  list->PushClipRect({f.x.first - theme.px(2), f.y.last - theme.px(6)}, {f.x.last + theme.px(2), f.y.first + theme.px(6)}, true);
  draw_targets(f);
  draw_curves(f);
  draw_expected(f);
  draw_cursor(f);
  list->PopClipRect();
  draw_end_labels(f, max.x - theme.px(6));
  if (spec.log_y) result.not_shown = count_not_shown(f);
  if (result.not_shown > 0)
    draw_text_aligned(list, theme, text::kLabel, {f.x.last - theme.px(4), f.y.first - theme.px(9)}, theme.colour().warning,
                      format_count(result.not_shown) + (result.not_shown == 1 ? " value" : " values") + " not above 0, not shown", 1, 0.5f);
  if (!spec.x_words.empty())
    draw_text_aligned(list, theme, text::kLabel, {max.x - theme.px(22), max.y - theme.px(2)}, theme.colour().text2, spec.x_words, 1, 1);
  if (result.hover_step && !spec.presenting && !ImGui::IsMouseDragging(ImGuiMouseButton_Left)) {
    const Found found = nearest_sample(f, ImGui::GetIO().MousePos);
    result.hovered = found.curve;
    if (found.curve >= 0) {
      result.hover_step = found.sample.step;
      show_sample(f, found);
      if (ImGui::IsMouseReleased(ImGuiMouseButton_Left)) result.copied = found.sample.value;
    }
  }
  ImGui::SetCursorScreenPos(min);
  ImGui::Dummy({max.x - min.x, max.y - min.y});
  return result;
}

} // namespace polarscope
