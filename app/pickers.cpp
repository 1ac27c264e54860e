#include "app/pickers.hpp"

#include "app/caches.hpp"
#include "app/lesson.hpp"
#include "app/overlays.hpp"
#include "app/widgets.hpp"

#include "misc/cpp/imgui_stdlib.h"
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace polarscope {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 200;          // looked into
constexpr std::uintmax_t kLargestFile = 1 << 20; // bytes

std::vector<std::string> toml_files_in(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && files.size() < kMostFiles;
       at.increment(error)) {
    std::error_code unreadable;
    if (at->path().extension() == ".toml" && at->is_regular_file(unreadable) &&
        at->file_size(unreadable) <= kLargestFile)
      files.push_back((folder == "." ? at->path().filename() : at->path()).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> own_files(const Scene& scene) {
  const std::vector<SceneEntry> installed = installed_scenes();
  const std::string name = installed_name(scene);
  const bool own =
      std::none_of(installed.begin(), installed.end(), [&](const SceneEntry& e) { return e.name == name; });
  const fs::path folder = fs::path(scene.path).parent_path();
  return toml_files_in(own && !folder.empty() ? folder : fs::path("."));
}

// One line of a list: name, then its description in the quieter ink. True when chosen.
bool list_row(const PanelContext& c, const ListEntry& entry, bool chosen) {
  const Theme& theme = c.theme;
  ImGui::PushStyleColor(ImGuiCol_Header, theme.colour().hover);
  ImGui::PushStyleColor(ImGuiCol_HeaderHovered, theme.colour().hover);
  const std::string words = entry.description.empty() ? entry.name : entry.name + " · " + entry.description;
  const float width = ImGui::GetContentRegionAvail().x;
  const float pad = theme.px(8), wrap = std::max(theme.px(60), width - 2 * pad);
  const ImVec2 words_size = ImGui::CalcTextSize(words.c_str(), nullptr, false, wrap);
  const float height = theme.px(30) + words_size.y;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const bool pressed =
      ImGui::Selectable(("##" + entry.name).c_str(), chosen, ImGuiSelectableFlags_None, {width, height});
  ImDrawList* list = ImGui::GetWindowDrawList();
  draw_text(list, theme, text::kName, {at.x + pad, at.y + theme.px(6)}, theme.colour().text,
            entry.title.empty() ? entry.name : entry.title);
  list->AddText(nullptr, 0, {at.x + pad, at.y + theme.px(24)}, theme.colour().text2, words.c_str(), nullptr, wrap);
  ImGui::PopStyleColor(2);
  return pressed;
}

// The filter and what matches it; Enter takes the first. Returns the name of what was chosen, or "". `now`: the entry
// marked while nothing is typed.
std::string choose(const PanelContext& c, const char* hint, const char* what, const std::vector<ListEntry>& entries,
                   const std::string& now) {
  if (ImGui::IsWindowAppearing()) {
    c.view.scene_filter.clear();
    ImGui::SetKeyboardFocusHere();
  }
  ImGui::SetNextItemWidth(-1);
  const bool entered =
      ImGui::InputTextWithHint("##filter", hint, &c.view.scene_filter, ImGuiInputTextFlags_EnterReturnsTrue);
  const std::string& filter = c.view.scene_filter;
  const std::vector<const ListEntry*> found = matching(filter, entries);
  if (entered && (found.empty() || filter.empty())) ImGui::SetKeyboardFocusHere(-1); // there is more to type
  ImGui::Dummy({1, c.theme.px(4)});
  if (found.empty()) {
    const std::string words = fmt::format("no {} matches “{}”", what, filter);
    label(c.theme, fit(c.theme, text::kLabel, words, ImGui::GetContentRegionAvail().x), c.theme.colour().text2);
    return {};
  }
  std::string chosen = entered && !filter.empty() ? found.front()->name : std::string();
  for (const ListEntry* entry : found)
    if (list_row(c, *entry, filter.empty() ? entry->name == now : entry == found.front())) chosen = entry->name;
  return chosen;
}

std::vector<ListEntry> joined(std::vector<ListEntry> own, const std::vector<ListEntry>& installed) {
  own.insert(own.end(), installed.begin(), installed.end());
  return own;
}

} // namespace

std::vector<ListEntry> own_scenes(const Scene& scene) {
  std::vector<ListEntry> entries;
  for (const std::string& file : own_files(scene))
    if (const auto read = load_scene(file)) entries.push_back({file, read->title, read->description});
  return entries;
}

std::vector<ListEntry> own_optimizers(const Scene& scene) {
  std::vector<ListEntry> entries;
  for (const std::string& file : own_files(scene))
    if (const auto spec = load_optimizer(file)) entries.push_back({file, spec->title, spec->description});
  return entries;
}

void draw_scene_picker(const PanelContext& c) {
  auto& installed = c.caches.scenes;
  if (installed.empty())
    for (SceneEntry& entry : installed_scenes())
      installed.push_back({std::move(entry.name), std::move(entry.title), std::move(entry.description)});
  if (begin_overlay(c, "Open a scene", {640, 560}, &c.view.scenes_open)) {
    if (ImGui::IsWindowAppearing()) c.caches.listed = joined(own_scenes(*c.frame.scene), installed);
    const std::string now = installed_name(*c.frame.scene);
    const std::string name = choose(c, "Filter by name or words", "scene", c.caches.listed, now);
    if (!name.empty()) {
      c.send(command::OpenScene{name});
      c.view.scenes_open = false;
    }
  }
  end_overlay();
}

void draw_optimizer_picker(const PanelContext& c) {
  auto& installed = c.caches.presets;
  if (installed.empty())
    for (const std::string& name : preset_names())
      if (auto spec = load_optimizer(name)) installed.push_back({name, spec->title, spec->description});
  if (begin_overlay(c, "Add a run", {560, 560}, &c.view.add_open)) {
    if (ImGui::IsWindowAppearing()) c.caches.listed = joined(own_optimizers(*c.frame.scene), installed);
    const std::string name = choose(c, "Filter optimizers", "optimizer", c.caches.listed, "");
    if (!name.empty()) {
      c.send(command::AddRun{name});
      c.view.add_open = false;
    }
  }
  end_overlay();
}

} // namespace polarscope
