#include "app/inspect_picture.hpp"

#include "app/format.hpp"
#include "app/labels.hpp"
#include "app/plane_picture.hpp"
#include "app/plot.hpp"
#include "app/stroke.hpp"
#include "app/theme.hpp"
#include "app/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace polarscope {
namespace {

// Design pixels.
constexpr float kMargin = 20, kGap = 14, kHeader = 76, kCardWidth = 690, kCardHeight = 216, kPad = 14;
constexpr float kPlotTop = 56, kAxisLeft = 56, kAxisRight = 20, kAxisBelow = 24, kPlotCaption = 22;
constexpr int kFrames = 3;                            // fonts are rasterised in the first ones
constexpr std::size_t kMostMarked = 24;               // curves of at most this many values show each as a marker
constexpr double kLeastSpan = 0.004;                  // of row norms, over the largest
constexpr double kLeastPart = 1e-4;                   // of a movement, over the other part
constexpr std::size_t kFewDots = 64, kManyDots = 300; // beyond, dots of a cloud are smaller
constexpr float kDotsApart = 1.5f;                    // pixels between dots of a cloud that are told apart

struct Card {
  const TensorReport* first;
  const TensorReport* second; // null: not there, or of another shape
  const TensorChange* change; // null likewise
};

template <class T> const T* find_name(const std::vector<T>& all, const std::string& name) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const T& t) { return t.name == name; });
  return it == all.end() ? nullptr : &*it;
}

// Matrices in the order of the file; a single row has one norm, which is its one singular value: nothing to draw.
std::vector<Card> cards_of(const InspectReport& report) {
  std::vector<Card> cards;
  for (const TensorReport& t : report.first.tensors) {
    if (t.rows < 2) continue;
    Card card{&t, nullptr, find_name(report.changes, t.name)};
    if (card.change) card.second = find_name(report.second->tensors, t.name);
    cards.push_back(card);
  }
  return cards;
}

struct Pen {
  ImDrawList* list;
  const Theme& theme;
  const Palette& colour() const { return theme.colour(); }
  float px(float design) const { return theme.px(design); }
  void words(TextStyle style, ImVec2 at, ImU32 ink, const std::string& text, float x_align = 0,
             float y_align = 0.5f) const {
    draw_text_aligned(list, theme, style, at, ink, text, x_align, y_align);
  }
};

// Cut in the middle: layers differ at the front, their parts at the end.
std::string fit_name(const Pen& pen, TextStyle style, const std::string& name, float width) {
  std::size_t characters = 100;
  std::string text = short_name(name, characters);
  while (characters > 8 && measure(pen.theme, style, text).x > width) text = short_name(name, --characters);
  return text;
}

// ---- one plot -----------------------------------------------------------------------------------------------------

PlotAxis x_axis(const Pen& pen, const Box& box) {
  PlotAxis axis;
  axis.first = std::round(box.min.x + pen.px(kAxisLeft));
  axis.last = std::round(box.max.x - pen.px(kAxisRight));
  return axis;
}

PlotAxis y_axis(const Pen& pen, const Box& box) {
  PlotAxis axis;
  axis.first = std::round(box.max.y - pen.px(kAxisBelow));
  axis.last = std::round(box.min.y + pen.px(kPlotCaption));
  return axis;
}

void draw_caption(const Pen& pen, const Box& box, const std::string& words) {
  const float left = box.min.x + pen.px(kPad);
  pen.words(text::kLabel, {left, box.min.y + pen.px(9)}, pen.colour().text2,
            fit(pen.theme, text::kLabel, words, box.max.x - left));
}

void draw_nothing(const Pen& pen, const Box& box, const std::string& words) {
  pen.words(text::kLabel, {0.5f * (box.min.x + box.max.x), 0.5f * (box.min.y + box.max.y)}, pen.colour().text2, words,
            0.5f);
}

// Numbers by rank, largest first, one curve per checkpoint.
struct Ranked {
  std::vector<double> numbers;
  int style;
};

void draw_ranked(const Pen& pen, const Box& box, std::span<const Ranked> curves, bool log) {
  double least = INFINITY, most = -INFINITY;
  std::size_t longest = 1;
  for (const Ranked& curve : curves) {
    longest = std::max(longest, curve.numbers.size());
    for (const double v : curve.numbers) least = std::min(least, v), most = std::max(most, v);
  }
  if (!(least <= most)) return draw_nothing(pen, box, "all are zero");
  if (!log && most - least <
                  kLeastSpan * most) { // all but equal: the last digits say nothing, and the scale could not name them
    const double middle = 0.5 * (least + most);
    least = middle * (1 - 0.5 * kLeastSpan), most = middle * (1 + 0.5 * kLeastSpan);
  }
  PlotAxis x = x_axis(pen, box), y = y_axis(pen, box);
  x.least = 0.5;
  x.most = static_cast<double>(std::max<std::size_t>(longest, 2)) + 0.5;
  y.log = log;
  fit_axis(y, least, most);
  draw_axes(pen.list, pen.theme, x, y, true);
  for (const Ranked& curve : curves) {
    const RunStyle style = pen.theme.run(curve.style);
    std::vector<ImVec2> points;
    for (std::size_t i = 0; i < curve.numbers.size(); ++i) {
      const ImVec2 at{x.pixel(static_cast<double>(i + 1)), y.pixel(curve.numbers[i])};
      if (points.empty() || i + 1 == curve.numbers.size() ||
          std::hypot(at.x - points.back().x, at.y - points.back().y) > 0.8f)
        points.push_back(at);
    }
    stroke_dashed(pen.list, points, style.colour, pen.theme.curve_width(false), dash_pattern(pen.theme, style));
    if (curve.numbers.size() <= kMostMarked)
      for (const ImVec2 at : points)
        draw_marker(pen.list, style.marker, at, pen.px(3), style.colour, pen.colour().panel, pen.px(1));
  }
}

void draw_row_norms(const Pen& pen, const Box& box, const Card& card) {
  std::vector<Ranked> curves;
  for (const auto& [tensor, style] : {std::pair{card.first, 0}, {card.second, 1}}) {
    if (!tensor) continue;
    curves.push_back({tensor->row_norms, style});
    std::sort(curves.back().numbers.rbegin(), curves.back().numbers.rend());
  }
  draw_caption(pen, box, "Row norms, largest first");
  draw_ranked(pen, box, curves, false);
}

void draw_spectra(const Pen& pen, const Box& box, const Card& card) {
  std::vector<Ranked> curves;
  std::size_t hidden = 0;
  for (const auto& [tensor, style] : {std::pair{card.first, 0}, {card.second, 1}}) {
    if (!tensor) continue;
    curves.push_back({tensor->singular_values, style});
    std::erase_if(curves.back().numbers, [t = tensor](double v) { return v <= t->resolution; });
    hidden += tensor->singular_values.size() - curves.back().numbers.size();
  }
  draw_caption(pen, box,
               hidden == 0 ? "Singular values, log"
                           : fmt::format("Singular values, log; {} about 0", format_count(static_cast<long>(hidden))));
  draw_ranked(pen, box, curves, true);
}

// One dot per row of the second checkpoint: right is turning, up is growing.
void draw_movement(const Pen& pen, const Box& box, const TensorChange& change) {
  draw_caption(pen, box, "Row movement: radial ↑ tangential →");
  double radial_least = 0, radial_most = 0, tangential_most = 0;
  bool any = false;
  for (std::size_t i = 0; i < change.row_radial.size(); ++i) {
    if (!std::isfinite(change.row_radial[i])) continue;
    any = true;
    radial_least = std::min(radial_least, change.row_radial[i]);
    radial_most = std::max(radial_most, change.row_radial[i]);
    tangential_most = std::max(tangential_most, change.row_tangential[i]);
  }
  if (!any) return draw_nothing(pen, box, "no row has a direction");
  if (tangential_most == 0 && radial_least == 0 && radial_most == 0) return draw_nothing(pen, box, "no row has moved");
  // A part that is nothing beside the other is not blown up until its rounding shows.
  const double radial_size = std::max(radial_most, -radial_least);
  if (radial_size < kLeastPart * tangential_most)
    radial_most = kLeastPart * tangential_most, radial_least = -radial_most;
  PlotAxis x = x_axis(pen, box), y = y_axis(pen, box);
  fit_axis(x, 0, std::max(tangential_most, kLeastPart * radial_size));
  fit_axis(y, radial_least, radial_most);
  draw_axes(pen.list, pen.theme, x, y, false);
  crisp_horizontal(pen.list, x.first, x.last, y.pixel(0), with_alpha(pen.colour().grid, 0.35f), pen.theme.hairline());
  const RunStyle style = pen.theme.run(1);
  const std::size_t rows = change.row_radial.size();
  const float radius = pen.px(rows > kManyDots ? 1.5f : rows > kFewDots ? 2.2f : 3.0f);
  std::set<std::pair<int, int>> taken;
  for (std::size_t i = 0; i < change.row_radial.size(); ++i) {
    if (!std::isfinite(change.row_radial[i])) continue;
    const ImVec2 at{x.pixel(change.row_tangential[i]), y.pixel(change.row_radial[i])};
    if (!taken.emplace(static_cast<int>(at.x / kDotsApart), static_cast<int>(at.y / kDotsApart)).second) continue;
    draw_marker(pen.list, Marker::disc, at, radius, with_alpha(style.colour, 0.8f));
  }
}

// ---- cards and the whole ------------------------------------------------------------------------------------------

// "norm 27.7 → 28.1": words in Inter, numbers in Mono. Returns where the next one starts.
float draw_fact(const Pen& pen, ImVec2 at, const char* name, const std::string& value) {
  pen.words(text::kLabel, at, pen.colour().text2, name);
  at.x += measure(pen.theme, text::kLabel, name).x + pen.px(5);
  pen.words(text::kValue, at, pen.colour().text, value);
  return at.x + measure(pen.theme, text::kValue, value).x + pen.px(14);
}

std::string fact(double value, const char* unit = "") {
  return std::isnan(value) ? "–" : format_value(value) + (std::isfinite(value) ? unit : "");
}

void draw_facts(const Pen& pen, ImVec2 at, const Card& card) {
  const auto both = [&](double TensorReport::*number) {
    const std::string first = fact(card.first->*number);
    return card.second ? first + " → " + fact(card.second->*number) : first;
  };
  at.x = draw_fact(pen, at, "norm", both(&TensorReport::frobenius_norm));
  at.x = draw_fact(pen, at, "spectral", both(&TensorReport::spectral_norm));
  at.x = draw_fact(pen, at, "stable rank", both(&TensorReport::stable_rank));
  if (!card.change) return;
  at.x = draw_fact(pen, at, "change", fact(100 * card.change->relative_change, " %"));
  draw_fact(pen, at, "turned", fact(card.change->angle, "°"));
}

void draw_card(const Pen& pen, const Box& box, const Card& card, bool compared) {
  const Palette& c = pen.colour();
  pen.list->AddRectFilled(box.min, box.max, c.panel, pen.px(8));
  const float left = box.min.x + pen.px(kPad), right = box.max.x - pen.px(kPad), title = box.min.y + pen.px(18);
  const std::string kind = shape_text(card.first->shape) + "  " + card.first->dtype;
  pen.words(text::kTick, {right, title}, c.text3, kind, 1);
  const float room = right - left - measure(pen.theme, text::kTick, kind).x - pen.px(14);
  pen.words(text::kName, {left, title}, c.text, fit_name(pen, text::kName, card.first->name, room));
  const Box below{{box.min.x, box.min.y + pen.px(kPlotTop)}, {box.max.x, box.max.y - pen.px(6)}};
  const std::uint64_t bad = card.first->not_finite + (card.second ? card.second->not_finite : 0);
  if (bad > 0)
    return draw_nothing(pen, below,
                        format_count(static_cast<long>(bad)) + (bad == 1 ? " value is" : " values are") +
                            " not finite: nothing to draw");
  draw_facts(pen, {left, box.min.y + pen.px(40)}, card);
  const float width = (below.max.x - below.min.x) / (compared ? 3.0f : 2.0f);
  const auto part = [&](int i) {
    const float at = below.min.x + width * static_cast<float>(i);
    return Box{{at, below.min.y}, {at + width, below.max.y}};
  };
  draw_row_norms(pen, part(0), card);
  draw_spectra(pen, part(1), card);
  if (card.change) draw_movement(pen, part(2), *card.change);
  else if (compared) draw_nothing(pen, part(2), "not in both, or of other shape");
}

void draw_header(const Pen& pen, const InspectReport& report, std::size_t shown, std::size_t matrices, float width) {
  const Palette& c = pen.colour();
  const float left = pen.px(kMargin), right = width - pen.px(kMargin);
  draw_capitals(pen.list, pen.theme, text::kSection, {left, pen.px(18)}, c.text, "Inspect");
  const std::size_t others = report.first.tensors.size() - matrices;
  std::string words = fmt::format("{} of {} matrices", shown, matrices);
  if (shown < matrices) words += fmt::format("; {} left out", matrices - shown);
  if (others > 0) words += fmt::format("; {} of one row in the table only", others);
  pen.words(text::kLabel, {right, pen.px(24)}, c.text2, words, 1);
  float at = left;
  const float room = (right - left) / (report.second ? 2.0f : 1.0f) - pen.px(60);
  for (const auto& [file, style] : {std::pair{&report.first, 0}, {report.second ? &*report.second : nullptr, 1}}) {
    if (!file) continue;
    const RunStyle run = pen.theme.run(style);
    const float y = pen.px(52);
    const std::array<ImVec2, 2> line{ImVec2{at, y}, {at + pen.px(34), y}};
    stroke_dashed(pen.list, line, run.colour, pen.theme.curve_width(false), dash_pattern(pen.theme, run));
    draw_marker(pen.list, run.marker, {at + pen.px(17), y}, pen.px(4), run.colour, c.bar, pen.px(1.5f));
    const std::string name = fit_name(pen, text::kBody, file->path, room);
    pen.words(text::kBody, {at + pen.px(44), y}, c.text, name);
    at += pen.px(44) + measure(pen.theme, text::kBody, name).x + pen.px(32);
  }
}

void draw_all(const Pen& pen, const InspectReport& report, std::span<const Card> cards, std::size_t matrices,
              int columns, float width) {
  draw_header(pen, report, cards.size(), matrices, width);
  if (cards.empty()) {
    const float top = pen.px(kHeader);
    return draw_nothing(pen, {{0, top}, {width, top + pen.px(kCardHeight)}}, "no matrix of two or more rows");
  }
  for (std::size_t i = 0; i < cards.size(); ++i) {
    const auto column = static_cast<float>(static_cast<int>(i) % columns),
               row = static_cast<float>(static_cast<int>(i) / columns);
    const ImVec2 at{pen.px(kMargin + column * (kCardWidth + kGap)), pen.px(kHeader + row * (kCardHeight + kGap))};
    draw_card(pen, {at, {at.x + pen.px(kCardWidth), at.y + pen.px(kCardHeight)}}, cards[i], report.second.has_value());
  }
}

} // namespace

Result<Image> render_inspection(const InspectReport& encoded) {
  const InspectReport report = with_plain_labels(encoded);
  std::vector<Card> cards = cards_of(report);
  const std::size_t matrices = cards.size();
  cards.resize(std::min(matrices, kMostPictured));
  const int columns = cards.size() > 1 ? 2 : 1,
            rows = std::max(1, (static_cast<int>(cards.size()) + columns - 1) / columns);
  const auto across = static_cast<float>(columns), down = static_cast<float>(rows);
  WindowOptions wish;
  wish.width = static_cast<int>(2 * kMargin + across * kCardWidth + (across - 1) * kGap);
  wish.height = static_cast<int>(kHeader + down * (kCardHeight + kGap) - kGap + kMargin);
  wish.scale = 1;
  auto window = Window::open(WindowKind::offscreen, wish);
  if (!window) return window.error();
  const auto theme = Theme::make(ThemeName::dark, 1, load_fonts());
  if (!theme) return theme.error();
  theme->apply();
  const ImVec4 ground = ImGui::ColorConvertU32ToFloat4(theme->colour().bar);
  (*window)->clear_colour = {ground.x, ground.y, ground.z, 1};
  for (int i = 0; i < kFrames; ++i) {
    (*window)->begin_frame();
    theme->begin_frame();
    draw_all({ImGui::GetBackgroundDrawList(), *theme}, report, cards, matrices, columns,
             static_cast<float>(wish.width));
    (*window)->end_frame();
  }
  return (*window)->read_pixels();
}

} // namespace polarscope
