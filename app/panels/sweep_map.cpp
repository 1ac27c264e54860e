// The sweep map: final loss over two of the things that vary, as colour and number.
#include "app/bench_model.hpp"
#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "app/stroke.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace polarscope {
namespace {

constexpr float kCellWidth = 46, kCellHeight = 40, kGap = 2;
constexpr const char* kRun = "run";

// Positions of settings on the map: columns are values of one number, rows are runs or values of another.
struct Map {
  std::size_t x = 0;                                          // of BenchModel::swept
  std::optional<std::size_t> y;                               // none: rows are runs
  std::vector<double> columns, rows;                          // values, rising; rows are empty where they are runs
  std::vector<std::vector<std::optional<std::size_t>>> cells; // [row][column]: setting
  std::size_t group = 0;                                      // whose settings it shows where rows are values
  double least = INFINITY, most = -INFINITY;                  // log of the losses shown
};

std::optional<std::size_t> index_of(const std::vector<std::string>& names, const std::string& name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) return std::nullopt;
  return static_cast<std::size_t>(it - names.begin());
}

std::vector<double> values_on(const BenchModel& bench, std::size_t number, std::optional<std::size_t> group) {
  std::set<double> values;
  for (const BenchSetting& s : bench.settings)
    if (s.values[number] && (!group || s.group == *group)) values.insert(*s.values[number]);
  return {values.begin(), values.end()};
}

// Numbers on neither axis are those of the selected member.
bool fits(const Map& map, const BenchSetting& setting, const BenchSetting& like) {
  for (std::size_t n = 0; n < setting.values.size(); ++n)
    if (n != map.x && n != map.y && setting.values[n] && like.values[n] && *setting.values[n] != *like.values[n])
      return false;
  return true;
}

bool better(const BenchSetting& a, const BenchSetting& b) {
  return a.sound() && (!b.sound() || a.loss.mean < b.loss.mean);
}

Map make_map(const PanelContext& c, const BenchModel& bench) {
  Map map;
  const BenchChoice& choice = c.view.bench;
  map.x = index_of(bench.swept, choice.map_x).value_or(0);
  map.y = index_of(bench.swept, choice.map_y);
  if (choice.map_y.empty() && bench.swept.size() > 1) map.y = map.x == 0 ? 1 : 0;
  if (map.y == map.x) map.y.reset();
  const BenchSetting& like = bench.settings[selected_setting(c, bench)];
  map.group = like.group;
  // An optimizer that has only one of the two numbers stands in a map of the runs.
  if (map.y && (values_on(bench, map.x, map.group).empty() || values_on(bench, *map.y, map.group).empty()))
    map.y.reset();
  map.columns = values_on(bench, map.x, map.y ? std::optional(map.group) : std::nullopt);
  if (map.y) map.rows = values_on(bench, *map.y, map.group);
  map.cells.assign(map.y ? map.rows.size() : bench.groups.size(),
                   std::vector<std::optional<std::size_t>>(map.columns.size()));
  for (std::size_t s = 0; s < bench.settings.size(); ++s) {
    const BenchSetting& setting = bench.settings[s];
    if (!setting.values[map.x] || (map.y && (setting.group != map.group || !setting.values[*map.y])) ||
        !fits(map, setting, like))
      continue;
    const auto at = [](const std::vector<double>& values, double v) {
      return static_cast<std::size_t>(std::lower_bound(values.begin(), values.end(), v) - values.begin());
    };
    const std::size_t row = map.y ? at(map.rows, *setting.values[*map.y]) : setting.group;
    auto& cell = map.cells[row][at(map.columns, *setting.values[map.x])];
    // The selected member may lack a number that others have: of several that fit, the best.
    if (!cell || better(setting, bench.settings[*cell])) cell = s;
  }
  for (const auto& row : map.cells)
    for (const std::optional<std::size_t>& cell : row) {
      if (!cell) continue;
      const BenchSetting& setting = bench.settings[*cell];
      if (!setting.sound() || !(setting.loss.mean > 0)) continue;
      map.least = std::min(map.least, std::log(setting.loss.mean));
      map.most = std::max(map.most, std::log(setting.loss.mean));
    }
  return map;
}

ImU32 shade(const Palette& palette, double level) {
  const auto& stops = palette.sweep;
  const double at = std::clamp(level, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  return mix(stops[i], stops[i + 1], static_cast<float>(at - static_cast<double>(i)));
}

double level_of(const Map& map, double loss) {
  return map.most > map.least && loss > 0 ? (std::log(loss) - map.least) / (map.most - map.least) : 0;
}

// Losses that are near each other are told apart.
int digits_of(const Map& map) { return map.most - map.least < 0.3 ? 3 : 2; }

ImU32 ink_on(const Palette& palette, ImU32 ground) {
  const ImU32 dark = palette.dark ? palette.panel : palette.text, light = palette.dark ? palette.text : palette.panel;
  return contrast_ratio(dark, ground) > contrast_ratio(light, ground) ? dark : light;
}

// The best of what the map shows: of each row where rows are runs, else of the run. Of equals the first.
bool is_best(const BenchModel& bench, const Map& map, std::size_t setting) {
  const BenchSetting& own = bench.settings[setting];
  if (!own.sound()) return false;
  for (const auto& row : map.cells)
    for (const auto& cell : row)
      if (cell && bench.settings[*cell].group == own.group && bench.settings[*cell].sound())
        if (const double mean = bench.settings[*cell].loss.mean;
            mean < own.loss.mean || (mean == own.loss.mean && *cell < setting))
          return false;
  return true;
}

// The setting's next seed after the selected one, so that clicks go through them.
RunId next_seed(const PanelContext& c, const BenchSetting& setting) {
  for (std::size_t i = 0; i < setting.runs.size(); ++i)
    if (c.frame.runs[setting.runs[i]].id == c.frame.selected)
      return c.frame.runs[setting.runs[(i + 1) % setting.runs.size()]].id;
  return c.frame.runs[setting.runs.front()].id;
}

void show_card(const PanelContext& c, const BenchModel& bench, const BenchSetting& setting) {
  HoverCard card;
  const BenchGroup& group = bench.groups[setting.group];
  card.run = c.theme.run(group.style);
  card.title = "Final loss";
  card.place = group.name + ", " + bench.words(setting);
  card.value = setting.loss.count > 0 ? format_digits(setting.loss.mean) : "–";
  card.formula = "mean over steps and seeds";
  card.sentence = fmt::format("{} seed{}, steps {} to {}.", setting.runs.size(), setting.runs.size() == 1 ? "" : "s",
                              format_count(bench.from), format_count(bench.to));
  if (std::isfinite(setting.loss.se))
    card.sentence += " Standard error of the mean: ± " + format_value(setting.loss.se, 2) + ".";
  if (setting.diverged > 0) card.sentence += fmt::format(" {} diverged and are in no mean.", setting.diverged);
  show_hover_card(c.theme, card);
}

void draw_map_cell(const PanelContext& c, const BenchModel& bench, const Map& map, std::size_t index, ImVec2 min,
                   ImVec2 size) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  const BenchSetting& setting = bench.settings[index];
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 max{min.x + size.x, min.y + size.y},
      middle{std::round(0.5f * (min.x + max.x)), std::round(0.5f * (min.y + max.y))};
  ImGui::SetCursorScreenPos(min);
  ImGui::PushID(static_cast<int>(index));
  const std::string name = fmt::format("cell {} {}", bench.groups[setting.group].name, bench.words(setting));
  if (ImGui::InvisibleButton(name.c_str(), size, ImGuiButtonFlags_EnableNav))
    c.send(command::SelectRun{next_seed(c, setting)});
  if (ImGui::IsItemHovered()) show_card(c, bench, setting);
  ImGui::PopID();
  const bool empty = setting.loss.count == 0;
  const ImU32 ground = setting.sound() ? shade(colour, level_of(map, setting.loss.mean)) : colour.input;
  list->AddRectFilled(min, max, ground, t.px(3));
  if (setting.diverged > 0) {
    draw_icon(list, t, Icon::cross, {middle.x, middle.y - (size.y > t.px(30) ? t.px(6) : 0)}, colour.broken, 10);
    if (size.y > t.px(30))
      draw_text_aligned(list, t, text::kTick, {middle.x, middle.y + t.px(8)}, colour.text3,
                        fmt::format("{} of {}", setting.diverged, setting.runs.size()), 0.5f, 0.5f);
  } else if (!empty) {
    for (int digits = digits_of(map); digits > 0; --digits) { // beside the frame of the best
      const std::string words = format_value(setting.loss.mean, digits);
      if (measure(t, text::kTick, words).x > size.x - t.px(6) || size.y < t.px(14)) continue;
      draw_text_aligned(list, t, text::kTick, middle, ink_on(colour, ground), words, 0.5f, 0.5f);
      break;
    }
  }
  if (is_best(bench, map, index)) { // a frame of ink over one of the panel
    const float frame = std::max(1.0f, std::min(t.hairline(), std::round(0.04f * std::min(size.x, size.y))));
    list->AddRect(min, max, colour.panel, t.px(3), 4 * frame);
    list->AddRect({min.x - 1, min.y - 1}, {max.x + 1, max.y + 1}, colour.text, t.px(4), 2 * frame);
  }
  if (index == selected_setting(c, bench))
    draw_marker(list, t.run(bench.groups[setting.group].style).marker, {max.x - t.px(7), min.y + t.px(7)}, t.px(3.2f),
                t.run(bench.groups[setting.group].style).colour, colour.panel, t.px(1.5f));
}

// Names of the rows at the left, values under the columns, as many as there is room for.
void draw_map_axes(const PanelContext& c, const BenchModel& bench, const Map& map, ImVec2 at, ImVec2 cell) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float gap = t.px(kGap);
  for (std::size_t r = 0; r < map.cells.size(); ++r) {
    const std::size_t from_top = map.y ? map.cells.size() - 1 - r : r; // values rise, runs come in their order
    const float y = at.y + (static_cast<float>(from_top) + 0.5f) * (cell.y + gap);
    const float room = at.x - t.px(10) - ImGui::GetWindowPos().x - t.px(8);
    if (map.y) {
      draw_text_aligned(list, t, text::kTick, {at.x - t.px(10), y}, t.colour().text2, format_value(map.rows[r]), 1,
                        0.5f);
    } else {
      const BenchGroup& g = bench.groups[r];
      const std::string name = fit(t, text::kButton, g.name, room - t.px(16));
      draw_text_aligned(list, t, text::kButton, {at.x - t.px(10), y}, t.colour().text, name, 1, 0.5f);
      draw_marker(list, t.run(g.style).marker, {at.x - t.px(18) - measure(t, text::kButton, name).x, y}, t.px(4),
                  t.run(g.style).colour);
    }
  }
  float free_from = -INFINITY;
  const float y = at.y + static_cast<float>(map.cells.size()) * (cell.y + gap) + t.px(10);
  for (std::size_t k = 0; k < map.columns.size(); ++k) {
    const std::string words = format_value(map.columns[k]);
    const float x = at.x + static_cast<float>(k) * (cell.x + gap) + 0.5f * cell.x,
                half = 0.5f * measure(t, text::kTick, words).x;
    if (x - half < free_from) continue;
    draw_text_aligned(list, t, text::kTick, {x, y}, t.colour().text2, words, 0.5f, 0.5f);
    free_from = x + half + t.px(6);
  }
}

void draw_scale(const PanelContext& c, const Map& map, ImVec2 at, float width, const std::string& axis) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  draw_text_aligned(list, t, text::kLabel, {at.x + width, at.y + t.px(4)}, t.colour().text3, axis + " →", 1, 0.5f);
  if (!(map.most > map.least)) return;
  const float wide = t.px(120), tall = t.px(8);
  constexpr int kSteps = 40;
  for (int i = 0; i < kSteps; ++i)
    list->AddRectFilled({at.x + wide * static_cast<float>(i) / kSteps, at.y},
                        {at.x + wide * static_cast<float>(i + 1) / kSteps, at.y + tall},
                        shade(t.colour(), (i + 0.5) / kSteps));
  draw_text_aligned(list, t, text::kLabel, {at.x + wide + t.px(8), at.y + t.px(4)}, t.colour().text2, "final loss", 0,
                    0.5f);
  draw_text_aligned(list, t, text::kTick, {at.x, at.y + t.px(18)}, t.colour().text3,
                    format_value(std::exp(map.least), digits_of(map)), 0, 0.5f);
  draw_text_aligned(list, t, text::kTick, {at.x + wide, at.y + t.px(18)}, t.colour().text3,
                    format_value(std::exp(map.most), digits_of(map)), 1, 0.5f);
}

std::string widen_words(const BenchModel& bench) {
  std::string out;
  for (const BenchGroup& g : bench.groups)
    for (const BenchEdge& e : g.edges)
      out += fmt::format("{}{} of {} {}", out.empty() ? "" : ", ", bench.swept[e.number], g.name,
                         e.largest ? "upward" : "downward");
  return out;
}

// What the map is of, and which numbers on neither axis are kept: "muon, seed means, at eps 1e−8".
std::string map_words(const PanelContext& c, const BenchModel& bench, const Map& map) {
  std::string words = map.y && bench.groups.size() > 1 ? bench.groups[map.group].name + ", " : "";
  words += bench.seeds > 1 ? "seed means" : "one seed";
  const BenchSetting& like = bench.settings[selected_setting(c, bench)];
  std::string kept;
  for (std::size_t n = 0; n < bench.swept.size(); ++n)
    if (n != map.x && n != map.y && like.values[n])
      kept += fmt::format("{}{} {}", kept.empty() ? ", at " : ", ", bench.swept[n], format_value(*like.values[n]));
  return words + kept;
}

// The choice of the axes; rows may be runs.
void choose_axes(const PanelContext& c, const BenchModel& bench, const Map& map) {
  const std::string words = map_words(c, bench, map);
  const HeaderNote note{map.y ? std::optional(c.theme.run(bench.groups[map.group].style)) : std::nullopt, words};
  if (bench.swept.size() < 2) return show_header(c, "sweep_map", note), void();
  std::vector<std::string> rows = {"rows: " + std::string(kRun)}, columns;
  for (const std::string& name : bench.swept) {
    rows.push_back("rows: " + name);
    columns.push_back("columns: " + name);
  }
  int x = static_cast<int>(map.x), y = map.y ? static_cast<int>(*map.y) + 1 : 0;
  const int old_x = x, old_y = y;
  HeaderControl down = HeaderControl::make_dropdown("##rows", rows, &y, 140),
                across = HeaderControl::make_dropdown("##columns", columns, &x, 140);
  down.wraps = across.wraps = true;
  show_header(c, "sweep_map", note, {down, across});
  BenchChoice& choice = c.view.bench;
  if (x != old_x) {
    if (map.y == static_cast<std::size_t>(x)) choice.map_y = bench.swept[map.x]; // the axes change places
    choice.map_x = bench.swept[static_cast<std::size_t>(x)];
  }
  if (y != old_y) {
    choice.map_y = y == 0 ? kRun : bench.swept[static_cast<std::size_t>(y - 1)];
    if (y > 0 && static_cast<std::size_t>(y - 1) == map.x)
      choice.map_x = bench.swept[map.y.value_or(map.x == 0 ? 1 : 0)];
  }
}

} // namespace

void draw_sweep_map(const PanelContext& c) {
  const Theme& t = c.theme;
  const BenchModel& bench = bench_of(c);
  if (bench.swept.empty()) {
    show_header(c, "sweep_map", {});
    draw_text_aligned(ImGui::GetWindowDrawList(), t, text::kLabel,
                      {ImGui::GetWindowPos().x + t.px(12), ImGui::GetCursorScreenPos().y + t.px(20)}, t.colour().text3,
                      "no number differs between the members: a scene with [sweep] has more to show", 0, 0.5f);
    return;
  }
  const Map map = make_map(c, bench);
  choose_axes(c, bench, map);
  float names = 0;
  for (const BenchGroup& g : bench.groups) names = std::max(names, measure(t, text::kButton, g.name).x);
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetWindowWidth(),
              left = t.px(12) + (map.y ? t.px(48) : std::min(names + t.px(28), 0.3f * width));
  const float room_x = width - left - t.px(16),
              room_y = ImGui::GetWindowPos().y + ImGui::GetWindowHeight() - origin.y - t.px(86);
  const float gap = t.px(kGap), columns = static_cast<float>(map.columns.size()),
              rows = static_cast<float>(map.cells.size());
  const ImVec2 cell{std::round(std::clamp(room_x / columns - gap, 4.0f, t.px(kCellWidth * 1.3f))),
                    std::round(std::clamp(room_y / rows - gap, t.px(8), t.px(kCellHeight * 1.5f)))};
  const ImVec2 at{std::round(ImGui::GetWindowPos().x + left), std::round(origin.y + t.px(6))};
  for (std::size_t r = 0; r < map.cells.size(); ++r)
    for (std::size_t k = 0; k < map.columns.size(); ++k)
      if (map.cells[r][k]) {
        const std::size_t from_top = map.y ? map.cells.size() - 1 - r : r;
        draw_map_cell(
            c, bench, map, *map.cells[r][k],
            {at.x + static_cast<float>(k) * (cell.x + gap), at.y + static_cast<float>(from_top) * (cell.y + gap)},
            cell);
      }
  draw_map_axes(c, bench, map, at, cell);
  const float bottom = at.y + rows * (cell.y + gap);
  draw_scale(c, map, {at.x, bottom + t.px(26)}, columns * (cell.x + gap) - gap, bench.swept[map.x]);
  if (const std::string words = widen_words(bench); !words.empty()) {
    const float y = bottom + t.px(66);
    draw_icon(ImGui::GetWindowDrawList(), t, Icon::warning, {ImGui::GetWindowPos().x + t.px(18), y}, t.colour().warning,
              11);
    draw_text_aligned(ImGui::GetWindowDrawList(), t, text::kLabel, {ImGui::GetWindowPos().x + t.px(30), y},
                      t.colour().warning, fit(t, text::kLabel, "best at the edge, widen: " + words, width - t.px(42)),
                      0, 0.5f);
  }
  ImGui::SetCursorScreenPos({origin.x, bottom + t.px(80)});
  ImGui::Dummy({1, 1});
}

std::string text_of_sweep_map(const PanelContext& c) {
  const BenchModel& bench = bench_of(c);
  std::string text;
  for (const BenchSetting& s : bench.settings) {
    text += bench.groups[s.group].name + (bench.swept.empty() ? "" : ", " + bench.words(s)) + ": ";
    if (s.diverged > 0) text += fmt::format("{} of {} seeds diverged.\n", s.diverged, s.runs.size());
    else text += fmt::format("final loss {:.6g} over {} seeds.\n", s.loss.mean, s.runs.size());
  }
  return text;
}

} // namespace polarscope
