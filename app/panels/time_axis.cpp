// The time axis: the whole run from step 0 to the scene's end, with the selected run's loss as density, the events, the
// cursor and the head. Click or drag moves the cursor; with Shift a drag sets the range that all plots show.
#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "app/stroke.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

struct Axis {
  float left, right, top, bars, line, lane, labels; // pixels; bars: top of the density; line: the axis; lane: of events
  double steps;
  bool bare = false; // of Show: a thick line with a handle, no density
  float x(double step) const { return left + static_cast<float>(step / steps) * (right - left); }
  double step(float x_pixel) const {
    return std::clamp(static_cast<double>((x_pixel - left) / (right - left)), 0.0, 1.0) * steps;
  }
};

Axis make_axis(const PanelContext& c) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetWindowWidth();
  const bool show = c.view.layout == LayoutKind::show;
  const Theme& t = c.theme;
  const double steps = static_cast<double>(std::max(1L, c.frame.steps));
  const float left = at.x + t.snap(show || width < t.px(480) ? 24 : 72), right = at.x + width - t.snap(26);
  if (show)
    return {left, right, at.y, at.y + t.snap(10), at.y + t.snap(40), at.y + t.snap(16), at.y + t.snap(62), steps, true};
  if (c.compact && !c.tabbed)
    return {left, right, at.y, at.y + t.snap(8), at.y + t.snap(29), at.y + t.snap(41), at.y + t.snap(55), steps, false};
  return {left, right, at.y, at.y + t.snap(10), at.y + t.snap(33), at.y + t.snap(48), at.y + t.snap(66), steps, false};
}

// 1, 2 or 5 times a power of ten, so that labels stand at least `least` pixels apart.
double tick_distance(double steps, float pixels, float least) {
  const double wanted = steps * static_cast<double>(least / std::max(1.0f, pixels));
  const double power = std::pow(10.0, std::floor(std::log10(std::max(1.0, wanted))));
  for (double factor : {1.0, 2.0, 5.0, 10.0})
    if (factor * power >= wanted) return factor * power;
  return 10 * power;
}

// The selected run's loss, one level from 0 to 1 per bucket: the middle of each bucket on a log scale, averaged over its
// neighbours. It says where the run was busy; the exact values are the loss panel's. Empty: no loss yet.
std::vector<float> loss_levels(const std::vector<MinMax>& found) {
  std::vector<double> levels;
  double most = 0;
  for (const MinMax& m : found)
    if (std::isfinite(m.max)) most = std::max(most, m.max);
  const double least = std::max(1e-300, 1e-4 * most); // deeper valleys would make everything else flat
  for (const MinMax& m : found)
    levels.push_back(std::isfinite(m.min) && std::isfinite(m.max)
                         ? 0.5 * (std::log(std::max(m.min, least)) + std::log(std::max(m.max, least)))
                         : std::log(std::max(most, least)));
  const auto count = static_cast<std::ptrdiff_t>(levels.size()), reach = std::max<std::ptrdiff_t>(2, count / 40);
  std::vector<float> smooth;
  double low = 1e300, high = -1e300;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const std::ptrdiff_t from = std::max<std::ptrdiff_t>(0, i - reach), to = std::min(count - 1, i + reach);
    double sum = 0;
    for (std::ptrdiff_t k = from; k <= to; ++k) sum += levels[static_cast<std::size_t>(k)];
    const double mean = sum / static_cast<double>(to - from + 1);
    low = std::min(low, mean);
    high = std::max(high, mean);
    smooth.push_back(static_cast<float>(mean));
  }
  if (!(high > low)) return {};
  for (float& level : smooth) level = static_cast<float>((static_cast<double>(level) - low) / (high - low));
  return smooth;
}

void draw_density(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  const int column = run ? run->program->find_metric("loss") : -1;
  if (column < 0 || run->series.empty() || c.frame.head < 1) return;
  const float distance = std::max(2.0f, c.theme.snap(2));
  const int buckets = std::max(1, static_cast<int>((axis.x(static_cast<double>(c.frame.head)) - axis.left) / distance));
  std::vector<MinMax> found;
  run->series.query(column, 0, static_cast<double>(c.frame.head), buckets, found);
  const std::vector<float> levels = loss_levels(found);
  const Palette& colour = c.theme.colour();
  const ImU32 before = mix(colour.bar, colour.text3, 0.75f), after = mix(colour.bar, colour.text3, 0.35f);
  const float tall = axis.line - axis.bars, thick = std::max(1.0f, std::round(c.theme.px(1.4f)));
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const MinMax& m = found[i];
    const float x = std::round(axis.x(0.5 * static_cast<double>(m.first_step + m.last_step)));
    const float height = std::max(1.0f, std::round(tall * (0.06f + 0.84f * levels[i])));
    crisp_vertical(list, x, axis.line - height, axis.line, m.first_step <= c.frame.cursor ? before : after, thick);
  }
}

// Show: what is past, what is computed beyond the cursor, and what is not computed yet, on one thick line.
void draw_bare_track(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  const Palette& colour = c.theme.colour();
  const float half = std::round(c.theme.px(3.5f));
  const auto bar = [&](double from, double to, ImU32 ink) {
    if (to > from) list->AddRectFilled({axis.x(from), axis.line - half}, {axis.x(to), axis.line + half}, ink, half);
  };
  bar(0, axis.steps, colour.hover);
  bar(0, static_cast<double>(c.frame.head), mix(colour.hover, colour.text2, 0.35f));
  bar(0, static_cast<double>(c.frame.cursor), colour.text2);
}

void draw_hatch(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  const float from = axis.x(static_cast<double>(c.frame.head));
  if (from >= axis.right) return;
  const Palette& colour = c.theme.colour();
  const ImU32 ink = with_alpha(colour.grid, 0.10f);
  list->PushClipRect({from, axis.bars}, {axis.right, axis.line}, true);
  const float tall = axis.line - axis.bars;
  for (float x = from - tall; x < axis.right; x += c.theme.px(5))
    stroke_line(list, {x, axis.line}, {x + tall, axis.bars}, ink, 1);
  list->PopClipRect();
  crisp_vertical(list, std::round(from), axis.bars, axis.line, colour.text3);
  const bool covered = std::abs(axis.x(static_cast<double>(c.frame.cursor)) - from) < c.theme.px(60); // by the pill
  if (axis.right - from > c.theme.px(48) && c.frame.head > 0 && !covered)
    draw_text_aligned(list, c.theme, text::kTick, {from + c.theme.px(6), axis.bars + c.theme.px(6)}, colour.text3,
                      "head", 0, 0.5f);
}

void draw_ticks(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  const Palette& colour = c.theme.colour();
  if (!axis.bare) crisp_horizontal(list, axis.left, axis.right, axis.line, colour.frame);
  const double apart = tick_distance(axis.steps, axis.right - axis.left, c.theme.px(84));
  for (double s = 0; s <= axis.steps * 1.0001; s += apart) {
    const float x = std::round(axis.x(s));
    if (!axis.bare) crisp_vertical(list, x, axis.line, axis.line + c.theme.snap(4), colour.frame);
    draw_text_aligned(list, c.theme, text::kTick, {x, axis.labels}, colour.text3, format_count(std::lround(s)), 0.5f,
                      0.5f);
  }
}

Icon event_icon(EventKind kind) {
  switch (kind) {
  case EventKind::diverged: return Icon::cross;
  case EventKind::norm_doubled: return Icon::flag;
  case EventKind::target_reached: return Icon::target;
  case EventKind::warmup_ended: return Icon::check;
  case EventKind::edit: break;
  }
  return Icon::none; // a triangle, drawn as a marker
}

// Events that would touch share one mark.
struct EventGroup {
  float x = 0;
  std::vector<const Event*> events; // by step
};

std::vector<EventGroup> group_events(const PanelContext& c, const Axis& axis) {
  std::vector<EventGroup> groups;
  for (const Event& event : c.frame.events) {
    if (event.step > c.frame.head) continue;
    const RunFrame* run = c.frame.find(event.run);
    if (run && !c.view.visible(run->id)) continue;
    const float x = std::round(axis.x(static_cast<double>(event.step)));
    if (groups.empty() || x > groups.back().x + c.theme.px(14)) groups.push_back({x, {}});
    groups.back().events.push_back(&event);
  }
  return groups;
}

std::string words_of(const PanelContext& c, const Event& event) {
  const RunFrame* run = c.frame.find(event.run);
  return run ? run->label + " " + event.text : event.text;
}

void draw_event_mark(const PanelContext& c, const Axis& axis, ImDrawList* list, const Event& event, float x) {
  const Palette& colour = c.theme.colour();
  const RunFrame* run = c.frame.find(event.run);
  const ImU32 ink = event.kind == EventKind::diverged ? colour.broken
                    : run                             ? c.theme.run(run->style).colour
                                                      : colour.text2;
  if (axis.bare) crisp_vertical(list, x, axis.lane + c.theme.snap(6), axis.line - c.theme.snap(4), colour.text2);
  else crisp_vertical(list, x, axis.line, axis.line + c.theme.snap(6), ink);
  const Icon icon = event_icon(event.kind);
  if (icon == Icon::none) draw_marker(list, Marker::triangle, {x, axis.lane}, c.theme.px(4), ink);
  else draw_icon(list, c.theme, icon, {x, axis.lane}, ink, 11);
}

void draw_events(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  const std::vector<EventGroup> groups = group_events(c, axis);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const EventGroup& group = groups[i];
    const float x = group.x;
    // A run that stopped is not to be missed behind an edit.
    const auto worst = std::find_if(group.events.begin(), group.events.end(),
                                    [](const Event* e) { return e->kind == EventKind::diverged; });
    const Event& shown = worst == group.events.end() ? *group.events.front() : **worst;
    draw_event_mark(c, axis, list, shown, x);
    std::string words = words_of(c, shown), all;
    if (group.events.size() > 1) words += fmt::format(", {} more", group.events.size() - 1);
    for (const Event* event : group.events)
      all += fmt::format("{}{} at step {}", all.empty() ? "" : "\n", words_of(c, *event), format_count(event->step));
    const float wide = measure(c.theme, text::kLabel, words).x;
    const float next = i + 1 < groups.size() ? groups[i + 1].x : axis.right;
    const bool room = x + c.theme.px(20) + wide < next; // words are dropped before they touch
    const float end = room ? x + c.theme.px(18) + wide : x + c.theme.px(12);
    if (room)
      draw_text_aligned(list, c.theme, text::kLabel, {x + c.theme.px(9), axis.lane}, c.theme.colour().text2, words, 0,
                        0.5f);
    ImGui::SetCursorScreenPos({x - c.theme.px(8), axis.lane - c.theme.px(9)});
    ImGui::SetNextItemAllowOverlap();
    if (ImGui::InvisibleButton(fmt::format("event {}", i).c_str(), {end - x + c.theme.px(4), c.theme.px(18)},
                               ImGuiButtonFlags_EnableNav))
      c.send(command::MoveCursor{shown.step});
    item_help(c.theme, all.c_str());
  }
}

void draw_range(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  if (!c.view.range) return;
  const float a = axis.x(c.view.range->from), b = axis.x(c.view.range->to);
  list->AddRectFilled({a, axis.bars}, {b, axis.line}, with_alpha(c.theme.colour().grid, 0.10f));
  for (float x : {a, b}) crisp_vertical(list, std::round(x), axis.bars, axis.line, c.theme.colour().text2);
}

void draw_cursor(const PanelContext& c, const Axis& axis, ImDrawList* list) {
  const float x = std::round(axis.x(static_cast<double>(c.frame.cursor)));
  const Palette& colour = c.theme.colour();
  if (!axis.bare && c.view.hover.step && *c.view.hover.step != c.frame.cursor && *c.view.hover.step <= c.frame.head)
    crisp_vertical(list, std::round(axis.x(static_cast<double>(*c.view.hover.step))), axis.bars, axis.line,
                   colour.text3);
  if (axis.bare) {
    list->AddCircleFilled({x, axis.line}, c.theme.px(10.5f), colour.bar);
    list->AddCircleFilled({x, axis.line}, c.theme.px(8.5f), colour.text);
    return;
  }
  crisp_vertical(list, x, axis.top + c.theme.snap(8), axis.line + c.theme.snap(4), colour.text,
                 std::max(2.0f, c.theme.snap(2)));
  draw_pill(list, c.theme, {std::clamp(x, axis.left, axis.right), axis.top + c.theme.snap(10)},
            format_count(c.frame.cursor));
}

void take_input(const PanelContext& c, const Axis& axis) {
  ImGui::SetCursorScreenPos({axis.left - c.theme.px(8), axis.top + c.theme.px(2)});
  ImGui::SetNextItemAllowOverlap();
  ImGui::InvisibleButton(
      "steps", {axis.right - axis.left + c.theme.px(16), axis.line - axis.top + c.theme.px(axis.bare ? 12 : 4)},
      ImGuiButtonFlags_EnableNav);
  const ImGuiIO& io = ImGui::GetIO();
  const double at = axis.step(io.MousePos.x);
  if (ImGui::IsItemActive() && ImGui::IsMouseDown(ImGuiMouseButton_Left)) {
    const double began = axis.step(io.MouseClickedPos[0].x);
    if (io.KeyShift && std::abs(io.MousePos.x - io.MouseClickedPos[0].x) > c.theme.px(4)) {
      c.view.range = StepRange{std::floor(std::min(began, at)), std::ceil(std::max(began, at))};
    } else if (!io.KeyShift) {
      const long step = std::clamp(std::lround(at), 0L, c.frame.head);
      if (step != c.frame.cursor) c.send(command::MoveCursor{step});
    }
  } else if (ImGui::IsItemHovered()) {
    c.view.next_hover.step = std::lround(at);
  }
  if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) c.view.range.reset();
  item_help(c.theme, "Click or drag: move the cursor. Shift and drag: zoom all plots. Double click: all steps.");
  ring_if_highlighted(c, "time_axis");
}

} // namespace

void draw_time_axis(const PanelContext& c) {
  const Axis axis = make_axis(c);
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (c.view.layout != LayoutKind::show && ImGui::GetWindowWidth() >= c.theme.px(480))
    draw_capitals(list, c.theme, text::kSection,
                  {ImGui::GetWindowPos().x + c.theme.snap(12), axis.line - c.theme.px(16)}, c.theme.colour().text,
                  "STEPS");
  draw_range(c, axis, list);
  if (axis.bare) {
    draw_bare_track(c, axis, list);
  } else {
    draw_density(c, axis, list);
    draw_hatch(c, axis, list);
  }
  draw_ticks(c, axis, list);
  take_input(c, axis);
  draw_events(c, axis, list);
  draw_cursor(c, axis, list);
  ImGui::SetCursorScreenPos({axis.left, axis.labels + c.theme.px(8)});
  ImGui::Dummy({1, 1});
}

std::string text_of_time_axis(const PanelContext& c) {
  std::string text =
      fmt::format("Steps 0 to {}; computed to {}; cursor at {}.", c.frame.steps, c.frame.head, c.frame.cursor);
  for (const Event& event : c.frame.events) {
    const RunFrame* run = c.frame.find(event.run);
    text += fmt::format(" Step {}: {} {}.", event.step, run ? run->label : "", event.text);
  }
  return text;
}

} // namespace polarscope
