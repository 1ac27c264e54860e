#include "app/actions.hpp"

#include "app/lesson.hpp"
#include "app/panel.hpp"
#include "app/settings.hpp"
#include "app/visibility.hpp"
#include "engine/embedded.hpp"
#include "engine/scene.hpp"

#include <fmt/format.h>
#include <imgui.h>
#include <imgui_internal.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <utility>

namespace polarscope {
namespace {

using Context = ActionContext;

bool has_runs(const Context& c) { return !c.frame.runs.empty(); }
bool has_selection(const Context& c) { return c.frame.find(c.frame.selected) != nullptr; }

const RunFrame* run_at(const Frame& frame, int index) {
  return index < static_cast<int>(frame.runs.size()) ? &frame.runs[static_cast<std::size_t>(index)] : nullptr;
}

void change_speed(Context& c, int direction) {
  const auto& steps = speed_steps();
  const double now = c.frame.speed;
  double next = now;
  if (direction > 0) {
    next = 0; // beyond the last: as fast as possible
    if (now > 0)
      for (double s : steps)
        if (s > now * 1.001) {
          next = s;
          break;
        }
  } else {
    next = now > 0 ? steps.front() : steps.back();
    if (now > 0)
      for (double s : steps)
        if (s < now * 0.999) next = s;
  }
  c.send(command::SetSpeed{next});
  c.view.say(next > 0 ? fmt::format("speed {} steps per second", next) : "as fast as possible");
}

void jump_to_event(Context& c, int direction) {
  const long now = c.frame.cursor;
  const Event* best = nullptr;
  for (const Event& e : c.frame.events) {
    if (direction > 0 ? e.step <= now : e.step >= now) continue;
    if (e.step > c.frame.head) continue;
    if (!best || (direction > 0 ? e.step < best->step : e.step > best->step)) best = &e;
  }
  if (!best) {
    c.view.say(direction > 0 ? "no later event" : "no earlier event");
    return;
  }
  c.send(command::MoveCursor{best->step});
  c.view.say(fmt::format("{} at step {}", best->text, best->step));
}

std::string folder_of(const std::string& name) {
  const auto slash = name.find_last_of('/');
  return slash == std::string::npos ? std::string() : name.substr(0, slash);
}

void open_neighbour(Context& c, int direction) {
  const std::string now = installed_name(*c.frame.scene);
  std::vector<std::string> names;
  for (const SceneEntry& entry : installed_scenes())
    if (folder_of(entry.name) == folder_of(now)) names.push_back(entry.name);
  const auto here = std::find(names.begin(), names.end(), now);
  if (names.empty() || (here != names.end() && names.size() == 1)) {
    c.view.say("no other scene in this folder");
    return;
  }
  std::size_t next = 0;
  if (here != names.end()) {
    const auto count = static_cast<long>(names.size());
    next = static_cast<std::size_t>(((here - names.begin()) + direction + count) % count);
  }
  c.send(command::OpenScene{names[next]});
}

// Moves the start of the selected run along its ray; the path is computed again from step 0.
void scale_start(Context& c, double factor) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  const auto index = static_cast<std::size_t>(c.view.polar.plane.parameter);
  if (!run || index >= run->start->size()) return;
  std::vector<double> point = (*run->start)[index];
  double square = 0;
  for (double& x : point) x *= factor, square += x * x;
  c.send(command::MoveStart{run->id, run->program->parameters()[index].name, point, false});
  c.view.say(fmt::format("start of {} at norm {:.3g}", run->label, std::sqrt(square)));
}

void select_neighbour(Context& c, int direction) {
  const auto& runs = c.frame.runs;
  const auto count = static_cast<int>(runs.size());
  int here = 0;
  for (int i = 0; i < count; ++i)
    if (runs[static_cast<std::size_t>(i)].id == c.frame.selected) here = i;
  for (int i = 1; i < count; ++i) { // hidden runs are passed over
    const RunId run = runs[static_cast<std::size_t>((here + i * direction + i * count) % count)].id;
    if (c.view.visible(run)) return c.send(command::SelectRun{run});
  }
  c.view.say("no other run is shown");
}

// What differs from the file is set back, by the same rule as any edit.
void reset_settings(Context& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run) return;
  for (std::size_t i = 0; i < run->hparams.size(); ++i)
    if (run->hparams[i] != run->opened_hparams[i])
      c.send(command::SetHparam{run->id, run->program->hparams()[i].setting.name, run->opened_hparams[i],
                                c.view.edit_mode});
}

bool settings_differ(const Context& c) {
  const RunFrame* run = c.frame.find(c.frame.selected);
  return run && run->hparams != run->opened_hparams;
}

void toggle_dialog(ViewState& view, bool ViewState::*dialog) {
  const bool open = view.*dialog;
  view.close_dialogs();
  view.*dialog = !open;
}

AxisScales& focused_scales(ViewState& view) { return view.scales[view.focused_plot]; }

bool close_top(Context& c) {
  ViewState& view = c.view;
  if (view.dialog_open()) return view.close_dialogs(), true;
  if (view.renaming) return view.renaming.reset(), true;
  if (view.plots_only) return view.plots_only = false, true;
  if (view.solo) return end_solo(c), true;
  if (view.range) return view.range.reset(), true;
  return false;
}

} // namespace

const std::vector<double>& speed_steps() {
  static const std::vector<double> steps = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
  return steps;
}

Actions::Actions(KeyMap keys) : keys_(std::move(keys)) {
  add_rest();
  add_time();
  add_runs();
  add_view();
}

const std::vector<std::string>& Actions::menus() {
  static const std::vector<std::string> menus = {"File", "Scene", "Time", "Runs", "View", "Lesson", "Help"};
  return menus;
}

void Actions::add_rest() {
  actions_.push_back({"file.screenshot", "File", "Save a picture", "Writes the window as a PNG file.", false, false,
                      [](Context& c) { c.view.requests.screenshot = true; }});
  actions_.push_back({"file.quit", "File", "Quit", "Closes the window.", true, false,
                      [](Context& c) { c.view.requests.quit = true; }});
  actions_.push_back({"scene.open", "Scene", "Open a scene…", "Lists the scenes with one sentence about each.", false,
                      false, [](Context& c) { toggle_dialog(c.view, &ViewState::scenes_open); }});
  actions_.push_back({"scene.reload", "Scene", "Reload the scene",
                      "Opens its file again: edits and added runs are dropped.", false, false,
                      [](Context& c) { c.send(command::OpenScene{c.frame.scene->path}); },
                      [](const Context& c) { return !c.frame.scene->path.empty(); }});
  actions_.push_back({"scene.previous", "Scene", "Previous scene", "Opens the scene before this one in its folder.",
                      true, false, [](Context& c) { open_neighbour(c, -1); }});
  actions_.push_back({"scene.next", "Scene", "Next scene", "Opens the scene after this one in its folder.", false,
                      false, [](Context& c) { open_neighbour(c, +1); }});
  add_lesson();
  actions_.push_back({"help.keys", "Help", "Help and keys", "Lists every action with its key.", false, false,
                      [](Context& c) { toggle_dialog(c.view, &ViewState::help_open); }});
  actions_.push_back({"close", "Help", "Close", "Closes what is open, then drops solo and zoom.", false, false,
                      [](Context& c) { close_top(c); }});
}

void Actions::add_time() {
  const auto not_first = [](const Context& c) { return c.frame.cursor > 0; };
  actions_.push_back({"time.play", "Time", "Play or pause", "Computes on; from the past it first replays.", false,
                      false,
                      [](Context& c) {
                        if (c.frame.playing) c.send(command::Pause{});
                        else c.send(command::Play{});
                      },
                      has_runs, [](const Context& c) { return c.frame.playing; }});
  actions_.push_back({"time.forward", "Time", "One step forward", "Shows the next step; computes it at the head.", true,
                      true, [](Context& c) { c.send(command::StepBy{1}); }, has_runs});
  actions_.push_back({"time.back", "Time", "One step back", "Shows the step before; computes nothing.", false, true,
                      [](Context& c) { c.send(command::StepBy{-1}); }, not_first});
  actions_.push_back({"time.forward_ten", "Time", "Ten steps forward", "Shows the step ten later.", false, true,
                      [](Context& c) { c.send(command::StepBy{10}); }, has_runs});
  actions_.push_back({"time.back_ten", "Time", "Ten steps back", "Shows the step ten earlier.", false, true,
                      [](Context& c) { c.send(command::StepBy{-10}); }, not_first});
  actions_.push_back({"time.first", "Time", "First step", "Moves the cursor to step 0.", false, false,
                      [](Context& c) { c.send(command::MoveCursor{0}); }, not_first});
  actions_.push_back({"time.head", "Time", "Head", "Moves the cursor to the last computed step.", false, false,
                      [](Context& c) { c.send(command::MoveCursor{c.frame.head}); },
                      [](const Context& c) { return c.frame.cursor < c.frame.head; }});
  actions_.push_back({"time.previous_event", "Time", "Previous event", "Moves the cursor to the event before.", true,
                      true, [](Context& c) { jump_to_event(c, -1); }});
  actions_.push_back({"time.next_event", "Time", "Next event", "Moves the cursor to the event after.", false, true,
                      [](Context& c) { jump_to_event(c, +1); }});
  actions_.push_back({"time.faster", "Time", "Faster", "Raises the speed of playing.", true, true,
                      [](Context& c) { change_speed(c, +1); }});
  actions_.push_back({"time.slower", "Time", "Slower", "Lowers the speed of playing.", false, true,
                      [](Context& c) { change_speed(c, -1); }});
  actions_.push_back({"time.as_fast",
                      "Time",
                      "As fast as possible",
                      "Plays without a limit of speed.",
                      false,
                      false,
                      [](Context& c) { c.send(command::SetSpeed{c.frame.speed > 0 ? 0.0 : c.frame.scene->speed}); },
                      {},
                      [](const Context& c) { return !(c.frame.speed > 0); }});
  actions_.push_back({"time.restart", "Time", "Restart",
                      "Goes back to step 0. Edits are kept: their last values act from the start. Reload drops them.",
                      true, false, [](Context& c) { c.send(command::Restart{}); }, has_runs});
  actions_.push_back({"time.from_here",
                      "Time",
                      "Edits apply from here",
                      "A changed setting acts from the next step.",
                      true,
                      false,
                      [](Context& c) { c.view.edit_mode = EditMode::from_here; },
                      {},
                      [](const Context& c) { return c.view.edit_mode == EditMode::from_here; }});
  actions_.push_back({"time.from_start",
                      "Time",
                      "Edits apply from step 0",
                      "A changed setting redraws the whole path to the same step.",
                      false,
                      false,
                      [](Context& c) { c.view.edit_mode = EditMode::from_start; },
                      {},
                      [](const Context& c) { return c.view.edit_mode == EditMode::from_start; }});
}

void Actions::add_runs() {
  actions_.push_back({"runs.add", "Runs", "Add a run…", "Lists the optimizers; the new run catches up from step 0.",
                      false, false, [](Context& c) { toggle_dialog(c.view, &ViewState::add_open); }});
  actions_.push_back({"runs.duplicate", "Runs", "Duplicate", "Adds a copy of the selected run.", false, false,
                      [](Context& c) { c.send(command::DuplicateRun{c.frame.selected}); }, has_selection});
  actions_.push_back({"runs.rename", "Runs", "Rename", "Gives the selected run another name.", false, false,
                      [](Context& c) { c.view.renaming = c.frame.selected; }, has_selection});
  actions_.push_back({"runs.remove", "Runs", "Remove", "Takes the selected run away.", false, false,
                      [](Context& c) { c.send(command::RemoveRun{c.frame.selected}); },
                      [](const Context& c) { return has_selection(c) && c.frame.runs.size() > 1; }});
  actions_.push_back({"runs.next", "Runs", "Select next run", "Recipe and inspector show the run below.", true, true,
                      [](Context& c) { select_neighbour(c, +1); }, has_runs});
  actions_.push_back({"runs.previous", "Runs", "Select previous run", "Recipe and inspector show the run above.", false,
                      true, [](Context& c) { select_neighbour(c, -1); }, has_runs});
  actions_.push_back({"runs.start_inwards", "Runs", "Start inwards",
                      "Moves the selected run's start to a smaller norm.", false, true,
                      [](Context& c) { scale_start(c, 1 / 1.1); }, has_selection});
  actions_.push_back({"runs.start_outwards", "Runs", "Start outwards",
                      "Moves the selected run's start to a larger norm.", false, true,
                      [](Context& c) { scale_start(c, 1.1); }, has_selection});
  actions_.push_back({"runs.reset_settings", "Runs", "Settings of the file",
                      "Sets the selected run's hyperparameters back to the file's values.", false, false,
                      reset_settings, settings_differ});
  actions_.push_back({"runs.show_all", "Runs", "Show all", "Ends hiding and solo.", true, false,
                      [](Context& c) { show_all(c); },
                      [](const Context& c) { return !c.view.hidden.empty() || c.view.solo; }});
  add_recipe();
  for (int solo = 0; solo < 2; ++solo)
    for (int i = 0; i < 9; ++i) {
      Action action;
      action.id = fmt::format("runs.{}.{}", solo ? "solo" : "toggle", i + 1);
      action.menu = solo ? "Runs/Only" : "Runs/Show or hide";
      action.label = fmt::format("{} run {}", solo ? "Only" : "Show", i + 1);
      action.help = solo ? fmt::format("Shows run {} alone; again shows all.", i + 1)
                         : fmt::format("Shows or hides run {}.", i + 1);

      action.enabled = [i](const Context& c) { return run_at(c.frame, i) != nullptr; };
      if (solo) {
        action.run = [i](Context& c) { toggle_solo(c, run_at(c.frame, i)->id); };
        action.checked = [i](const Context& c) {
          const RunFrame* run = run_at(c.frame, i);
          return run && c.view.solo == run->id;
        };
      } else {
        action.run = [i](Context& c) { toggle_shown(c, run_at(c.frame, i)->id); };
        action.checked = [i](const Context& c) {
          const RunFrame* run = run_at(c.frame, i);
          return run && c.view.visible(run->id);
        };
      }
      actions_.push_back(std::move(action));
    }
}

void Actions::add_view() {
  const auto layout = [this](const char* id, const char* label, const char* help, LayoutKind kind, bool line) {
    actions_.push_back({id,
                        "View",
                        label,
                        help,
                        line,
                        false,
                        [kind](Context& c) { c.view.layout = kind; },
                        {},
                        [kind](const Context& c) { return c.view.layout == kind; }});
  };
  layout("view.study", "Layout Study", "All panels.", LayoutKind::study, false);
  layout("view.show", "Layout Show", "Polar view and loss in large type, for a class.", LayoutKind::show, false);
  layout("view.bench", "Layout Bench", "Sweeps: every run at its best, the map of settings, bands of the loss.",
         LayoutKind::bench, false);
  actions_.push_back({"view.reset_layout", "View", "Reset layout", "Puts every panel back in its place.", false, false,
                      [](Context& c) {
                        c.view.requests.reset_layout = true;
                        c.view.panels.clear();
                        c.view.plots_only = false;
                      }});

  const auto drawing = [this](const char* id, const char* label, const char* help, PolarDrawing kind, bool line) {
    actions_.push_back({id, "View", label, help, line, false, [kind](Context& c) { c.view.polar.drawing = kind; },
                        [kind](const Context& c) { return kind != PolarDrawing::sphere || has_sphere(c.frame); },
                        [kind](const Context& c) { return c.view.polar.drawing == kind; }});
  };
  drawing("view.polar", "Polar", "Angle is direction, radius is norm.", PolarDrawing::polar, true);
  drawing("view.unrolled", "Unrolled", "Net angle to the right, norm upward.", PolarDrawing::unrolled, false);
  drawing("view.sphere", "Sphere", "Weights of three numbers on their sphere.", PolarDrawing::sphere, false);
  const auto turn = [&](const char* id, const char* label, float yaw, float pitch) {
    actions_.push_back({id, "View/Turn the sphere", label, "Turns the sphere by five degrees.", false, true,
                        [yaw, pitch](Context& c) { c.view.polar.turn_yaw += yaw, c.view.polar.turn_pitch += pitch; },
                        [](const Context& c) { return c.view.polar.drawing == PolarDrawing::sphere; }});
  };
  constexpr float kFiveDegrees = 0.0873f;
  turn("view.turn_left", "To the left", kFiveDegrees, 0);
  turn("view.turn_right", "To the right", -kFiveDegrees, 0);
  turn("view.turn_up", "Upwards", 0, -kFiveDegrees);
  turn("view.turn_down", "Downwards", 0, kFiveDegrees);
  actions_.push_back({"view.log_radius",
                      "View",
                      "Logarithmic radius",
                      "Equal ratios of the norm take equal space.",
                      false,
                      false,
                      [](Context& c) { c.view.polar.log_radius = !c.view.polar.log_radius; },
                      {},
                      [](const Context& c) { return c.view.polar.log_radius; }});
  actions_.push_back(
      {"view.log_y", "View", "Log y", "Logarithmic upward axis of the plot used last.", true, false, [](Context& c) {
         auto& s = focused_scales(c.view);
         s.log_y = !s.log_y;
       }});
  actions_.push_back({"view.log_x", "View", "Log x", "Logarithmic axis to the right of the plot used last.", false,
                      false, [](Context& c) {
                        auto& s = focused_scales(c.view);
                        s.log_x = !s.log_x;
                      }});
  actions_.push_back({"view.whole_range", "View", "All steps", "Ends the zoom to a range of steps.", false, false,
                      [](Context& c) { c.view.range.reset(); },
                      [](const Context& c) { return c.view.range.has_value(); }});

  for (const char* name : {"dark", "light", "projector"}) {
    const std::string word = name;
    actions_.push_back(
        {"view.theme." + word,
         "View/Theme",
         "Theme " + word,
         "Colours and type of this layout.",
         false,
         false,
         [word](Context& c) { (c.view.layout == LayoutKind::show ? c.view.show_theme : c.view.theme) = word; },
         {},
         [word](const Context& c) { return c.view.current_theme() == word; }});
  }
  const auto zoom = [this](const char* id, const char* label, const char* help, float factor) {
    actions_.push_back({id, "View", label, help, false, true, [factor](Context& c) {
                          c.view.zoom = factor == 0 ? 1.0f : std::clamp(c.view.zoom * factor, 0.75f, 3.0f);
                          if (std::abs(c.view.zoom - 1.0f) < 0.04f) c.view.zoom = 1.0f;
                          c.view.say(fmt::format("size {:.0f} %", c.view.zoom * 100.0f));
                        }});
  };
  zoom("view.larger", "Larger", "Larger type and controls, up to 300 %.", 1.1f);
  zoom("view.smaller", "Smaller", "Smaller type and controls, down to 75 %.", 1.0f / 1.1f);
  zoom("view.normal_size", "Normal size", "Type and controls at 100 %.", 0.0f);
  actions_.push_back({"view.plots_only",
                      "View",
                      "Plots only",
                      "Hides everything but the plots.",
                      true,
                      false,
                      [](Context& c) { c.view.plots_only = !c.view.plots_only; },
                      {},
                      [](const Context& c) { return c.view.plots_only; }});
  actions_.push_back({"view.next_panel", "View", "Next panel",
                      "Moves the keyboard to the next panel; Tab goes from control to control in it.", true, false,
                      [](Context& c) { c.view.requests.focus_panel = +1; }});
  actions_.push_back({"view.previous_panel", "View", "Previous panel", "Moves the keyboard to the panel before.", false,
                      false, [](Context& c) { c.view.requests.focus_panel = -1; }});
  actions_.push_back({"view.full_screen", "View", "Full screen", "Fills the screen.", false, false,
                      [](Context& c) { c.view.requests.toggle_fullscreen = true; }});
  for (const Panel& panel : panels()) {
    const std::string name = panel.name;
    actions_.push_back({"view.panel." + name, "View/Panels", std::string("Panel ") + panel.title,
                        "Shows or hides this panel.", false, false,
                        [name](Context& c) {
                          bool& shown = c.view.panels.try_emplace(name, true).first->second;
                          shown = !shown;
                        },
                        [name](const Context& c) { return find_panel(name)->in_layout(c.view.layout); },
                        [name](const Context& c) { return panel_shown(c.view, name); }});
  }
}

const Action* Actions::find(std::string_view id) const {
  for (const Action& action : actions_)
    if (action.id == id) return &action;
  return nullptr;
}

std::string Actions::tooltip(std::string_view id) const {
  const Action* action = find(id);
  if (!action) return {};
  const std::string key = key_label(id);
  return key.empty() ? fmt::format("{}\n{}", action->label, action->help)
                     : fmt::format("{}  ({})\n{}", action->label, key, action->help);
}

bool Actions::enabled(const Action& action, const ActionContext& context) const {
  return !action.enabled || action.enabled(context);
}

bool Actions::invoke(std::string_view id, ActionContext& context) const {
  const Action* action = find(id);
  if (!action || !enabled(*action, context)) return false;
  action->run(context);
  return true;
}

namespace {
bool is_function_key(ImGuiKey key) { return key >= ImGuiKey_F1 && key <= ImGuiKey_F24; }
bool is_arrow(ImGuiKey key) { return key >= ImGuiKey_LeftArrow && key <= ImGuiKey_DownArrow; }

// What still acts while a dialog has the keyboard: to leave it, to change to another, to quit.
bool acts_in_dialogs(const std::string& id) {
  return id == "close" || id == "help.keys" || id == "scene.open" || id == "runs.add" || id == "recipe.save" ||
         id == "file.quit";
}
} // namespace

void Actions::handle_keys(ActionContext& context) const {
  const bool typing = ImGui::GetIO().WantTextInput;
  const bool popup = ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel);
  const bool dialog = context.view.dialog_open();
  const bool control = ImGui::GetActiveID() != 0 && !ImGui::IsMouseDown(ImGuiMouseButton_Left);
  // Space never presses the focused button, arrows never move the focus sideways: both belong to time.
  const ImGuiID owner = ImHashStr("polarscope keys");
  if (!typing && !popup && !dialog) ImGui::SetKeyOwner(ImGuiKey_Space, owner);
  if (!typing && !popup && !dialog && !control) {
    ImGui::SetKeyOwner(ImGuiKey_LeftArrow, owner);
    ImGui::SetKeyOwner(ImGuiKey_RightArrow, owner);
  }
  for (const Action& action : actions_)
    for (const std::string& key : keys_.keys(action.id))
      for (const KeyChord chord : parse_keys(key)) {
        const auto plain = static_cast<ImGuiKey>(chord & ~ImGuiMod_Mask_);
        if (typing && !is_function_key(plain) && !(acts_in_dialogs(action.id) && (chord & ImGuiMod_Ctrl))) continue;
        if (popup && action.id != "file.quit") continue;
        if (dialog && !acts_in_dialogs(action.id)) continue;
        if (is_arrow(plain) && control) continue;
        if (plain == ImGuiKey_Escape && (ImGui::GetActiveID() != 0 || context.view.pending))
          continue; // theirs: it gives up what is being done
        const ImGuiInputFlags flags = action.repeats ? ImGuiInputFlags_Repeat : ImGuiInputFlags_None;
        if (!ImGui::IsKeyChordPressed(chord, flags, ImGuiKeyOwner_Any)) continue;
        if (enabled(action, context)) action.run(context);
      }
}

Result<KeyMap> load_keys(bool own, std::string& complaint) {
  auto keys = KeyMap::parse(embedded_file("assets/keys.toml").text(), "assets/keys.toml");
  if (!keys || !own) return keys;
  const std::string path = config_folder() + "/keys.toml";
  std::ifstream in(path, std::ios::binary);
  if (!in) return keys;
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  auto theirs = KeyMap::parse(text, path);
  if (theirs) keys->override_with(*theirs);
  else complaint = theirs.error().text();
  return keys;
}

} // namespace polarscope
