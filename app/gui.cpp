#include "app/gui.hpp"

#include "app/shell.hpp"
#include "app/window.hpp"
#include "engine/driver.hpp"

#include <memory>
#include <utility>

namespace polarscope {

Result<void> run_window(Scene scene, const GuiOptions& options) {
  WindowOptions wish;
  wish.title = scene.title.empty() ? "Polarscope" : scene.title + " · Polarscope";
  wish.scale = options.scale;
  auto window = Window::open(WindowKind::display, wish);
  if (!window) return window.error();
  const std::string layout = options.layout.empty() ? scene.view.layout : options.layout;
  SessionOptions session_options = options.session;
  session_options.looks_for_gpu = session_options.device == "auto"; // who names a device need not be told of others
  session_options.times_stages = true;
  auto session = Session::open(std::move(scene), session_options);
  if (!session) return session.error();

  Window& view = **window;
  // Destroyed before the window, which its thread wakes.
  Driver driver(std::move(*session), session_options, true, [&view] { view.request_redraw(); });
  if (const auto& failed = driver.failure()) return *failed;
  auto shell = Shell::make(view, driver);
  if (!shell) return shell.error();
  Shell& content = **shell;
  content.view().layout = find_layout(layout).value_or(LayoutKind::study);
  content.view().say(options.notice);
  if (!options.theme.empty()) (layout == "show" ? content.view().show_theme : content.view().theme) = options.theme;

  while (!view.close_requested() && !content.quit_requested()) {
    const double wait = content.seconds_until_draw();
    if (view.wait_events(wait) || wait < Shell::kIdleSeconds) content.draw();
  }
  return {};
}

} // namespace polarscope
