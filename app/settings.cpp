#include "app/settings.hpp"

#include "app/panel.hpp"
#include "engine/files.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace polarscope {

std::string config_folder() {
  if (const char* own = std::getenv("POLARSCOPE_CONFIG"); own && *own) return own;
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg && *xdg) return std::string(xdg) + "/polarscope";
  if (const char* home = std::getenv("HOME"); home && *home) return std::string(home) + "/.config/polarscope";
  return {};
}

Result<void> write_to_config_folder(const std::string& name, std::string_view text) {
  const std::string folder = config_folder();
  if (folder.empty()) return bad_input("no configuration folder is known");
  std::error_code error;
  std::filesystem::create_directories(folder, error); // write_file reports what is wrong with it
  return write_file(folder + "/" + name, text);
}

std::string settings_text(const ViewState& view) {
  std::string text =
      fmt::format("version = 1\ntheme = \"{}\"\nshow_theme = \"{}\"\nsize = {:.3f}\nlesson = {}\n\n[panels]\n",
                  view.theme, view.show_theme, view.zoom, view.lesson.open);
  for (const auto& [name, shown] : view.panels) text += fmt::format("{} = {}\n", name, shown);
  return text;
}

void read_settings(std::string_view text, ViewState& view) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error&) {
    return; // the defaults, and the next save replaces the file
  }
  const auto theme = [&](const char* key, std::string& into) {
    const auto word = table[key].value<std::string>();
    if (word && (*word == "dark" || *word == "light" || *word == "projector")) into = *word;
  };
  theme("theme", view.theme);
  theme("show_theme", view.show_theme);
  if (const auto size = table["size"].value<double>()) view.zoom = std::clamp(static_cast<float>(*size), 0.75f, 3.0f);
  if (const auto open = table["lesson"].value<bool>()) view.lesson.open = *open;
  if (const toml::table* shown = table["panels"].as_table())
    for (const auto& [name, node] : *shown)
      if (const auto value = node.value<bool>(); value && find_panel(name.str()))
        view.panels[std::string(name.str())] = *value;
}

} // namespace polarscope
