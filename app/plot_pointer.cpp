// The pointer over a plot: range by wheel and drag, the exact stored sample beneath it.
#include "app/plot_parts.hpp"

#include "app/format.hpp"

#include "implot.h"

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

struct Found {
  int curve = -1;
  std::size_t source = 0;
  Sample sample{};
};

Found nearest_sample(const PlotFrame& f, ImVec2 mouse) {
  Found found;
  float best = f.theme.px(48);
  const double step = f.x.value(mouse.x);
  for (std::size_t i = 0; i < f.curves.size(); ++i)
    for (std::size_t k = 0; k < f.curves[i].sources.size(); ++k) {
      const PlotSource& source = f.curves[i].sources[k];
      if (source.empty()) continue;
      const Sample s = source.nearest(step);
      if (!std::isfinite(s.value) || !f.y.shows(s.value) || !f.x.shows(static_cast<double>(s.step))) continue;
      if (std::abs(f.x.pixel(static_cast<double>(s.step)) - mouse.x) > f.theme.px(24)) continue;
      const float away = std::abs(f.y.pixel(s.value) - mouse.y);
      if (away < best) best = away, found = {static_cast<int>(i), k, s};
    }
  return found;
}

void show_sample(const PlotFrame& f, const Found& found) {
  const PlotCurve& curve = f.curves[static_cast<std::size_t>(found.curve)];
  const PlotSource& source = curve.sources[found.source];
  const ImVec2 at{f.x.pixel(static_cast<double>(found.sample.step)), f.y.pixel(found.sample.value)};
  f.list->AddCircleFilled(at, f.theme.px(4.5f), f.theme.colour().panel);
  f.list->AddCircle(at, f.theme.px(4.5f), f.theme.colour().text, 0, f.theme.stroke(1.4f));
  HoverCard card;
  card.run = curve.style;
  card.title = curve.card_title.empty() ? f.spec.title : curve.card_title;
  card.place = curve.card_place.empty() ? curve.name : curve.card_place;
  if (curve.sources.size() > 1)
    card.place += ", " + format_count(static_cast<long>(found.source)) + " of " +
                  format_count(static_cast<long>(curve.sources.size()));
  card.place += ", step " + format_count(found.sample.step);
  card.value = format_digits(found.sample.value);
  if (found.sample.step > 0)
    if (const auto before = source.series.at(source.column, found.sample.step - 1); before && std::isfinite(*before))
      card.change = format_digits(found.sample.value - source.factor * *before, 3, true);
  card.unit = f.spec.unit;
  card.formula = f.spec.formula;
  card.sentence = f.spec.sentence;
  if (!f.spec.stored_unit.empty())
    card.sentence += " In files: " + format_digits(found.sample.value / source.factor) + " " + f.spec.stored_unit + ".";
  card.exact = format_exact(found.sample.value);
  show_hover_card(f.theme, card);
}

} // namespace

void plot_input(const PlotFrame& f, PlotResult& result) {
  double from = f.x.least, to = f.x.most;
  const double most = std::max(1.0, static_cast<double>(f.shared.steps));
  ImGui::SetCursorScreenPos({f.x.first, f.y.last});
  for (ImPlotCol which : {ImPlotCol_FrameBg, ImPlotCol_PlotBg, ImPlotCol_PlotBorder})
    ImPlot::PushStyleColor(which, ImU32{0});
  constexpr ImPlotAxisFlags kAxis = ImPlotAxisFlags_NoDecorations | ImPlotAxisFlags_NoMenus |
                                    ImPlotAxisFlags_NoHighlight | ImPlotAxisFlags_NoSideSwitch;
  if (ImPlot::BeginPlot(f.spec.id, {f.x.last - f.x.first, f.y.first - f.y.last},
                        ImPlotFlags_CanvasOnly | ImPlotFlags_NoFrame)) {
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
  if (!result.reset_range && moved > 1e-9 * most && to > from)
    result.range = std::pair(f.x.log && from <= 1 ? 0.0 : from, to);
}

void read_pointer(const PlotFrame& f, PlotResult& result) {
  if (!result.hover_step || f.spec.presenting || ImGui::IsMouseDragging(ImGuiMouseButton_Left)) return;
  const Found found = nearest_sample(f, ImGui::GetIO().MousePos);
  result.hovered = found.curve;
  if (found.curve < 0) return;
  result.hover_step = found.sample.step;
  show_sample(f, found);
  if (ImGui::IsMouseReleased(ImGuiMouseButton_Left)) result.copied = found.sample.value;
}

} // namespace polarscope
