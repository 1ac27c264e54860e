#include "app/framebuffer.hpp"

#include <fmt/format.h>

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

// Types and constants only: functions are looked up, so that no OpenGL library is linked.
#include <GL/gl.h>
#include <GL/glext.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

namespace polarscope {
namespace {

template <class F> F look_up(const char* name) { return reinterpret_cast<F>(glfwGetProcAddress(name)); }

// Looked up per use: they are called a few times a frame, and a table would have to follow the context.
#define GL_CALL(type, name) look_up<type>(#name)
using GetString = const GLubyte*(APIENTRY*)(GLenum);
using GetIntegerv = void(APIENTRY*)(GLenum, GLint*);
using GetError = GLenum(APIENTRY*)();
using ClearColor = void(APIENTRY*)(GLfloat, GLfloat, GLfloat, GLfloat);
using Clear = void(APIENTRY*)(GLbitfield);
using Viewport = void(APIENTRY*)(GLint, GLint, GLsizei, GLsizei);
using Scissor = void(APIENTRY*)(GLenum);
using PixelStorei = void(APIENTRY*)(GLenum, GLint);
using ReadPixels = void(APIENTRY*)(GLint, GLint, GLsizei, GLsizei, GLenum, GLenum, void*);

} // namespace

std::string gl_renderer() {
  const GLubyte* name = GL_CALL(GetString, glGetString)(GL_RENDERER);
  return name ? reinterpret_cast<const char*>(name) : "";
}

void gl_clear(int width, int height, const std::array<float, 4>& colour) {
  GL_CALL(Viewport, glViewport)(0, 0, width, height);
  GL_CALL(Scissor, glDisable)(GL_SCISSOR_TEST);
  GL_CALL(ClearColor, glClearColor)(colour[0], colour[1], colour[2], colour[3]);
  GL_CALL(Clear, glClear)(GL_COLOR_BUFFER_BIT);
}

Result<Framebuffer> Framebuffer::create(int width, int height) {
  assert(width > 0 && height > 0);
  GLint limit = 0;
  GL_CALL(GetIntegerv, glGetIntegerv)(GL_MAX_RENDERBUFFER_SIZE, &limit);
  if (std::max(width, height) > limit)
    return machine_lacks(
        fmt::format("a picture of {} x {} pixels is more than OpenGL draws here ({})", width, height, limit));
  Framebuffer made;
  made.width_ = width;
  made.height_ = height;
  GL_CALL(PFNGLGENFRAMEBUFFERSPROC, glGenFramebuffers)(1, &made.framebuffer_);
  GL_CALL(PFNGLGENRENDERBUFFERSPROC, glGenRenderbuffers)(1, &made.colour_);
  GL_CALL(PFNGLBINDRENDERBUFFERPROC, glBindRenderbuffer)(GL_RENDERBUFFER, made.colour_);
  GL_CALL(PFNGLRENDERBUFFERSTORAGEPROC, glRenderbufferStorage)(GL_RENDERBUFFER, GL_RGBA8, width, height);
  made.bind();
  GL_CALL(PFNGLFRAMEBUFFERRENDERBUFFERPROC, glFramebufferRenderbuffer)
  (GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, made.colour_);
  const GLenum status = GL_CALL(PFNGLCHECKFRAMEBUFFERSTATUSPROC, glCheckFramebufferStatus)(GL_FRAMEBUFFER);
  bind_default();
  if (status != GL_FRAMEBUFFER_COMPLETE)
    return machine_lacks(fmt::format("OpenGL has no framebuffer of {} x {} pixels", width, height));
  return made;
}

Framebuffer::~Framebuffer() {
  if (framebuffer_) GL_CALL(PFNGLDELETEFRAMEBUFFERSPROC, glDeleteFramebuffers)(1, &framebuffer_);
  if (colour_) GL_CALL(PFNGLDELETERENDERBUFFERSPROC, glDeleteRenderbuffers)(1, &colour_);
}

Framebuffer::Framebuffer(Framebuffer&& other) noexcept { *this = std::move(other); }

Framebuffer& Framebuffer::operator=(Framebuffer&& other) noexcept {
  std::swap(framebuffer_, other.framebuffer_);
  std::swap(colour_, other.colour_);
  std::swap(width_, other.width_);
  std::swap(height_, other.height_);
  return *this;
}

void Framebuffer::bind() const { GL_CALL(PFNGLBINDFRAMEBUFFERPROC, glBindFramebuffer)(GL_FRAMEBUFFER, framebuffer_); }

void Framebuffer::bind_default() { GL_CALL(PFNGLBINDFRAMEBUFFERPROC, glBindFramebuffer)(GL_FRAMEBUFFER, 0); }

Image Framebuffer::read() const {
  Image image(width_, height_);
  std::vector<unsigned char> bottom_up(image.rgba.size());
  bind();
  GL_CALL(PixelStorei, glPixelStorei)(GL_PACK_ALIGNMENT, 1);
  GL_CALL(ReadPixels, glReadPixels)(0, 0, width_, height_, GL_RGBA, GL_UNSIGNED_BYTE, bottom_up.data());
  bind_default();
  const std::size_t row = static_cast<std::size_t>(width_) * 4;
  for (std::size_t y = 0; y < static_cast<std::size_t>(height_); ++y)
    std::memcpy(image.rgba.data() + y * row, bottom_up.data() + (static_cast<std::size_t>(height_) - 1 - y) * row, row);
  for (std::size_t i = 3; i < image.rgba.size(); i += 4) image.rgba[i] = 255;
  return image;
}

} // namespace polarscope
