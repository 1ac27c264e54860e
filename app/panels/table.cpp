// The runs table of Bench: every run at its best with its loss over the seeds and the difference to the lowest, or every
// member in a table to sort.
#include "app/bench_model.hpp"
#include "app/format.hpp"
#include "app/panels/columns.hpp"
#include "app/panels/tools.hpp"
#include "app/stroke.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {
namespace {

constexpr float kBestRow = 38, kMemberRow = 26;

// ---- every run at its best -----------------------------------------------------------------------------------------

std::string value_text(const std::optional<double>& value) { return value ? format_value(*value) : "–"; }

std::string loss_text(const Estimate& e) {
  if (e.count == 0) return "–";
  return format_value(e.mean, 4) + (std::isfinite(e.se) ? " ± " + format_value(e.se, 2) : "");
}

// A bar per value of the first swept number, the higher the greater the loss; the best one in the run's colour.
void draw_tried(const PanelContext& c, const BenchModel& bench, const BenchGroup& group, std::pair<float, float> edge,
                float middle) {
  if (group.settings.size() < 2) return;
  const Theme& t = c.theme;
  double least = INFINITY, most = -INFINITY;
  for (const std::size_t s : group.settings)
    if (const double mean = bench.settings[s].loss.mean; bench.settings[s].sound() && mean > 0)
      least = std::min(least, std::log(mean)), most = std::max(most, std::log(mean));
  const float count = static_cast<float>(group.settings.size());
  const float wide = std::clamp((edge.second - edge.first) / count, 2.0f, t.px(10)), tall = t.px(18);
  float x = edge.first;
  for (const std::size_t s : group.settings) {
    const BenchSetting& setting = bench.settings[s];
    const bool best = group.best == s;
    const ImU32 ink = best ? t.run(group.style).colour : mix(t.colour().panel, t.colour().text3, 0.7f);
    const float bottom = std::round(middle + tall * 0.5f), gap = wide > t.px(4) ? t.px(2) : 0.5f;
    if (!setting.sound() || !(setting.loss.mean > 0)) {
      if (wide >= t.px(5))
        draw_icon(ImGui::GetWindowDrawList(), t, Icon::cross, {x + 0.5f * (wide - gap), bottom - t.px(4)},
                  t.colour().broken, 6);
    } else {
      const double level = most > least ? (std::log(setting.loss.mean) - least) / (most - least) : 1;
      const float height = std::max(t.px(2), tall * static_cast<float>(0.1 + 0.9 * level));
      ImGui::GetWindowDrawList()->AddRectFilled({x, bottom - height}, {x + wide - gap, bottom}, ink);
    }
    x += wide;
  }
}

// One dot per seed on the log axis that all rows share, the mean as a tick.
void draw_seeds(const PanelContext& c, const BenchModel& bench, const BenchSetting& setting, int style,
                std::pair<float, float> edge, float middle, double least, double most) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  crisp_horizontal(list, edge.first, edge.second, std::round(middle), with_alpha(t.colour().grid, 0.15f));
  const auto x = [&](double loss) {
    const double share = most > least ? (std::log(loss) - least) / (most - least) : 0.5;
    return edge.first + t.px(4) + static_cast<float>(share) * (edge.second - edge.first - t.px(8));
  };
  const ImU32 colour = t.run(style).colour;
  if (setting.loss.mean > 0)
    crisp_vertical(list, std::round(x(setting.loss.mean)), middle - t.px(8), middle + t.px(8), colour, t.stroke(2));
  for (const std::size_t r : setting.runs)
    if (bench.loss[r] > 0) list->AddCircleFilled({x(bench.loss[r]), middle}, t.px(2.4f), t.colour().text);
}

std::string verdict_text(const PanelContext& c, const BenchModel& bench, std::size_t group) {
  const BenchGroup& g = bench.groups[group];
  if (bench.groups.size() < 2) return "";
  if (!g.best) return "";
  if (bench.lowest == group) return "lowest";
  const BenchSetting& lowest = bench.settings[*bench.groups[*bench.lowest].best];
  const Estimate d = bench.difference(c.frame, bench.settings[*g.best], lowest);
  const std::string number = d.count > 0 ? "+" + loss_text(d) : "";
  if (decided(d)) return number;
  return d.count < kFewestPairs ? fmt::format("not decided: {} seed{}", d.count, d.count == 1 ? "" : "s")
                                : number + ", not decided";
}

double mean_of(const PanelContext& c, const BenchSetting& setting, const char* metric, bool by_start) {
  std::vector<double> values;
  for (const std::size_t r : setting.runs) {
    const RunFrame& run = c.frame.runs[r];
    const int column = column_of(run, metric, c.view.polar.plane.parameter);
    const double value = value_at(run, column, c.frame.cursor) / (by_start ? value_at(run, column, 0) : 1);
    if (std::isfinite(value)) values.push_back(value);
  }
  return estimate(values).mean;
}

std::string kept_text(const PanelContext& c, const BenchSetting& setting, bool& broken) {
  std::size_t kept = 0, all = 0;
  for (const std::size_t r : setting.runs)
    for (const InvariantStatus& i : c.frame.runs[r].invariants) {
      kept += i.held();
      ++all;
    }
  broken = kept < all;
  return fmt::format("{} of {}", kept, all);
}

std::string finite_text(double value, int digits = 3) {
  return std::isfinite(value) ? format_value(value, digits) : "–";
}

void draw_bests(const PanelContext& c, const BenchModel& bench) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  std::vector<Column> columns = {{"run", 0, false}};
  for (const std::string& name : bench.swept) columns.push_back({"best " + name, 84});
  const std::size_t first = columns.size();
  for (Column column :
       {Column{bench.swept.empty() ? "tried" : bench.swept.front() + " tried", 118, false}, Column{"", 104, false},
        Column{"final loss ± se", 140}, Column{"seeds", 150, false}, Column{"above the lowest ± se", 180},
        Column{"norm, end by start", 124}, Column{"°/step", 70}, Column{"invariants", 96, false}})
    columns.push_back(column);
  const auto edges = edges_of(c, columns);
  const float titles = ImGui::GetCursorScreenPos().y + t.px(kColumnTitles * 0.5f);
  for (std::size_t i = 0; i < edges.size(); ++i)
    draw_cell(c, columns[i], edges[i], titles, colour.text3, columns[i].name, text::kLabel);
  ImGui::Dummy({1, t.snap(kColumnTitles)});

  double least = INFINITY, most = -INFINITY;
  for (const BenchGroup& g : bench.groups)
    if (g.best)
      for (const std::size_t r : bench.settings[*g.best].runs)
        if (bench.loss[r] > 0)
          least = std::min(least, std::log(bench.loss[r])), most = std::max(most, std::log(bench.loss[r]));

  const float tall = t.snap(kBestRow), width = ImGui::GetContentRegionAvail().x;
  ImDrawList* list = ImGui::GetWindowDrawList();
  for (std::size_t i = 0; i < bench.groups.size(); ++i) {
    const BenchGroup& g = bench.groups[i];
    const BenchSetting& shown = bench.settings[g.best.value_or(g.settings.front())];
    const RunFrame& run = c.frame.runs[shown.runs.front()];
    const RunFrame* selected = c.frame.find(c.frame.selected);
    const bool of_selected = selected && (selected->group.empty() ? selected->label : selected->group) == g.name;
    ImGui::PushID(static_cast<int>(i));
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float middle = at.y + std::round(tall * 0.5f);
    if (ImGui::InvisibleButton(("best " + g.name).c_str(), {width, tall}, ImGuiButtonFlags_EnableNav))
      c.send(command::SelectRun{run.id});
    const bool hovered = ImGui::IsItemHovered();
    item_help(t, (g.name + (g.best ? " at its best: " + bench.words(shown) : ": diverged in every setting") +
                  "\nClick: select its first seed.")
                     .c_str());
    if (hovered) c.view.next_hover.run = run.id;
    if (of_selected || hovered) list->AddRectFilled(at, {at.x + width, at.y + tall}, colour.hover);
    if (of_selected) list->AddRectFilled(at, {at.x + t.snap(3), at.y + tall}, t.run(g.style).colour);
    const auto cell = [&](std::size_t k, const std::string& words, ImU32 ink, TextStyle style = text::kValue) {
      if (k < edges.size()) draw_cell(c, columns[k], edges[k], middle, ink, words, style);
    };
    run_key(list, t, t.run(g.style), {edges[0].first, middle}, 28);
    draw_cell(c, columns[0], {edges[0].first + t.px(38), edges[0].second}, middle, colour.text, g.name, text::kName);
    if (!g.best) cell(first + 2, "none without divergence", colour.broken, text::kLabel);
    for (std::size_t n = 0; n < bench.swept.size() && g.best; ++n)
      cell(1 + n, value_text(shown.values[n]), colour.text);
    if (first < edges.size()) draw_tried(c, bench, g, edges[first], middle);
    if (!g.edges.empty() && first + 1 < edges.size()) {
      draw_icon(list, t, Icon::warning, {edges[first + 1].first + t.px(6), middle}, colour.warning, 11);
      draw_text_aligned(list, t, text::kLabel, {edges[first + 1].first + t.px(18), middle}, colour.warning,
                        "edge: widen", 0, 0.5f);
    }
    if (g.best) {
      cell(first + 2, loss_text(shown.loss), colour.text);
      if (first + 3 < edges.size()) draw_seeds(c, bench, shown, g.style, edges[first + 3], middle, least, most);
      cell(first + 4, verdict_text(c, bench, i), colour.text2);
      cell(first + 5, finite_text(mean_of(c, shown, "frobenius_norm", true)), colour.text);
      cell(first + 6, finite_text(mean_of(c, shown, "angular_update", false) * kDegrees), colour.text);
      bool broken = false;
      const std::string kept = kept_text(c, shown, broken);
      cell(first + 7, kept + (broken ? " kept: broken" : " kept"), broken ? colour.broken : colour.text2, text::kLabel);
    }
    ImGui::PopID();
  }
  ImGui::Dummy({1, t.px(6)});
}

// ---- every member --------------------------------------------------------------------------------------------------

std::vector<Column> member_columns(const BenchModel& bench) {
  std::vector<Column> columns = {{"run", 0, false}};
  for (const std::string& name : bench.swept) columns.push_back({name, 92});
  columns.push_back({"seed", 70});
  columns.push_back({"final loss", 104});
  columns.push_back({"norm", 84});
  columns.push_back({"°/step", 84});
  columns.push_back({"status", 170, false});
  return columns;
}

// What a column is sorted by; NaN comes last in either direction.
double number_of(const PanelContext& c, const BenchModel& bench, std::size_t r, const std::string& column) {
  const RunFrame& run = c.frame.runs[r];
  if (column == "seed") return static_cast<double>(run.seed);
  if (column == "final loss") return bench.loss[r];
  if (column == "norm")
    return value_at(run, column_of(run, "frobenius_norm", c.view.polar.plane.parameter), c.frame.cursor);
  if (column == "°/step")
    return kDegrees * value_at(run, column_of(run, "angular_update", c.view.polar.plane.parameter), c.frame.cursor);
  if (column == "status") return run.diverged ? static_cast<double>(run.diverged_at) : INFINITY;
  for (std::size_t n = 0; n < bench.swept.size(); ++n)
    if (bench.swept[n] == column) return bench.settings[bench.setting_of[r]].values[n].value_or(NAN);
  return NAN;
}

void draw_member(const PanelContext& c, const BenchModel& bench, std::size_t r, const std::vector<Column>& columns,
                 const ColumnEdges& edges) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  const RunFrame& run = c.frame.runs[r];
  const BenchSetting& setting = bench.settings[bench.setting_of[r]];
  const BenchGroup& group = bench.groups[setting.group];
  ImDrawList* list = ImGui::GetWindowDrawList();
  ImGui::PushID(static_cast<int>(run.id));
  const ImVec2 at{ImGui::GetWindowPos().x, ImGui::GetCursorScreenPos().y};
  const float tall = t.snap(kMemberRow), middle = at.y + std::round(tall * 0.5f),
              width = ImGui::GetContentRegionAvail().x;
  const bool selected = run.id == c.frame.selected;
  if (ImGui::InvisibleButton(("member " + run.label).c_str(), {width, tall}, ImGuiButtonFlags_EnableNav))
    c.send(command::SelectRun{run.id});
  const bool hovered = ImGui::IsItemHovered();
  if (hovered) c.view.next_hover.run = run.id;
  if (selected || hovered || c.view.hover.run == run.id)
    list->AddRectFilled(at, {at.x + width, at.y + tall}, colour.hover);
  if (selected) list->AddRectFilled(at, {at.x + t.snap(3), at.y + tall}, t.run(run.style).colour);
  const bool lost = run.diverged && run.diverged_at <= bench.to;
  draw_marker(list, t.run(run.style).marker, {edges[0].first + t.px(6), middle}, t.px(4.4f), t.run(run.style).colour);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Column& column = columns[i];
    if (column.name == "run") {
      draw_cell(c, column, {edges[i].first + t.px(18), edges[i].second}, middle, colour.text, group.name, text::kName);
    } else if (column.name == "status") {
      const bool broken =
          std::any_of(run.invariants.begin(), run.invariants.end(), [](const InvariantStatus& s) { return !s.held(); });
      const bool best = group.best && &bench.settings[*group.best] == &setting;
      draw_cell(c, column, edges[i], middle,
                lost || broken ? colour.broken
                : best         ? colour.text
                               : colour.text3,
                lost     ? "diverged at " + format_count(run.diverged_at)
                : broken ? "broke an invariant"
                : best   ? "best"
                         : "ok",
                text::kLabel);
    } else {
      const double value = number_of(c, bench, r, column.name);
      draw_cell(c, column, edges[i], middle, lost ? colour.text3 : colour.text,
                column.name == "seed" ? format_count(std::lround(value))
                                      : finite_text(value, column.name == "final loss" ? 4 : 3));
    }
  }
  ImGui::PopID();
}

void draw_members(const PanelContext& c, const BenchModel& bench) {
  const std::vector<Column> columns = member_columns(bench);
  const auto edges = edges_of(c, columns);
  draw_sorting_titles(c, columns, edges, c.view.bench.sort);
  const std::vector<std::size_t> order =
      sorted_rows(c.frame.runs.size(), c.view.bench.sort,
                  [&](std::size_t r, const std::string& column) { return number_of(c, bench, r, column); });
  if (ImGui::BeginChild("members", {0, 0}, ImGuiChildFlags_NavFlattened)) {
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(order.size()), c.theme.snap(kMemberRow));
    while (clipper.Step())
      for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i)
        draw_member(c, bench, order[static_cast<std::size_t>(i)], columns, edges);
  }
  ImGui::EndChild();
}

std::string note_of(const PanelContext& c, const BenchModel& bench) {
  std::string note = fmt::format("{} run{}, {} setting{}", bench.groups.size(), bench.groups.size() == 1 ? "" : "s",
                                 bench.settings.size(), bench.settings.size() == 1 ? "" : "s");
  if (bench.seeds > 1) note += fmt::format(", {} seeds", bench.seeds);
  if (c.frame.cursor > 0)
    note += fmt::format(": loss of steps {} to {}", format_count(bench.from), format_count(bench.to));
  return note;
}

} // namespace

void draw_table(const PanelContext& c) {
  static constexpr std::array kTables = {"bests", "members"};
  static constexpr std::array kShown = {"each at its best", "same values", "all"};
  const BenchModel& bench = bench_of(c);
  BenchChoice& choice = c.view.bench;
  HeaderControl shown = HeaderControl::make_switch("curves", kShown, &choice.shown);
  shown.help = "Which losses are drawn: every run's at its best, all at the selected member's numbers, or all members.";
  show_header(c, "table", {{}, note_of(c, bench)},
              {shown, HeaderControl::make_switch("table", kTables, &choice.table)});
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  if (choice.table == 0) draw_bests(c, bench);
  else draw_members(c, bench);
  ImGui::PopStyleVar();
}

std::string text_of_table(const PanelContext& c) {
  const BenchModel& bench = bench_of(c);
  std::string text = fmt::format("Final losses are means over steps {} to {}.\n", bench.from, bench.to);
  for (std::size_t i = 0; i < bench.groups.size(); ++i) {
    const BenchGroup& g = bench.groups[i];
    if (!g.best) {
      text += fmt::format("{} has no setting in which no seed diverged.\n", g.name);
      continue;
    }
    const BenchSetting& best = bench.settings[*g.best];
    const std::string words = bench.words(best), verdict = verdict_text(c, bench, i);
    text += fmt::format("{}{}: loss {}, {} seeds{}.", g.name, words.empty() ? "" : " at its best, " + words,
                        loss_text(best.loss), best.loss.count, verdict.empty() ? "" : "; " + verdict);
    for (const BenchEdge& e : g.edges)
      text +=
          fmt::format(" Its {} is the {} that was tried.", bench.swept[e.number], e.largest ? "largest" : "smallest");
    text += "\n";
  }
  return text;
}

} // namespace polarscope
