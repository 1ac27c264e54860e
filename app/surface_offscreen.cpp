// OpenGL without a display server: GLFW's null platform, a context by EGL, an own framebuffer.
#include "app/framebuffer.hpp"
#include "app/glfw_library.hpp"
#include "app/idle_wait.hpp"
#include "app/surface.hpp"

#include "imgui.h"
#include "backends/imgui_impl_opengl3.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

namespace polarscope {
namespace {

class OffscreenSurface final : public Surface {
public:
  OffscreenSurface(std::unique_ptr<GlfwLibrary> library, GLFWwindow* context, Framebuffer picture)
      : library_(std::move(library)), context_(context), picture_(std::move(picture)) {}
  ~OffscreenSurface() override {
    picture_ = {};
    glfwDestroyWindow(context_);
  }

  void attach() override { ImGui_ImplOpenGL3_Init("#version 330 core"); }
  void detach() override { ImGui_ImplOpenGL3_Shutdown(); }

  void new_frame() override {
    ImGuiIO& io = ImGui::GetIO();
    io.DisplaySize = ImVec2(static_cast<float>(width()), static_cast<float>(height()));
    io.DeltaTime = 1.0f / 60; // the same picture whatever the machine's speed
    ImGui_ImplOpenGL3_NewFrame();
  }

  void draw(const Colour& clear) override {
    picture_.bind();
    gl_clear(width(), height(), clear);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
    Framebuffer::bind_default();
  }
  Result<Image> read_pixels(const Colour&) override { return picture_.read(); }

  int width() const override { return picture_.width(); }
  int height() const override { return picture_.height(); }
  Result<void> resize(int width, int height) override {
    auto made = Framebuffer::create(width, height);
    if (!made) return made.error();
    picture_ = std::move(*made);
    return {};
  }

  Came wait(double timeout_seconds) override { return idle_.wait(timeout_seconds) ? Came::redraw : Came::nothing; }
  void wake() override { idle_.wake(); }
  std::string renderer() const override { return gl_renderer(); }

private:
  std::unique_ptr<GlfwLibrary> library_; // outlives the context
  GLFWwindow* context_;
  Framebuffer picture_;
  IdleWait idle_;
};

} // namespace

Result<std::unique_ptr<Surface>> open_offscreen_surface(const WindowOptions& options) {
  auto library = GlfwLibrary::start(GlfwLibrary::Platform::none);
  if (!library) return library.error();
  glfwWindowHint(GLFW_CONTEXT_CREATION_API, GLFW_EGL_CONTEXT_API);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  glfwWindowHint(GLFW_VISIBLE, GLFW_FALSE);
  // The window is only a handle of the context; pictures of any size go to the framebuffer.
  GLFWwindow* context = glfwCreateWindow(16, 16, options.title.c_str(), nullptr, nullptr);
  if (!context) return machine_lacks("drawing without a display needs OpenGL 3.3 through EGL (" + glfw_error() + ")");
  glfwMakeContextCurrent(context);
  auto picture = Framebuffer::create(options.width, options.height);
  if (!picture) return picture.error();
  return std::unique_ptr<Surface>(new OffscreenSurface(std::move(*library), context, std::move(*picture)));
}

} // namespace polarscope
