// Random numbers: the published known answers, the keying, and the law of the normal numbers.
#include "tests/support/catch.hpp"

#include "kernels/normal.hpp"
#include "kernels/rng.hpp"

#include <cmath>
#include <set>
#include <vector>

using namespace polarscope::kernels;

namespace {

void check_bits(const RandomBits& bits, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  CHECK(bits.v[0] == a);
  CHECK(bits.v[1] == b);
  CHECK(bits.v[2] == c);
  CHECK(bits.v[3] == d);
}

template <class R> std::vector<R> normals(std::uint32_t blocks, std::uint64_t seed, std::uint64_t step) {
  std::vector<R> z;
  for (std::uint32_t i = 0; i < blocks; ++i) {
    const auto four = four_normals<R>(random_bits(seed, 3, step, i), true);
    z.insert(z.end(), four.v, four.v + 4);
  }
  return z;
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
    CHECK(uniform_open<float>(bits) < 1.0f);
    CHECK(uniform_open<double>(bits) < 1.0);
    CHECK(uniform_open<double>(bits) == Approx(uniform_open<float>(bits)).epsilon(1e-7));
  }
}

TEST_CASE("Normal numbers have the moments and tails of N(0, 1)") {
  constexpr int n = 1 << 20;
  const auto z = normals<float>(n / 4, 11, 5);
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

TEST_CASE("Normal numbers depend on seed, stream, step and index, and are all different") {
  const auto z = normals<float>(1000, 7, 1);
  CHECK(std::set<float>(z.begin(), z.end()).size() > 3990); // 24 bits: a few coincidences
  CHECK(normals<float>(1000, 7, 1) == z);
  CHECK(normals<float>(1000, 7, 2) != z);
  CHECK(normals<float>(1000, 8, 1) != z);
  const auto pair = four_normals<float>(random_bits(7, 3, 1, 5), false);
  CHECK(pair.v[0] == z[20]);
  CHECK(pair.v[1] == z[21]);
}

TEST_CASE("Both precisions draw the same normal numbers") {
  const auto single = normals<float>(1000, 5, 9);
  const auto exact = normals<double>(1000, 5, 9);
  for (std::size_t i = 0; i < single.size(); ++i) CHECK(single[i] == Approx(exact[i]).margin(2e-6));
}
