// For tests of drawings: a window without OpenGL, and series made by hand.
#pragma once

#include "app/labels.hpp"
#include "app/theme.hpp"
#include "app/window.hpp"
#include "engine/program.hpp"
#include "engine/series.hpp"
#include "tests/support/catch.hpp"

#include <functional>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace polarscope::testing {

// A window without OpenGL and one full-size ImGui window in it.
class Canvas {
public:
  explicit Canvas(ThemeName name = ThemeName::dark, float scale = 1, int width = 900, int height = 700) {
    WindowOptions options;
    options.width = width, options.height = height, options.scale = scale;
    options.apply_theme = [this, name](float s) {
      if (!fonts_.regular) fonts_ = load_fonts();
      auto theme = Theme::make(name, s, fonts_);
      REQUIRE(theme.ok());
      theme_ = std::make_unique<Theme>(*theme);
      theme_->apply();
    };
    auto window = Window::open(WindowKind::null, options);
    REQUIRE(window.ok());
    window_ = std::move(*window);
  }
  const Theme& theme() const { return *theme_; }
  Box area() const { return {{0, 0}, {static_cast<float>(window_->width()), static_cast<float>(window_->height())}}; }

  // One frame; returns the number of vertices drawn.
  int frame(const std::function<void()>& draw) {
    window_->begin_frame();
    theme_->begin_frame();
    ImGui::SetNextWindowPos({0, 0});
    ImGui::SetNextWindowSize(ImGui::GetIO().DisplaySize);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
    ImGui::Begin("canvas", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoNavInputs);
    ImGui::PopStyleVar();
    draw();
    ImGui::End();
    window_->end_frame();
    return ImGui::GetDrawData()->TotalVtxCount;
  }

private:
  Fonts fonts_;
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<Window> window_;
};

// One metric column with the given values, one row per step.
inline std::pair<std::shared_ptr<const StepProgram>, SeriesView>
make_series(const std::vector<std::vector<double>>& columns) {
  ProgramBuilder build(Precision::f64);
  build.metric("loss", -1, static_cast<int>(columns.size()), 1);
  auto program = build.finish();
  RunSeries series(program, std::size_t{1} << 28);
  std::vector<double> records(columns.front().size() * program->record_size());
  for (std::size_t row = 0; row < columns.front().size(); ++row)
    for (std::size_t c = 0; c < columns.size(); ++c) records[row * program->record_size() + c] = columns[c][row];
  series.append(std::as_bytes(std::span<const double>(records)));
  return {program, series.view()};
}

inline std::vector<double> noisy(std::size_t rows, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(rows);
  for (double& v : values) v = 1 + 0.1 * normal(engine);
  return values;
}

} // namespace polarscope::testing
