// The recipe of the selected run: its parts with lists to choose others from, its hyperparameters as sliders, what it
// promises, and one step of the program that runs; what differs in another run's recipe is marked.
#include "app/format.hpp"
#include "app/panels/recipe_facts.hpp"
#include "app/panels/recipe_parts.hpp"
#include "app/save_recipe.hpp"
#include "engine/docs.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/stage.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {
namespace {

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

void draw_slider(const PanelContext& c, const RecipeView& view, std::size_t index) {
  const RunFrame& run = view.run;
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
  const std::string help =
      documented(setting.name, setting.formula, setting.meaning, setting.source) + unit +
      fmt::format("\nallowed {} to {}, default {}, in the file {}", format_value(setting.min),
                  format_value(setting.max), format_value(std::get<double>(setting.value)), format_value(opened));
  spec.help = help.c_str();
  recipe_indent(c);
  const SliderResult result = slider(c.theme, spec, &value, recipe_width(c));
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
  const auto it = view.differences.hparams.find(setting.name);
  if (it == view.differences.hparams.end()) return;
  const std::string there = it->second ? format_exact(*it->second) : "not there";
  difference_line(
      c, view, it->second ? format_value(*it->second) : there,
      fmt::format("{}: {} here, {} in {}.", setting.name, format_exact(run.hparams[index]), there, view.other->label));
}

// Hyperparameters that only the other run has.
void draw_hparams_there(const PanelContext& c, const RecipeView& view) {
  for (const auto& [name, value] : view.differences.only_there)
    difference_line(
        c, view, fmt::format("{} {}", name, format_value(value)),
        fmt::format("{} is {} in {}; this run has no {}.", name, format_exact(value), view.other->label, name));
}

void draw_invariants(const PanelContext& c, const RecipeView& view) {
  const RunFrame& run = view.run;
  const RecipeDifferences& d = view.differences;
  if (run.invariants.empty() && d.promises_there.empty()) return;
  const auto kept =
      std::count_if(run.invariants.begin(), run.invariants.end(), [](const InvariantStatus& s) { return s.held(); });
  const std::string note = fmt::format("{} of {} kept", kept, run.invariants.size());
  recipe_indent(c);
  section_title(c.theme, "Invariants", {{}, note});
  const float width = recipe_width(c);
  for (const InvariantStatus& status : run.invariants) {
    recipe_indent(c);
    const std::string words =
        status.held() ? "worst " + format_value(status.worst, 2)
                      : fmt::format("broke at {}, {}", format_count(status.broken_at), format_value(status.worst, 2));
    check_light(c.theme, status.held() ? Light::kept : Light::broken, status.name, words, width);
    item_help(c.theme, fmt::format("{}\n{}\nKept while the violation is at most {}.", status.name, status.meaning,
                                   format_value(status.tolerance, 2))
                           .c_str());
    if (std::find(d.promises_here.begin(), d.promises_here.end(), status.name) != d.promises_here.end())
      difference_line(c, view, "not promised there", fmt::format("{} does not promise this.", view.other->label));
  }
  for (const std::string& name : d.promises_there)
    difference_line(c, view, "promises " + name, fmt::format("{} promises: {}.", view.other->label, name));
}

void draw_program(const PanelContext& c, const RunFrame& run) {
  recipe_indent(c);
  section_title(c.theme, "Program", {{}, "one step"});
  const Theme& t = c.theme;
  const float left = ImGui::GetWindowPos().x + t.snap(12), width = recipe_width(c);
  for (const OpText& line : run.program->step_text()) {
    if (line.phase == Phase::metric || line.text.empty()) continue;
    const ImVec2 at{left, ImGui::GetCursorScreenPos().y};
    draw_text(ImGui::GetWindowDrawList(), t, text::kTick, at, t.colour().text2, fit(t, text::kTick, line.text, width));
    ImGui::Dummy({width, t.snap(18)});
    item_help(t, fmt::format("{}\n{}", line.text, phase_name(line.phase)).c_str());
  }
}

// The run that is compared with, chosen from the others; what it is compared with differs in so many rows.
void draw_compare(const PanelContext& c, const RecipeView& view) {
  if (c.frame.runs.size() < 2) return;
  const Theme& t = c.theme;
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float left = t.snap(80), tall = t.snap(28);
  draw_text_aligned(ImGui::GetWindowDrawList(), t, text::kLabel, {at.x, at.y + tall * 0.5f}, t.colour().text2,
                    "compare", 0, 0.5f);
  ImGui::SetCursorScreenPos({at.x + left, at.y + t.snap(2)});
  const std::size_t count = view.differences.count();
  const std::string note = !view.other ? "" : count == 0 ? "the same" : fmt::format("{} differ", count);
  if (begin_dropdown(t, "##compare", view.other ? view.other->label : "with no run", (recipe_width(c) - left) / t.px(1),
                     note)) {
    if (menu_row(t, "with no run", !view.other)) c.view.compare_with.reset();
    for (const RunFrame& run : c.frame.runs)
      if (run.id != view.run.id &&
          menu_row(t, fmt::format("{}##{}", run.label, run.id).c_str(), view.other && view.other->id == run.id,
                   run.optimizer_name == run.label ? "" : run.optimizer_name))
        c.view.compare_with = run.id;
    end_dropdown();
  } else {
    item_help(t,
              (c.actions.tooltip("recipe.compare") + "\nA row that differs is marked ≠, with what the other run has.")
                  .c_str());
  }
  ImGui::SetCursorScreenPos({at.x, at.y + tall});
  ImGui::Dummy({0, 0});
}

// A paragraph in the quieter ink, as wide as the rows.
void paragraph(const PanelContext& c, const std::string& words) {
  const Theme& t = c.theme;
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  ImFont* font = t.font(text::kLabel.face);
  const float size = t.font_size(text::kLabel), width = recipe_width(c);
  const ImVec2 block = font->CalcTextSizeA(size, FLT_MAX, width, words.c_str());
  ImGui::GetWindowDrawList()->AddText(font, size, at, t.colour().text2, words.c_str(), nullptr, width);
  ImGui::Dummy({width, block.y + t.px(6)});
}

// What the recipe says of itself; of one whose parts were changed, what the one it was opened with says.
std::vector<std::string> about(const RunFrame& run) {
  const OptimizerSpec& spec = *run.opened_optimizer;
  std::vector<std::string> words;
  if (run.recipe_changed) words.push_back("These are the words of " + spec.name + ", before its parts were changed.");
  if (!spec.description.empty()) words.push_back(spec.description);
  if (!spec.not_promised.empty()) words.push_back("Not promised: " + spec.not_promised);
  if (!spec.source.empty()) words.push_back("Source: " + spec.source + (spec.source.ends_with('.') ? "" : "."));
  return words;
}

void draw_about(const PanelContext& c, const RunFrame& run) {
  const std::vector<std::string> words = about(run);
  if (words.empty()) return;
  recipe_indent(c);
  section_title(c.theme, "About", {{}, run.optimizer_name});
  for (const std::string& one : words) paragraph(c, one);
}

const RunFrame* compared_run(const PanelContext& c) {
  const RunFrame* other = c.view.compare_with ? c.frame.find(*c.view.compare_with) : nullptr;
  return other && other->id != c.frame.selected && other->optimizer ? other : nullptr;
}

RecipeView view_of(const PanelContext& c, const RunFrame& run) {
  const RunFrame* other = compared_run(c);
  return {run, other, other ? recipe_differences(run, *other) : RecipeDifferences{}};
}

// Of a recipe whose parts were changed: the way back.
void draw_way_back(const PanelContext& c, const RunFrame& run) {
  if (!run.recipe_changed) return;
  recipe_indent(c);
  ImGui::SetCursorScreenPos({ImGui::GetCursorScreenPos().x + c.theme.snap(80), ImGui::GetCursorScreenPos().y});
  ButtonOptions options;
  options.height = 24;
  options.icon = Icon::undo;
  options.frameless = true;
  action_button(c, "recipe.as_opened", "Stages as opened", options);
}

} // namespace

void draw_recipe(const PanelContext& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run || !run->optimizer) {
    show_header(c, "recipe", {{}, "no run selected"});
    return;
  }
  const OptimizerSpec& opened = *run->opened_optimizer;
  const std::string title = opened.title.empty() ? opened.name : opened.title;
  const bool said = run->label == title || run->label == title + "*";
  const std::string note = "of " + run->label + (said ? "" : ", " + title + (run->recipe_changed ? ", changed" : ""));
  const std::string save_help = c.actions.tooltip("recipe.save");
  const int used = show_header(c, "recipe", {c.theme.run(run->style), note},
                               {HeaderControl::make_icon("save", Icon::export_file, save_help.c_str())});
  if (used == 0) {
    ActionContext action = c.action();
    c.actions.invoke("recipe.save", action);
  }
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  ImGui::PushID(static_cast<int>(run->id));
  const RecipeView view = view_of(c, *run);
  draw_compare(c, view);
  const EditedRecipe recipe{*run, *run->optimizer, opened};
  draw_recipe_parts(c, view, recipe, view.differences.parts);
  draw_recipe_schedules(c, view, recipe, view.differences.schedules);
  draw_recipe_routes(c, view);
  draw_way_back(c, *run);
  ImGui::Dummy({1, c.theme.px(6)});
  for (std::size_t i = 0; i < run->hparams.size(); ++i) draw_slider(c, view, i);
  draw_hparams_there(c, view);
  ImGui::Dummy({1, c.theme.px(4)});
  draw_invariants(c, view);
  draw_recipe_facts(c, view);
  draw_about(c, *run);
  draw_program(c, *run);
  ImGui::Dummy({1, c.theme.px(8)});
  ImGui::PopID();
  ImGui::PopStyleVar();
}

namespace {

std::string differences_text(const RecipeView& view) {
  if (!view.other) return {};
  const RecipeDifferences& d = view.differences;
  const std::string& there = view.other->label;
  std::string text = fmt::format("Compared with {}, {} rows differ.\n", there, d.count());
  for (const auto& [part, words] : d.parts) text += fmt::format("{} has {} {}.\n", there, part_name(part), words);
  for (const auto& [hparam, words] : d.schedules)
    text += fmt::format("{} has for {} the schedule {}.\n", there, hparam, words);
  for (const auto& [target, words] : d.routes) text += fmt::format("In {}, {} goes by {}.\n", there, target, words);
  for (const auto& [target, stages] : d.within_routes) {
    for (const auto& [part, words] : stages.parts)
      text += fmt::format("In {}, {} has {} {}.\n", there, target, part_name(part), words);
    for (const auto& [hparam, words] : stages.schedules)
      text += fmt::format("In {}, {} has for {} the schedule {}.\n", there, target, hparam, words);
  }
  for (const auto& [name, value] : d.hparams)
    text += value ? fmt::format("{} has {} {}.\n", there, name, format_exact(*value))
                  : fmt::format("{} has no {}.\n", there, name);
  for (const auto& [name, value] : d.only_there)
    text += fmt::format("Only {} has {}, which is {}.\n", there, name, format_exact(value));
  for (const std::string& name : d.promises_here) text += fmt::format("{} does not promise: {}.\n", there, name);
  for (const std::string& name : d.promises_there) text += fmt::format("Only {} promises: {}.\n", there, name);
  return text;
}

} // namespace

std::string text_of_recipe(const PanelContext& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run || !run->optimizer) return "No run is selected.";
  std::string text = fmt::format("Run {} is {}.\n", run->label, run->optimizer_name);
  for (Part part : kRecipeParts)
    for (const PartSpec& spec : run->optimizer->chain(part)) {
      const std::string options = options_words(spec);
      text += fmt::format("{}: {}{}.\n", part_name(part), spec.kind, options.empty() ? "" : ", " + options);
    }
  for (const auto& [hparam, schedule] : run->optimizer->schedules)
    text += fmt::format("schedule of {}: {}.\n", hparam, schedule_words(schedule));
  for (const auto& [target, route] : routes_in_use(*run)) {
    text += fmt::format("route of {}: {}", target, route->recipe->name);
    for (const Part part : kRecipeParts)
      text += fmt::format(", {} {}", part_name(part), chain_text(route->recipe->chain(part)));
    text += ".\n";
  }
  for (std::size_t i = 0; i < run->hparams.size(); ++i)
    text += fmt::format("{} is {}.\n", run->program->hparams()[i].setting.name, format_exact(run->hparams[i]));
  for (const InvariantStatus& status : run->invariants)
    text += status.held()
                ? fmt::format("{}: kept, worst {:.3g}.\n", status.name, status.worst)
                : fmt::format("{}: broken at step {}, {:.3g}.\n", status.name, status.broken_at, status.worst);
  text += text_of_recipe_facts(c, *run);
  for (const std::string& words : about(*run)) text += words + "\n";
  text += differences_text(view_of(c, *run));
  for (const OpText& line : run->program->step_text())
    if (line.phase != Phase::metric && !line.text.empty()) text += line.text + "\n";
  return text;
}

} // namespace polarscope
