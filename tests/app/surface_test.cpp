#include "app/window.hpp"

#include "app/fonts_data.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/xvfb.hpp"

#include "imgui.h"
#include "imgui_te_context.h"
#include "imgui_te_engine.h"
#include "implot.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace polarscope;

namespace {

std::unique_ptr<Window> open(WindowKind kind, WindowOptions options = {}) {
  auto window = Window::open(kind, std::move(options));
  INFO((window ? std::string() : window.error().text()));
  REQUIRE(window.ok());
  return std::move(*window);
}

// Red in the left half, green below y = 40 on the right.
void draw_marks(const Window& window) {
  ImDrawList* list = ImGui::GetBackgroundDrawList();
  const float w = static_cast<float>(window.width()), h = static_cast<float>(window.height());
  list->AddRectFilled({0, 0}, {w / 2, h}, IM_COL32(255, 0, 0, 255));
  list->AddRectFilled({w / 2, 40}, {w, h}, IM_COL32(0, 255, 0, 255));
}

using Rgb = std::vector<int>;
Rgb rgb(const Image& image, int x, int y) {
  const auto* p = image.pixel(x, y);
  return {p[0], p[1], p[2]};
}

} // namespace

TEST_CASE("off screen, what is drawn can be read back, top row first", "[window]") {
  auto window = open(WindowKind::offscreen, {.width = 200, .height = 100});
  window->clear_colour = {0, 0, 1, 1};
  window->begin_frame();
  draw_marks(*window);
  window->end_frame();
  auto image = window->read_pixels();
  REQUIRE(image.ok());
  REQUIRE(image->width == 200);
  REQUIRE(image->height == 100);
  CHECK(rgb(*image, 10, 10) == Rgb{255, 0, 0});
  CHECK(rgb(*image, 190, 10) == Rgb{0, 0, 255});
  CHECK(rgb(*image, 190, 90) == Rgb{0, 255, 0});
  CHECK(image->pixel(190, 10)[3] == 255);
  CHECK_FALSE(window->renderer().empty());

  REQUIRE(window->resize(64, 80).ok());
  window->begin_frame();
  draw_marks(*window);
  window->end_frame();
  image = window->read_pixels();
  REQUIRE(image.ok());
  CHECK(image->width == 64);
  CHECK(rgb(*image, 60, 70) == Rgb{0, 255, 0});

  CHECK_FALSE(window->resize(1 << 30, 10).ok());
}

TEST_CASE("a picture survives a PNG file", "[window]") {
  Image image(3, 2);
  for (std::size_t i = 0; i < image.rgba.size(); ++i) image.rgba[i] = static_cast<std::uint8_t>(37 * i);
  const auto path =
      (std::filesystem::temp_directory_path() / ("polarscope_" + std::to_string(::getpid()) + ".png")).string();
  REQUIRE(write_png(image, path).ok());
  const auto back = read_png(path);
  std::filesystem::remove(path);
  REQUIRE(back.ok());
  CHECK(back->width == 3);
  CHECK(back->rgba == image.rgba);
  CHECK_FALSE(write_png(image, "/nowhere/at/all.png").ok());
  CHECK_FALSE(read_png("/nowhere/at/all.png").ok());
}

TEST_CASE("windows of each kind can follow one another", "[window]") {
  for (int round = 0; round < 2; ++round)
    for (const auto kind : {WindowKind::offscreen, WindowKind::null}) {
      auto window = open(kind, {.width = 320, .height = 200});
      for (int frame = 0; frame < 3; ++frame) {
        window->begin_frame();
        ImGui::Begin("text");
        ImGui::Text("norm %d", frame);
        if (ImPlot::BeginPlot("plot")) ImPlot::EndPlot();
        ImGui::End();
        window->end_frame();
      }
    }
}

TEST_CASE("the theme is applied once per scale, before the frame", "[window]") {
  std::vector<float> scales;
  WindowOptions options{.width = 320, .height = 200, .scale = 1.5f};
  options.apply_theme = [&](float scale) { scales.push_back(scale); };
  auto window = open(WindowKind::null, options);
  const auto frame = [&] {
    window->begin_frame();
    window->end_frame();
  };
  frame();
  CHECK(scales == std::vector<float>{1.5f});
  window->set_scale(3);
  frame();
  frame();
  CHECK(scales == std::vector<float>{1.5f, 3.0f});
  window->set_scale(0);
  frame();
  CHECK(window->scale() == 1.0f);
}

TEST_CASE("a window waits until a redraw is asked for", "[window]") {
  auto window = open(WindowKind::null, {.width = 64, .height = 64});
  while (window->wait_events(0)) {
    window->begin_frame();
    window->end_frame();
  }
  CHECK_FALSE(window->wait_events(0.001));
  std::thread other([&] { window->request_redraw(); });
  CHECK(window->wait_events(30));
  other.join();
  window->begin_frame();
  window->end_frame();
  CHECK_FALSE(window->wait_events(0));
}

TEST_CASE("embedded fonts load and have the signs the program writes", "[window]") {
  auto window = open(WindowKind::null, {.width = 320, .height = 200});
  ImFontAtlas* atlas = ImGui::GetIO().Fonts;
  const auto add = [&](const char* name, bool merge) {
    const EmbeddedFile file = embedded_font(name);
    REQUIRE(file.size > 10000);
    ImFontConfig config;
    config.FontDataOwnedByAtlas = false;
    config.MergeMode = merge;
    return atlas->AddFontFromMemoryTTF(const_cast<unsigned char*>(file.data), static_cast<int>(file.size), 13, &config);
  };
  REQUIRE(embedded_font_names().size() == 5);
  for (const char* face : {"Inter-Medium", "Inter-SemiBold", "JetBrainsMono-Regular"}) CHECK(add(face, false));
  CHECK_FALSE(embedded_font("Comic"));
  ImFont* font = add("Inter-Regular", false);
  add("DejaVuSans", true);
  window->begin_frame();
  ImFontBaked* baked = font->GetFontBaked(26);
  for (const ImWchar sign :
       {U'A', U'θ', U'‖', U'∥', U'⊥', U'√', U'∇', U'∈', U'⊙', U'⊗', U'⊤', U'ℝ', U'₀', U'₉', U'⁻', U'ᵀ', U'→', U'−'})
    CHECK(baked->FindGlyphNoFallback(sign));
  window->end_frame();
}

TEST_CASE("the test engine drives a window without OpenGL", "[window]") {
  auto window = open(WindowKind::null, {.width = 640, .height = 400});
  ImGuiTestEngine* engine = ImGuiTestEngine_CreateContext();
  ImGuiTestEngineIO& io = ImGuiTestEngine_GetIO(engine);
  io.ConfigRunSpeed = ImGuiTestRunSpeed_Fast;
  io.ConfigSavedSettings = false;
  static int clicks;
  clicks = 0;
  ImGuiTest* test = ImGuiTestEngine_RegisterTest(engine, "window", "click");
  test->GuiFunc = [](ImGuiTestContext*) {
    ImGui::Begin("panel");
    if (ImGui::Button("step")) ++clicks;
    ImGui::End();
  };
  test->TestFunc = [](ImGuiTestContext* ctx) { ctx->ItemClick("//panel/step"); };
  ImGuiTestEngine_Start(engine, ImGui::GetCurrentContext());
  ImGuiTestEngine_QueueTest(engine, test);
  for (int frame = 0; frame < 1000 && !ImGuiTestEngine_IsTestQueueEmpty(engine); ++frame) {
    window->begin_frame();
    window->end_frame();
    ImGuiTestEngine_PostSwap(engine);
  }
  CHECK(clicks == 1);
  CHECK(test->Output.Status == ImGuiTestStatus_Success);
  ImGuiTestEngine_Stop(engine);
  window.reset(); // the engine's context must outlive ImGui's
  ImGuiTestEngine_DestroyContext(engine);
}

TEST_CASE("on a display, a window draws, waits and wakes", "[window]") {
  Xvfb server;
  REQUIRE(server.running());
  auto window = open(WindowKind::display, {.width = 300, .height = 200, .scale = 2});
  CHECK(window->width() == 300);
  CHECK(window->scale() == 2);
  const auto settle = [&] {
    for (int frame = 0; frame < 200 && window->wait_events(0.05); ++frame) {
      window->begin_frame();
      draw_marks(*window);
      window->end_frame();
    }
  };
  settle();
  const auto image = window->read_pixels();
  REQUIRE(image.ok());
  REQUIRE(image->height == 200);
  CHECK(rgb(*image, 10, 10) == Rgb{255, 0, 0});
  CHECK(rgb(*image, 290, 190) == Rgb{0, 255, 0});

  CHECK_FALSE(window->wait_events(0.01));
  std::thread other([&] { window->request_redraw(); });
  CHECK(window->wait_events(30));
  other.join();

  REQUIRE(window->resize(400, 250).ok());
  settle();
  CHECK(window->width() == 400);
  CHECK_FALSE(window->close_requested());
}

TEST_CASE("without a display the error says so and is the machine's", "[window]") {
  const char* display = std::getenv("DISPLAY");
  const std::string kept = display ? display : "";
  ::setenv("DISPLAY", ":no-such-display", 1);
  const auto window = Window::open(WindowKind::display);
  if (display) ::setenv("DISPLAY", kept.c_str(), 1);
  else ::unsetenv("DISPLAY");
  REQUIRE_FALSE(window.ok());
  CHECK(window.error().kind == ErrorKind::machine_lacks);
  CHECK(window.error().text().find('\n') == std::string::npos);
}
