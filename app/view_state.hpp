// What the window alone knows: which runs are drawn, which axes are logarithmic, what the pointer is over. Nothing of
// it reaches the engine; panels read and write it, and a command to the engine is the only other thing they produce.
#pragma once

#include "app/projection_view.hpp"
#include "engine/command.hpp"
#include "engine/frame.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace polarscope {

enum class LayoutKind { study, show, bench };
enum class PolarDrawing { polar, unrolled, sphere };

struct PolarChoice {
  PolarDrawing drawing = PolarDrawing::polar;
  PlaneChoice plane; // what is shown, and in which plane
  bool log_radius = false;
  float turn_yaw = 0, turn_pitch = 0; // radians that keys ask for; the sphere takes them
};

struct AxisScales {
  bool log_x = false, log_y = false;
};

// A range of steps, both ends included.
struct StepRange {
  double from = 0, to = 1;
};

// What the pointer is over, in whichever panel; shown by all of them. Written while a frame is drawn, read in the next.
struct Hover {
  std::optional<RunId> run;
  std::optional<long> step;
  std::optional<int> row; // of the matrix
};

// Things only the window's loop can do; actions ask for them here.
struct WindowRequests {
  bool quit = false;
  bool screenshot = false;
  bool reset_layout = false;
  bool toggle_fullscreen = false;
  int focus_panel = 0;           // +1, −1: the keyboard goes to the panel after or before
  std::string front_panel;       // this panel comes to the front, with the keyboard
  std::optional<Part> open_part; // the recipe opens the list of stages of this part
  std::string copied_text;       // for the clipboard
};

// The value a slider shows while it is dragged: the engine's answer to the last preview may be a frame behind.
struct PendingEdit {
  RunId run;
  std::string name;
  double value;
};

// The column that a table is sorted by; "" is the rows' own order.
struct TableSort {
  std::string column;
  bool falling = false;
};

// What the panels of Bench show of a sweep.
struct BenchChoice {
  int table = 0;  // 0: every run at its best; 1: every member
  int shown = 0;  // curves and bests of 0: each at its best; 1: all at the selected member's numbers; 2: all members
  TableSort sort; // of the members
  TableSort cost; // of the costs
  std::string map_x, map_y; // swept numbers; "" is the first, and for y the run
};

// The dialog that writes a run's recipe as a file: what was typed, and what came of the last try.
struct SaveRecipe {
  RunId run = 0;
  std::string name, title, folder;
  std::string error; // until something else is typed
};

struct LessonProgress {
  bool open = true;
  std::string name = "first_look"; // under scenes/lessons
  std::size_t step = 0;
  bool finished = false;
  bool start = false; // asks the guide to begin it, with its scene as the file has it
  bool again = false; // asks the guide to begin it, with its scene as it stands
  // Said by the guide:
  bool here = false;  // the scene on screen is the one the present part is about
  bool shown = false; // so the part is on screen
};

struct ViewState {
  LayoutKind layout = LayoutKind::study;
  std::string theme = "dark"; // of Study
  std::string show_theme = "projector";
  float zoom = 1.0f; // UI scale chosen by the user, on top of the monitor's
  bool plots_only = false;
  std::map<std::string, bool> panels; // shown or not, by panel name; absent: the panel's default

  std::set<RunId> hidden;
  std::optional<RunId> solo;
  RunId followed_selection = 0;  // the selected run of the last frame; see follow_selection()
  std::optional<RunId> renaming; // its label is an input field now
  EditMode edit_mode = EditMode::from_here;

  std::optional<PendingEdit> pending;    // a slider under the user's hand
  std::optional<RunId> compare_with;     // the recipe marks what differs from this run's
  std::set<std::string> unfolded_routes; // targets whose parts the recipe shows
  SaveRecipe save_recipe;

  std::optional<StepRange> range;           // shared by all plots over steps; empty: 0 … the scene's end
  std::map<std::string, AxisScales> scales; // by plot's panel name
  std::string focused_plot = "loss";        // where L and Shift L act: the plot last under the pointer
  std::string guest_panel;                  // a plot that the lesson needs in the layout Show as well; "" for none

  PolarChoice polar;
  std::string metric = "angular_update"; // of the panel magnitude & direction
  bool against_norm = true;
  int inspector_slot = 0;
  std::optional<std::pair<int, int>> inspector_cell;

  BenchChoice bench;

  Hover hover, next_hover;

  bool help_open = false, scenes_open = false, add_open = false, save_open = false;
  std::string scene_filter;
  std::string notice; // the window's own; cleared when the engine has something newer to say
  bool notice_is_error = false;
  std::uint64_t notice_number = 0; // counts what the window said
  std::string notice_seen;         // put away by a click, where no status bar shows it

  LessonProgress lesson;
  WindowRequests requests;

  bool visible(RunId run) const { return solo ? *solo == run : hidden.count(run) == 0; }
  bool dialog_open() const { return help_open || scenes_open || add_open || save_open; }
  void close_dialogs() { help_open = scenes_open = add_open = save_open = false; }
  void say(std::string text, bool error = false) {
    notice = std::move(text);
    notice_is_error = error;
    ++notice_number;
    notice_seen.clear();
  }
  // Steps that plots over steps show.
  StepRange steps_shown(const Frame& frame) const {
    if (range) return *range;
    return {0, static_cast<double>(frame.steps > 0 ? frame.steps : 1)};
  }
  const std::string& current_theme() const { return layout == LayoutKind::show ? show_theme : theme; }
};

} // namespace polarscope
