#include "app/icons.hpp"

#include "app/stroke.hpp"

#include <array>
#include <cmath>
#include <initializer_list>
#include <numbers>
#include <vector>

namespace polarscope {
namespace {

// Draws in a box of 12 × 12 units with the origin at its upper left corner.
class Pen {
public:
  Pen(ImDrawList* list, const Theme& theme, ImVec2 centre, ImU32 colour, float size)
      : list_(list), unit_(theme.px(size / 12)), width_(std::max(1.1f, theme.px(1.4f * size / 12))),
        colour_(colour), origin_{centre.x - 6 * unit_, centre.y - 6 * unit_} {}

  ImVec2 at(float x, float y) const { return {origin_.x + x * unit_, origin_.y + y * unit_}; }

  void line(std::initializer_list<ImVec2> points, bool closed = false) const {
    std::vector<ImVec2> path;
    for (ImVec2 p : points) path.push_back(at(p.x, p.y));
    stroke(list_, path, colour_, width_, closed);
  }
  void fill(std::initializer_list<ImVec2> clockwise) const {
    std::vector<ImVec2> path;
    for (ImVec2 p : clockwise) path.push_back(at(p.x, p.y));
    list_->AddConvexPolyFilled(path.data(), static_cast<int>(path.size()), colour_);
  }
  // Degrees, 0 = right, growing clockwise on screen.
  void arc(float x, float y, float radius, float from, float to) const {
    std::vector<ImVec2> path;
    const int parts = std::max(6, static_cast<int>(std::abs(to - from) / 12));
    for (int i = 0; i <= parts; ++i) {
      const float a =
          (from + (to - from) * static_cast<float>(i) / static_cast<float>(parts)) * std::numbers::pi_v<float> / 180;
      path.push_back(at(x + radius * std::cos(a), y + radius * std::sin(a)));
    }
    stroke(list_, path, colour_, width_);
  }
  void circle(float x, float y, float radius) const { list_->AddCircle(at(x, y), radius * unit_, colour_, 0, width_); }
  void dot(float x, float y, float radius) const { list_->AddCircleFilled(at(x, y), radius * unit_, colour_); }
  void box(float x0, float y0, float x1, float y1) const {
    list_->AddRect(at(x0, y0), at(x1, y1), colour_, 1.5f * unit_, width_);
  }

private:
  ImDrawList* list_;
  float unit_, width_;
  ImU32 colour_;
  ImVec2 origin_;
};

void draw_transport(const Pen& pen, Icon icon) {
  switch (icon) {
  case Icon::restart:
    pen.arc(6, 6.3f, 4.4f, -215, 70);
    pen.line({{1.6f, 0.9f}, {2.0f, 4.2f}, {5.2f, 3.5f}});
    break;
  case Icon::play: pen.fill({{2.6f, 1.2f}, {10.6f, 6}, {2.6f, 10.8f}}); break;
  case Icon::pause:
    pen.fill({{2.6f, 1.5f}, {5, 1.5f}, {5, 10.5f}, {2.6f, 10.5f}});
    pen.fill({{7, 1.5f}, {9.4f, 1.5f}, {9.4f, 10.5f}, {7, 10.5f}});
    break;
  case Icon::step_back:
    pen.line({{2.2f, 1.8f}, {2.2f, 10.2f}});
    pen.fill({{10.2f, 1.8f}, {10.2f, 10.2f}, {4, 6}});
    break;
  case Icon::step_forward:
    pen.line({{9.8f, 1.8f}, {9.8f, 10.2f}});
    pen.fill({{1.8f, 1.8f}, {8, 6}, {1.8f, 10.2f}});
    break;
  case Icon::to_start:
    pen.line({{1.8f, 1.8f}, {1.8f, 10.2f}});
    pen.line({{9.6f, 1.8f}, {5, 6}, {9.6f, 10.2f}});
    break;
  case Icon::to_end:
    pen.line({{10.2f, 1.8f}, {10.2f, 10.2f}});
    pen.line({{2.4f, 1.8f}, {7, 6}, {2.4f, 10.2f}});
    break;
  case Icon::undo:
    pen.line({{4.2f, 1.2f}, {1.4f, 4}, {4.2f, 6.8f}});
    pen.line({{1.4f, 4}, {7.4f, 4}});
    pen.arc(7.4f, 7.2f, 3.2f, -90, 90);
    pen.line({{7.4f, 10.4f}, {4.2f, 10.4f}});
    break;
  default: break;
  }
}

void draw_object(const Pen& pen, Icon icon) {
  switch (icon) {
  case Icon::fork:
    pen.circle(3, 2.2f, 1.4f), pen.circle(9, 2.2f, 1.4f), pen.circle(3, 10, 1.4f);
    pen.line({{3, 3.6f}, {3, 8.6f}});
    pen.line({{9, 3.6f}, {9, 4.8f}, {7.6f, 6.2f}, {3.4f, 6.6f}});
    break;
  case Icon::add: pen.line({{6, 1.2f}, {6, 10.8f}}), pen.line({{1.2f, 6}, {10.8f, 6}}); break;
  case Icon::remove:
    pen.line({{1.4f, 3}, {10.6f, 3}});
    pen.line({{4.2f, 2.8f}, {4.6f, 1.2f}, {7.4f, 1.2f}, {7.8f, 2.8f}});
    pen.line({{2.6f, 3.2f}, {3.2f, 11}, {8.8f, 11}, {9.4f, 3.2f}});
    break;
  case Icon::duplicate:
  case Icon::copy:
    pen.box(1.2f, 3.8f, 8, 10.8f);
    pen.line({{4.2f, 1.4f}, {10.6f, 1.4f}, {10.6f, 8}});
    break;
  case Icon::fair:
    pen.line({{6, 1}, {6, 10.8f}}), pen.line({{3.4f, 10.9f}, {8.6f, 10.9f}}), pen.line({{1.4f, 2.6f}, {10.6f, 2.6f}});
    pen.arc(2.2f, 6, 2.1f, 0, 180), pen.arc(9.8f, 6, 2.1f, 0, 180);
    pen.line({{0.1f, 6}, {2.2f, 2.6f}, {4.3f, 6}}, true), pen.line({{7.7f, 6}, {9.8f, 2.6f}, {11.9f, 6}}, true);
    break;
  case Icon::export_file:
    pen.line({{6, 7.4f}, {6, 1.2f}}), pen.line({{3.2f, 3.8f}, {6, 1}, {8.8f, 3.8f}});
    pen.line({{2.4f, 6}, {1.2f, 6}, {1.2f, 11}, {10.8f, 11}, {10.8f, 6}, {9.6f, 6}});
    break;
  case Icon::folder: pen.line({{1, 10.4f}, {1, 1.8f}, {4.6f, 1.8f}, {6, 3.4f}, {11, 3.4f}, {11, 10.4f}}, true); break;
  case Icon::lesson:
    pen.line({{6, 3}, {6, 10.6f}});
    pen.line({{6, 3},
              {4.4f, 1.8f},
              {1, 1.8f},
              {1, 9.4f},
              {4.4f, 9.4f},
              {6, 10.6f},
              {7.6f, 9.4f},
              {11, 9.4f},
              {11, 1.8f},
              {7.6f, 1.8f}},
             true);
    break;
  case Icon::shown:
  case Icon::hidden:
    pen.line({{0.6f, 6},
              {2.4f, 3.8f},
              {4.4f, 2.8f},
              {6, 2.6f},
              {7.6f, 2.8f},
              {9.6f, 3.8f},
              {11.4f, 6},
              {9.6f, 8.2f},
              {7.6f, 9.2f},
              {6, 9.4f},
              {4.4f, 9.2f},
              {2.4f, 8.2f}},
             true);
    pen.circle(6, 6, 1.6f);
    if (icon == Icon::hidden) pen.line({{1.6f, 10.8f}, {10.4f, 1.2f}});
    break;
  default: break;
  }
}

void draw_sign(const Pen& pen, Icon icon) {
  switch (icon) {
  case Icon::explain:
    pen.circle(6, 6, 5.2f);
    pen.arc(6, 4.9f, 1.6f, -190, 40);
    pen.line({{7.2f, 5.9f}, {6, 6.7f}, {6, 7.3f}});
    pen.dot(6, 9, 0.8f);
    break;
  case Icon::chevron_down: pen.line({{2.8f, 4.4f}, {6, 7.6f}, {9.2f, 4.4f}}); break;
  case Icon::chevron_right: pen.line({{4.4f, 2.8f}, {7.6f, 6}, {4.4f, 9.2f}}); break;
  case Icon::search: pen.circle(5, 5, 3.6f), pen.line({{7.8f, 7.8f}, {11, 11}}); break;
  case Icon::check: pen.line({{2, 6.4f}, {4.8f, 9.2f}, {10, 3}}); break;
  case Icon::cross: pen.line({{2.4f, 2.4f}, {9.6f, 9.6f}}), pen.line({{9.6f, 2.4f}, {2.4f, 9.6f}}); break;
  case Icon::solo: pen.circle(6, 6, 5), pen.dot(6, 6, 2.2f); break;
  case Icon::pin: pen.line({{6, 5.6f}, {6, 11}}), pen.dot(6, 3.6f, 2.3f); break;
  case Icon::warning: pen.fill({{6, 1}, {11.4f, 10.6f}, {0.6f, 10.6f}}); break;
  case Icon::flag: pen.line({{2.4f, 11.2f}, {2.4f, 1}}), pen.fill({{2.8f, 1}, {10.6f, 3.8f}, {2.8f, 6.6f}}); break;
  case Icon::diamond: pen.fill({{6, 0.8f}, {11.2f, 6}, {6, 11.2f}, {0.8f, 6}}); break;
  case Icon::target: pen.circle(6, 6, 4.6f), pen.dot(6, 6, 1.9f); break;
  case Icon::more: pen.dot(2, 6, 1.1f), pen.dot(6, 6, 1.1f), pen.dot(10, 6, 1.1f); break;
  case Icon::logo:
    pen.arc(6, 6, 5, -140, 120);
    pen.dot(2.2f, 2.8f, 1.5f), pen.dot(6.4f, 6, 1.1f);
    break;
  default: break;
  }
}

} // namespace

void draw_icon(ImDrawList* list, const Theme& theme, Icon icon, ImVec2 centre, ImU32 colour, float size) {
  const Pen pen(list, theme, centre, colour, size);
  draw_transport(pen, icon);
  draw_object(pen, icon);
  draw_sign(pen, icon);
}

} // namespace polarscope
