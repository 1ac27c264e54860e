// Controls of the window: real ImGui items (keyboard focus with ring, stable ids, usable by the test engine), drawn
// as the theme wants them. Labels follow ImGui: text before "##" is shown, the whole is the id. Lengths in options are
// design pixels.
#pragma once

#include "app/icons.hpp"
#include "app/theme.hpp"

#include "imgui.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

struct ButtonOptions {
  Icon icon = Icon::none;
  std::string_view key = {}; // key cap at the right: "F"
  bool primary = false;      // the inverse: ink plate
  bool chosen = false;       // pressed in, for toggles
  bool enabled = true;
  bool frameless = false; // text or icon only, plate on hover
  float width = 0;        // 0 = as wide as the contents
  float height = 28;
  const char* help = nullptr; // shown after resting on it
};
bool button(const Theme& theme, const char* label, const ButtonOptions& options = {});
// Square, icon only; `id` needs no visible text. Drawn `size` design px, hit area at least 24.
bool icon_button(const Theme& theme, const char* id, Icon icon, const char* help, bool framed = false,
                 bool enabled = true, float size = 28);
// A small on/off button ("log y").
bool toggle(const Theme& theme, const char* label, bool* on, const char* help = nullptr);
// A switch of two or more words; true when the choice changed. Each part is an item "id/word".
bool segmented(const Theme& theme, const char* id, std::span<const char* const> words, int* chosen,
               const char* help = nullptr, float height = 26);
// A drop-down of plain words; `note` is written small at the right end. True when the choice changed.
bool dropdown(const Theme& theme, const char* id, std::span<const std::string> words, int* chosen, float width,
              std::string_view note = {});
// The same with own contents: fill it with menu_row() between begin and end.
bool begin_dropdown(const Theme& theme, const char* id, std::string_view preview, float width,
                    std::string_view note = {});
bool menu_row(const Theme& theme, const char* label, bool chosen, std::string_view note = {});
void end_dropdown();

// ---- panel header -----------------------------------------------------------------------------------------------
// One 32-px line: title in spaced capitals, a quiet note, then controls. Controls marked `left` follow the note,
// the others end at the right edge; all are items in reading order.
struct HeaderControl {
  enum class Kind { icon, toggle, segmented, dropdown } kind;
  const char* id;
  bool left = false;
  Icon icon = Icon::none;
  const char* help = nullptr;
  bool* on = nullptr;                        // toggle
  std::span<const char* const> words = {};   // segmented
  std::span<const std::string> choices = {}; // dropdown
  int* chosen = nullptr;                     // segmented, dropdown
  float width = 0;                           // dropdown, design px
  bool wraps = false;                        // where it does not fit it goes to a line of its own, else it is left out

  static HeaderControl make_icon(const char* id, Icon icon, const char* help);
  static HeaderControl make_toggle(const char* label, bool* on, const char* help);
  static HeaderControl make_switch(const char* id, std::span<const char* const> words, int* chosen);
  static HeaderControl make_dropdown(const char* id, std::span<const std::string> choices, int* chosen, float width);
};
struct HeaderNote {
  std::optional<RunStyle> run = {}; // marker before the note
  std::string_view words = {};
};
// Spans the window's width with 12 px at both ends, at the cursor's height; leaves the cursor below. Returns the index
// of the control used in this frame, or −1. Controls that do not fit give way from the left.
int panel_header(const Theme& theme, std::string_view title, HeaderNote note, std::span<const HeaderControl> controls);
// A section title inside a panel, 28 px high.
void section_title(const Theme& theme, std::string_view title, HeaderNote note = {});

// ---- slider -----------------------------------------------------------------------------------------------------
struct SliderSpec {
  const char* label;  // id; the text before "##" is written in front
  double least, most; // the track
  bool log = false;
  bool integer = false;
  std::optional<double> default_mark = {};  // triangle under the track
  bool differs = false;                     // not the default: a button beside the label sets it back
  float label_width = 80, field_width = 56; // 0: none of it
  const char* help = nullptr;
  // What may be typed where that is more than the track; such a value stands at the track's end.
  std::optional<double> typed_least = {}, typed_most = {};
};
struct SliderResult {
  bool changed = false;  // the value is another than before this frame
  bool released = false; // a drag or an entry ended: make it one edit
  bool active = false;   // being dragged or typed
  bool reset = false;    // the default is asked for
  std::string refused;   // why what was typed is not taken: "7e9: allowed 0 to 1e9"
};
// Width in pixels of the whole row (32 high). The field takes any allowed number.
SliderResult slider(const Theme& theme, const SliderSpec& spec, double* value, float width);

// ---- drawn parts ------------------------------------------------------------------------------------------------
// Each takes its place in the layout (ImGui::Dummy), so that rows line up.
void label(const Theme& theme, std::string_view words, ImU32 colour, TextStyle style = text::kLabel);
void key_cap(const Theme& theme, std::string_view key);
void meter(const Theme& theme, float share, float width = 64, float height = 4); // share of 0 to 1
enum class Light { kept, broken, warning, not_promised };
// Sign, name, and at the right end of `width` pixels a note in Mono: "worst 3e−8", "broke at 388, 0.8 %".
void check_light(const Theme& theme, Light light, std::string_view name, std::string_view note, float width);
// Marker and dash of a run as in the runs list, for a drawing of `width` design px.
void run_key(ImDrawList* list, const Theme& theme, const RunStyle& style, ImVec2 left_middle, float width,
             float dim = 0);

void draw_key_cap(ImDrawList* list, const Theme& theme, ImVec2 right_middle, std::string_view key, ImU32 ink);
void draw_meter(ImDrawList* list, const Theme& theme, ImVec2 at, float share, float width, float height);
// Ink plate with inverse text, centred at `centre`; the cursor's step number.
void draw_pill(ImDrawList* list, const Theme& theme, ImVec2 centre, std::string_view words);
// Panel-coloured plate behind labels on pictures.
void draw_plate(ImDrawList* list, const Theme& theme, ImVec2 min, ImVec2 max, float opacity = 0.76f);

// ---- hover card -------------------------------------------------------------------------------------------------
struct HoverCard {
  std::optional<RunStyle> run = {};
  std::string title;  // "Row norm"
  std::string place;  // "B.1, row 3, step 1,204"
  std::string value;  // six digits
  std::string change; // "+0.00104", empty at the first step
  std::string unit;   // empty: "no unit"
  std::string formula;
  std::string sentence;
  std::string exact; // copied by a click: every digit; empty: a click does something else
};
// A card beside the pointer, drawn above everything; takes no input.
void show_hover_card(const Theme& theme, const HoverCard& card);
// One line of help beside the last item after a rest, as buttons show it; `above` it where what it is about lies below.
void item_help(const Theme& theme, const char* help, bool above = false);

} // namespace polarscope
