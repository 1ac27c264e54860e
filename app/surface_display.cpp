// A window on a display: GLFW and OpenGL 3.3.
#include "app/framebuffer.hpp"
#include "app/glfw_library.hpp"
#include "app/surface.hpp"

#include "imgui.h"
#include "backends/imgui_impl_glfw.h"
#include "backends/imgui_impl_opengl3.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <atomic>

namespace polarscope {
namespace {

class DisplaySurface final : public Surface {
public:
  DisplaySurface(std::unique_ptr<GlfwLibrary> library, GLFWwindow* window)
      : library_(std::move(library)), window_(window) {
    glfwMakeContextCurrent(window_);
    glfwSwapInterval(1);
    glfwSetWindowUserPointer(window_, this);
    watch_input();
  }
  ~DisplaySurface() override { glfwDestroyWindow(window_); }

  void attach() override {
    ImGui_ImplGlfw_InitForOpenGL(window_, true); // chains to the callbacks of watch_input()
    ImGui_ImplOpenGL3_Init("#version 330 core");
  }
  void detach() override {
    picture_ = {};
    ImGui_ImplOpenGL3_Shutdown();
    ImGui_ImplGlfw_Shutdown();
  }

  void new_frame() override {
    ImGui_ImplOpenGL3_NewFrame();
    ImGui_ImplGlfw_NewFrame();
  }

  void draw(const Colour& clear) override {
    gl_clear(width(), height(), clear);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
    glfwSwapBuffers(window_);
  }

  // What a window shows cannot be read back reliably, so its last frame is drawn once more off screen.
  Result<Image> read_pixels(const Colour& clear) override {
    if (picture_.width() != width() || picture_.height() != height()) {
      auto made = Framebuffer::create(width(), height());
      if (!made) return made.error();
      picture_ = std::move(*made);
    }
    picture_.bind();
    gl_clear(width(), height(), clear);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
    Framebuffer::bind_default();
    return picture_.read();
  }

  int width() const override { return size().first; }
  int height() const override { return size().second; }
  Result<void> resize(int width, int height) override {
    glfwSetWindowSize(window_, width, height);
    return {};
  }

  void toggle_full_screen() override {
    if (glfwGetWindowMonitor(window_)) {
      glfwSetWindowMonitor(window_, nullptr, before_[0], before_[1], before_[2], before_[3], GLFW_DONT_CARE);
      return;
    }
    GLFWmonitor* monitor = glfwGetPrimaryMonitor();
    const GLFWvidmode* mode = monitor ? glfwGetVideoMode(monitor) : nullptr;
    if (!mode) return;
    glfwGetWindowPos(window_, &before_[0], &before_[1]);
    glfwGetWindowSize(window_, &before_[2], &before_[3]);
    glfwSetWindowMonitor(window_, monitor, 0, 0, mode->width, mode->height, mode->refreshRate);
  }

  Came wait(double timeout_seconds) override {
    if (timeout_seconds > 0 && !input_ && !woken_) glfwWaitEventsTimeout(timeout_seconds);
    else glfwPollEvents();
    const bool woken = woken_.exchange(false);
    if (std::exchange(input_, false)) return Came::input;
    return woken ? Came::redraw : Came::nothing;
  }
  void wake() override {
    woken_ = true;
    glfwPostEmptyEvent();
  }

  bool close_requested() const override { return glfwWindowShouldClose(window_); }
  float monitor_scale() const override {
    float x = 1, y = 1;
    glfwGetWindowContentScale(window_, &x, &y);
    return x > 0 ? x : 1.0f;
  }
  std::string renderer() const override { return gl_renderer(); }

private:
  std::pair<int, int> size() const {
    int w = 0, h = 0;
    glfwGetFramebufferSize(window_, &w, &h);
    return {w, h};
  }

  static void note(GLFWwindow* window) {
    static_cast<DisplaySurface*>(glfwGetWindowUserPointer(window))->input_ = true;
  }

  void watch_input() {
    glfwSetKeyCallback(window_, [](GLFWwindow* w, int, int, int, int) { note(w); });
    glfwSetCharCallback(window_, [](GLFWwindow* w, unsigned) { note(w); });
    glfwSetMouseButtonCallback(window_, [](GLFWwindow* w, int, int, int) { note(w); });
    glfwSetCursorPosCallback(window_, [](GLFWwindow* w, double, double) { note(w); });
    glfwSetCursorEnterCallback(window_, [](GLFWwindow* w, int) { note(w); });
    glfwSetScrollCallback(window_, [](GLFWwindow* w, double, double) { note(w); });
    glfwSetWindowFocusCallback(window_, [](GLFWwindow* w, int) { note(w); });
    glfwSetWindowRefreshCallback(window_, [](GLFWwindow* w) { note(w); });
    glfwSetWindowCloseCallback(window_, [](GLFWwindow* w) { note(w); });
    glfwSetFramebufferSizeCallback(window_, [](GLFWwindow* w, int, int) { note(w); });
    glfwSetWindowContentScaleCallback(window_, [](GLFWwindow* w, float, float) { note(w); });
  }

  std::unique_ptr<GlfwLibrary> library_; // outlives the window
  GLFWwindow* window_;
  Framebuffer picture_;
  std::array<int, 4> before_{}; // x, y, width, height outside full screen
  bool input_ = false;
  std::atomic<bool> woken_{false};
};

} // namespace

Result<std::unique_ptr<Surface>> open_display_surface(const WindowOptions& options) {
  auto library = GlfwLibrary::start(GlfwLibrary::Platform::display);
  if (!library) return library.error();
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  glfwWindowHint(GLFW_OPENGL_FORWARD_COMPAT, GLFW_TRUE);
  glfwWindowHint(GLFW_DEPTH_BITS, 0);
  glfwWindowHint(GLFW_STENCIL_BITS, 0);
  glfwWindowHint(GLFW_SCALE_TO_MONITOR, GLFW_TRUE);
  GLFWwindow* window = glfwCreateWindow(options.width, options.height, options.title.c_str(), nullptr, nullptr);
  if (!window) return machine_lacks("the window needs OpenGL 3.3 (" + glfw_error() + ")");
  return std::unique_ptr<Surface>(new DisplaySurface(std::move(*library), window));
}

} // namespace polarscope
