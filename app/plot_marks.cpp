// What stands on a plot beside its curves: expected and target lines, the cursor, names at the ends, notes.
#include "app/plot_parts.hpp"

#include "app/format.hpp"
#include "app/labels.hpp"
#include "app/plane_picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

// The last step of a curve with anything to show: the head, or where its run diverged.
double last_step_of(const PlotCurve& curve) {
  long last = 0;
  for (const PlotSource& source : curve.sources)
    if (!source.series.empty() && (!source.ended_at || curve.ended())) last = std::max(last, source.series.last_step());
  return static_cast<double>(last);
}

// The last finite point of a curve whose run diverged.
std::optional<Sample> ending_of(const PlotFrame& f, std::size_t index) {
  const PlotCurve& curve = f.curves[index];
  if (!curve.ended()) return std::nullopt;
  std::optional<Sample> last;
  for (const PlotSource& source : curve.sources)
    if (const Sample s = source.nearest(static_cast<double>(*source.ended_at));
        s.step >= 0 && (!last || s.step > last->step))
      last = s;
  return last;
}

std::string words_of(const PlotCurve& curve, bool below) {
  long ended = 0;
  for (const PlotSource& source : curve.sources) ended += source.ended_at.has_value();
  std::string words = curve.name;
  if (below) words += " ≤ 0";
  if (curve.band() && ended > 0) words += ", " + format_count(ended) + " diverged";
  return words;
}

void draw_name(const PlotFrame& f, const PlotCurve& curve, const std::string& words, ImVec2 marker, ImU32 ground) {
  const Palette& c = f.theme.colour();
  const float half = f.theme.px(f.spec.presenting ? 8 : 7.5f), wide = measure(f.theme, text::kName, words).x;
  f.list->AddRectFilled({marker.x - f.theme.px(6), marker.y - half},
                        {marker.x + wide + f.theme.px(11), marker.y + half}, ground);
  draw_marker(f.list, curve.style.marker, marker, f.theme.px(f.spec.presenting ? 5 : 4.2f),
              curve_colour(f.theme, curve), c.panel, f.theme.px(1.2f));
  draw_text_aligned(f.list, f.theme, text::kName, {marker.x + f.theme.px(9), marker.y}, curve.dimmed ? c.text2 : c.text,
                    words, 0, 0.5f);
}

// Names of living curves in one column to the right of the last of them.
void name_living(const PlotFrame& f, float right_edge) {
  static thread_local std::vector<float> wanted;
  wanted.clear();
  float end = f.x.first;
  for (const PlotCache::End& e : f.cache.ends)
    if (!e.ended) wanted.push_back(e.at.y), end = std::max(end, e.at.x);
  const float height = f.theme.px(f.spec.presenting ? 16 : 15), half = height * 0.5f;
  const auto placed = spread_labels(wanted, height, f.y.last + half, f.y.first - half);
  std::size_t k = 0;
  for (const PlotCache::End& e : f.cache.ends) {
    if (e.ended) continue;
    const float y = std::round(placed[k++]);
    if (std::isnan(y)) continue;
    const PlotCurve& curve = f.curves[static_cast<std::size_t>(e.curve)];
    // Cut rather than moved onto the curves.
    const float marker = end + f.theme.px(14);
    const std::string words = fit(f.theme, text::kName, words_of(curve, e.below), right_edge - marker - f.theme.px(10));
    if (marker - e.at.x > f.theme.px(8) && !f.spec.presenting) {
      const std::array<ImVec2, 3> leader{
          ImVec2{e.at.x + f.theme.px(2), e.at.y}, {end + f.theme.px(4), y}, {marker - f.theme.px(7), y}};
      stroke(f.list, leader, with_alpha(f.theme.colour().text3, 0.6f), f.theme.hairline());
    }
    const Palette& c = f.theme.colour();
    draw_name(f, curve, words, {marker, y}, e.at.x < f.x.last - 1 ? mix(c.panel, c.bar, 0.65f) : c.panel);
  }
}

// ✕ at the last finite point, the name beside it.
void name_ended(const PlotFrame& f, float right_edge) {
  static thread_local std::vector<float> wanted;
  wanted.clear();
  for (const PlotCache::End& e : f.cache.ends)
    if (e.ended) wanted.push_back(e.at.y);
  const float height = f.theme.px(f.spec.presenting ? 16 : 15), half = height * 0.5f;
  const auto placed = spread_labels(wanted, height, f.y.last + half, f.y.first - half);
  std::size_t k = 0;
  for (const PlotCache::End& e : f.cache.ends) {
    if (!e.ended) continue;
    draw_ended(f.list, f.theme, e.at);
    const float y = std::round(placed[k++]);
    if (std::isnan(y)) continue;
    const PlotCurve& curve = f.curves[static_cast<std::size_t>(e.curve)];
    const float marker =
        std::min(e.at.x + f.theme.px(18), right_edge - measure(f.theme, text::kName, curve.name).x - f.theme.px(14));
    if (std::abs(y - e.at.y) > f.theme.px(4))
      stroke_line(f.list, {e.at.x + f.theme.px(5), e.at.y}, {marker - f.theme.px(7), y},
                  with_alpha(f.theme.colour().text3, 0.6f), f.theme.hairline());
    draw_name(f, curve, curve.name, {marker, y}, f.theme.colour().panel);
  }
}

} // namespace

std::optional<double> value_at(const PlotFrame& f, std::size_t index, double step) {
  const PlotCurve& curve = f.curves[index];
  if (curve.band()) {
    const PlotCache::Band& band = f.cache.curves[index].band;
    if (band.step.empty()) return std::nullopt;
    const auto after = std::lower_bound(band.step.begin(), band.step.end(), step);
    const auto k = static_cast<std::size_t>(
        std::min<std::ptrdiff_t>(after - band.step.begin(), static_cast<std::ptrdiff_t>(band.step.size()) - 1));
    return band.median[k];
  }
  if (curve.sources.empty() || curve.sources.front().column < 0) return std::nullopt;
  const Sample s = curve.sources.front().nearest(step);
  return std::isfinite(s.value) ? std::optional(s.value) : std::nullopt;
}

void draw_expected(const PlotFrame& f) {
  const std::array<float, 2> dots{f.theme.stroke(1.5f), f.theme.stroke(3)};
  static thread_local std::vector<ImVec2> points;
  std::string_view caption;
  for (const PlotExpected& line : f.spec.expected) {
    points.clear();
    for (const Sample& s : line.points)
      if (const double value = line.factor * s.value;
          f.x.shows(static_cast<double>(s.step)) && f.y.shows(value) && std::isfinite(value)) {
        const ImVec2 at{f.x.pixel(static_cast<double>(s.step)), f.y.pixel(value)};
        if (points.empty() || std::hypot(at.x - points.back().x, at.y - points.back().y) > 0.8f) points.push_back(at);
      }
    stroke_dashed(f.list, points, mix(line.style.colour, f.theme.colour().text, 0.35f), f.theme.stroke(1.4f), dots);
    if (caption.empty()) caption = line.words;
  }
  if (!caption.empty())
    draw_text_aligned(f.list, f.theme, text::kLabel, {f.x.first + f.theme.px(6), f.y.first - f.theme.px(9)},
                      f.theme.colour().text2, fit(f.theme, text::kLabel, caption, f.x.last - f.x.first), 0, 0.5f);
}

void draw_targets(const PlotFrame& f) {
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

void draw_cursor(const PlotFrame& f) {
  const Palette& c = f.theme.colour();
  const auto inside = [&](double step) { return step >= f.x.least && step <= f.x.most; };
  f.cache.cursor_marks.clear();
  if (f.shared.hover_step && inside(static_cast<double>(*f.shared.hover_step)))
    crisp_vertical(f.list, f.x.pixel(static_cast<double>(*f.shared.hover_step)), f.y.last, f.y.first,
                   with_alpha(c.text, 0.25f), f.theme.hairline());
  const auto cursor = static_cast<double>(f.shared.cursor);
  if (!inside(cursor)) return;
  const float px = f.x.pixel(cursor);
  if (!f.spec.presenting)
    crisp_vertical(f.list, px, f.y.last, f.y.first, with_alpha(c.text, 0.92f), f.theme.hairline());
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    if (const auto ending = ending_of(f, i); ending && cursor > static_cast<double>(ending->step))
      continue; // ✕ says where it ended
    const auto value = value_at(f, i, cursor);
    if (!value) continue;
    // what a log axis cannot show is below all that it shows
    const ImVec2 at{std::round(px), f.y.shows(*value) ? f.y.pixel(*value) : f.y.first};
    if (at.y < f.y.last - 2 || at.y > f.y.first + 2) continue;
    f.cache.cursor_marks.push_back(at);
    const float radius =
        f.spec.presenting ? f.theme.marker_radius(false) : f.theme.px(f.curves[i].selected ? 4.4f : 3.8f);
    draw_marker(f.list, f.curves[i].style.marker, at, radius, curve_colour(f.theme, f.curves[i]), c.panel,
                f.theme.px(1.4f));
  }
}

void draw_end_labels(const PlotFrame& f, float right_edge) {
  f.cache.ends.clear();
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    const PlotCurve& curve = f.curves[i];
    if (curve.name.empty() || curve.sources.empty()) continue;
    const auto height = [&](double value) {
      return f.y.shows(value) ? std::clamp(f.y.pixel(value), f.y.last, f.y.first) : f.y.first;
    };
    if (const auto ending = ending_of(f, i)) {
      const auto step = static_cast<double>(ending->step);
      if (step >= f.x.least && step <= f.x.most)
        f.cache.ends.push_back({static_cast<int>(i), {f.x.pixel(step), height(ending->value)}, true, false});
      continue;
    }
    const double last = std::min(last_step_of(curve), f.x.most);
    const auto value = value_at(f, i, last);
    if (!value || !f.x.shows(last)) continue;
    f.cache.ends.push_back(
        {static_cast<int>(i), {f.x.pixel(std::max(last, f.x.least)), height(*value)}, false, !f.y.shows(*value)});
  }
  // Where not all have room, the first are written.
  std::stable_partition(f.cache.ends.begin(), f.cache.ends.end(),
                        [&](const PlotCache::End& e) { return f.curves[static_cast<std::size_t>(e.curve)].selected; });
  name_living(f, right_edge);
  name_ended(f, right_edge);
}

void note_not_shown(const PlotFrame& f, PlotResult& result) {
  if (!f.spec.log_y) return;
  const long from = std::lround(f.x.least), to = std::lround(f.x.most);
  std::string whose;
  int curves = 0;
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    PlotCache::Curve& kept = f.cache.curves[i];
    if (kept.not_shown < 0) { // counting reads every sample of the sources that have any
      kept.not_shown = 0;
      for (const PlotSource& source : kept.sources) {
        if (source.empty()) continue;
        const auto extent = source.series.extent(source.column, from, to);
        if (extent && extent->min <= 0) kept.not_shown += source.series.count_not_positive(source.column, from, to);
      }
    }
    if (kept.not_shown == 0) continue;
    result.not_shown += kept.not_shown;
    if (++curves <= 2) whose += (whose.empty() ? "" : ", ") + f.curves[i].name;
  }
  if (result.not_shown == 0) return;
  if (curves > 2) whose = format_count(curves) + " curves";
  result.not_shown_words = format_count(result.not_shown) + (result.not_shown == 1 ? " value" : " values");
  if (!whose.empty()) result.not_shown_words += " of " + whose;
  result.not_shown_words += " not above 0, not shown";
  const float line = f.spec.expected.empty() ? 9 : 24; // above the caption of expected lines
  draw_text_aligned(f.list, f.theme, text::kLabel, {f.x.last - f.theme.px(4), f.y.first - f.theme.px(line)},
                    f.theme.colour().warning,
                    fit(f.theme, text::kLabel, result.not_shown_words, f.x.last - f.x.first - f.theme.px(8)), 1, 0.5f);
}

} // namespace polarscope
