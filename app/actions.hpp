// Actions: everything a user can invoke by name. One table feeds the menus, the keys, the tooltips and the page of F1.
//
// To add an action: one entry in actions.cpp and, if it has a key, one line in assets/keys.toml.
#pragma once

#include "app/keys.hpp"
#include "app/view_state.hpp"
#include "engine/command.hpp"
#include "engine/frame.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

using CommandSink = std::function<void(Command)>;

struct ActionContext {
  const Frame& frame;
  ViewState& view;
  const CommandSink& send;
};

struct Action {
  std::string id;         // "time.play"
  std::string menu;       // "Time", or "Runs/Only" for a menu inside it
  std::string label;      // "Play or pause"
  std::string help;       // one sentence of at most 20 words
  bool separator = false; // a line above it in the menu
  bool repeats = false;   // acts again while the key is held
  std::function<void(ActionContext&)> run;
  std::function<bool(const ActionContext&)> enabled = {}; // absent: always
  std::function<bool(const ActionContext&)> checked = {}; // absent: not a switch
};

class Actions {
public:
  explicit Actions(KeyMap keys);

  const std::vector<Action>& all() const { return actions_; }
  const Action* find(std::string_view id) const;
  static const std::vector<std::string>& menus(); // in order

  const KeyMap& keys() const { return keys_; }
  std::string key_label(std::string_view id) const { return keys_.label(std::string(id)); }
  // "Play or pause (Space)" and the help sentence.
  std::string tooltip(std::string_view id) const;

  bool enabled(const Action& action, const ActionContext& context) const;
  // Runs an enabled action; false when there is none of that name or it is off.
  bool invoke(std::string_view id, ActionContext& context) const;

  // Reads the keyboard of this ImGui frame and runs what was pressed. While a text field is active only function keys
  // act; behind a dialog or an open menu nothing does; the arrow keys belong to a control that has the keyboard.
  void handle_keys(ActionContext& context) const;

private:
  void add_time();
  void add_runs();
  void add_recipe();
  void add_view();
  void add_rest();
  void add_lesson(); // actions_lesson.cpp

  std::vector<Action> actions_;
  KeyMap keys_;
};

// The table's keys: assets/keys.toml, with the user's overrides where `own` asks for them. A broken user file leaves the
// defaults; its error goes to `complaint`.
Result<KeyMap> load_keys(bool own, std::string& complaint);

// Speeds offered by "faster" and "slower", steps per second; 0 (as fast as possible) follows the last.
const std::vector<double>& speed_steps();

} // namespace polarscope
