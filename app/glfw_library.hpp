// GLFW is one library per process: started by the one surface that uses it, ended with it.
#pragma once

#include "engine/result.hpp"

#include <memory>
#include <string>

namespace polarscope {

class GlfwLibrary {
public:
  enum class Platform { display, none };
  // `none` draws off screen, without a display server.
  static Result<std::unique_ptr<GlfwLibrary>> start(Platform platform);
  ~GlfwLibrary();
  GlfwLibrary(const GlfwLibrary&) = delete;
  GlfwLibrary& operator=(const GlfwLibrary&) = delete;

private:
  GlfwLibrary() = default;
};

// GLFW's own words for its last error.
std::string glfw_error();

} // namespace polarscope
