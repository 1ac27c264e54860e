// The recipe of the selected run: its five parts, its hyperparameters as sliders, what it promises, and one step of the
// program that runs.
#include "app/format.hpp"
#include "app/panels/tools.hpp"
#include "engine/docs.hpp"
#include "engine/optimizer/stage.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

// A documented thing as a tooltip: title, formula, meaning, source; a part that is empty has no line.
std::string documented(std::string_view title, std::string_view formula, std::string_view meaning,
                       std::string_view source) {
  std::string text(title);
  for (std::string_view line : {formula, meaning})
    if (!line.empty()) text += "\n" + std::string(line);
  if (!source.empty()) text += "\nSource: " + std::string(source);
  return text;
}

// The options of a part that were written down, "quintic, 5 steps" style.
std::string options_note(const PartSpec& part) {
  std::string note;
  for (const auto& [name, value] : part.options) {
    if (!note.empty()) note += ", ";
    note += std::holds_alternative<std::string>(value) ? std::get<std::string>(value) : name + " " + to_text(value);
  }
  return note;
}

// One part as plain text: it is what the run was opened with.
void draw_slot(const PanelContext& c, const char* part, const std::string& kind, const std::string& note,
               const std::string& help) {
  const Theme& t = c.theme;
  const Palette& colour = t.colour();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float left = at.x + t.snap(12), right = at.x + ImGui::GetContentRegionAvail().x - t.snap(12);
  const float words = left + t.snap(80), tall = t.snap(24), middle = at.y + std::round(tall * 0.5f);
  draw_text_aligned(list, t, text::kLabel, {left, middle}, colour.text2, part, 0, 0.5f);
  const std::string word = fit(t, text::kButton, kind, right - words);
  draw_text_aligned(list, t, text::kButton, {words, middle}, colour.text, word, 0, 0.5f);
  const float after = words + measure(t, text::kButton, word).x + t.px(10);
  if (right - after > t.px(24))
    draw_text_aligned(list, t, text::kLabel, {after, middle}, colour.text3, fit(t, text::kLabel, note, right - after),
                      0, 0.5f);
  ImGui::SetCursorScreenPos({left, at.y});
  ImGui::Dummy({std::max(1.0f, right - left), tall});
  item_help(t, help.c_str());
  ImGui::SetCursorScreenPos({at.x, at.y + tall});
  ImGui::Dummy({0, 0});
}

void draw_parts(const PanelContext& c, const RunFrame& run) {
  if (!run.optimizer) return;
  for (Part part : {Part::direction, Part::geometry, Part::magnitude, Part::decay}) {
    for (const PartSpec& spec : run.optimizer->chain(part)) {
      const Stage* stage = find_stage(part, spec.kind);
      const std::string note = options_note(spec);
      const bool first = &spec == &run.optimizer->part(part);
      draw_slot(c, first ? part_name(part) : "then", spec.kind, note,
                stage ? documented(spec.kind + (note.empty() ? "" : ": " + note), stage->formula, stage->meaning,
                                   stage->source)
                      : spec.kind);
    }
  }
  std::string kinds, note;
  for (const auto& [name, schedule] : run.optimizer->schedules) {
    kinds += (kinds.empty() ? "" : ", ") + schedule.kind;
    note += (note.empty() ? "" : ", ") + name;
  }
  draw_slot(c, part_name(Part::schedule), kinds.empty() ? "constant" : kinds, note,
            "How hyperparameters change over the steps.");
}

// Between the margins, beside a scroll bar where there is one.
float content_width(const PanelContext& c) {
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  return std::max(c.theme.px(80), right - ImGui::GetWindowPos().x - 2 * c.theme.snap(12));
}

// The track spans two powers of ten to each side of the file's value, whatever the value is now: a range that followed
// it would run away under the pointer. What the registry allows beyond that can be typed.
SliderSpec slider_spec(const Setting& setting, double opened, double now) {
  SliderSpec spec{setting.name.c_str(), setting.min, setting.max};
  spec.typed_least = setting.min;
  spec.typed_most = setting.max;
  spec.integer = setting.kind == SettingKind::integer;
  spec.log = setting.log_scale && opened > 0;
  if (spec.log) {
    spec.least = std::max(setting.min, opened * 1e-2);
    spec.most = std::min(setting.max, opened * 1e2);
  } else if (setting.max - setting.min > 100) {
    spec.most = std::min(setting.max, std::max(1.0, 10 * std::abs(opened)));
    spec.least = std::max(setting.min, -spec.most);
  }
  spec.default_mark = opened;
  spec.differs = now != opened;
  return spec;
}

// The first preview of a drag fixed what it can be taken back to; Esc does so, also after steps were made with it.
void give_up_drag(const PanelContext& c, const RunFrame& run) {
  ImGui::ClearActiveID();
  c.send(command::CancelPreview{run.id});
  c.view.pending.reset();
}

void draw_slider(const PanelContext& c, const RunFrame& run, std::size_t index) {
  const Setting& setting = run.program->hparams()[index].setting;
  auto& pending = c.view.pending;
  const auto is_mine = [&] { return pending && pending->run == run.id && pending->name == setting.name; };
  const double opened = run.opened_hparams[index];
  double value = is_mine() ? pending->value : run.hparams[index];
  if (is_mine() && ImGui::IsKeyPressed(ImGuiKey_Escape, false)) {
    give_up_drag(c, run);
    value = run.hparams[index];
  }
  const bool mine = is_mine();
  SliderSpec spec = slider_spec(setting, opened, value);
  const std::string unit = setting.unit.empty() ? std::string() : "\nunit: " + setting.unit;
  const std::string help = documented(setting.name, setting.formula, setting.meaning, setting.source) + unit +
                           fmt::format("\nallowed {} to {}, in the file {}", format_value(setting.min),
                                       format_value(setting.max), format_value(opened));
  spec.help = help.c_str();
  ImGui::SetCursorScreenPos({ImGui::GetWindowPos().x + c.theme.snap(12), ImGui::GetCursorScreenPos().y});
  const SliderResult result = slider(c.theme, spec, &value, content_width(c));
  ring_if_highlighted(c, "hparam." + setting.name);
  if (!result.refused.empty()) c.view.say(setting.name + " " + result.refused, true);
  if (result.reset) c.send(command::SetHparam{run.id, setting.name, opened, c.view.edit_mode, false});
  else if (result.changed) c.send(command::SetHparam{run.id, setting.name, value, c.view.edit_mode, !result.released});
  else if (result.released && mine) c.send(command::SetHparam{run.id, setting.name, value, c.view.edit_mode, false});
  if (result.active && !result.released) {
    if (result.changed || mine) pending = PendingEdit{run.id, setting.name, value};
  } else if (mine) {
    pending.reset();
  }
}

void indent(const PanelContext& c) {
  ImGui::SetCursorScreenPos({ImGui::GetWindowPos().x + c.theme.snap(12), ImGui::GetCursorScreenPos().y});
}

void draw_invariants(const PanelContext& c, const RunFrame& run) {
  if (run.invariants.empty()) return;
  const auto kept =
      std::count_if(run.invariants.begin(), run.invariants.end(), [](const InvariantStatus& s) { return s.held(); });
  const std::string note = fmt::format("{} of {} kept", kept, run.invariants.size());
  indent(c);
  section_title(c.theme, "Invariants", {{}, note});
  const float width = content_width(c);
  for (const InvariantStatus& status : run.invariants) {
    indent(c);
    const std::string words =
        status.held() ? "worst " + format_value(status.worst, 2)
                      : fmt::format("broke at {}, {}", format_count(status.broken_at), format_value(status.worst, 2));
    check_light(c.theme, status.held() ? Light::kept : Light::broken, status.name, words, width);
    item_help(c.theme, fmt::format("{}\nKept while the violation is at most {}.", status.meaning,
                                   format_value(status.tolerance, 2))
                           .c_str());
  }
}

void draw_program(const PanelContext& c, const RunFrame& run) {
  indent(c);
  section_title(c.theme, "Program", {{}, "one step"});
  const Theme& t = c.theme;
  const float left = ImGui::GetWindowPos().x + t.snap(12), width = content_width(c);
  for (const OpText& line : run.program->step_text()) {
    if (line.phase == Phase::metric || line.text.empty()) continue;
    const ImVec2 at{left, ImGui::GetCursorScreenPos().y};
    draw_text(ImGui::GetWindowDrawList(), t, text::kTick, at, t.colour().text2, fit(t, text::kTick, line.text, width));
    ImGui::Dummy({width, t.snap(18)});
    item_help(t, fmt::format("{}\n{}", line.text, phase_name(line.phase)).c_str());
  }
}

} // namespace

void draw_recipe(const PanelContext& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run) {
    show_header(c, "recipe", {{}, "no run selected"});
    return;
  }
  const std::string note =
      "of " + run->label + (run->optimizer && !run->optimizer->title.empty() ? ", " + run->optimizer->title : "");
  show_header(c, "recipe", {c.theme.run(run->style), note});
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  ImGui::PushID(static_cast<int>(run->id));
  draw_parts(c, *run);
  ImGui::Dummy({1, c.theme.px(6)});
  for (std::size_t i = 0; i < run->hparams.size(); ++i) draw_slider(c, *run, i);
  ImGui::Dummy({1, c.theme.px(4)});
  draw_invariants(c, *run);
  draw_program(c, *run);
  ImGui::Dummy({1, c.theme.px(8)});
  ImGui::PopID();
  ImGui::PopStyleVar();
}

std::string text_of_recipe(const PanelContext& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run || !run->optimizer) return "No run is selected.";
  std::string text = fmt::format("Run {} is {}.\n", run->label, run->optimizer_name);
  for (Part part : {Part::direction, Part::geometry, Part::magnitude, Part::decay})
    for (const PartSpec& spec : run->optimizer->chain(part))
      text += fmt::format("{}: {}.\n", part_name(part), spec.kind);
  for (std::size_t i = 0; i < run->hparams.size(); ++i)
    text += fmt::format("{} is {}.\n", run->program->hparams()[i].setting.name, format_exact(run->hparams[i]));
  for (const InvariantStatus& status : run->invariants)
    text += status.held()
                ? fmt::format("{}: kept, worst {:.3g}.\n", status.name, status.worst)
                : fmt::format("{}: broken at step {}, {:.3g}.\n", status.name, status.broken_at, status.worst);
  for (const OpText& line : run->program->step_text())
    if (line.phase != Phase::metric && !line.text.empty()) text += line.text + "\n";
  return text;
}

} // namespace polarscope
