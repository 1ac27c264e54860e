// Random numbers: the published known answers, the keying, and the law of the normal numbers.
#include "tests/support/catch.hpp"

#include "kernels/cpu/team.hpp"
#include "kernels/rng.hpp"

#include <cmath>
#include <set>
#include <tuple>
#include <vector>

using namespace polarscope::kernels;

namespace {

void check_bits(const RandomBits& bits, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  CHECK(bits.v[0] == a);
  CHECK(bits.v[1] == b);
  CHECK(bits.v[2] == c);
  CHECK(bits.v[3] == d);
}

std::vector<float> normals(int rows, int cols, int ld, std::uint64_t seed, std::uint64_t step) {
  std::vector<float> m(static_cast<std::size_t>(rows * ld), 0.0f);
  CpuTeam<float> team(nullptr, 0);
  fill_normal(team, Mat<float>{m.data(), rows, cols, ld}, seed, 3, step);
  return m;
}

} // namespace

// kat_vectors of Random123 1.09, lines "philox4x32 10".
TEST_CASE("Philox gives the published known answers") {
  check_bits(philox(0, 0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  const std::uint32_t ones = 0xffffffff;
  check_bits(philox(ones, ones, ones, ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  check_bits(philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb,
             0x5001e420, 0x24126ea1);
}

TEST_CASE("Random bits: key = seed, counter = (index, stream, step)") {
  const RandomBits bits = random_bits(0x299f31d0a4093822ull, 0x85a308d3, 0x0370734413198a2eull, 0x243f6a88);
  check_bits(bits, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
}

TEST_CASE("Uniform numbers are inside (0, 1) and equal in both precisions") {
  for (const std::uint32_t bits : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    CHECK(uniform_open<float>(bits) > 0.0f);
    CHECK(uniform_open<double>(bits) < 1.0);
    CHECK(uniform_open<double>(bits) == Approx(uniform_open<float>(bits)).epsilon(1e-7));
  }
}

TEST_CASE("Normal numbers have the moments and tails of N(0, 1)") {
  constexpr int n = 1 << 20;
  const auto z = normals(1024, 1024, 1024, 11, 5);
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, beyond2 = 0, neighbours = 0;
  for (int i = 0; i < n; ++i) {
    const double x = z[static_cast<std::size_t>(i)];
    m1 += x;
    m2 += x * x;
    m3 += x * x * x;
    m4 += x * x * x * x;
    beyond2 += std::fabs(x) > 2.0;
    if (i) neighbours += x * z[static_cast<std::size_t>(i - 1)];
  }
  // five standard errors each
  CHECK(m1 / n == Approx(0).margin(5 * std::sqrt(1.0 / n)));
  CHECK(m2 / n == Approx(1).margin(5 * std::sqrt(2.0 / n)));
  CHECK(m3 / n == Approx(0).margin(5 * std::sqrt(15.0 / n)));
  CHECK(m4 / n == Approx(3).margin(5 * std::sqrt(96.0 / n)));
  CHECK(beyond2 / n == Approx(std::erfc(2.0 / std::sqrt(2.0))).margin(5 * std::sqrt(0.0455 / n)));
  CHECK(neighbours / n == Approx(0).margin(5 * std::sqrt(1.0 / n)));
}

TEST_CASE("Normal numbers depend on shape, seed, stream and step, not on the layout") {
  for (const auto& [rows, cols] : {std::tuple{1, 2}, {3, 5}, {8, 16}, {7, 9}, {2, 6}}) {
    const int n = rows * cols;
    const auto tight = normals(rows, cols, cols, 7, 1);
    const auto wide = normals(rows, cols, 32, 7, 1);
    std::set<float> distinct;
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < 32; ++j) {
        const float x = wide[static_cast<std::size_t>(i * 32 + j)];
        if (j < cols) {
          CHECK(x == tight[static_cast<std::size_t>(i * cols + j)]);
          distinct.insert(x);
        } else {
          CHECK(x == 0.0f);
        }
      }
    }
    CHECK(distinct.size() == static_cast<std::size_t>(n));
    CHECK(normals(rows, cols, cols, 7, 2) != tight);
    CHECK(normals(rows, cols, cols, 8, 1) != tight);
  }
}

TEST_CASE("Both precisions draw the same normal numbers") {
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const auto single = normal_pair<float>(5, 2, 9, i);
    const auto exact = normal_pair<double>(5, 2, 9, i);
    CHECK(single.first == Approx(exact.first).margin(2e-6));
    CHECK(single.second == Approx(exact.second).margin(2e-6));
  }
}
