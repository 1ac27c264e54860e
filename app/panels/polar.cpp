// The signature view: direction as angle, norm as radius; also unrolled, and on the sphere for weights of three numbers.
#include "app/caches.hpp"
#include "app/panels/drawings.hpp"
#include "app/panels/tools.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace polarscope {
namespace {

constexpr int kMostRows = 64; // offered in the list

const std::vector<std::string>& plane_words() {
  static const std::vector<std::string> words = {"start and current", "weight and update", "start and reference",
                                                 "two rows"};
  return words;
}

// Everything that can be shown: each parameter as one vector, and its rows.
struct ShownVector {
  std::string words;
  int parameter, row;
};

std::vector<ShownVector> shown_vectors(const RunFrame& run) {
  std::vector<ShownVector> vectors;
  const auto& parameters = run.program->parameters();
  for (int p = 0; p < static_cast<int>(parameters.size()); ++p) {
    const ParamInfo& info = parameters[static_cast<std::size_t>(p)];
    const int rows = static_cast<int>(info.rows);
    vectors.push_back({rows > 1 ? "all of " + info.name : info.name, p, -1});
    for (int i = 0; rows > 1 && i < std::min(rows, kMostRows); ++i)
      vectors.push_back({fmt::format("row {} of {}", i, info.name), p, i});
  }
  return vectors;
}

void draw_controls(const PanelContext& c, const RunFrame& run) {
  static constexpr std::array kDrawings = {"polar", "unrolled", "sphere"};
  PolarChoice& choice = c.view.polar;
  std::vector<HeaderControl> controls;
  const std::vector<ShownVector> vectors = shown_vectors(run);
  std::vector<std::string> words;
  int vector = 0;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    words.push_back(vectors[i].words);
    if (vectors[i].parameter == choice.plane.parameter && vectors[i].row == choice.plane.row)
      vector = static_cast<int>(i);
  }
  if (vectors.size() > 1) controls.push_back(HeaderControl::make_dropdown("##shown", words, &vector, 100));
  int plane = static_cast<int>(choice.plane.kind);
  const bool has_rows = run.program->parameters()[static_cast<std::size_t>(choice.plane.parameter)].rows > 1;
  const std::size_t planes = has_rows ? 4 : 3;
  if (!has_one_plane(run, choice.plane.parameter) && choice.drawing != PolarDrawing::sphere)
    controls.push_back(HeaderControl::make_dropdown("##plane", std::span(plane_words()).first(planes), &plane, 138));
  int drawing = static_cast<int>(choice.drawing);
  controls.push_back(
      HeaderControl::make_switch("drawing", std::span(kDrawings).first(has_sphere(c.frame) ? 3 : 2), &drawing));
  if (choice.drawing == PolarDrawing::polar)
    controls.push_back(HeaderControl::make_toggle("log r", &choice.log_radius,
                                                  "Logarithmic radius: equal ratios of the norm take equal space."));
  if (c.view.layout == LayoutKind::show) controls.clear();
  show_header(c, "polar", {}, controls);
  choice.plane.parameter = vectors[static_cast<std::size_t>(vector)].parameter;
  choice.plane.row = vectors[static_cast<std::size_t>(vector)].row;
  choice.plane.kind = static_cast<PlaneChoice::Kind>(plane);
  choice.drawing = static_cast<PolarDrawing>(drawing);
}

} // namespace

void draw_polar(const PanelContext& c) {
  if (c.frame.runs.empty()) {
    show_header(c, "polar", {{}, "no runs"});
    return;
  }
  const RunFrame* run = c.frame.find(c.frame.selected);
  if (!run) run = &c.frame.runs.front();
  const int last = static_cast<int>(run->program->parameters().size()) - 1;
  c.view.polar.plane.parameter = std::clamp(c.view.polar.plane.parameter, 0, last);
  draw_controls(c, *run);
  const ImVec2 at = ImGui::GetCursorScreenPos(), window = ImGui::GetWindowPos();
  // In Show the round picture uses the header's height too: the title stands in a corner it leaves free.
  const float top = c.view.layout == LayoutKind::show && c.titled ? window.y : at.y;
  const Box area{{at.x, top}, {window.x + ImGui::GetWindowWidth(), window.y + ImGui::GetWindowHeight()}};
  c.caches.sphere_asks = false;
  switch (c.view.polar.drawing) {
  case PolarDrawing::polar: draw_polar_in(c, area); break;
  case PolarDrawing::unrolled: draw_unrolled_in(c, "polar", area); break;
  case PolarDrawing::sphere: draw_sphere_in(c, area); break;
  }
  const float in = c.theme.px(6);
  ring_if_highlighted(c, "polar", {area.min.x + in, area.min.y + in}, {area.max.x - in, area.max.y - in});
}

std::string text_of_polar(const PanelContext& c) { return text_of_drawing(c); }

} // namespace polarscope
