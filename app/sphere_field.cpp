// The loss on the sphere: values between grid points, contours, wells.
#include "app/sphere_plot.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <utility>

namespace polarscope {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

Point3 grid_point(const SphereField& field, float row, float col) {
  const float polar = kPi * row / static_cast<float>(field.rows - 1),
              longitude = 2 * kPi * col / static_cast<float>(field.cols);
  return {std::sin(polar) * std::cos(longitude), std::sin(polar) * std::sin(longitude), std::cos(polar)};
}

} // namespace

// Marching squares on the loss grid; segments are chained where they share an edge of the grid.
void make_contours(const SphereField& field, std::vector<std::vector<Point3>>& chains) {
  chains.clear();
  const auto value = [&](int r, int c) {
    return field.loss[static_cast<std::size_t>(r * field.cols + c % field.cols)];
  };
  const auto direction = [&](float r, float c) { return grid_point(field, r, c); };
  for (int step = 1; step < 10; ++step) {
    const float level = std::lerp(field.low, field.high, static_cast<float>(step) / 10);
    std::multimap<int, int> ends;              // edge → segment
    std::vector<std::pair<int, int>> segments; // by edge ids
    std::map<int, Point3> points;              // crossing of each edge
    const auto edge_point = [&](int r0, int c0, int r1, int c1) {
      const int id = 2 * (r0 * field.cols + c0 % field.cols) + (r0 == r1 ? 0 : 1);
      const float a = value(r0, c0), b = value(r1, c1), t = (level - a) / (b - a);
      points.emplace(id, direction(static_cast<float>(r0) + t * static_cast<float>(r1 - r0),
                                   static_cast<float>(c0) + t * static_cast<float>(c1 - c0)));
      return id;
    };
    for (int r = 0; r + 1 < field.rows; ++r)
      for (int c = 0; c < field.cols; ++c) {
        std::array<int, 4> found;
        int n = 0;
        const auto above = [&](int dr, int dc) { return value(r + dr, c + dc) > level; };
        if (above(0, 0) != above(0, 1)) found[static_cast<std::size_t>(n++)] = edge_point(r, c, r, c + 1);
        if (above(0, 1) != above(1, 1)) found[static_cast<std::size_t>(n++)] = edge_point(r, c + 1, r + 1, c + 1);
        if (above(1, 0) != above(1, 1)) found[static_cast<std::size_t>(n++)] = edge_point(r + 1, c, r + 1, c + 1);
        if (above(0, 0) != above(1, 0)) found[static_cast<std::size_t>(n++)] = edge_point(r, c, r + 1, c);
        for (int k = 0; k + 1 < n; k += 2) {
          const int index = static_cast<int>(segments.size());
          segments.push_back({found[static_cast<std::size_t>(k)], found[static_cast<std::size_t>(k + 1)]});
          ends.emplace(segments.back().first, index), ends.emplace(segments.back().second, index);
        }
      }
    std::vector<bool> used(segments.size());
    const auto next_of = [&](int edge) {
      for (auto [it, last] = ends.equal_range(edge); it != last; ++it)
        if (!used[static_cast<std::size_t>(it->second)]) return it->second;
      return -1;
    };
    for (std::size_t first = 0; first < segments.size(); ++first) {
      if (used[first]) continue;
      used[first] = true;
      std::vector<Point3> chain{points[segments[first].first], points[segments[first].second]};
      for (bool forwards : {true, false}) {
        int edge = forwards ? segments[first].second : segments[first].first;
        for (int s = next_of(edge); s >= 0; s = next_of(edge)) {
          used[static_cast<std::size_t>(s)] = true;
          const auto& segment = segments[static_cast<std::size_t>(s)];
          edge = segment.first == edge ? segment.second : segment.first;
          chain.push_back(points[edge]);
        }
        std::reverse(chain.begin(), chain.end());
      }
      chains.push_back(std::move(chain));
    }
  }
}

float SphereField::level(Point3 d) const {
  const float r = std::acos(std::clamp(d[2], -1.0f, 1.0f)) / kPi * static_cast<float>(rows - 1);
  float turns = std::atan2(d[1], d[0]) / (2 * kPi);
  turns -= std::floor(turns);
  const float c = turns * static_cast<float>(cols);
  const int r0 = std::min(static_cast<int>(r), rows - 2), c0 = static_cast<int>(c) % cols;
  const float fr = r - static_cast<float>(r0), fc = c - std::floor(c);
  const auto at = [&](int i, int j) { return loss[static_cast<std::size_t>(i * cols + j % cols)]; };
  const float value =
      std::lerp(std::lerp(at(r0, c0), at(r0, c0 + 1), fc), std::lerp(at(r0 + 1, c0), at(r0 + 1, c0 + 1), fc), fr);
  return std::clamp((value - low) / std::max(high - low, 1e-30f), 0.0f, 1.0f);
}

void set_field_range(SphereField& field) {
  PlaneField flat;
  flat.loss = field.loss;
  set_field_range(flat);
  field.low = flat.low, field.high = flat.high;
}

std::vector<SphereWell> find_wells(const SphereField& field, std::size_t most) {
  std::vector<SphereWell> wells;
  const float deep = 0.05f * (field.high - field.low);
  if (field.empty() || !(deep > 0)) return wells;
  const auto at = [&](int row, int col) {
    return field.loss[static_cast<std::size_t>(row * field.cols + (col + field.cols) % field.cols)];
  };
  // Lower than all grid points around it; of neighbours of one value the first. The poles are rows of equal points.
  for (int row = 0; row < field.rows; ++row)
    for (int col = 0; col < (row == 0 || row == field.rows - 1 ? 1 : field.cols); ++col) {
      const float here = at(row, col);
      bool least = true;
      for (int r = std::max(0, row - 1); r <= std::min(field.rows - 1, row + 1) && least; ++r)
        for (int c = 0; c < field.cols && least; ++c) {
          const int away = std::min((c - col + field.cols) % field.cols, (col - c + field.cols) % field.cols);
          const bool pole = row == 0 || row == field.rows - 1;
          if ((!pole && away > 1) || (r == row && (pole || c == col))) continue;
          least = at(r, c) > here || (at(r, c) == here && r * field.cols + c > row * field.cols + col);
        }
      if (least) wells.push_back({grid_point(field, static_cast<float>(row), static_cast<float>(col)), here});
    }
  std::stable_sort(wells.begin(), wells.end(),
                   [](const SphereWell& a, const SphereWell& b) { return a.loss < b.loss; });
  // ripples of the sampling: another well, lower and near, stands for them
  std::vector<SphereWell> kept;
  for (const SphereWell& well : wells) {
    const bool near = std::any_of(kept.begin(), kept.end(), [&](const SphereWell& k) {
      return k.direction[0] * well.direction[0] + k.direction[1] * well.direction[1] +
                 k.direction[2] * well.direction[2] >
             0.94f;
    });
    if (!near && well.loss < field.high - deep && kept.size() < most) kept.push_back(well);
  }
  return kept;
}

} // namespace polarscope
