// What a step costs: of every run the time, the flops and the state that its optimizer keeps, in a table to sort; of the selected
// one the stages of a step and its state slot by slot; and how fast all of them are made.
#include "app/bench_model.hpp"
#include "app/caches.hpp"
#include "app/format.hpp"
#include "app/panels/columns.hpp"
#include "app/panels/tools.hpp"
#include "engine/program_cost.hpp"
#include "engine/stage_clock.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

constexpr float kRow = 38, kLine = 22, kBar = 4, kNameRoom = 92;

// One line of the table: an optimizer of a sweep, or a run.
struct Row {
  std::string name;
  const RunFrame* run; // the selected one where it is among the row's, else the first of the best setting
  bool selected;
  const ProgramCost* cost;
};

const ProgramCost& cost_of(const PanelContext& c, const RunFrame& run) {
  auto& kept = c.caches.costs;
  const auto found = kept.find(run.program->fingerprint());
  if (found != kept.end()) return found->second;
  return kept.emplace(run.program->fingerprint(), program_cost(*run.program)).first->second;
}

std::vector<Row> rows_of(const PanelContext& c, const BenchModel& bench) {
  std::vector<Row> rows;
  const RunFrame* selected = c.frame.find(c.frame.selected);
  for (const BenchGroup& g : bench.groups) {
    const RunFrame* run = &c.frame.runs[bench.settings[g.best.value_or(g.settings.front())].runs.front()];
    const bool mine = selected && (selected->group.empty() ? selected->label : selected->group) == g.name;
    if (mine) run = selected;
    rows.push_back({g.name, run, mine, &cost_of(c, *run)});
  }
  return rows;
}

// ---- numbers -------------------------------------------------------------------------------------------------------

constexpr double kMicro = 1e6;
double or_nan(double value) { return value > 0 ? value : NAN; }

double micros(const RunFrame& run) { return or_nan(kMicro * run.step_seconds); }

// Of the step's time, by the stages that are not the problem's or the metrics'.
double optimizer_share(const RunFrame& run) {
  if (!run.stages || !(run.stages->step() > 0)) return NAN;
  return 1 - run.stages->share(Phase::gradient) - run.stages->share(Phase::metric);
}

double peak_share(const RunFrame& run, double flops, double seconds) {
  return run.stages && run.stages->peak_flops > 0 && seconds > 0 ? flops / (seconds * run.stages->peak_flops) : NAN;
}

double number_of(const Row& row, const std::string& column) {
  if (column == "µs/step") return micros(*row.run);
  if (column == "flops/weight") return row.cost->flops_per_weight();
  if (column == "bytes/weight") return row.cost->bytes_per_weight();
  if (column == "optimizer %") return 100 * optimizer_share(*row.run);
  if (column == "% of peak") return 100 * peak_share(*row.run, row.cost->step.count, row.run->step_seconds);
  return NAN;
}

std::string shown(double value, int digits = 3) { return std::isfinite(value) ? format_value(value, digits) : "–"; }

std::string flops_mark(const Flops& flops) {
  return flops.kind == Flops::Kind::exact ? "" : flops.kind == Flops::Kind::about ? "≈ " : "≤ ";
}

std::string cell_text(const Row& row, const std::string& column) {
  const std::string mark = column == "flops/weight" ? flops_mark(row.cost->optimizer) : "";
  return mark + shown(number_of(row, column), column == "% of peak" || column == "optimizer %" ? 2 : 3);
}

const std::vector<Column>& columns() {
  static const std::vector<Column> list = {
      {"run", 0, false},
      {"µs/step", 62, true, "Microseconds of one thread that a step of one run takes, kernels alone.", true},
      {"bytes/weight", 88, true, "Bytes of state that the optimizer keeps for each trained number."},
      {"flops/weight", 88, true, "Floating-point operations of the optimizer's stages for each trained number."},
      {"optimizer %", 88, true, "Share of the step's time that the optimizer's stages take."},
      {"% of peak", 80, true, "All flops of a step in its time, against a probe of multiply-adds on one thread."},
  };
  return list;
}

HoverCard card_of(const PanelContext& c, const Row& row, const std::string& column) {
  const ProgramCost& cost = *row.cost;
  HoverCard card;
  card.run = c.theme.run(row.run->style);
  card.place = row.name;
  const double value = number_of(row, column);
  card.value = std::isfinite(value) ? format_digits(value) : "–";
  if (column == "bytes/weight") {
    card.title = "State";
    card.unit = "bytes per weight";
    card.formula = fmt::format("{} numbers · {} bytes / {} weights", format_value(cost.state_numbers),
                               cost.number_bytes, format_value(cost.weights));
    card.sentence = cost.state.empty() ? "The optimizer keeps nothing from step to step." : "Kept:";
    for (const KeptState& s : cost.state) card.sentence += fmt::format(" {} ({})", s.name, format_value(s.numbers));
  } else if (column == "flops/weight") {
    card.title = "Flops of the optimizer";
    card.unit = "per weight and step";
    card.formula = fmt::format("{}{} flops / {} weights", flops_mark(cost.optimizer),
                               format_value(cost.optimizer.count), format_value(cost.weights));
    card.sentence = fmt::format("Loss and gradient: {} flops, metrics and checks: {}. Additions, multiplications, "
                                "divisions and roots count one each.",
                                format_value(cost.problem.count), format_value(cost.metrics.count));
  } else if (column == "optimizer %") {
    card.title = "Share of the optimizer";
    card.unit = "% of the step's time";
    card.formula = "1 − (gradient + metrics) / step";
    card.sentence = "Stages are timed one after the other on a copy of one run.";
  } else if (column == "% of peak") {
    card.title = "Share of the peak";
    card.unit = "%";
    card.formula = "flops / (time · probe)";
    if (row.run->stages)
      card.sentence = fmt::format("The probe reaches {} Gflop/s of one thread in multiply-adds.",
                                  format_value(1e-9 * row.run->stages->peak_flops));
  } else {
    card.title = "Time of a step";
    card.unit = "µs of one thread";
    card.formula = "time of threads / steps of runs";
    card.sentence = "Kernels alone, over the last half second of work: recording, frames and drawing are not in it.";
  }
  return card;
}

// ---- drawing -------------------------------------------------------------------------------------------------------

bool measured(const std::vector<Row>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.run->step_seconds > 0; });
}

// Runs that still make steps.
std::size_t going(const Frame& frame) {
  return static_cast<std::size_t>(
      std::count_if(frame.runs.begin(), frame.runs.end(), [](const RunFrame& r) { return !r.diverged; }));
}

// Of the time of all threads, by the kernels; NaN while nothing new is computed.
double busy_share(const Frame& frame) {
  double seconds = 0;
  for (const RunFrame& run : frame.runs) seconds += run.diverged ? 0 : run.step_seconds;
  const bool computing = frame.playing && frame.cursor == frame.head && frame.achieved_speed > 0;
  return computing && frame.threads > 0 ? std::min(1.0, seconds * frame.achieved_speed / frame.threads) : NAN;
}

std::string speed_words(const Frame& frame, const std::vector<Row>& rows) {
  if (!frame.playing || !(frame.achieved_speed > 0))
    return measured(rows) ? "paused: times are the last that were measured" : "no time yet: press play to measure";
  const double speed = frame.achieved_speed;
  const std::size_t runs = going(frame);
  const std::string steps = format_value(speed) + " steps/s";
  return runs < 2 ? steps
                  : fmt::format("{} × {} runs = {} run-steps/s", steps, runs,
                                format_value(std::round(speed * static_cast<double>(runs))));
}

std::string busy_words(const Frame& frame) {
  const double busy = busy_share(frame);
  if (!std::isfinite(busy)) return "";
  return fmt::format("kernels {} of {} thread{}", format_percent(busy), frame.threads, frame.threads == 1 ? "" : "s");
}

// A line of the panel: its left end and its width in pixels.
struct Line {
  ImVec2 at;
  float width, middle;
};
Line begin_line(const PanelContext& c, float tall) {
  const float left = ImGui::GetWindowPos().x + c.theme.snap(12);
  const ImVec2 at{left, ImGui::GetCursorScreenPos().y};
  const float right = ImGui::GetCurrentWindow()->WorkRect.Max.x - c.theme.snap(12);
  return {at, std::max(c.theme.px(60), right - left), std::round(at.y + tall * 0.5f)};
}

void draw_speed(const PanelContext& c, const std::vector<Row>& rows) {
  const Theme& t = c.theme;
  const Line line = begin_line(c, t.snap(24));
  const std::string busy = busy_words(c.frame), words = speed_words(c.frame, rows);
  const float wide = measure(t, text::kLabel, busy).x, need = measure(t, text::kLabel, words).x;
  const bool both = !busy.empty() && need + wide + t.px(12) <= line.width;
  ImDrawList* list = ImGui::GetWindowDrawList();
  draw_text_aligned(list, t, text::kLabel, {line.at.x, line.middle}, t.colour().text2,
                    fit(t, text::kLabel, words, line.width), 0, 0.5f);
  if (both)
    draw_text_aligned(list, t, text::kLabel, {line.at.x + line.width, line.middle}, t.colour().text3, busy, 1, 0.5f);
  ImGui::SetCursorScreenPos(line.at);
  ImGui::Dummy({line.width, t.snap(24)});
  item_help(t, (words + (busy.empty() ? "" : "\n" + busy) +
                "\nA step of the scene is one step of every run that has not diverged.")
                   .c_str());
}

// Time of a step as a bar: loss and gradient, then the optimizer, then metrics.
void draw_time_bar(const PanelContext& c, const Row& row, const Line& line, float y, double most) {
  const Theme& t = c.theme;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float tall = t.px(kBar);
  list->AddRectFilled({line.at.x, y}, {line.at.x + line.width, y + tall}, t.colour().hover, tall * 0.5f);
  const double time = micros(*row.run);
  if (!(most > 0) || !std::isfinite(time)) return;
  const float wide = line.width * static_cast<float>(time / most);
  const double optimizer = optimizer_share(*row.run);
  const double problem = std::isfinite(optimizer) ? row.run->stages->share(Phase::gradient) : 1;
  const float first = wide * static_cast<float>(problem),
              second = first + wide * static_cast<float>(std::isfinite(optimizer) ? optimizer : 0);
  const auto part = [&](float from, float to, ImU32 ink) {
    if (to - from >= 1) list->AddRectFilled({line.at.x + from, y}, {line.at.x + to, y + tall}, ink);
  };
  part(0, first,
       std::isfinite(optimizer) ? t.colour().text3 : mix(t.colour().panel, t.run(row.run->style).colour, 0.5f));
  part(first, second, t.run(row.run->style).colour);
  part(second, wide, mix(t.colour().hover, t.colour().text3, 0.5f));
}

void draw_row(const PanelContext& c, const Row& row, const ColumnEdges& edges, double most) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float tall = t.snap(kRow), width = ImGui::GetContentRegionAvail().x;
  const ImVec2 at{ImGui::GetWindowPos().x, ImGui::GetCursorScreenPos().y};
  ImGui::SetCursorScreenPos(at);
  if (ImGui::InvisibleButton(("cost of " + row.name).c_str(), {width, tall}, ImGuiButtonFlags_EnableNav))
    c.send(command::SelectRun{row.run->id});
  const bool hovered = ImGui::IsItemHovered();
  if (hovered) c.view.next_hover.run = row.run->id;
  if (row.selected || hovered || c.view.hover.run == row.run->id)
    list->AddRectFilled(at, {at.x + width, at.y + tall}, colour.hover);
  if (row.selected) list->AddRectFilled(at, {at.x + t.snap(3), at.y + tall}, t.run(row.run->style).colour);
  const float middle = std::round(at.y + t.px(14));
  const RunStyle style = t.run(row.run->style);
  draw_marker(list, style.marker, {edges[0].first + t.px(6), middle}, t.px(4.4f), style.colour);
  draw_cell(c, columns()[0], {edges[0].first + t.px(18), edges[0].second}, middle, colour.text, row.name, text::kName);
  std::size_t under = 0; // the column that the pointer is over
  for (std::size_t i = 1; i < edges.size(); ++i) {
    if (!has_room(edges, i)) continue;
    draw_cell(c, columns()[i], edges[i], middle, colour.text, cell_text(row, columns()[i].name));
    if (ImGui::GetIO().MousePos.x >= edges[i - 1].second) under = i;
  }
  ImGui::SetCursorScreenPos(at);
  draw_time_bar(c, row, begin_line(c, tall), std::round(at.y + t.px(26)), most);
  if (hovered) show_hover_card(t, card_of(c, row, columns()[under].name));
  ImGui::SetCursorScreenPos({at.x, at.y + tall});
  ImGui::Dummy({0, 0});
}

void draw_table(const PanelContext& c, const std::vector<Row>& rows) {
  const ColumnEdges edges = edges_of(c, columns(), kNameRoom);
  draw_sorting_titles(c, columns(), edges, c.view.bench.cost);
  double most = 0;
  for (const Row& row : rows) most = std::max(most, row.run->step_seconds * kMicro);
  for (const std::size_t r : sorted_rows(rows.size(), c.view.bench.cost, [&](std::size_t i, const std::string&column) {
         return number_of(rows[i], column);
       }))
    draw_row(c, rows[r], edges, most);
  const Theme& t = c.theme;
  const Line line = begin_line(c, t.snap(20));
  float x = line.at.x;
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImU32 inks[] = {t.colour().text3, t.colour().text, mix(t.colour().hover, t.colour().text3, 0.5f)};
  const char* words[] = {"loss and gradient", "optimizer, in the run's colour", "metrics"};
  for (int i = 0; i < 3; ++i) {
    const float wide = measure(t, text::kLabel, words[i]).x;
    if (x + t.px(18) + wide > line.at.x + line.width) break;
    list->AddRectFilled({x, line.middle - t.px(2)}, {x + t.px(10), line.middle + t.px(2)}, inks[i], t.px(2));
    draw_text_aligned(list, t, text::kLabel, {x + t.px(14), line.middle}, t.colour().text3, words[i], 0, 0.5f);
    x += t.px(28) + wide;
  }
  ImGui::SetCursorScreenPos(line.at);
  ImGui::Dummy({line.width, t.snap(22)});
}

// Columns at the right end of the lines of a section, from the right: title and width in design pixels.
using SideColumns = std::vector<std::pair<const char*, float>>;

// How many of them there is room for beside a name and a short bar.
std::size_t side_columns(const Theme& t, const Line& line, const SideColumns& columns) {
  float room = 0.6f * line.width - t.px(24);
  std::size_t count = 0;
  while (count < columns.size() && room >= t.px(columns[count].second)) room -= t.px(columns[count++].second);
  return count;
}

void draw_section(const PanelContext& c, const Row& row, const char* title, const SideColumns& columns) {
  const Theme& t = c.theme;
  const Line line = begin_line(c, t.snap(28));
  ImGui::SetCursorScreenPos(line.at);
  section_title(t, title, {t.run(row.run->style), {}});
  float right = line.at.x + line.width;
  for (std::size_t i = 0; i < side_columns(t, line, columns); right -= t.px(columns[i++].second))
    draw_text_aligned(ImGui::GetWindowDrawList(), t, text::kLabel, {right, line.middle}, t.colour().text3,
                      columns[i].first, 1, 0.5f);
}

// Name, a bar of a share, and numbers at the right end, from the right.
void draw_share(const PanelContext& c, const std::string& name, double share, ImU32 ink, const SideColumns& columns,
                const std::vector<std::string>& numbers, const std::string& help) {
  const Theme& t = c.theme;
  const float tall = t.snap(kLine);
  const Line line = begin_line(c, tall);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float named = std::min(t.px(118), line.width * 0.4f), bar_left = line.at.x + named;
  draw_text_aligned(list, t, text::kLabel, {line.at.x, line.middle}, t.colour().text2,
                    fit(t, text::kLabel, name, named - t.px(6)), 0, 0.5f);
  float right = line.at.x + line.width;
  for (std::size_t i = 0; i < side_columns(t, line, columns); right -= t.px(columns[i++].second))
    if (i < numbers.size())
      draw_text_aligned(list, t, text::kTick, {right, line.middle}, t.colour().text, numbers[i], 1, 0.5f);
  if (const float wide = right - bar_left; wide > t.px(12) && std::isfinite(share)) {
    const float half = t.px(kBar) * 0.5f;
    list->AddRectFilled({bar_left, line.middle - half}, {bar_left + wide, line.middle + half}, t.colour().hover, half);
    list->AddRectFilled({bar_left, line.middle - half},
                        {bar_left + std::max(1.0f, wide * static_cast<float>(share)), line.middle + half}, ink, half);
  }
  ImGui::SetCursorScreenPos(line.at);
  ImGui::Dummy({line.width, tall});
  item_help(t, help.c_str());
}

ImU32 ink_of(const Theme& t, const Row& row, Phase stage) {
  if (stage == Phase::gradient) return t.colour().text3;
  return stage == Phase::metric ? mix(t.colour().hover, t.colour().text3, 0.5f) : t.run(row.run->style).colour;
}

// Time and flops, stage by stage. Shares of the time are those of one run by itself, times the step's own time.
void draw_stages(const PanelContext& c, const Row& row) {
  static const SideColumns timed = {{"% of peak", 60}, {"flops", 66}, {"µs", 42}}, untimed = {{"flops", 66}};
  const StageTimes* times = row.run->stages.get();
  const SideColumns& columns = times ? timed : untimed;
  draw_section(c, row, "Stages", columns);
  for (const StageCost& stage : row.cost->stages) {
    const double share = times                      ? times->share(stage.stage)
                         : row.cost->step.count > 0 ? stage.flops.count / row.cost->step.count
                                                    : NAN;
    const double seconds = times ? share * row.run->step_seconds : 0;
    const double peak = 100 * peak_share(*row.run, stage.flops.count, seconds);
    const std::string flops = flops_mark(stage.flops) + format_value(stage.flops.count);
    std::vector<std::string> numbers = {flops};
    if (times) numbers = {stage.flops.count > 0 ? shown(peak, 2) : "–", flops, shown(or_nan(kMicro * seconds), 2)};
    std::string help = fmt::format("{}: {} operation{}, {} flops per step", stage_title(stage.stage), stage.operations,
                                   stage.operations == 1 ? "" : "s", flops);
    if (times)
      help += fmt::format("\n{} of the step's time; {} µs by itself\nµs = share · time of a step",
                          format_percent(share), format_value(kMicro * times->of(stage.stage)));
    draw_share(c, stage_title(stage.stage), share, ink_of(c.theme, row, stage.stage), columns, numbers, help);
  }
}

void draw_state(const PanelContext& c, const Row& row) {
  static const SideColumns columns = {{"bytes", 72}, {"numbers", 72}};
  const ProgramCost& cost = *row.cost;
  draw_section(c, row, "Memory", columns);
  double most = cost.weights;
  for (const KeptState& s : cost.state) most = std::max(most, s.numbers);
  const auto line = [&](const std::string& name, double numbers, ImU32 ink, const std::string& help) {
    const double bytes = numbers * static_cast<double>(cost.number_bytes);
    draw_share(c, name, most > 0 ? numbers / most : NAN, ink, columns, {format_value(bytes), format_value(numbers)},
               help);
  };
  line("weights", cost.weights, c.theme.colour().text3, "Numbers that are trained, of all parameters");
  for (const KeptState& s : cost.state)
    line(s.name, s.numbers, c.theme.run(row.run->style).colour,
         fmt::format("{}\n{}\nof {} parameter{}", s.name, s.meaning, s.parameters, s.parameters == 1 ? "" : "s"));
  if (cost.state.empty()) draw_share(c, "no state", NAN, 0, {}, {}, "The optimizer keeps nothing from step to step.");
}

} // namespace

void draw_cost(const PanelContext& c) {
  const std::vector<Row> rows = rows_of(c, bench_of(c));
  show_header(c, "cost", {{}, "a step of one run"});
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  draw_speed(c, rows);
  draw_table(c, rows);
  for (const Row& row : rows)
    if (row.selected) {
      draw_stages(c, row);
      draw_state(c, row);
    }
  ImGui::Dummy({1, c.theme.px(8)});
  ImGui::PopStyleVar();
}

std::string text_of_cost(const PanelContext& c) {
  const std::vector<Row> rows = rows_of(c, bench_of(c));
  std::string text = speed_words(c.frame, rows) + ".\n";
  for (const Row& row : rows) {
    const ProgramCost& cost = *row.cost;
    text += fmt::format("{}: {}{} flops and {} bytes of state per weight", row.name, flops_mark(cost.optimizer),
                        format_value(cost.flops_per_weight()), format_value(cost.bytes_per_weight()));
    if (row.run->step_seconds > 0)
      text += fmt::format("; a step takes {} µs of one thread", format_value(micros(*row.run)));
    if (const double share = optimizer_share(*row.run); std::isfinite(share))
      text += fmt::format(", {} of it the optimizer", format_percent(share));
    text += ".\n";
    for (const StageCost& stage : cost.stages)
      text += fmt::format(
          "  {}: {}{} flops{}\n", stage_title(stage.stage), flops_mark(stage.flops), format_value(stage.flops.count),
          row.run->stages ? ", " + format_percent(row.run->stages->share(stage.stage)) + " of the time" : "");
    for (const KeptState& s : cost.state)
      text += fmt::format("  {}: {} numbers, {}\n", s.name, format_value(s.numbers), s.meaning);
  }
  return text;
}

} // namespace polarscope
