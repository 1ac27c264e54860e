// A place to draw: a window on a display, an off-screen framebuffer, or nothing at all (tests of logic). Owns
// one Dear ImGui and one ImPlot context. All calls from one thread, but for request_redraw().
#pragma once

#include "app/image.hpp"
#include "engine/result.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

struct ImGuiContext;
struct ImPlotContext;

namespace polarscope {

class Surface;

enum class WindowKind {
  display,   // GLFW window, OpenGL 3.3
  offscreen, // OpenGL 3.3 through EGL without a display server; own framebuffer, 1/60 s passes per frame
  null,      // no OpenGL: layout, input and draw lists only; 1/60 s passes per frame
};

struct WindowOptions {
  std::string title = "Polarscope";
  int width = 1440; // display: units of a 100 % monitor; offscreen and null: pixels
  int height = 900;
  float scale = 0; // pixels per unit of the design (1 = 100 %); 0 = the monitor's, 1 without one
  // Sets fonts and style for a scale. Called once when the contexts exist and again between frames whenever
  // the scale changes (another monitor, set_scale).
  std::function<void(float scale)> apply_theme = {};
};

class Window {
public:
  // A missing display, or one without OpenGL 3.3, is an error of kind machine_lacks. Only one window that
  // uses OpenGL may exist at a time.
  static Result<std::unique_ptr<Window>> open(WindowKind kind, WindowOptions options = {});
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // Waits for input, request_redraw() or the time-out, whichever is first. True if a frame should be drawn
  // now. Input is followed by several frames, because hover, popups and automatic sizes of ImGui settle in
  // the next ones. Where the CPU draws, frames are spaced so that drawing takes at most half of the time.
  bool wait_events(double timeout_seconds);
  void request_redraw(); // any thread; ends wait_events

  void begin_frame(); // also makes the contexts current
  void end_frame();

  // What end_frame() drew last, at the framebuffer's size, opaque.
  Result<Image> read_pixels();

  int width() const; // of the framebuffer, pixels
  int height() const;
  Result<void> resize(int width, int height); // pixels; not between begin_frame and end_frame

  void toggle_full_screen(); // nothing without a display

  // Whether training would use every core at once: frames are then further apart, where nobody's hand asks for them.
  void leave_cores(bool to_training) { training_wants_cores_ = to_training; }

  float scale() const { return scale_; }
  void set_scale(float scale) { wanted_scale_ = scale; } // 0 = the monitor's; acts at the next begin_frame()

  bool close_requested() const;
  void request_close() { close_requested_ = true; }

  // OpenGL's name of the renderer, "" without OpenGL.
  const std::string& renderer() const { return renderer_; }
  // True where the CPU draws the picture: then a frame takes cores that training wants.
  bool software_rendering() const { return software_rendering_; }

  std::array<float, 4> clear_colour{0, 0, 0, 1}; // behind everything; red, green, blue, alpha

private:
  using Clock = std::chrono::steady_clock;

  Window(std::unique_ptr<Surface> surface, WindowOptions options);
  void make_current();
  void follow_scale();
  double seconds_until_next_frame() const;

  std::unique_ptr<Surface> surface_;
  WindowOptions options_;
  ImGuiContext* imgui_ = nullptr;
  ImPlotContext* implot_ = nullptr;
  std::string renderer_;
  bool software_rendering_ = false;
  bool training_wants_cores_ = false;
  bool close_requested_ = false;
  float wanted_scale_ = 0;
  float scale_ = 0;
  int frames_due_ = 1;
  Clock::time_point frame_began_ = {};
  double frame_seconds_ = 0;                           // begin_frame to the end of end_frame, the last one's
  double frame_began_cpu_ = 0, frame_cpu_seconds_ = 0; // the same in seconds that this thread worked
};

} // namespace polarscope
