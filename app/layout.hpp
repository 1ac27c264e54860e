// Where panels stand: the layouts Study, Show and Bench, each in four forms by the room there is, docked by Dear ImGui and
// remembered in one versioned file. A file that is old, broken or leaves a panel out of reach is replaced by the
// default.
#pragma once

#include "app/panel.hpp"
#include "app/theme.hpp"
#include "app/view_state.hpp"

#include "imgui.h"

#include <set>
#include <string>
#include <vector>

namespace polarscope {

// wide: three columns. medium: polar view and one column of tabs. compact: one dock of tabs between the strips. tiny:
// no room for strips either, everything is a tab.
enum class LayoutForm { wide, medium, compact, tiny };

class Layout {
public:
  // `file`: where docks are remembered; "" remembers nothing. Needs a current ImGui context.
  explicit Layout(std::string file);

  // For a window of `size` pixels under `theme`.
  static LayoutForm form_for(ImVec2 size, const Theme& theme, LayoutKind kind);

  // Submits the dock space of (kind, form) into the rectangle, and keeps the others alive. Builds the default where
  // there is none yet, where `reset` asks for it, and where a shown panel would be out of reach.
  void submit(LayoutKind kind, LayoutForm form, ImVec2 position, ImVec2 size, const ViewState& view, const Theme& theme,
              bool reset);

  // ImGui's window name of a panel in the dock space that was submitted: "Polar###polar@study-wide".
  std::string window_name(const Panel& panel) const;
  static std::string window_name(const Panel& panel, LayoutKind kind, LayoutForm form);

  // The sizes of Study's and Bench's docks follow the UI scale.
  void rescale(float ratio);
  // Writes the file when something moved since; errors are not worth a message each frame and are dropped.
  void save_if_moved();

private:
  void build(LayoutKind kind, LayoutForm form, ImVec2 size, const Theme& theme) const;
  bool all_reachable(LayoutKind kind, LayoutForm form, const ViewState& view) const;

  std::string file_;
  LayoutKind kind_ = LayoutKind::study;
  LayoutForm form_ = LayoutForm::wide;
  ImVec2 show_size_{0, 0};        // of Show's dock space when it was last submitted
  std::set<std::string> checked_; // dock spaces whose remembered state was looked at
};

} // namespace polarscope
