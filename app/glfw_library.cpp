#include "app/glfw_library.hpp"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <atomic>
#include <cassert>

namespace polarscope {
namespace {
std::atomic<bool> in_use{false};
}

Result<std::unique_ptr<GlfwLibrary>> GlfwLibrary::start(Platform platform) {
  [[maybe_unused]] const bool was_in_use = in_use.exchange(true);
  assert(!was_in_use && "one window with OpenGL at a time");
  glfwInitHint(GLFW_PLATFORM, platform == Platform::none ? GLFW_PLATFORM_NULL : GLFW_ANY_PLATFORM);
  if (!glfwInit()) {
    const std::string why = glfw_error();
    in_use = false;
    return machine_lacks("no display to open a window on (" + why + ")");
  }
  return std::unique_ptr<GlfwLibrary>(new GlfwLibrary);
}

GlfwLibrary::~GlfwLibrary() {
  glfwTerminate();
  in_use = false;
}

std::string glfw_error() {
  const char* text = nullptr;
  glfwGetError(&text);
  return text ? text : "no reason given";
}

} // namespace polarscope
