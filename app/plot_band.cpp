// What a plot keeps of its curves: extents, and of several sources their band.
#include "app/plot_parts.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

constexpr float kBandAlpha = 0.15f;

// Least, median and greatest of the sources, bucket by bucket. A source takes part in a bucket with its extremes in the
// band and with the middle of its ends in the median.
class BandMaker {
public:
  BandMaker(const PlotAxis& x, int buckets)
      : x_(x), buckets_(buckets), middles_(static_cast<std::size_t>(buckets)), least_(middles_.size(), INFINITY),
        greatest_(middles_.size(), -INFINITY), step_sum_(middles_.size()) {}

  void add(const PlotSource& source) {
    if (source.empty()) return;
    source.series.query(source.column, x_.least, x_.most, x_.log ? 4 * buckets_ : buckets_, found_);
    const float width = x_.last - x_.first;
    for (const MinMax& m : found_) {
      const double step = 0.5 * static_cast<double>(m.first_step + m.last_step);
      const float share = (x_.pixel(std::max(step, x_.log ? 1.0 : step)) - x_.first) / width;
      if (!(share >= 0) || share > 1 || !std::isfinite(m.min)) continue;
      const auto i = std::min(static_cast<std::size_t>(share * static_cast<float>(buckets_)), middles_.size() - 1);
      least_[i] = std::min(least_[i], source.factor * m.min);
      greatest_[i] = std::max(greatest_[i], source.factor * m.max);
      step_sum_[i] += step;
      middles_[i].push_back(source.factor * 0.5 * (m.first + m.last));
    }
  }

  void finish(PlotCache::Band& band) {
    band.step.clear(), band.least.clear(), band.median.clear(), band.greatest.clear();
    for (std::size_t i = 0; i < middles_.size(); ++i) {
      auto& values = middles_[i];
      if (values.empty()) continue;
      band.step.push_back(step_sum_[i] / static_cast<double>(values.size()));
      const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
      std::nth_element(values.begin(), half, values.end());
      double median = *half;
      if (values.size() % 2 == 0) median = 0.5 * (median + *std::max_element(values.begin(), half));
      band.median.push_back(median);
      band.least.push_back(least_[i]);
      band.greatest.push_back(greatest_[i]);
    }
  }

private:
  const PlotAxis& x_;
  int buckets_;
  std::vector<std::vector<double>> middles_;
  std::vector<double> least_, greatest_, step_sum_;
  std::vector<MinMax> found_;
};

void make_band(const PlotCurve& curve, const PlotAxis& x, PlotCache::Band& band) {
  BandMaker maker(x, std::max(8, static_cast<int>((x.last - x.first) / 3)));
  for (const PlotSource& source : curve.sources)
    if (curve.ended() || !source.ended_at) maker.add(source);
  maker.finish(band);
}

PlotExtent extent_of(const PlotCurve& curve, const PlotAxis& x, bool log_y, const PlotCache::Band& band) {
  PlotExtent extent;
  if (curve.band()) {
    for (std::size_t k = 0; k < band.step.size(); ++k)
      for (double v : {band.least[k], band.greatest[k]})
        if (!log_y || v > 0) extent.add(v);
    return extent;
  }
  const long from = static_cast<long>(std::floor(x.least)), to = static_cast<long>(std::ceil(x.most));
  for (const PlotSource& source : curve.sources)
    if (!source.empty())
      if (const auto m = source.series.extent(source.column, from, to, log_y))
        extent.add(source.factor * m->min), extent.add(source.factor * m->max);
  return extent;
}

} // namespace

void update_curves(const PlotFrame& f) {
  f.cache.curves.resize(f.curves.size());
  const double now = ImGui::GetTime();
  for (std::size_t i = 0; i < f.curves.size(); ++i) {
    const PlotCurve& curve = f.curves[i];
    PlotCache::Curve& kept = f.cache.curves[i];
    const bool same_view =
        kept.made > 0 && kept.x == f.x && kept.log_y == f.spec.log_y && kept.sources.size() == curve.sources.size();
    if (same_view &&
        (kept.sources == curve.sources || (curve.band() && f.shared.moving && now - kept.made_at < kBandSeconds)))
      continue;
    kept.sources = curve.sources;
    kept.x = f.x, kept.log_y = f.spec.log_y;
    if (curve.band()) make_band(curve, f.x, kept.band);
    kept.extent = extent_of(curve, f.x, f.spec.log_y, kept.band);
    kept.not_shown = -1;
    kept.made_at = now;
    kept.made = ++f.cache.made;
  }
}

void draw_band(const PlotFrame& f, const PlotCurve& curve, const PlotCache::Band& band) {
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

} // namespace polarscope
