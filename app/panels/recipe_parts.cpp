#include "app/panels/recipe_parts.hpp"

#include "app/format.hpp"
#include "engine/docs.hpp"
#include "engine/optimizer/composition.hpp"
#include "engine/optimizer/stage.hpp"

#include "imgui_internal.h"
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace polarscope {
namespace {

constexpr TextStyle kUnequal{Face::semibold, 15};
constexpr float kLabel = 80, kRow = 28, kMore = 22, kListWidth = 330;

// ---- rows of lists -------------------------------------------------------------------------------------------------

// Height of words that take as many lines as they need.
ImVec2 block_size(const Theme& t, const std::string& words, float width) {
  return t.font(text::kLabel.face)->CalcTextSizeA(t.font_size(text::kLabel), FLT_MAX, width, words.c_str());
}
void draw_block(const Theme& t, ImVec2 at, ImU32 colour, const std::string& words, float width) {
  ImGui::GetWindowDrawList()->AddText(t.font(text::kLabel.face), t.font_size(text::kLabel),
                                      {std::round(at.x), std::round(at.y)}, colour, words.c_str(), nullptr, width);
}

struct Choice {
  std::string name, meaning;
  bool chosen = false;
  std::string why_not = {}; // cannot be chosen
};

// Name, meaning under it, and why it cannot be chosen; true when it was.
bool choice_row(const Theme& t, const Choice& choice) {
  const Palette& colour = t.colour();
  const float room = ImGui::GetIO().DisplaySize.x - t.px(48);
  const float wide = std::min(t.snap(kListWidth), std::max(t.px(120), room)), left = t.px(26);
  const float inner = wide - left - t.px(8);
  const ImVec2 words = block_size(t, choice.meaning, inner);
  const ImVec2 reason = choice.why_not.empty() ? ImVec2(0, 0) : block_size(t, choice.why_not, inner - t.px(16));
  const float tall = std::round(t.px(26) + words.y + reason.y + t.px(5));
  const ImVec2 at = ImGui::GetCursorScreenPos();
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, 0});
  ImGui::PushStyleColor(ImGuiCol_Header, colour.hover);
  ImGui::PushStyleColor(ImGuiCol_HeaderHovered, colour.hover);
  const bool picked = ImGui::Selectable(("##" + choice.name).c_str(), choice.chosen,
                                        choice.why_not.empty() ? 0 : ImGuiSelectableFlags_Disabled, {wide, tall});
  ImGui::PopStyleColor(2);
  ImGui::PopStyleVar();
  ImDrawList* list = ImGui::GetWindowDrawList();
  const bool possible = choice.why_not.empty();
  if (choice.chosen)
    draw_icon(list, t, Icon::check, {std::round(at.x + t.px(13)), std::round(at.y + t.px(13))}, colour.text, 10);
  draw_text_aligned(list, t, text::kButton, {at.x + left, at.y + t.px(13)}, possible ? colour.text : colour.text2,
                    choice.name, 0, 0.5f);
  draw_block(t, {at.x + left, at.y + t.px(23)}, colour.text2, choice.meaning, inner);
  if (!possible) {
    const float top = at.y + t.px(23) + words.y;
    draw_icon(list, t, Icon::warning, {at.x + left + t.px(5), std::round(top + t.px(7))}, colour.warning, 9);
    draw_block(t, {at.x + left + t.px(16), top}, colour.text, choice.why_not, inner - t.px(16));
  }
  return picked;
}

// A menu with rows of 24 to hit.
bool begin_menu(const Theme& t, const char* id) {
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {t.px(10), t.px(8)});
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {t.px(8), t.px(8)});
  if (ImGui::BeginPopup(id)) return true;
  ImGui::PopStyleVar(2);
  return false;
}
void end_menu() {
  ImGui::EndPopup();
  ImGui::PopStyleVar(2);
}

// ---- a part's stages -----------------------------------------------------------------------------------------------

void set_part(const PanelContext& c, const EditedRecipe& recipe, Part part, StageChain chain) {
  c.send(command::SetPart{recipe.run.id, part, std::move(chain), recipe.route});
}

// Every registered stage of the part; `with` makes the chain that a choice of it would give.
void draw_stage_list(const PanelContext& c, const EditedRecipe& recipe, Part part, const std::string& now,
                     const std::function<StageChain(PartSpec)>& with) {
  for (const std::string& kind : stage_kinds(part)) {
    const Stage* stage = find_stage(part, kind);
    Choice choice{kind, stage->meaning, kind == now};
    const StageChain chain = with(chosen_stage(part, kind, recipe.opened));
    if (const auto possible = check_choice(recipe.spec, part, chain); !possible && kind != now)
      choice.why_not = possible.error().message;
    if (choice_row(c.theme, choice) && kind != now) set_part(c, recipe, part, chain);
  }
}

// One option or number in a menu; the new value when there is one.
std::optional<SettingValue> draw_option(const PanelContext& c, const Setting& option, const SettingValue& now) {
  const Theme& t = c.theme;
  std::optional<SettingValue> chosen;
  const std::string help = documented(option.name, option.formula, option.meaning, option.source);
  if (option.kind == SettingKind::word || option.kind == SettingKind::boolean) {
    const bool open = ImGui::BeginMenu(fmt::format("{}: {}###{}", option.name, to_text(now), option.name).c_str());
    if (!open) item_help(t, help.c_str());
    if (!open) return chosen;
    if (option.kind == SettingKind::boolean) {
      for (const bool on : {true, false})
        if (choice_row(t, {on ? "true" : "false", on ? option.meaning : "Not so.", now == SettingValue(on)}))
          chosen = on;
    } else {
      for (const SettingWord& word : option.words)
        if (choice_row(t, {word.word, word.source.empty() ? word.meaning : word.meaning + " (" + word.source + ")",
                           now == SettingValue(word.word)}))
          chosen = word.word;
    }
    ImGui::EndMenu();
    return chosen;
  }
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(option.name.c_str());
  item_help(t, (help + "\nallowed: " + allowed_text(option)).c_str());
  ImGui::SameLine(0, t.px(10));
  ImGui::SetCursorPosX(std::max(ImGui::GetCursorPosX(), t.px(140)));
  ImGui::SetNextItemWidth(t.px(90));
  const std::string id = "##" + option.name;
  if (const long* whole = std::get_if<long>(&now)) {
    int typed = static_cast<int>(*whole);
    if (ImGui::InputInt(id.c_str(), &typed, 0, 0, ImGuiInputTextFlags_EnterReturnsTrue) && typed != *whole)
      chosen = static_cast<long>(typed);
  } else {
    double typed = std::get<double>(now);
    if (ImGui::InputDouble(id.c_str(), &typed, 0, 0, "%.9g",
                           ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_CharsScientific) &&
        typed != std::get<double>(now))
      chosen = typed;
  }
  item_help(t, "Enter takes the number.");
  return chosen;
}

// Options of one stage, and what can be done to the chain at it.
void draw_link_menu(const PanelContext& c, const EditedRecipe& recipe, Part part, std::size_t index) {
  const StageChain& chain = recipe.spec.chain(part);
  const Stage* stage = find_stage(part, chain[index].kind);
  label(c.theme, chain[index].kind, c.theme.colour().text, text::kName);
  if (stage)
    for (const Setting& option : stage->options) {
      const auto now = resolved_options(part, chain[index]);
      if (const auto value = draw_option(c, option, now.at(option.name))) {
        StageChain changed = chain;
        changed[index].options[option.name] = *value;
        set_part(c, recipe, part, std::move(changed));
        if (option.kind == SettingKind::integer || option.kind == SettingKind::number) ImGui::CloseCurrentPopup();
      }
    }
  ImGui::Separator();
  if (ImGui::BeginMenu("Add a stage after it", part != Part::decay)) {
    draw_stage_list(c, recipe, part, "", [&](PartSpec added) {
      StageChain longer = chain;
      longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(added));
      return longer;
    });
    ImGui::EndMenu();
  }
  if (ImGui::MenuItem("Remove this stage", nullptr, false, chain.size() > 1)) {
    StageChain shorter = chain;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(index));
    set_part(c, recipe, part, std::move(shorter));
  }
}

// ---- the rows ------------------------------------------------------------------------------------------------------

// A row's label at the left, and the room of its drop-down in design pixels; leaves the cursor at it.
float begin_row(const PanelContext& c, const char* words, ImVec2 at) {
  const Theme& t = c.theme;
  draw_text_aligned(ImGui::GetWindowDrawList(), t, text::kLabel, {at.x, at.y + t.snap(kRow) * 0.5f}, t.colour().text2,
                    words, 0, 0.5f);
  ImGui::SetCursorScreenPos({at.x + t.snap(kLabel), at.y + t.snap(2)});
  return std::max(60.0f, (recipe_width(c) / t.px(1)) - kLabel - kMore - 4);
}

// What is left of a drop-down's note beside the word it shows.
std::string fitting_note(const Theme& t, const std::string& kind, const std::string& note, float width) {
  const float room = t.px(width) - measure(t, text::kButton, kind).x - t.px(48);
  return room < t.px(30) ? std::string() : fit(t, text::kLabel, note, room);
}

// Opens the next drop-down when an action asked for this part's.
void open_if_asked(const PanelContext& c, Part part, const char* id) {
  if (c.view.requests.open_part != part) return;
  c.view.requests.open_part.reset();
  ImGui::OpenPopupEx(ImHashStr("##ComboPopup", 0, ImGui::GetID(id)), ImGuiPopupFlags_None);
}

void end_row(const PanelContext& c, ImVec2 at) {
  ImGui::SetCursorScreenPos({at.x, at.y + c.theme.snap(kRow)});
  ImGui::Dummy({0, 0});
}

bool more_button(const PanelContext& c, ImVec2 at, const char* help) {
  const Theme& t = c.theme;
  ImGui::SetCursorScreenPos(
      {at.x + recipe_width(c) - t.snap(kMore), at.y + std::round((t.snap(kRow) - t.snap(kMore)) * 0.5f)});
  return icon_button(t, "more", Icon::more, help, false, true, kMore);
}

void draw_link(const PanelContext& c, const EditedRecipe& recipe, Part part, std::size_t index) {
  const Theme& t = c.theme;
  const StageChain& chain = recipe.spec.chain(part);
  const PartSpec& link = chain[index];
  ImGui::PushID(fmt::format("{}.{}", part_name(part), index).c_str());
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = begin_row(c, index == 0 ? part_name(part) : "then", at);
  const std::string note = options_words(link);
  if (index == 0 && recipe.route.empty()) open_if_asked(c, part, "##kind");
  if (begin_dropdown(t, "##kind", link.kind, width, fitting_note(t, link.kind, note, width))) {
    draw_stage_list(c, recipe, part, link.kind, [&](PartSpec chosen) {
      StageChain changed = chain;
      changed[index] = std::move(chosen);
      return changed;
    });
    end_dropdown();
  } else if (const Stage* stage = find_stage(part, link.kind)) {
    item_help(
        t, (documented(link.kind + (note.empty() ? "" : ": " + note), stage->formula, stage->meaning, stage->source) +
            "\nA choice computes the run again from step 0.")
               .c_str());
  }
  if (more_button(c, at, "Options of this stage; add a stage after it, or remove it")) ImGui::OpenPopup("link menu");
  if (begin_menu(t, "link menu")) {
    draw_link_menu(c, recipe, part, index);
    end_menu();
  }
  end_row(c, at);
  ImGui::PopID();
}

// The engine's reason, at the part whose change it refused.
void draw_refusal(const PanelContext& c, const EditedRecipe& recipe, Part part) {
  const auto& refused = c.frame.refused;
  if (!refused || refused->run != recipe.run.id || refused->part != part || refused->route != recipe.route) return;
  const Theme& t = c.theme;
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float left = t.px(20), wide = recipe_width(c) - left;
  const std::string words = "Refused: " + refused->text;
  const float tall = block_size(t, words, wide).y + t.px(6);
  draw_icon(ImGui::GetWindowDrawList(), t, Icon::cross, {at.x + t.px(8), std::round(at.y + t.px(8))}, t.colour().broken,
            10);
  draw_block(t, {at.x + left, at.y}, t.colour().text, words, wide);
  ImGui::Dummy({recipe_width(c), tall});
}

// ---- schedules -----------------------------------------------------------------------------------------------------

SettingValue schedule_value(ScheduleSpec& schedule, const Setting& option) {
  if (const double* number = schedule_number(schedule, option.name)) return *number;
  return schedule.shape;
}

// Numbers of the recipe, as it calls them.
std::vector<std::string> numbers_of(const EditedRecipe& recipe) {
  std::vector<std::string> names;
  const std::string prefix = recipe.route.empty() ? "" : recipe.route + ".";
  for (const HparamInfo& h : recipe.run.program->hparams())
    if (h.setting.name.starts_with(prefix))
      if (std::string name = h.setting.name.substr(prefix.size()); name.find('.') == std::string::npos)
        names.push_back(std::move(name));
  return names;
}

// That holds for the recipe's number, its own or not.
ScheduleSpec schedule_of(const EditedRecipe& recipe, const std::string& hparam) {
  const auto& of_run = recipe.run.optimizer->schedules;
  if (!recipe.route.empty())
    if (const auto given = of_run.find(recipe.route + "." + hparam); given != of_run.end()) return given->second;
  if (const auto own = recipe.spec.schedules.find(hparam); own != recipe.spec.schedules.end()) return own->second;
  const auto rate = of_run.find("lr"); // the rate of a route follows that of the run
  return hparam == "lr" && rate != of_run.end() ? rate->second : ScheduleSpec{};
}

void draw_schedule_menu(const PanelContext& c, const EditedRecipe& recipe, const std::string& hparam,
                        ScheduleSpec schedule) {
  label(c.theme, fmt::format("{} of {}", schedule.kind, hparam), c.theme.colour().text, text::kName);
  if (const Stage* stage = find_stage(Part::schedule, schedule.kind))
    for (const Setting& option : stage->options)
      if (const auto value = draw_option(c, option, schedule_value(schedule, option))) {
        if (double* number = schedule_number(schedule, option.name)) *number = std::get<double>(*value);
        else schedule.shape = std::get<std::string>(*value);
        c.send(command::SetSchedule{recipe.run.id, hparam, schedule, recipe.route});
        ImGui::CloseCurrentPopup();
      }
  ImGui::Separator();
  if (!ImGui::BeginMenu("Schedule another number")) return;
  for (const std::string& name : numbers_of(recipe))
    if (name != "lr" && !recipe.spec.schedules.contains(name) && ImGui::MenuItem(name.c_str()))
      c.send(command::SetSchedule{recipe.run.id, name, {"linear"}, recipe.route});
  ImGui::EndMenu();
}

void draw_schedule(const PanelContext& c, const EditedRecipe& recipe, const std::string& hparam, bool first) {
  const Theme& t = c.theme;
  const ScheduleSpec now = schedule_of(recipe, hparam);
  ImGui::PushID(("schedule." + hparam).c_str());
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = begin_row(c, first ? "schedule" : "and", at);
  if (first && recipe.route.empty()) open_if_asked(c, Part::schedule, "##kind");
  const Stage* stage = find_stage(Part::schedule, now.kind);
  if (begin_dropdown(t, "##kind", now.kind, width, fitting_note(t, now.kind, "of " + hparam, width))) {
    for (const std::string& kind : stage_kinds(Part::schedule))
      if (choice_row(t, {kind, find_stage(Part::schedule, kind)->meaning, kind == now.kind}) && kind != now.kind) {
        ScheduleSpec chosen = now;
        chosen.kind = kind;
        c.send(command::SetSchedule{recipe.run.id, hparam, chosen, recipe.route});
      }
    end_dropdown();
  } else if (stage) {
    item_help(t, documented("How " + hparam + " changes over the steps: " + schedule_words(now), stage->formula,
                            stage->meaning, stage->source)
                     .c_str());
  }
  if (more_button(c, at, "Numbers of this schedule; schedule another hyperparameter"))
    ImGui::OpenPopup("schedule menu");
  if (begin_menu(t, "schedule menu")) {
    draw_schedule_menu(c, recipe, hparam, now);
    end_menu();
  }
  end_row(c, at);
  ImGui::PopID();
}

} // namespace

std::string documented(std::string_view title, std::string_view formula, std::string_view meaning,
                       std::string_view source) {
  std::string text(title);
  for (std::string_view line : {formula, meaning})
    if (!line.empty()) text += "\n" + std::string(line);
  if (!source.empty()) text += "\nSource: " + std::string(source);
  return text;
}

void recipe_indent(const PanelContext& c) {
  ImGui::SetCursorScreenPos({ImGui::GetWindowPos().x + c.theme.snap(12), ImGui::GetCursorScreenPos().y});
}

float recipe_width(const PanelContext& c) {
  const float left = ImGui::GetWindowPos().x + c.theme.snap(12);
  const float right = ImGui::GetCurrentWindow()->WorkRect.Max.x;
  return std::max(c.theme.px(80), right - left - c.theme.snap(12));
}

void difference_line(const PanelContext& c, const RecipeView& view, const std::string& words, const std::string& help) {
  const Theme& t = c.theme;
  recipe_indent(c);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float tall = t.snap(18), middle = std::round(at.y + t.px(7)), left = at.x + t.snap(kLabel);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const RunStyle style = t.run(view.other->style);
  draw_text_aligned(list, t, kUnequal, {left, middle}, t.colour().warning, "≠", 0, 0.5f);
  draw_marker(list, style.marker, {std::round(left + t.px(19)), middle}, t.px(4), style.colour);
  const float after = left + t.px(29);
  draw_text_aligned(list, t, text::kLabel, {after, middle}, t.colour().text2,
                    fit(t, text::kLabel, words, at.x + recipe_width(c) - after), 0, 0.5f);
  ImGui::Dummy({recipe_width(c), tall});
  item_help(t, help.c_str());
}

void draw_recipe_parts(const PanelContext& c, const RecipeView& view, const EditedRecipe& recipe,
                       const std::map<Part, std::string>& differences) {
  for (const Part part : kRecipeParts) {
    const StageChain& chain = recipe.spec.chain(part);
    for (std::size_t i = 0; i < chain.size(); ++i) draw_link(c, recipe, part, i);
    draw_refusal(c, recipe, part);
    if (const auto it = differences.find(part); it != differences.end())
      difference_line(c, view, it->second,
                      fmt::format("{}: {} has {}; {} has {}.", part_name(part), view.other->label, it->second,
                                  view.run.label, chain_text(chain)));
  }
}

void draw_recipe_schedules(const PanelContext& c, const RecipeView& view, const EditedRecipe& recipe,
                           const std::map<std::string, std::string>& differences) {
  std::vector<std::string> scheduled = {"lr"};
  for (const auto& [hparam, schedule] : recipe.spec.schedules)
    if (hparam != "lr") scheduled.push_back(hparam);
  for (const std::string& hparam : scheduled) draw_schedule(c, recipe, hparam, hparam == "lr");
  draw_refusal(c, recipe, Part::schedule);
  for (const auto& [hparam, words] : differences)
    difference_line(c, view, hparam + " " + words,
                    fmt::format("The schedule of {} in {}: {}.", hparam, view.other->label, words));
}

} // namespace polarscope
