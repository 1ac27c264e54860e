// Keys as text ("Space", "Shift+Left", "Ctrl++") and the map from actions to keys. The defaults are assets/keys.toml;
// a file of that name in the user's configuration folder overrides single actions.
#pragma once

#include "engine/result.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// ImGui's number for a chord (key + modifiers).
using KeyChord = int;

// The chords that one written key stands for: "+" is on different keys of different keyboards and on the number block.
// Empty when the text names no key.
std::vector<KeyChord> parse_keys(std::string_view text);

class KeyMap {
public:
  // [keys] "<action id>" = "<key>" or a list of them. Unknown keys and two actions on one key are errors with a place.
  static Result<KeyMap> parse(std::string_view text, const std::string& file);
  // Replaces the keys of the actions that `other` names; they lose their keys elsewhere.
  void override_with(const KeyMap& other);

  // Keys as written, in order; empty for an action without a key.
  const std::vector<std::string>& keys(const std::string& action) const;
  // First key as menus print it ("Shift ←"), or "".
  std::string label(const std::string& action) const;
  const std::map<std::string, std::vector<std::string>>& all() const { return keys_; }

private:
  std::map<std::string, std::vector<std::string>> keys_;
};

// "Shift+Left" as people read it: "Shift ←".
std::string pretty_key(std::string_view text);

} // namespace polarscope
