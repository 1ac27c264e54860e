#include "app/panel.hpp"

namespace polarscope {

#define POLARSCOPE_PANEL(name, title, place, plot, in_show, meaning)                                                   \
  void draw_##name(const PanelContext&);                                                                               \
  std::string text_of_##name(const PanelContext&);
#include "app/panels/panels.def"
#undef POLARSCOPE_PANEL

const std::vector<Panel>& panels() {
  static const std::vector<Panel> list = {
#define POLARSCOPE_PANEL(name, title, place, plot, in_show, meaning)                                                   \
  {#name, title, PanelPlace::place, plot, in_show, meaning, draw_##name, text_of_##name},
#include "app/panels/panels.def"
#undef POLARSCOPE_PANEL
  };
  return list;
}

std::optional<LayoutKind> find_layout(std::string_view word) {
  if (word == "study") return LayoutKind::study;
  if (word == "show") return LayoutKind::show;
  if (word == "bench") return LayoutKind::bench;
  return std::nullopt;
}

const Panel* find_panel(std::string_view name) {
  for (const Panel& panel : panels())
    if (panel.name == name) return &panel;
  return nullptr;
}

bool Panel::in_layout(LayoutKind layout) const {
  const bool of_bench = place >= PanelPlace::bench_top;
  if (layout == LayoutKind::bench) return of_bench || is_strip() || name == "loss";
  return !of_bench && (layout == LayoutKind::study || in_show);
}

bool panel_shown(const ViewState& view, std::string_view name) {
  const Panel* panel = find_panel(name);
  if (!panel) return false;
  if (view.plots_only && !panel->plot) return false;
  if (!panel->in_layout(view.layout)) return view.layout == LayoutKind::show && view.guest_panel == name;
  const auto found = view.panels.find(std::string(name));
  return found == view.panels.end() || found->second;
}

bool has_sphere(const Frame& frame) {
  for (const RunFrame& run : frame.runs)
    for (const ParamInfo& parameter : run.program->parameters())
      if (parameter.rows * parameter.cols == 3) return true;
  return false;
}

} // namespace polarscope
