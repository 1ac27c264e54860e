#include "app/shot.hpp"

#include "app/shell.hpp"
#include "app/theme.hpp"
#include "app/window.hpp"
#include "engine/driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace polarscope {
namespace {

// Docks and wrapped strips settle within these; the loss on a sphere comes plane by plane.
constexpr int kFramesToSettle = 8, kMostFrames = 400;

Result<void> check(const ShotOptions& options) {
  if (!find_layout(options.layout))
    return bad_input(fmt::format("there is no layout '{}': study, show or bench", options.layout));
  if (!options.theme.empty() && !find_theme(options.theme))
    return bad_input(fmt::format("there is no theme '{}': dark, light or projector", options.theme));
  if (options.width < 64 || options.height < 64 || options.width > 16384 || options.height > 16384)
    return bad_input("the size must be between 64 and 16384 pixels each way");
  return {};
}

void settle(Driver& driver) {
  do driver.pump(0);
  while (driver.busy());
}

} // namespace

Result<Image> render_shot(Scene scene, const ShotOptions& options) {
  if (auto fine = check(options); !fine) return fine.error();
  SessionOptions wanted = options.session;
  wanted.times_stages = true; // Bench shows them
  auto session = Session::open(std::move(scene), wanted);
  if (!session) return session.error();
  return render_shot(std::move(*session), options);
}

Result<Image> render_shot(std::unique_ptr<Session> session, const ShotOptions& options) {
  if (auto fine = check(options); !fine) return fine.error();
  const long steps = session->scene().steps, step = std::clamp(options.step.value_or(steps), 0L, steps);
  WindowOptions wish;
  wish.width = options.width;
  wish.height = options.height;
  wish.scale = options.scale;
  auto window = Window::open(WindowKind::offscreen, wish);
  if (!window) return window.error();

  Driver driver(std::move(session), options.session, false);
  auto shell = Shell::make(**window, driver, {.remember = false, .lesson = false});
  if (!shell) return shell.error();
  ViewState& view = (*shell)->view();
  view.layout = *find_layout(options.layout);
  if (!options.theme.empty()) view.theme = view.show_theme = options.theme;
  driver.send(command::ComputeTo{step});
  settle(driver);
  for (int i = 0; i < kFramesToSettle || (i < kMostFrames && (*shell)->waits_for_field()); ++i) {
    if (options.stop && options.stop()) return bad_input("the picture was given up");
    (*shell)->draw();
    settle(driver); // the loss field that the picture asked for
  }
  (*shell)->draw();
  return (*window)->read_pixels();
}

Result<void> write_shot(Scene scene, const ShotOptions& options, const std::string& path) {
  auto image = render_shot(std::move(scene), options);
  if (!image) return image.error();
  return write_png(*image, path);
}

Result<void> write_shot(std::unique_ptr<Session> session, const ShotOptions& options, const std::string& path) {
  auto image = render_shot(std::move(session), options);
  if (!image) return image.error();
  return write_png(*image, path);
}

} // namespace polarscope
