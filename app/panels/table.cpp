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
#include <map>
#include <utility>

namespace polarscope {
namespace {

constexpr float kBestRow = 38, kMemberRow = 26;

// ---- every run at its best -----------------------------------------------------------------------------------------

std::string value_text(const std::optional<double>& value) { return value ? format_value(*value) : "–"; }

std::string loss_text(const Estimate& e) {
  if (e.count == 0) return "–";
  return format_value(e.mean, 4) + (std::isfinite(e.se) ? " ± " + format_value(e.se, 2) : "");
}

// A bar per value of the first swept number, the higher the greater its least loss over the others; the shown one in the
// run's colour.
void draw_tried(const PanelContext& c, const BenchModel& bench, const BenchGroup& group, const BenchSetting* shown,
                std::pair<float, float> edge, float middle) {
  if (bench.swept.empty()) return;
  const Theme& t = c.theme;
  std::map<double, double> tried; // least loss of the settings in which no seed diverged, by value
  for (const std::size_t s : group.settings) {
    const BenchSetting& setting = bench.settings[s];
    if (!setting.values[0]) continue;
    double& least = tried.try_emplace(*setting.values[0], INFINITY).first->second;
    if (setting.sound()) least = std::min(least, setting.loss.mean);
  }
  if (tried.size() < 2) return;
  double least = INFINITY, most = -INFINITY;
  for (const auto& [value, loss] : tried)
    if (loss > 0 && std::isfinite(loss)) least = std::min(least, std::log(loss)), most = std::max(most, std::log(loss));
  const float wide = std::clamp((edge.second - edge.first) / static_cast<float>(tried.size()), 2.0f, t.px(10)),
              tall = t.px(18);
  float x = edge.first;
  for (const auto& [value, loss] : tried) {
    const ImU32 ink =
        shown && shown->values[0] == value ? t.run(group.style).colour : mix(t.colour().panel, t.colour().text3, 0.7f);
    const float bottom = std::round(middle + tall * 0.5f), gap = wide > t.px(4) ? t.px(2) : 0.5f;
    if (!std::isfinite(loss)) {
      if (wide >= t.px(5))
        draw_icon(ImGui::GetWindowDrawList(), t, Icon::cross, {x + 0.5f * (wide - gap), bottom - t.px(4)},
                  t.colour().broken, 6);
    } else {
      const double level = loss > 0 && most > least ? (std::log(loss) - least) / (most - least) : loss > 0 ? 1 : 0;
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

// Of the groups' shown settings in which no seed diverged the one of least loss; nothing where there is none.
std::optional<std::size_t> lowest_shown(const PanelContext& c, const BenchModel& bench) {
  std::optional<std::size_t> lowest;
  double least = INFINITY;
  for (std::size_t g = 0; g < bench.groups.size(); ++g)
    if (const auto s = shown_setting(c, bench, g);
        s && bench.settings[*s].sound() && bench.settings[*s].loss.mean < least) {
      least = bench.settings[*s].loss.mean;
      lowest = g;
    }
  return lowest;
}

// Of a group's shown setting less the lowest one's.
Estimate above_lowest(const PanelContext& c, const BenchModel& bench, std::size_t group, std::size_t lowest) {
  const auto a = shown_setting(c, bench, group), b = shown_setting(c, bench, lowest);
  return a && b ? bench.difference(c.frame, bench.settings[*a], bench.settings[*b]) : Estimate{};
}

// Nothing is said of a rank that is not decided.
std::string verdict_text(const PanelContext& c, const BenchModel& bench, std::size_t group) {
  const auto shown = shown_setting(c, bench, group), lowest = lowest_shown(c, bench);
  if (bench.groups.size() < 2 || !lowest || !shown || !bench.settings[*shown].sound()) return "";
  if (lowest == group) {
    for (std::size_t g = 0; g < bench.groups.size(); ++g)
      if (const auto other = shown_setting(c, bench, g);
          g != group && other && bench.settings[*other].sound() && !decided(above_lowest(c, bench, g, group)))
        return "lowest, not decided";
    return "lowest";
  }
  const Estimate d = above_lowest(c, bench, group, *lowest);
  const std::string number = d.count > 0 ? "+" + loss_text(d) : "";
  if (decided(d)) return number;
  return d.count < kFewestPairs ? fmt::format("not decided: {} seed{}", d.count, d.count == 1 ? "" : "s")
                                : number + ", not decided";
}

// Of number(RunNumbers) over the seeds.
template <class F> double mean_of(const BenchModel& bench, const BenchSetting& setting, F number) {
  FiniteMean mean;
  for (const std::size_t r : setting.runs) mean.see(number(bench.numbers[r]));
  return mean.mean();
}

double mean_accuracy(const BenchModel& bench, const BenchSetting& setting) {
  return mean_of(bench, setting, [](const RunNumbers& n) { return n.accuracy; });
}

std::string kept_text(const PanelContext& c, const BenchSetting& setting, bool& broken) {
  std::size_t kept = 0, all = 0;
  for (const std::size_t r : setting.runs)
    for (const InvariantStatus& i : c.frame.runs[r].invariants) {
      kept += i.held();
      ++all;
    }
  broken = kept < all;
  return all == 0 ? "none promised" : fmt::format("{} of {} kept{}", kept, all, broken ? ": broken" : "");
}

std::string finite_text(double value, int digits = 3) {
  return std::isfinite(value) ? format_value(value, digits) : "–";
}

constexpr const char* kAccuracyHelp = "Share of held-out samples that the run gets right, as last measured.";
constexpr const char* kNormHelp = "Norm of all parameters as one vector.";
constexpr const char* kTurningHelp = "Angle by which the step turned all parameters as one vector.";

// Columns of the table of bests: after the swept numbers these, in this order.
enum BestColumn { kTried, kEdge, kLoss, kAccuracy, kSeeds, kVerdict, kNormRatio, kTurning, kInvariants };

std::vector<Column> best_columns(const PanelContext& c, const BenchModel& bench) {
  const bool same = c.view.bench.shown == 1;
  const auto wide = [&](const std::string& title, float least) {
    return std::max(least, measure(c.theme, text::kLabel, title).x / c.theme.px(1) + 16);
  };
  std::vector<Column> columns = {{"run", 0, false}};
  for (const std::string& name : bench.swept) {
    const std::string title = (same ? "" : "best ") + name;
    columns.push_back({title, wide(title, 84)});
  }
  const std::string tried = bench.swept.empty() ? "" : bench.swept.front() + " tried";
  for (Column column :
       {Column{tried, bench.swept.empty() ? 12 : wide(tried, 118), false},
        Column{"", bench.swept.empty() ? 12.0f : 104, false}, Column{"final loss ± se", 140, true, {}, true},
        Column{"accuracy", bench.accuracy ? 84.0f : -1, true, kAccuracyHelp, true}, Column{"seeds", 150, false},
        Column{"above the lowest ± se", 190}, Column{"norm, end by start", 124, true, kNormHelp},
        Column{"°/step", 70, true, kTurningHelp}, Column{"invariants", 96, false}})
    columns.push_back(std::move(column));
  return columns;
}

// Logs of the least and the greatest loss of a seed of what is shown.
std::pair<double, double> range_of_seeds(const PanelContext& c, const BenchModel& bench) {
  double least = INFINITY, most = -INFINITY;
  for (std::size_t g = 0; g < bench.groups.size(); ++g)
    if (const auto shown = shown_setting(c, bench, g))
      for (const std::size_t r : bench.settings[*shown].runs)
        if (bench.loss[r] > 0)
          least = std::min(least, std::log(bench.loss[r])), most = std::max(most, std::log(bench.loss[r]));
  return {least, most};
}

// Why a group that has no shown setting has none.
std::string not_shown_text(const PanelContext& c, const BenchModel& bench, std::size_t group) {
  if (c.view.bench.shown != 1) return "none without divergence";
  const std::string lacking = bench.lacking(group, bench.settings[selected_setting(c, bench)]);
  return lacking.empty() ? "not tried" : "left out: the selected run has no " + lacking;
}

std::string best_help(const PanelContext& c, const BenchModel& bench, std::size_t group,
                      std::optional<std::size_t> shown) {
  const BenchGroup& g = bench.groups[group];
  const std::string words = shown ? bench.words(bench.settings[*shown]) : "";
  std::string help = g.name;
  if (c.view.bench.shown == 1)
    help += shown ? " at the selected member's numbers: " + words : ": " + not_shown_text(c, bench, group);
  else help += shown ? (words.empty() ? "" : " at its best: " + words) : ": diverged in every setting";
  for (const BenchEdge& e : g.edges)
    help += fmt::format("\nIts best {} is the {} that was tried.", bench.swept[e.number],
                        e.largest ? "largest" : "smallest");
  return help + "\nClick: select its first seed.";
}

// The cells of one run after its name; `first`: column of kTried.
void draw_best_cells(const PanelContext& c, const BenchModel& bench, std::size_t group,
                     const std::vector<Column>& columns, const ColumnEdges& edges, float middle,
                     std::pair<double, double> range) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const BenchGroup& g = bench.groups[group];
  const auto setting = shown_setting(c, bench, group);
  const std::size_t first = 1 + bench.swept.size();
  const auto cell = [&](std::size_t k, const std::string& words, ImU32 ink, TextStyle style = text::kValue) {
    draw_cell(c, columns[k], edges[k], middle, ink, words, style);
  };
  const BenchSetting& shown = bench.settings[setting.value_or(g.settings.front())];
  if (setting)
    for (std::size_t n = 0; n < bench.swept.size(); ++n) cell(1 + n, value_text(shown.values[n]), colour.text);
  if (has_room(edges, first + kTried))
    draw_tried(c, bench, g, setting ? &shown : nullptr, edges[first + kTried], middle);
  if (!g.edges.empty() && setting == g.best && has_room(edges, first + kEdge)) {
    const float x = edges[first + kEdge].first;
    draw_icon(list, t, Icon::warning, {x + t.px(6), middle}, colour.warning, 11);
    draw_text_aligned(list, t, text::kLabel, {x + t.px(18), middle}, colour.warning, "edge: widen", 0, 0.5f);
  }
  if (!setting) // in the place of all that would follow
    return draw_cell(c, {"", 0, false}, {edges[first + kLoss].first, edges.back().second}, middle,
                     c.view.bench.shown == 1 ? colour.text2 : colour.broken, not_shown_text(c, bench, group),
                     text::kLabel);
  if (!shown.sound() && shown.diverged > 0)
    return cell(first + kLoss, fmt::format("{} of {} diverged", shown.diverged, shown.runs.size()), colour.broken,
                text::kLabel);
  cell(first + kLoss, loss_text(shown.loss), colour.text);
  cell(first + kAccuracy, finite_text(mean_accuracy(bench, shown), 4), colour.text);
  if (has_room(edges, first + kSeeds))
    draw_seeds(c, bench, shown, g.style, edges[first + kSeeds], middle, range.first, range.second);
  cell(first + kVerdict, verdict_text(c, bench, group), colour.text2);
  const double norms = mean_of(bench, shown, [](const RunNumbers& n) { return n.norm / n.start_norm; });
  const double turning = mean_of(bench, shown, [](const RunNumbers& n) { return n.angular_update; });
  cell(first + kNormRatio, finite_text(norms), colour.text);
  cell(first + kTurning, finite_text(turning * kDegrees), colour.text);
  bool broken = false;
  const std::string kept = kept_text(c, shown, broken);
  cell(first + kInvariants, kept, broken ? colour.broken : colour.text2, text::kLabel);
}

void draw_bests(const PanelContext& c, const BenchModel& bench) {
  const Theme& t = c.theme;
  const std::vector<Column> columns = best_columns(c, bench);
  const ColumnEdges edges = edges_of(c, columns);
  const ImVec2 titles = ImGui::GetCursorScreenPos();
  for (std::size_t i = 0; i < edges.size(); ++i) {
    draw_cell(c, columns[i], edges[i], titles.y + t.px(kColumnTitles * 0.5f), t.colour().text3, columns[i].name,
              text::kLabel);
    if (columns[i].help.empty() || !has_room(edges, i)) continue;
    ImGui::SetCursorScreenPos({edges[i].first, titles.y});
    ImGui::Dummy({edges[i].second - edges[i].first, t.snap(kColumnTitles)});
    item_help(t, columns[i].help.c_str());
  }
  ImGui::SetCursorScreenPos(titles);
  ImGui::Dummy({1, t.snap(kColumnTitles)});
  const auto range = range_of_seeds(c, bench);
  const float tall = t.snap(kBestRow), width = ImGui::GetContentRegionAvail().x;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const RunFrame* selected = c.frame.find(c.frame.selected);
  for (std::size_t i = 0; i < bench.groups.size(); ++i) {
    const BenchGroup& g = bench.groups[i];
    const auto shown = shown_setting(c, bench, i);
    const RunFrame& run = c.frame.runs[bench.settings[shown.value_or(g.settings.front())].runs.front()];
    const bool of_selected = selected && (selected->group.empty() ? selected->label : selected->group) == g.name;
    ImGui::PushID(static_cast<int>(i));
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float middle = at.y + std::round(tall * 0.5f);
    if (ImGui::InvisibleButton(("best " + g.name).c_str(), {width, tall}, ImGuiButtonFlags_EnableNav))
      c.send(command::SelectRun{run.id});
    const bool hovered = ImGui::IsItemHovered();
    item_help(t, best_help(c, bench, i, shown).c_str());
    if (hovered) c.view.next_hover.run = run.id;
    if (of_selected || hovered) list->AddRectFilled(at, {at.x + width, at.y + tall}, t.colour().hover);
    if (of_selected) list->AddRectFilled(at, {at.x + t.snap(3), at.y + tall}, t.run(g.style).colour);
    run_key(list, t, t.run(g.style), {edges[0].first, middle}, 28);
    draw_cell(c, columns[0], {edges[0].first + t.px(38), edges[0].second}, middle, t.colour().text, g.name,
              text::kName);
    draw_best_cells(c, bench, i, columns, edges, middle, range);
    ImGui::PopID();
  }
  ImGui::Dummy({1, t.px(6)});
}

// ---- every member --------------------------------------------------------------------------------------------------

std::vector<Column> member_columns(const BenchModel& bench) {
  std::vector<Column> columns = {{"run", 0, false}};
  for (const std::string& name : bench.swept) columns.push_back({name, 92});
  columns.push_back({"seed", 70});
  columns.push_back({"final loss", 104, true, {}, true});
  columns.push_back({"accuracy", bench.accuracy ? 84.0f : -1, true, kAccuracyHelp, true});
  columns.push_back({"norm", 84, true, kNormHelp});
  columns.push_back({"°/step", 84, true, kTurningHelp});
  columns.push_back({"status", 170, false});
  return columns;
}

// What a column is sorted by; NaN comes last in either direction.
double number_of(const PanelContext& c, const BenchModel& bench, std::size_t r, const std::string& column) {
  const RunFrame& run = c.frame.runs[r];
  if (column == "seed") return static_cast<double>(run.seed);
  if (column == "final loss") return bench.loss[r];
  if (column == "accuracy") return bench.numbers[r].accuracy;
  if (column == "norm") return bench.numbers[r].norm;
  if (column == "°/step") return kDegrees * bench.numbers[r].angular_update;
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
                column.name == "seed" ? format_count(std::lround(value)) : finite_text(value, column.matters ? 4 : 3));
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
  static constexpr std::array kShown = {"each at its best", "same values", "all"}, kShort = {"own best", "same", "all"};
  const BenchModel& bench = bench_of(c);
  BenchChoice& choice = c.view.bench;
  const bool narrow = ImGui::GetWindowWidth() < c.theme.px(400);
  HeaderControl shown = HeaderControl::make_switch("curves", narrow ? kShort : kShown, &choice.shown);
  shown.wraps = true;
  shown.help = "Which losses are drawn: every run's at its best, all at the selected member's numbers, or all members.";
  std::vector<HeaderControl> controls;
  if (!bench.swept.empty()) controls.push_back(shown); // else each run has one setting
  controls.push_back(HeaderControl::make_switch("table", kTables, &choice.table));
  controls.back().wraps = true;
  show_header(c, "table", {{}, note_of(c, bench)}, std::move(controls));
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  if (choice.table == 0) draw_bests(c, bench);
  else draw_members(c, bench);
  ImGui::PopStyleVar();
}

std::string text_of_table(const PanelContext& c) {
  const BenchModel& bench = bench_of(c);
  std::string text = fmt::format("Final losses are means over steps {} to {}.\n", bench.from, bench.to);
  const bool same = c.view.bench.shown == 1;
  for (std::size_t i = 0; i < bench.groups.size(); ++i) {
    const BenchGroup& g = bench.groups[i];
    const auto shown = shown_setting(c, bench, i);
    if (!shown) {
      const std::string lacking = same ? bench.lacking(i, bench.settings[selected_setting(c, bench)]) : "";
      text += g.name + (!lacking.empty() ? " was left out: the selected run has no " + lacking + ".\n"
                        : same           ? " was not tried at these numbers.\n"
                                         : " has no setting in which no seed diverged.\n");
      continue;
    }
    const BenchSetting& setting = bench.settings[*shown];
    const std::string words = bench.words(setting), verdict = verdict_text(c, bench, i);
    const double accuracy = mean_accuracy(bench, setting);
    text += g.name + (words.empty() ? "" : (same ? " at " : " at its best, ") + words);
    if (setting.diverged > 0) text += fmt::format(": {} of {} seeds diverged.", setting.diverged, setting.runs.size());
    else
      text += fmt::format(": loss {}, {}{} seeds{}.", loss_text(setting.loss),
                          std::isfinite(accuracy) ? fmt::format("accuracy {}, ", format_value(accuracy, 4)) : "",
                          setting.loss.count, verdict.empty() ? "" : "; " + verdict);
    if (shown == g.best)
      for (const BenchEdge& e : g.edges)
        text +=
            fmt::format(" Its {} is the {} that was tried.", bench.swept[e.number], e.largest ? "largest" : "smallest");
    text += "\n";
  }
  return text;
}

} // namespace polarscope
