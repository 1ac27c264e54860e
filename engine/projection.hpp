// Planes through the origin of a parameter's space, and what of a weight or an update lies in them. Pure maths on
// row-major vectors; angles are measured in the plane, radii are full norms.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace polarscope {

// An orthonormal pair; both have as many elements as the parameter.
struct Plane {
  std::vector<double> e1, e2;
  std::size_t size() const { return e1.size(); }
  bool operator==(const Plane&) const = default;
};

// e1 along `a`, e2 towards `b` (Gram–Schmidt, twice). Nullopt when `a` is zero or not finite. When `b` is parallel to
// `a` (sine below 1e-6), e2 is made from the coordinate axis that is least along e1 and, where there is one, on which
// `a` is not zero: the plane of a row stays in that row.
std::optional<Plane> plane_through(std::span<const double> a, std::span<const double> b);
// The plane of two coordinates.
Plane coordinate_plane(std::size_t size, std::size_t first, std::size_t second);

struct PlanePoint {
  double x = 0, y = 0;  // in the plane, along e1 and e2
  double norm = 0;      // full norm of the vector
  double angle() const; // radians, (−π, π]
};
PlanePoint project(const Plane& plane, std::span<const double> vector);

// ‖P v‖² / ‖v‖², the share of v that the plane shows; NaN when v is zero.
double share_in_plane(const Plane& plane, std::span<const double> vector);

// The parts of P v along and across the direction of a point in the plane.
struct PlaneParts {
  double radial = 0, tangential = 0; // tangential is positive towards growing angle
};
PlaneParts parts_in_plane(const Plane& plane, PlanePoint at, std::span<const double> vector);

// `vector` with its part in the plane turned to `angle`, its part outside kept, then scaled to `norm`. A vector without a
// part in the plane is replaced by one in it.
std::vector<double> turn_in_plane(const Plane& plane, std::span<const double> vector, double angle, double norm);

// One row of a rows × cols matrix, others zero, so that planes of rows live in the whole parameter's space.
std::vector<double> only_row(std::span<const double> matrix, std::size_t cols, std::size_t row);
// `source`, cols numbers, as `row` of an otherwise zero matrix of `size` elements.
std::vector<double> as_row(std::span<const double> source, std::size_t size, std::size_t row);

// Adds multiples of 2π so that neighbouring angles differ by at most π.
void unwrap_angles(std::span<double> angles);
void unwrap_angles(std::span<float> angles);

} // namespace polarscope
