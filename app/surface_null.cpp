// No picture at all: ImGui lays out, takes input and builds draw lists, in about a millisecond a frame.
#include "app/idle_wait.hpp"
#include "app/surface.hpp"

#include "imgui.h"

namespace polarscope {
namespace {

class NullSurface final : public Surface {
public:
  NullSurface(int width, int height) : width_(width), height_(height) {}

  void attach() override {
    ImGui::GetIO().BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset | ImGuiBackendFlags_RendererHasTextures;
  }
  void detach() override { answer_texture_requests(true); }

  void new_frame() override {
    ImGuiIO& io = ImGui::GetIO();
    io.DisplaySize = ImVec2(static_cast<float>(width_), static_cast<float>(height_));
    io.DeltaTime = 1.0f / 60;
  }
  void draw(const Colour&) override { answer_texture_requests(false); }
  Result<Image> read_pixels(const Colour&) override { return machine_lacks("this window draws nothing"); }

  int width() const override { return width_; }
  int height() const override { return height_; }
  Result<void> resize(int width, int height) override {
    width_ = width;
    height_ = height;
    return {};
  }

  Came wait(double timeout_seconds) override { return idle_.wait(timeout_seconds) ? Came::redraw : Came::nothing; }
  void wake() override { idle_.wake(); }

private:
  // ImGui hands textures (its growing font atlas) to the renderer and waits for each to be taken or
  // destroyed.
  static void answer_texture_requests(bool destroy_all) {
    for (ImTextureData* texture : ImGui::GetPlatformIO().Textures) {
      if (destroy_all || texture->Status == ImTextureStatus_WantDestroy) {
        texture->SetTexID(ImTextureID_Invalid);
        texture->SetStatus(ImTextureStatus_Destroyed);
      } else if (texture->Status == ImTextureStatus_WantCreate) {
        texture->SetTexID(static_cast<ImTextureID>(texture->UniqueID + 1));
        texture->SetStatus(ImTextureStatus_OK);
      } else if (texture->Status == ImTextureStatus_WantUpdates) {
        texture->SetStatus(ImTextureStatus_OK);
      }
    }
  }

  int width_;
  int height_;
  IdleWait idle_;
};

} // namespace

std::unique_ptr<Surface> make_null_surface(const WindowOptions& options) {
  return std::make_unique<NullSurface>(options.width, options.height);
}

} // namespace polarscope
