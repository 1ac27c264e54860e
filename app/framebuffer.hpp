// An off-screen picture of OpenGL, and the few OpenGL functions that the window itself calls. Needs a current
// context made by GLFW.
#pragma once

#include "app/image.hpp"
#include "engine/result.hpp"

#include <array>
#include <string>

namespace polarscope {

// Name of the current context's renderer, e.g. "llvmpipe (LLVM 15.0.6, 256 bits)".
std::string gl_renderer();
// Fills the bound framebuffer and sets the view to width × height pixels.
void gl_clear(int width, int height, const std::array<float, 4>& colour);

class Framebuffer {
public:
  // Too large a size is an error of kind machine_lacks.
  static Result<Framebuffer> create(int width, int height);
  Framebuffer() = default;
  ~Framebuffer();
  Framebuffer(Framebuffer&& other) noexcept;
  Framebuffer& operator=(Framebuffer&& other) noexcept;

  int width() const { return width_; }
  int height() const { return height_; }
  void bind() const;          // drawing goes here from now on
  static void bind_default(); // and here to the window again
  Image read() const;         // opaque, top row first

private:
  unsigned framebuffer_ = 0;
  unsigned colour_ = 0;
  int width_ = 0;
  int height_ = 0;
};

} // namespace polarscope
