#include "app/window.hpp"

#include "app/surface.hpp"
#include "app/thread_time.hpp"
#include "engine/thread_pool.hpp"

#include "imgui_internal.h"
#include "implot.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace polarscope {
namespace {

constexpr int kFramesAfterInput = 3;
constexpr double kSoftwareFrameSeconds = 1.0 / 30; // at least this far apart where the CPU draws
constexpr double kSoftwareShare = 0.5;             // of the time at most spent on drawing
// For frames that nobody's hand asked for: of a core, and of all cores where training takes whatever it gets.
constexpr double kFrameShare = 0.5, kFrameShareWhileTraining = 0.06;

bool is_modifier(ImGuiKey key) {
  return (key >= ImGuiKey_LeftCtrl && key <= ImGuiKey_RightSuper) || (key & ImGuiMod_Mask_) != 0;
}

// A chord is judged by the modifiers that were down when its key was pressed. ImGui takes a key and a change of a
// modifier that came after it into one frame, and then sees the key without it: events from such a change on wait for
// the next frame. Takes them out of ImGui's queue.
ImVector<ImGuiInputEvent> take_later_modifiers(ImVector<ImGuiInputEvent>& queue) {
  ImVector<ImGuiInputEvent> later;
  bool pressed = false; // a key that is no modifier
  int n = 0;
  for (; n < queue.Size; ++n) {
    const ImGuiInputEvent& event = queue[n];
    if (event.Type != ImGuiInputEventType_Key) continue;
    const bool changes = ImGui::GetKeyData(event.Key.Key)->Down != event.Key.Down;
    if (is_modifier(event.Key.Key)) {
      if (pressed) break; // also where it changes twice
    } else if (event.Key.Down && changes) {
      pressed = true;
    }
  }
  for (int i = n; i < queue.Size; ++i) later.push_back(queue[i]);
  queue.resize(n);
  return later;
}

bool is_software(const std::string& renderer) {
  for (const char* name : {"llvmpipe", "softpipe", "swrast", "Software Rasterizer", "SwiftShader"})
    if (renderer.find(name) != std::string::npos) return true;
  return false;
}

Result<std::unique_ptr<Surface>> open_surface(WindowKind kind, const WindowOptions& options) {
  switch (kind) {
  case WindowKind::display: return open_display_surface(options);
  case WindowKind::offscreen: return open_offscreen_surface(options);
  case WindowKind::null: break;
  }
  return make_null_surface(options);
}

} // namespace

Result<std::unique_ptr<Window>> Window::open(WindowKind kind, WindowOptions options) {
  auto surface = open_surface(kind, options);
  if (!surface) return surface.error();
  return std::unique_ptr<Window>(new Window(std::move(*surface), std::move(options)));
}

Window::Window(std::unique_ptr<Surface> surface, WindowOptions options)
    : surface_(std::move(surface)), options_(std::move(options)) {
  IMGUI_CHECKVERSION();
  imgui_ = ImGui::CreateContext();
  implot_ = ImPlot::CreateContext();
  make_current();
  ImGuiIO& io = ImGui::GetIO();
  io.ConfigFlags |= ImGuiConfigFlags_DockingEnable | ImGuiConfigFlags_NavEnableKeyboard;
  io.IniFilename = nullptr; // layouts are kept by the program, not by ImGui
  io.LogFilename = nullptr;
  surface_->attach();
  renderer_ = surface_->renderer();
  software_rendering_ = is_software(renderer_);
  wanted_scale_ = options_.scale;
  follow_scale();
}

Window::~Window() {
  make_current();
  surface_->detach();
  ImPlot::DestroyContext(implot_);
  ImGui::DestroyContext(imgui_);
}

void Window::make_current() {
  ImGui::SetCurrentContext(imgui_);
  ImPlot::SetCurrentContext(implot_);
}

void Window::follow_scale() {
  const float scale = wanted_scale_ > 0 ? wanted_scale_ : surface_->monitor_scale();
  if (scale == scale_) return;
  scale_ = scale;
  if (options_.apply_theme) options_.apply_theme(scale_);
  frames_due_ = kFramesAfterInput;
}

double Window::seconds_until_next_frame() const {
  // Where a GPU draws, the display's refresh spaces them, and what they cost this thread beyond that.
  const double share =
      training_wants_cores_ ? std::min(kFrameShare, kFrameShareWhileTraining * all_cores()) : kFrameShare;
  const double apart = software_rendering_ ? std::max(kSoftwareFrameSeconds, frame_seconds_ / kSoftwareShare)
                                           : frame_cpu_seconds_ / share;
  return std::max(0.0, apart - std::chrono::duration<double>(Clock::now() - frame_began_).count());
}

bool Window::wait_events(double timeout_seconds) {
  const double timeout = frames_due_ > 0 ? 0 : std::max(0.0, timeout_seconds);
  switch (surface_->wait(timeout)) {
  case Surface::Came::input: frames_due_ = kFramesAfterInput; break;
  case Surface::Came::redraw: frames_due_ = std::max(frames_due_, 1); break;
  case Surface::Came::nothing: break;
  }
  if (frames_due_ == 0) return false;
  for (double rest; (rest = seconds_until_next_frame()) > 0;)
    if (surface_->wait(rest) == Surface::Came::input) {
      frames_due_ = kFramesAfterInput;
      if (!software_rendering_) break; // who does something is answered at once
    }
  return true;
}

void Window::request_redraw() { surface_->wake(); }

void Window::begin_frame() {
  frame_began_ = Clock::now();
  frame_began_cpu_ = thread_cpu_seconds();
  make_current();
  follow_scale();
  surface_->new_frame();
  ImVector<ImGuiInputEvent>& queue = imgui_->InputEventsQueue;
  const ImVector<ImGuiInputEvent> later = take_later_modifiers(queue);
  ImGui::NewFrame();
  for (const ImGuiInputEvent& event : later) queue.push_back(event);
}

void Window::end_frame() {
  assert(ImGui::GetCurrentContext() == imgui_);
  ImGui::Render();
  surface_->draw(clear_colour);
  if (frames_due_ > 0) --frames_due_;
  if (imgui_->InputEventsQueue.Size > 0) frames_due_ = kFramesAfterInput; // several events of one key take a frame each
  frame_seconds_ = std::chrono::duration<double>(Clock::now() - frame_began_).count();
  frame_cpu_seconds_ = thread_cpu_seconds() - frame_began_cpu_;
}

Result<Image> Window::read_pixels() {
  make_current();
  return surface_->read_pixels(clear_colour);
}

int Window::width() const { return surface_->width(); }
int Window::height() const { return surface_->height(); }

Result<void> Window::resize(int width, int height) {
  frames_due_ = kFramesAfterInput;
  return surface_->resize(width, height);
}

void Window::toggle_full_screen() {
  frames_due_ = kFramesAfterInput;
  surface_->toggle_full_screen();
}

bool Window::close_requested() const { return close_requested_ || surface_->close_requested(); }

} // namespace polarscope
