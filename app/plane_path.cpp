#include "app/plane_path.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>

namespace polarscope {
namespace {

// In eight parts, so that the compiler can keep them in registers. Single precision: no pixel needs more.
float dot(const float* a, const float* b, std::size_t count) {
  std::array<float, 8> part{};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (std::size_t k = 0; k < 8; ++k) part[k] += a[i + k] * b[i + k];
  for (; i < count; ++i) part[0] += a[i] * b[i];
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

// Angle nearest to the one before it.
float unwrapped(double angle, const std::vector<float>& before) {
  const auto a = static_cast<float>(angle);
  return before.empty() ? a : before.back() + std::remainder(a - before.back(), 2 * std::numbers::pi_v<float>);
}

void truncate(PlanePath& path, std::size_t size, std::size_t count) {
  path.step.resize(size), path.angle.resize(size), path.norm.resize(size), path.along.resize(size);
  path.weights.resize(size * count);
}

} // namespace

ShownPart shown_part_of(const ParamInfo& info, int parameter, int row) {
  const bool whole = row < 0 || row >= static_cast<int>(info.rows);
  if (whole) return {parameter, 0, std::size_t{info.rows} * info.cols};
  return {parameter, static_cast<std::size_t>(row) * info.cols, info.cols};
}

void add_points(const SeriesView& series, const ShownPart& part, const Plane& plane, long from, long to, long stride,
                PlanePath& path) {
  PlanePoint point;
  const auto measure = [&](auto numbers) {
    const auto shown = numbers.subspan(part.first, part.count);
    double x = 0, y = 0, square = 0;
    for (std::size_t i = 0; i < part.count; ++i) {
      const auto w = static_cast<double>(shown[i]);
      x += w * plane.e1[part.first + i];
      y += w * plane.e2[part.first + i];
      square += w * w;
    }
    point = {x, y, std::sqrt(square)};
    if (std::isfinite(point.norm)) path.weights.insert(path.weights.end(), shown.begin(), shown.end());
  };
  for (long step = from; step <= to; step += stride) {
    if (!series.with_weight(part.parameter, step, measure)) continue;
    if (!std::isfinite(point.norm)) return;
    path.step.push_back(step);
    path.angle.push_back(unwrapped(point.angle(), path.angle));
    path.norm.push_back(static_cast<float>(point.norm));
    path.along.push_back(static_cast<float>(point.x));
  }
}

void extend_path(const SeriesView& series, const ShownPart& part, const Plane& plane, long to, long stride,
                 PlanePath& path) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < path.size(); ++i)
    if (path.step[i] % stride == 0) {
      if (kept != i) {
        path.step[kept] = path.step[i], path.angle[kept] = path.angle[i], path.norm[kept] = path.norm[i],
        path.along[kept] = path.along[i];
        std::copy_n(path.weights.begin() + static_cast<std::ptrdiff_t>(i * part.count), part.count,
                    path.weights.begin() + static_cast<std::ptrdiff_t>(kept * part.count));
      }
      ++kept;
    }
  truncate(path, kept, part.count);
  add_points(series, part, plane, path.step.empty() ? 0 : path.last() + stride, to, stride, path);
}

void turn_path(const ShownPart& part, const Plane& plane, long to, PlanePath& path) {
  const auto end = std::upper_bound(path.step.begin(), path.step.end(), to);
  truncate(path, static_cast<std::size_t>(end - path.step.begin()), part.count);
  static thread_local std::vector<float> e2;
  const auto first = plane.e2.begin() + static_cast<std::ptrdiff_t>(part.first);
  e2.assign(first, first + static_cast<std::ptrdiff_t>(part.count));
  path.angle.clear();
  for (std::size_t i = 0; i < path.size(); ++i)
    path.angle.push_back(unwrapped(
        std::atan2(dot(path.weights.data() + i * part.count, e2.data(), part.count), path.along[i]), path.angle));
}

long stride_for(const SeriesView& series, int most) {
  long stride = 1;
  while (series.last_step() / stride + 1 > most) stride *= 2;
  return stride;
}

double path_mark(const SeriesView& series, int parameter, long step) {
  double mark = 0;
  if (step >= 0)
    series.with_weight(parameter, step, [&](auto numbers) {
      for (std::size_t i = 0; i < numbers.size(); ++i)
        mark += static_cast<double>(numbers[i]) * (1 + 0.001 * static_cast<double>(i % 97));
    });
  return mark;
}

} // namespace polarscope
