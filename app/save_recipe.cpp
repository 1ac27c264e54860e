#include "app/save_recipe.hpp"

#include "app/caches.hpp"
#include "app/overlays.hpp"
#include "app/widgets.hpp"
#include "engine/files.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/preset.hpp"

#include "misc/cpp/imgui_stdlib.h"
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace polarscope {
namespace {

const std::string& shown_name(const OptimizerSpec& spec) { return spec.title.empty() ? spec.name : spec.title; }

// "sign, no decay, rest: hyperball": the parts that differ from those that the run was opened with.
std::string changed_words(const RunFrame& run) {
  std::string out;
  for (const PartChange& change : changed_parts(*run.optimizer, *run.opened_optimizer)) {
    const StageChain& now = *change.now;
    out += (out.empty() ? "" : ", ") + (change.route.empty() ? "" : change.route + ": ");
    if (change.part == Part::decay) out += now.front().kind == "none" ? "no decay" : now.front().kind + " decay";
    else out += (chain_text(now) == chain_text(*change.was) ? "another " : "") + chain_text(now);
  }
  const bool scheduled =
      std::any_of(run.optimizer->routes.begin(), run.optimizer->routes.end(), [&](const auto& route) {
        const RouteSpec* was = find_route(*run.opened_optimizer, route.target);
        return was && route.recipe && !same_schedules(*route.recipe, *was->recipe);
      });
  if (scheduled || !same_schedules(*run.optimizer, *run.opened_optimizer))
    out += out.empty() ? "another schedule" : ", another schedule";
  return out;
}

struct Outcome {
  std::string words;
  bool wrong = false, replaces = false;
};

// What pressing the button would do, or why it cannot.
Outcome outcome(const PanelContext& c, const PresetTarget& target) {
  const auto path = preset_path(target);
  if (!path) return {path.error().message, true};
  const std::string use =
      fmt::format("A scene uses it with  optimizer = \"{}\"", name_in_scenes(target, c.frame.scene->path));
  if (file_exists(*path))
    return {fmt::format("{} is there already and would be replaced.\n{}", *path, use), false, true};
  return {fmt::format("Writes {}\n{}", *path, use)};
}

bool field(const PanelContext& c, const char* label_text, const char* id, std::string& text, const char* help) {
  const float left = ImGui::GetCursorScreenPos().x, top = ImGui::GetCursorScreenPos().y;
  draw_text_aligned(ImGui::GetWindowDrawList(), c.theme, text::kButton, {left, top + ImGui::GetFrameHeight() * 0.5f},
                    c.theme.colour().text2, label_text, 0, 0.5f);
  ImGui::SetCursorScreenPos({left + c.theme.px(64), top});
  ImGui::SetNextItemWidth(-1);
  const bool entered = ImGui::InputText(id, &text, ImGuiInputTextFlags_EnterReturnsTrue);
  if (ImGui::IsItemEdited()) c.view.save_recipe.error.clear();
  // Not where the keyboard is, as it is from the beginning: it would cover the next field.
  if (ImGui::IsItemHovered(ImGuiHoveredFlags_NoNavOverride)) item_help(c.theme, help);
  return entered;
}

void save(const PanelContext& c, const RunFrame& run, const PresetTarget& target, bool replace) {
  SaveRecipe& state = c.view.save_recipe;
  const auto path = save_preset(recipe_to_save(run, target.name, state.title), target, replace);
  if (!path) {
    state.error = path.error().text();
    return;
  }
  c.view.save_open = false;
  c.caches.presets.clear(); // "Add a run" may list it
  c.view.say(fmt::format("recipe of {} written to {}", run.label, *path));
}

// A sign and words that may take several lines.
void draw_outcome(const PanelContext& c, const std::string& words, bool wrong, bool warns) {
  const Theme& t = c.theme;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  float indent = 0;
  if (wrong || warns) {
    draw_icon(ImGui::GetWindowDrawList(), t, wrong ? Icon::cross : Icon::warning,
              {at.x + t.px(7), at.y + ImGui::GetTextLineHeight() * 0.5f},
              wrong ? t.colour().broken : t.colour().warning, 11);
    indent = t.px(20);
  }
  ImGui::SetCursorScreenPos({at.x + indent, at.y});
  ImGui::PushStyleColor(ImGuiCol_Text, wrong ? t.colour().text : t.colour().text2);
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(words.c_str());
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
}

} // namespace

OptimizerSpec recipe_to_save(const RunFrame& run, const std::string& name, const std::string& title) {
  OptimizerSpec spec = *run.optimizer;
  spec.name = name;
  spec.title = title;
  for (std::size_t i = 0; i < run.hparams.size(); ++i)
    spec.hparams[run.program->hparams()[i].setting.name] = run.hparams[i];
  if (!run.recipe_changed) return spec;
  const OptimizerSpec& was = *run.opened_optimizer;
  spec.description = fmt::format("{} with {}.", shown_name(was), changed_words(run));
  spec.source = fmt::format("made from {}", was.name) + (was.source.empty() ? "" : ", which follows " + was.source);
  spec.not_promised = "Nothing beyond what its stages promise.";
  return spec;
}

std::string recipe_title(const RunFrame& run) {
  const std::string& name = shown_name(*run.opened_optimizer);
  if (run.recipe_changed) return fmt::format("{} with {}", name, changed_words(run));
  const int lr = run.program->find_hparam("lr");
  return lr < 0 ? name : fmt::format("{} at lr {}", name, run.hparams[static_cast<std::size_t>(lr)]);
}

std::string file_name_for(const std::string& title) {
  std::string out;
  for (const char c : title) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 128 && std::isalnum(byte)) out += static_cast<char>(std::tolower(byte));
    else if (!out.empty() && out.back() != '_') out += '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  constexpr std::size_t kLong = 60;
  return out.empty() ? "recipe" : out.substr(0, kLong);
}

void open_save_recipe(ActionContext& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run || !run->optimizer) return;
  const bool open = c.view.save_open;
  c.view.close_dialogs();
  c.view.save_open = !open;
  const std::string title = recipe_title(*run);
  c.view.save_recipe = {run->id, file_name_for(title), title, preset_folder_for(c.frame.scene->path), {}};
}

void draw_save_recipe(const PanelContext& c) {
  SaveRecipe& state = c.view.save_recipe;
  const RunFrame* run = c.frame.find(state.run);
  if (!run) {
    c.view.save_open = false;
    return;
  }
  if (begin_overlay(c, "Save the recipe", {520, 256}, &c.view.save_open)) {
    const Theme& t = c.theme;
    ImGui::PushStyleColor(ImGuiCol_Text, t.colour().text2);
    ImGui::TextWrapped("The stages, schedules and numbers of %s as a file of its own, for other scenes and runs.%s",
                       run->label.c_str(),
                       run->hparams == run->start_hparams
                           ? ""
                           : " Numbers are those of now: edits made on the way are no part of a recipe.");
    ImGui::PopStyleColor();
    ImGui::Dummy({1, t.px(6)});
    if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
    bool entered = field(c, "Name", "##name", state.name, "The file's name without .toml: letters, digits, _ and -.");
    entered |= field(c, "Title", "##title", state.title, "What lists and headings show.");
    entered |= field(c, "Folder", "##folder", state.folder,
                     "Presets in scenes/optimizers of the working folder are found by their name alone.");
    ImGui::Dummy({1, t.px(4)});
    const PresetTarget target{state.folder, state.name};
    const Outcome now = outcome(c, target);
    const bool failed = !state.error.empty();
    draw_outcome(c, failed ? state.error : now.words, failed || now.wrong, now.replaces);
    ImGui::Dummy({1, t.px(8)});
    ButtonOptions options;
    options.primary = true;
    options.enabled = !now.wrong;
    options.help = now.replaces ? "Writes over the file" : "Writes the file";
    const bool pressed = button(t, now.replaces ? "Replace###save" : "Save###save", options);
    ImGui::SameLine(0, t.px(8));
    if (button(t, "Cancel")) c.view.save_open = false;
    // Enter never replaces a file: that takes the button.
    if (!now.wrong && (pressed || (entered && !now.replaces))) save(c, *run, target, pressed && now.replaces);
  }
  end_overlay();
}

} // namespace polarscope
