#include "engine/projection.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <numbers>
#include <random>
#include <vector>

using namespace polarscope;

namespace {

std::vector<double> random_vector(std::size_t size, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> v(size);
  for (double& x : v) x = normal(engine);
  return v;
}

double inner(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void require_orthonormal(const Plane& plane) {
  CHECK(inner(plane.e1, plane.e1) == Approx(1).epsilon(1e-14));
  CHECK(inner(plane.e2, plane.e2) == Approx(1).epsilon(1e-14));
  CHECK(std::abs(inner(plane.e1, plane.e2)) < 1e-14);
}

} // namespace

TEST_CASE("a plane through two vectors is orthonormal and holds both") {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    const std::size_t size = 2 + 13 * (seed - 1);
    const auto a = random_vector(size, seed), b = random_vector(size, seed + 100);
    const auto plane = plane_through(a, b);
    REQUIRE(plane);
    require_orthonormal(*plane);
    CHECK(share_in_plane(*plane, a) == Approx(1).epsilon(1e-12));
    CHECK(share_in_plane(*plane, b) == Approx(1).epsilon(1e-12));
    CHECK(project(*plane, a).angle() == Approx(0).margin(1e-12));
    CHECK(project(*plane, b).y > 0);
  }
}

TEST_CASE("nearly parallel vectors still give an orthonormal plane") {
  const auto a = random_vector(40, 3);
  auto b = a;
  b[7] += 1e-4;
  const auto near = plane_through(a, b);
  REQUIRE(near);
  require_orthonormal(*near);
  const auto same = plane_through(a, a);
  REQUIRE(same);
  require_orthonormal(*same);
}

TEST_CASE("the plane of a row that has not moved stays in that row") {
  const auto matrix = random_vector(4 * 5, 9);
  const auto row = only_row(matrix, 5, 2);
  const auto plane = plane_through(row, row);
  REQUIRE(plane);
  for (std::size_t i = 0; i < matrix.size(); ++i)
    if (i / 5 != 2) {
      CHECK(plane->e1[i] == 0);
      CHECK(plane->e2[i] == 0);
    }
}

TEST_CASE("zero and axis vectors are handled") {
  CHECK_FALSE(plane_through(std::vector<double>{0, 0, 0}, std::vector<double>{1, 0, 0}));
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::vector<double> a(3);
    a[axis] = -2;
    const auto plane = plane_through(a, a);
    REQUIRE(plane);
    require_orthonormal(*plane);
  }
}

TEST_CASE("share of an update in a plane has its closed form") {
  const Plane plane = coordinate_plane(4, 1, 3);
  CHECK(share_in_plane(plane, std::vector<double>{3, 1, 0, 2}) == Approx(5.0 / 14.0));
  CHECK(share_in_plane(plane, std::vector<double>{1, 0, 1, 0}) == 0);
  CHECK(std::isnan(share_in_plane(plane, std::vector<double>{0, 0, 0, 0})));
}

TEST_CASE("radial and tangential parts of an update in the plane") {
  const Plane plane = coordinate_plane(2, 0, 1);
  const PlanePoint at = project(plane, std::vector<double>{3, 4});
  CHECK(at.norm == Approx(5));
  const PlaneParts parts = parts_in_plane(plane, at, std::vector<double>{-4, 3}); // a quarter turn to the left
  CHECK(parts.radial == Approx(0).margin(1e-15));
  CHECK(parts.tangential == Approx(5));
  CHECK(parts_in_plane(plane, at, std::vector<double>{6, 8}).radial == Approx(10));
}

TEST_CASE("turning a vector in the plane sets angle and norm and keeps the direction outside") {
  const auto plane = plane_through(random_vector(17, 1), random_vector(17, 2));
  REQUIRE(plane);
  const auto vector = random_vector(17, 3);
  for (double angle : {-2.35, 0.0, 1.0, 3.1}) {
    const auto turned = turn_in_plane(*plane, vector, angle, 4);
    const PlanePoint p = project(*plane, turned);
    CHECK(p.angle() == Approx(angle).margin(1e-12));
    CHECK(p.norm == Approx(4));
    CHECK(share_in_plane(*plane, turned) == Approx(share_in_plane(*plane, vector)));
  }
  const Plane other = coordinate_plane(3, 0, 1);
  const auto lifted = turn_in_plane(other, std::vector<double>{0, 0, 2}, 1.0, 3);
  CHECK(share_in_plane(other, lifted) == Approx(1));
  CHECK(project(other, lifted).norm == Approx(3));
}

TEST_CASE("angles are unwrapped over many turns") {
  std::vector<double> angles;
  for (int i = 0; i < 200; ++i) angles.push_back(std::remainder(0.3 * i, 2 * std::numbers::pi));
  unwrap_angles(angles);
  for (int i = 0; i < 200; ++i) CHECK(angles[static_cast<std::size_t>(i)] == Approx(0.3 * i).margin(1e-9));
}
