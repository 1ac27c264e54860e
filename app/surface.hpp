// What a Window draws on; the part of it that differs between a display, an off-screen framebuffer and
// nothing.
#pragma once

#include "app/image.hpp"
#include "app/window.hpp"
#include "engine/result.hpp"

#include <array>
#include <memory>
#include <string>

namespace polarscope {

using Colour = std::array<float, 4>;

class Surface {
public:
  virtual ~Surface() = default;

  // Back ends of the current ImGui context.
  virtual void attach() = 0;
  virtual void detach() = 0;

  virtual void new_frame() = 0;
  virtual void draw(const Colour& clear) = 0; // ImGui::GetDrawData(), and shows it
  virtual Result<Image> read_pixels(const Colour& clear) = 0;

  virtual int width() const = 0; // framebuffer, pixels
  virtual int height() const = 0;
  virtual Result<void> resize(int width, int height) = 0;

  // Waits at most that long; returns early on input or wake(). Says what came.
  enum class Came { nothing, redraw, input };
  virtual Came wait(double timeout_seconds) = 0;
  virtual void wake() = 0; // any thread

  virtual void toggle_full_screen() {}
  virtual bool close_requested() const { return false; }
  virtual float monitor_scale() const { return 1.0f; }
  virtual std::string renderer() const { return {}; }
};

Result<std::unique_ptr<Surface>> open_display_surface(const WindowOptions& options);
Result<std::unique_ptr<Surface>> open_offscreen_surface(const WindowOptions& options);
std::unique_ptr<Surface> make_null_surface(const WindowOptions& options);

} // namespace polarscope
