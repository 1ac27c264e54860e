#include "app/keys.hpp"

#include <imgui.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

namespace polarscope {
namespace {

struct NamedKey {
  std::string_view name, pretty;
  std::array<ImGuiKeyChord, 3> chords; // 0 ends the list
};

const std::vector<NamedKey>& named_keys() {
  static const std::vector<NamedKey> keys = {
      {"Space", "Space", {ImGuiKey_Space}},
      {"Left", "←", {ImGuiKey_LeftArrow}},
      {"Right", "→", {ImGuiKey_RightArrow}},
      {"Up", "↑", {ImGuiKey_UpArrow}},
      {"Down", "↓", {ImGuiKey_DownArrow}},
      {"Home", "Home", {ImGuiKey_Home}},
      {"End", "End", {ImGuiKey_End}},
      {"PageUp", "Page up", {ImGuiKey_PageUp}},
      {"PageDown", "Page down", {ImGuiKey_PageDown}},
      {"Esc", "Esc", {ImGuiKey_Escape}},
      {"Enter", "Enter", {ImGuiKey_Enter, ImGuiKey_KeypadEnter}},
      {"Delete", "Delete", {ImGuiKey_Delete}},
      {"Insert", "Insert", {ImGuiKey_Insert}},
      {"Backspace", "Backspace", {ImGuiKey_Backspace}},
      {"+", "+", {ImGuiKey_Equal, ImGuiKey_Equal | ImGuiMod_Shift, ImGuiKey_KeypadAdd}},
      {"-", "−", {ImGuiKey_Minus, ImGuiKey_KeypadSubtract}},
      {",", ",", {ImGuiKey_Comma}},
      {".", ".", {ImGuiKey_Period}},
      {"[", "[", {ImGuiKey_LeftBracket}},
      {"]", "]", {ImGuiKey_RightBracket}},
      {"/", "/", {ImGuiKey_Slash}},
      {";", ";", {ImGuiKey_Semicolon}},
  };
  return keys;
}

std::vector<KeyChord> plain_key(std::string_view name) {
  for (const NamedKey& key : named_keys())
    if (key.name == name) {
      std::vector<KeyChord> chords;
      for (ImGuiKeyChord chord : key.chords)
        if (chord != 0) chords.push_back(chord);
      return chords;
    }
  if (name.size() == 1 && name[0] >= 'A' && name[0] <= 'Z') return {ImGuiKey_A + (name[0] - 'A')};
  if (name.size() == 1 && name[0] >= '0' && name[0] <= '9')
    return {ImGuiKey_0 + (name[0] - '0'), ImGuiKey_Keypad0 + (name[0] - '0')};
  if (name.size() >= 2 && name[0] == 'F') {
    int number = 0;
    for (char c : name.substr(1)) {
      if (c < '0' || c > '9') return {};
      number = number * 10 + (c - '0');
    }
    if (number >= 1 && number <= 24) return {ImGuiKey_F1 + (number - 1)};
  }
  return {};
}

// Splits "Ctrl+Shift++" into modifiers and key; the key may itself be "+".
bool split_chord(std::string_view text, int& modifiers, std::string_view& key) {
  modifiers = 0;
  for (;;) {
    if (text.size() > 1) {
      const std::size_t plus = text.find('+', 1);
      if (plus != std::string_view::npos && plus + 1 < text.size()) {
        const std::string_view word = text.substr(0, plus);
        if (word == "Ctrl") modifiers |= ImGuiMod_Ctrl;
        else if (word == "Shift") modifiers |= ImGuiMod_Shift;
        else if (word == "Alt") modifiers |= ImGuiMod_Alt;
        else return false;
        text.remove_prefix(plus + 1);
        continue;
      }
    }
    key = text;
    return !text.empty();
  }
}

Place place_of(const toml::node& node, const std::string& file) {
  const auto begin = node.source().begin;
  return {file, static_cast<int>(begin.line), static_cast<int>(begin.column)};
}

} // namespace

std::vector<KeyChord> parse_keys(std::string_view text) {
  int modifiers = 0;
  std::string_view key;
  if (!split_chord(text, modifiers, key)) return {};
  std::vector<KeyChord> chords = plain_key(key);
  for (KeyChord& chord : chords) chord |= modifiers;
  return chords;
}

std::string pretty_key(std::string_view text) {
  int modifiers = 0;
  std::string_view key;
  if (!split_chord(text, modifiers, key)) return std::string(text);
  std::string out;
  if (modifiers & ImGuiMod_Ctrl) out += "Ctrl ";
  if (modifiers & ImGuiMod_Alt) out += "Alt ";
  if (modifiers & ImGuiMod_Shift) out += "Shift ";
  for (const NamedKey& named : named_keys())
    if (named.name == key) return out + std::string(named.pretty);
  return out + std::string(key);
}

Result<KeyMap> KeyMap::parse(std::string_view text, const std::string& file) {
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    const auto begin = error.source().begin;
    return bad_input(std::string(error.description()),
                     {file, static_cast<int>(begin.line), static_cast<int>(begin.column)});
  }
  const toml::table* keys = table["keys"].as_table();
  if (!keys) return bad_input("no table [keys]", {file, 1, 1});
  KeyMap map;
  std::map<KeyChord, std::string> taken;
  for (const auto& [action, node] : *keys) {
    std::vector<std::string>& list = map.keys_[std::string(action.str())];
    const auto add = [&](const toml::node& one) -> Result<void> {
      const auto word = one.value<std::string>();
      if (!word) return bad_input("a key is text, such as \"Shift+Left\"", place_of(one, file));
      if (word->empty()) return {};
      const std::vector<KeyChord> chords = parse_keys(*word);
      if (chords.empty()) return bad_input(fmt::format("'{}' is not a key", *word), place_of(one, file));
      for (KeyChord chord : chords) {
        const auto [other, added] = taken.emplace(chord, std::string(action.str()));
        if (!added)
          return bad_input(fmt::format("'{}' is already the key of {}", *word, other->second), place_of(one, file));
      }
      list.push_back(*word);
      return {};
    };
    if (const toml::array* several = node.as_array()) {
      for (const toml::node& one : *several)
        if (auto added = add(one); !added) return added.error();
    } else if (auto added = add(node); !added) {
      return added.error();
    }
  }
  return map;
}

void KeyMap::override_with(const KeyMap& other) {
  std::set<KeyChord> taken;
  for (const auto& [action, keys] : other.keys_)
    for (const std::string& key : keys)
      for (KeyChord chord : parse_keys(key)) taken.insert(chord);
  for (auto& [action, keys] : keys_)
    keys.erase(std::remove_if(keys.begin(), keys.end(),
                              [&](const std::string& key) {
                                const auto chords = parse_keys(key);
                                return std::any_of(chords.begin(), chords.end(),
                                                   [&](KeyChord chord) { return taken.count(chord) > 0; });
                              }),
               keys.end());
  for (const auto& [action, keys] : other.keys_) keys_[action] = keys;
}

const std::vector<std::string>& KeyMap::keys(const std::string& action) const {
  static const std::vector<std::string> none;
  const auto found = keys_.find(action);
  return found == keys_.end() ? none : found->second;
}

std::string KeyMap::label(const std::string& action) const {
  const auto& list = keys(action);
  return list.empty() ? std::string() : pretty_key(list.front());
}

} // namespace polarscope
