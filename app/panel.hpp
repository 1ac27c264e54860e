// A panel: one drawing function and where it stands by default; and the registry of all of them. Panels see a Frame and
// the window's own state, and answer with commands; they keep nothing themselves.
//
// To add a panel: write app/panels/<name>.cpp with `void draw_<name>(const PanelContext&)` and
// `std::string text_of_<name>(const PanelContext&)`, and add one entry to app/panels/panels.def.
#pragma once

#include "app/actions.hpp"
#include "app/theme.hpp"
#include "app/view_state.hpp"
#include "engine/driver.hpp"
#include "engine/frame.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

struct Caches; // app/caches.hpp: what drawing functions keep between frames, by value of what it was made from

// The loss field behind the polar view is computed by the engine thread; asking twice for the same plane costs nothing.
struct PlaneSource {
  std::function<void(Driver::PlaneRequest)> request;
  std::shared_ptr<const Driver::PlaneLoss> latest; // of whichever request was answered last; may be null
};

struct PanelContext {
  const Frame& frame;
  ViewState& view;
  const CommandSink& send;
  const Theme& theme;
  const Actions& actions;
  const PlaneSource& plane;
  Caches& caches;
  std::string highlight; // what the lesson points at: an action's id or a panel's mark; "" for nothing
  bool titled = true;    // false: the dock's tab already shows the title
  bool compact = false;  // room for the most needed controls of a strip only: the others are in the menus
  bool tabbed = false;   // strips are tabs here and may use the whole window

  ActionContext action() const { return {frame, view, send}; }
};

// The size of the docks that panels stand in is look.md's grid; see Layout.
enum class PanelPlace {
  transport,
  lesson,
  time_axis,
  status, // strips over the whole width
  left_top,
  left_bottom,
  centre,
  centre_bottom,
  right_top,
  right_middle,
  right_bottom,
  bench_top, // of the layout Bench alone, as are those after it
  bench_left,
  bench_right,
};

struct Panel {
  std::string name;  // "row_norms"
  std::string title; // "Row norms"
  PanelPlace place;
  bool plot;           // stays when everything else is hidden
  bool in_show;        // part of the layout Show
  std::string meaning; // what its "?" says, plain sentences
  void (*draw)(const PanelContext&);
  std::string (*as_text)(const PanelContext&); // plain sentences, for the clipboard

  bool is_strip() const { return place <= PanelPlace::status; }
  bool in_layout(LayoutKind layout) const;
};

std::optional<LayoutKind> find_layout(std::string_view word); // study | show | bench

// Every panel, in the order of panels.def.
const std::vector<Panel>& panels();
const Panel* find_panel(std::string_view name);

bool panel_shown(const ViewState& view, std::string_view name);
// A parameter of three numbers, which the sphere can show.
bool has_sphere(const Frame& frame);

} // namespace polarscope
