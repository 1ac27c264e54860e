#include "engine/projection.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>

namespace polarscope {
namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  assert(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double norm(std::span<const double> a) { return std::sqrt(dot(a, a)); }

void scale(std::vector<double>& a, double s) {
  for (double& x : a) x *= s;
}

// Removes the part along e1; twice, because once leaves rounding errors where little remains.
void make_orthogonal(std::vector<double>& a, const std::vector<double>& e1) {
  for (int pass = 0; pass < 2; ++pass) {
    const double along = dot(a, e1);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] -= along * e1[i];
  }
}

std::size_t axis_least_along(const std::vector<double>& e1) {
  std::size_t best = e1.size();
  for (std::size_t i = 0; i < e1.size(); ++i)
    if (e1[i] != 0 && std::abs(e1[i]) < 0.999999 && (best == e1.size() || std::abs(e1[i]) < std::abs(e1[best])))
      best = i;
  if (best < e1.size()) return best;
  return e1.size() > 1 && std::abs(e1[0]) > 0.5 ? 1 : 0; // e1 is an axis itself
}

} // namespace

std::optional<Plane> plane_through(std::span<const double> a, std::span<const double> b) {
  const double size = norm(a);
  if (a.size() < 2 || !(size > 0) || !std::isfinite(size)) return std::nullopt;
  Plane plane;
  plane.e1.assign(a.begin(), a.end());
  scale(plane.e1, 1 / size);
  plane.e2.assign(b.begin(), b.end());
  const double before = norm(plane.e2);
  if (before > 0 && std::isfinite(before)) make_orthogonal(plane.e2, plane.e1);
  if (!(before > 0) || !std::isfinite(before) || norm(plane.e2) < 1e-6 * before) {
    std::fill(plane.e2.begin(), plane.e2.end(), 0.0);
    plane.e2[axis_least_along(plane.e1)] = 1;
    make_orthogonal(plane.e2, plane.e1);
  }
  scale(plane.e2, 1 / norm(plane.e2));
  return plane;
}

Plane coordinate_plane(std::size_t size, std::size_t first, std::size_t second) {
  assert(first < size && second < size && first != second);
  Plane plane{std::vector<double>(size), std::vector<double>(size)};
  plane.e1[first] = 1;
  plane.e2[second] = 1;
  return plane;
}

double PlanePoint::angle() const { return std::atan2(y, x); }

PlanePoint project(const Plane& plane, std::span<const double> vector) {
  double x = 0, y = 0, squares = 0;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    x += plane.e1[i] * vector[i];
    y += plane.e2[i] * vector[i];
    squares += vector[i] * vector[i];
  }
  return {x, y, std::sqrt(squares)};
}

double share_in_plane(const Plane& plane, std::span<const double> vector) {
  const PlanePoint p = project(plane, vector);
  if (!(p.norm > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::min(1.0, (p.x * p.x + p.y * p.y) / (p.norm * p.norm));
}

PlaneParts parts_in_plane(const Plane& plane, PlanePoint at, std::span<const double> vector) {
  const double size = std::hypot(at.x, at.y);
  if (!(size > 0)) return {};
  const PlanePoint p = project(plane, vector);
  return {(p.x * at.x + p.y * at.y) / size, (p.y * at.x - p.x * at.y) / size};
}

std::vector<double> turn_in_plane(const Plane& plane, std::span<const double> vector, double angle, double size) {
  const PlanePoint p = project(plane, vector);
  const double inside = std::hypot(p.x, p.y);
  std::vector<double> turned(vector.begin(), vector.end());
  const double x = (inside > 0 ? inside : 1) * std::cos(angle) - p.x,
               y = (inside > 0 ? inside : 1) * std::sin(angle) - p.y;
  for (std::size_t i = 0; i < turned.size(); ++i) {
    if (inside <= 0) turned[i] = 0;
    turned[i] += x * plane.e1[i] + y * plane.e2[i];
  }
  scale(turned, size / norm(turned));
  return turned;
}

std::vector<double> only_row(std::span<const double> matrix, std::size_t cols, std::size_t row) {
  return as_row(matrix.subspan(row * cols, cols), matrix.size(), row);
}

std::vector<double> as_row(std::span<const double> source, std::size_t size, std::size_t row) {
  std::vector<double> matrix(size);
  std::copy(source.begin(), source.end(), matrix.begin() + static_cast<std::ptrdiff_t>(row * source.size()));
  return matrix;
}

namespace {
template <class T> void unwrap(std::span<T> angles) {
  constexpr double kTurn = 2 * std::numbers::pi;
  for (std::size_t i = 1; i < angles.size(); ++i) {
    const double turns = std::round((static_cast<double>(angles[i]) - static_cast<double>(angles[i - 1])) / kTurn);
    if (turns != 0) angles[i] = static_cast<T>(static_cast<double>(angles[i]) - kTurn * turns);
  }
}
} // namespace

void unwrap_angles(std::span<double> angles) { unwrap(angles); }
void unwrap_angles(std::span<float> angles) { unwrap(angles); }

} // namespace polarscope
