// Magnitude & direction: one metric of the weight's motion against the norm, or over steps.
#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/panels/curves.hpp"
#include "app/panels/tools.hpp"
#include "app/plane_picture.hpp"
#include "app/plot.hpp"
#include "app/stroke.hpp"
#include "engine/metric/metric.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace polarscope {
namespace {

constexpr std::array kMetrics = {"angular_update", "relative_update", "radial_update",
                                 "effective_lr",   "frobenius_norm",  "spectral_norm"};
constexpr long kSmoothing = 50;   // steps averaged, of noisy metrics against the norm
constexpr long kMostPoints = 720; // of all trails together

DisplayUnit unit_of(const std::string& metric) {
  const Metric* found = find_metric(metric);
  return found ? display_unit(*found) : DisplayUnit{1, ""};
}

// "↑ angular update, °/step"
std::string axis_words(const std::string& metric) {
  const Metric* found = find_metric(metric);
  std::string words = "↑ " + (found ? found->title : metric);
  if (const DisplayUnit unit = unit_of(metric); !unit.words.empty()) words += ", " + unit.words;
  return words;
}

struct Trail {
  const RunFrame* run;
  std::vector<double> x, y; // norm and metric, oldest first; the last is at the cursor
  std::vector<long> step;
};

// Mean of the finite samples in the kSmoothing steps that end at `step`; NaN when there is none.
double smoothed(const RunFrame& run, int column, long step) {
  static thread_local std::vector<Sample> samples;
  run.series.samples(column, std::max(1L, step - kSmoothing + 1), step, samples);
  double sum = 0;
  int count = 0;
  for (const Sample& sample : samples)
    if (std::isfinite(sample.value)) sum += sample.value, ++count;
  return count > 0 ? sum / count : std::nan("");
}

// Tells a path that was computed anew from one that grew.
double mark_of(const RunFrame& run, int norm, int column, long step) {
  double mark = 0;
  for (int c : {norm, column})
    if (const double value = value_at(run, c, step); std::isfinite(value)) mark += value;
  return mark;
}

// Points of a run at multiples of a power of two, kept while its record only grows.
const MotionCache::Run& grid_of(const PanelContext& c, const RunFrame& run, int norm, int column, long every,
                                long end) {
  MotionCache::Run& kept = c.caches.motion.runs[run.id];
  const double mark = kept.step.empty() ? 0 : mark_of(run, norm, column, kept.step.back());
  const bool same = kept.scene == c.frame.scene_generation && kept.norm == norm && kept.column == column &&
                    kept.every == every && kept.mark == mark;
  if (!same) kept = {c.frame.scene_generation, norm, column, every, 0, {}, {}, {}};
  const std::size_t before = kept.step.size();
  for (long step = before == 0 ? every : kept.step.back() + every; step <= end; step += every) {
    kept.step.push_back(step);
    kept.x.push_back(value_at(run, norm, step));
    kept.y.push_back(smoothed(run, column, step));
  }
  if (kept.step.size() != before) kept.mark = mark_of(run, norm, column, kept.step.back());
  return kept;
}

std::vector<Trail> make_trails(const PanelContext& c, const std::string& metric) {
  std::vector<Trail> trails;
  const std::vector<const RunFrame*> runs = visible_runs(c);
  const long points =
      std::max(12L, kMostPoints / std::max<long>(1, static_cast<long>(runs.size()))); // shared by the runs
  const double factor = unit_of(metric).factor;
  for (const RunFrame* run : runs) {
    const int norm = column_of(*run, "frobenius_norm", c.view.polar.plane.parameter),
              column = column_of(*run, metric, c.view.polar.plane.parameter);
    if (norm < 0 || column < 0 || run->series.empty()) continue;
    Trail trail{run, {}, {}, {}};
    const long end = std::min(c.frame.cursor, run->series.last_step());
    long every = 1;
    while (run->series.last_step() / every > points) every *= 2;
    const auto add = [&](long step, double x, double y) {
      if (!std::isfinite(x) || !std::isfinite(y)) return;
      trail.x.push_back(x);
      trail.y.push_back(factor * y);
      trail.step.push_back(step);
    };
    const MotionCache::Run& grid = grid_of(c, *run, norm, column, every, end);
    for (std::size_t i = 0; i < grid.step.size() && grid.step[i] <= end; ++i) add(grid.step[i], grid.x[i], grid.y[i]);
    if (end % every != 0 || end == 0) add(end, value_at(*run, norm, end), smoothed(*run, column, end));
    trails.push_back(std::move(trail));
  }
  return trails;
}

struct Scatter {
  const PanelContext& c;
  ImDrawList* list;
  PlotAxis x, y;
  ImVec2 min, max;
  bool shows(double px, double py) const { return (!x.log || px > 0) && (!y.log || py > 0); }
  ImVec2 at(double px, double py) const { return {x.pixel(px), y.pixel(py)}; }
};

// Widens a range so that trails do not touch the frame; handles empty and single-valued ones.
void pad_range(double& low, double& high, bool log) {
  if (!(high >= low)) low = log ? 0.1 : 0, high = 1;
  if (log) {
    const double middle = std::sqrt(low * high), half = std::pow(std::max(high / low, 1.25), 0.55);
    low = middle / half;
    high = middle * half;
    return;
  }
  const double least = std::max(1e-12, 0.02 * std::max(std::abs(low), std::abs(high)));
  const double span = std::max(high - low, least), middle = 0.5 * (low + high);
  low = middle - 0.56 * span;
  high = middle + 0.56 * span;
}

bool ended(const PanelContext& c, const Trail& trail) {
  return trail.run->diverged && c.frame.cursor >= trail.run->diverged_at;
}

// Around the living runs; around all where none lives.
bool set_axes(Scatter& s, const std::vector<Trail>& trails) {
  double x0 = 1e300, x1 = -1e300, y0 = 1e300, y1 = -1e300;
  const bool all = std::all_of(trails.begin(), trails.end(), [&](const Trail& trail) { return ended(s.c, trail); });
  for (const Trail& trail : trails)
    for (std::size_t i = 0; (all || !ended(s.c, trail)) && i < trail.x.size(); ++i) {
      if (!s.shows(trail.x[i], trail.y[i])) continue;
      x0 = std::min(x0, trail.x[i]);
      x1 = std::max(x1, trail.x[i]);
      y0 = std::min(y0, trail.y[i]);
      y1 = std::max(y1, trail.y[i]);
    }
  const bool any = x1 >= x0;
  pad_range(x0, x1, s.x.log);
  pad_range(y0, y1, s.y.log);
  s.x.least = x0;
  s.x.most = x1;
  s.y.least = y0;
  s.y.most = y1;
  return any;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

// Runs of one optimizer at different norms: the power law through the means of their trails.
struct Slope {
  std::string name; // of the optimizer
  double low, high; // norms between which it is drawn
  double exponent, level;
  double at(double norm) const { return std::exp(level + exponent * std::log(norm)); }
};

std::vector<Slope> slopes_of(const Scatter& s, const std::vector<Trail>& trails) {
  std::map<std::string, std::vector<const Trail*>> groups;
  for (const Trail& trail : trails)
    if (!trail.x.empty() && s.shows(mean(trail.x), mean(trail.y))) groups[trail.run->optimizer_name].push_back(&trail);
  std::vector<Slope> slopes;
  for (const auto& [name, group] : groups) {
    if (group.size() < 3) continue;
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, low = 1e300, high = 0;
    for (const Trail* trail : group) {
      const double x = mean(trail->x), lx = std::log(x), ly = std::log(mean(trail->y));
      n += 1, sx += lx, sy += ly, sxx += lx * lx, sxy += lx * ly;
      low = std::min(low, x);
      high = std::max(high, x);
    }
    const double spread = n * sxx - sx * sx;
    if (spread < 1e-9) continue;
    const double exponent = (n * sxy - sx * sy) / spread;
    slopes.push_back({name, low, high, exponent, (sy - exponent * sx) / n});
  }
  return slopes;
}

void draw_slopes(const Scatter& s, const std::vector<Slope>& slopes) {
  const Theme& t = s.c.theme;
  const std::array<float, 2> dots{t.px(2), t.px(4)};
  for (const Slope& slope : slopes)
    stroke_dashed(s.list,
                  std::vector<ImVec2>{s.at(slope.low, slope.at(slope.low)), s.at(slope.high, slope.at(slope.high))},
                  t.colour().text2, t.stroke(1.2f), dots);
}

// Turning by a step of fixed size is its size over the norm: lines of slope −1 to compare with.
void draw_guides(const Scatter& s) {
  const Theme& t = s.c.theme;
  const std::array<float, 2> dots{t.px(1.5f), t.px(5)};
  for (double k = std::floor(std::log2(s.y.least * s.x.least)); k <= std::log2(s.y.most * s.x.most); k += 2) {
    const double size = std::pow(2.0, k);
    stroke_dashed(s.list, std::vector<ImVec2>{s.at(s.x.least, size / s.x.least), s.at(s.x.most, size / s.x.most)},
                  with_alpha(t.colour().grid, 0.22f), t.stroke(1.0f), dots);
  }
}

// What the lines say, in rows above the plot, which gives them the room: nothing else is drawn there.
struct Caption {
  std::string words;
  ImU32 colour;
};

// Draws what leaves the plot its least height; returns where it begins.
float draw_captions(const Scatter& s, const std::vector<Caption>& captions, float left, float right) {
  constexpr float kRow = 15, kGap = 16, kLeastPlot = 36;
  const Theme& t = s.c.theme;
  float x = left, below = s.min.y;
  for (const Caption& caption : captions) {
    const float wide = measure(t, text::kLabel, caption.words).x;
    const bool next_row = below == s.min.y || x + wide > right;
    const float after = below + (next_row ? t.px(kRow) : 0);
    if (s.max.y - after < t.px(kLeastPlot)) break;
    if (next_row) x = left;
    below = after;
    draw_text_aligned(s.list, t, text::kLabel, {x, below - t.px(kRow * 0.5f)}, caption.colour,
                      fit(t, text::kLabel, caption.words, right - left), 0, 0.5f);
    x += wide + t.px(kGap);
  }
  return below == s.min.y ? below : below + t.px(8);
}

// Names go where they cover neither markers nor, as far as there is room, the trails.
struct TrailLabels {
  std::vector<NowLabel> labels; // the loud ones first
  std::vector<Box> markers, trails;
  std::size_t loud = 0;
};

void add_label(const Scatter& s, const Trail& trail, const std::vector<ImVec2>& points, ImVec2 now, bool loud,
               TrailLabels& out) {
  constexpr std::size_t kBoxes = 16; // of each trail
  const RunStyle style = s.c.theme.run(trail.run->style);
  const auto add_box = [](ImVec2 at, float half, std::vector<Box>& boxes) {
    boxes.push_back({{at.x - half, at.y - half}, {at.x + half, at.y + half}});
  };
  add_box(now, s.c.theme.px(6), out.markers);
  for (std::size_t i = 0; i < points.size(); i += std::max<std::size_t>(1, points.size() / kBoxes))
    add_box(points[i], s.c.theme.px(2), out.trails);
  const auto at = static_cast<std::ptrdiff_t>(loud ? out.loud++ : out.labels.size());
  out.labels.insert(out.labels.begin() + at, {now, trail.run->label, {}, style});
}

void draw_trails(const Scatter& s, const std::vector<Trail>& trails, TrailLabels& labels) {
  const Theme& t = s.c.theme;
  for (const Trail& trail : trails) {
    const RunStyle style = t.run(trail.run->style);
    std::vector<ImVec2> points;
    std::vector<ImU32> colours;
    for (std::size_t i = 0; i < trail.x.size(); ++i) {
      if (!s.shows(trail.x[i], trail.y[i])) continue;
      points.push_back(s.at(trail.x[i], trail.y[i]));
      const float age = static_cast<float>(i + 1) / static_cast<float>(trail.x.size());
      colours.push_back(mix(t.colour().panel, style.colour, 0.2f + 0.8f * age * age));
    }
    if (points.empty()) continue;
    const bool loud = trail.run->id == s.c.frame.selected || s.c.view.hover.run == trail.run->id;
    const float width = t.curve_width(loud);
    stroke(s.list, points, colours, std::span<const float>(&width, 1));
    const ImVec2 now{std::clamp(points.back().x, s.min.x, s.max.x), std::clamp(points.back().y, s.min.y, s.max.y)};
    if (ended(s.c, trail)) draw_ended(s.list, t, now);
    else draw_marker(s.list, style.marker, now, t.px(loud ? 5.2f : 4.4f), style.colour, t.colour().panel, t.px(1.4f));
    if (loud || trails.size() <= kMostCurves) add_label(s, trail, points, now, loud, labels);
  }
}

void take_input(const Scatter& s, const std::vector<Trail>& trails, const std::string& metric) {
  ImGui::SetCursorScreenPos(s.min);
  ImGui::InvisibleButton("plot", {s.max.x - s.min.x, s.max.y - s.min.y});
  if (!ImGui::IsItemHovered()) return;
  s.c.view.focused_plot = "magnitude_direction";
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const Trail* best = nullptr;
  std::size_t index = 0;
  float distance = s.c.theme.px(18);
  for (const Trail& trail : trails)
    for (std::size_t i = 0; i < trail.x.size(); ++i) {
      if (!s.shows(trail.x[i], trail.y[i])) continue;
      const ImVec2 p = s.at(trail.x[i], trail.y[i]);
      const float d = std::hypot(p.x - mouse.x, p.y - mouse.y);
      if (d < distance) distance = d, best = &trail, index = i;
    }
  if (!best) return;
  s.c.view.next_hover.run = best->run->id;
  s.c.view.next_hover.step = best->step[index];
  HoverCard card =
      card_for(s.c, *best->run, column_of(*best->run, metric, s.c.view.polar.plane.parameter), best->step[index]);
  card.place += fmt::format(", norm {}", format_digits(best->x[index], 4));
  show_hover_card(s.c.theme, card);
}

void draw_against_norm(const PanelContext& c, const std::string& metric) {
  const Theme& t = c.theme;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 corner{ImGui::GetWindowPos().x + ImGui::GetWindowWidth(),
                      ImGui::GetWindowPos().y + ImGui::GetWindowHeight()};
  const AxisScales scales = c.view.scales["magnitude_direction"];
  Scatter s{c,
            ImGui::GetWindowDrawList(),
            {},
            {},
            {at.x + t.snap(48), at.y + t.snap(4)},
            {corner.x - t.snap(96), corner.y - t.snap(40)}};
  if (s.max.x - s.min.x < t.px(40) || s.max.y - s.min.y < t.px(20)) return;
  s.x.log = scales.log_x;
  s.y.log = scales.log_y;
  const std::vector<Trail> trails = make_trails(c, metric);
  if (!set_axes(s, trails)) {
    draw_text_aligned(s.list, t, text::kLabel, {(s.min.x + s.max.x) * 0.5f, (s.min.y + s.max.y) * 0.5f},
                      t.colour().text3, "no step yet: press play", 0.5f, 0.5f);
    return;
  }
  const bool log_log = s.x.log && s.y.log, guided = log_log && metric == "angular_update";
  const std::vector<Slope> slopes = log_log ? slopes_of(s, trails) : std::vector<Slope>{};
  std::vector<Caption> captions;
  for (const Slope& slope : slopes)
    captions.push_back({fmt::format("{}: slope {}", slope.name, format_fixed(slope.exponent, 1)), t.colour().text});
  if (guided) captions.push_back({"dotted: angle = 1/norm", t.colour().text3});
  s.min.y = draw_captions(s, captions, at.x + t.px(12), corner.x - t.px(12));
  s.x.first = s.min.x;
  s.x.last = s.max.x;
  s.y.first = s.max.y;
  s.y.last = s.min.y;
  draw_axes(s.list, t, s.x, s.y, false);
  s.list->PushClipRect({s.min.x - t.px(6), s.min.y - t.px(6)}, {s.max.x + t.px(6), s.max.y + t.px(6)}, true);
  if (guided) draw_guides(s);
  TrailLabels labels;
  draw_trails(s, trails, labels);
  draw_slopes(s, slopes);
  s.list->PopClipRect();
  draw_now_labels(s.list, t, labels.labels, {{s.min.x, s.min.y}, {corner.x - t.px(4), s.max.y}}, labels.markers, true,
                  c.caches.motion.label_slots, labels.trails);
  const long averaged = std::clamp(c.frame.cursor, 1L, kSmoothing);
  draw_text_aligned(
      s.list, t, text::kLabel, {at.x + t.px(12), corner.y - t.px(12)}, t.colour().text3,
      averaged > 1 ? fmt::format("{}, mean of {} steps", axis_words(metric), averaged) : axis_words(metric), 0, 0.5f);
  draw_text_aligned(s.list, t, text::kLabel, {corner.x - t.px(12), corner.y - t.px(12)}, t.colour().text3, "norm →", 1,
                    0.5f);
  take_input(s, trails, metric);
}

void draw_over_steps(const PanelContext& c, const std::string& metric) {
  StepPlot plot;
  plot.panel = "magnitude_direction";
  plot.empty_words = "not recorded for this parameter";
  plot.y_words = axis_words(metric);
  plot.curves = curves_of_runs(c, metric);
  for (const RunFrame* run : visible_runs(c))
    for (const auto& line : run->expected)
      if (const int column = column_of(*run, metric, c.view.polar.plane.parameter);
          column >= 0 && line->metric == run->program->metrics()[static_cast<std::size_t>(column)].name)
        plot.expected.emplace_back(run, line.get());
  draw_step_plot(c, plot);
}

} // namespace

namespace {

// Below the header: which metric, against what, on which axes. In Show, where the lesson brings the panel, the axes only.
void draw_controls(const PanelContext& c, float row) {
  static constexpr std::array kWords = {"norm", "steps"};
  const Theme& t = c.theme;
  ViewState& view = c.view;
  AxisScales& scales = view.scales["magnitude_direction"];
  ImGui::SetCursorScreenPos({ImGui::GetWindowPos().x + t.snap(12), row});
  if (view.layout == LayoutKind::study) {
    std::vector<std::string> titles;
    int chosen = 0, against = view.against_norm ? 0 : 1;
    for (std::size_t i = 0; i < kMetrics.size(); ++i) {
      const Metric* metric = find_metric(kMetrics[i]);
      titles.push_back(metric ? metric->title : kMetrics[i]);
      if (view.metric == kMetrics[i]) chosen = static_cast<int>(i);
    }
    if (dropdown(t, "##metric", titles, &chosen, 140)) view.metric = kMetrics[static_cast<std::size_t>(chosen)];
    if (const Metric* metric = find_metric(view.metric))
      item_help(t, fmt::format("{}\n{}\n{}", metric->title, metric->formula, metric->meaning).c_str());
    ImGui::SameLine(0, t.px(8));
    if (segmented(t, "against", kWords, &against, "Horizontal axis: the norm of the weight, or the steps."))
      view.against_norm = against == 0;
    ImGui::SameLine(0, t.px(8));
  }
  const float low = row + t.snap(3);
  ImGui::SetCursorScreenPos({ImGui::GetCursorScreenPos().x, low});
  toggle(t, "log y", &scales.log_y, "Logarithmic upward axis (L)");
  ring_if_highlighted(c, "magnitude_direction.log_y");
  ImGui::SameLine(0, t.px(6));
  ImGui::SetCursorScreenPos({ImGui::GetCursorScreenPos().x, low});
  toggle(t, "log x", &scales.log_x, "Logarithmic axis to the right (Shift L)");
}

} // namespace

void draw_magnitude_direction(const PanelContext& c) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  show_header(c, "magnitude_direction", {});
  const float row = ImGui::GetCursorScreenPos().y;
  draw_controls(c, row);
  ImGui::SetCursorScreenPos({at.x, row + c.theme.snap(34)});
  if (c.view.against_norm) draw_against_norm(c, c.view.metric);
  else draw_over_steps(c, c.view.metric);
}

std::string text_of_magnitude_direction(const PanelContext& c) {
  std::string text;
  for (const RunFrame* run : visible_runs(c)) {
    text += fmt::format("Run {}, step {}:", run->label, c.frame.cursor);
    for (const char* name : kMetrics) {
      const Metric* metric = find_metric(name);
      const DisplayUnit unit = unit_of(name);
      text +=
          fmt::format(" {} {:.6g}{}", metric ? metric->title : name,
                      unit.factor * value_at(*run, column_of(*run, name, c.view.polar.plane.parameter), c.frame.cursor),
                      unit.words.empty() ? "" : " " + unit.words);
      text += std::string(name) == kMetrics.back() ? ".\n" : ",";
    }
  }
  return text;
}

} // namespace polarscope
