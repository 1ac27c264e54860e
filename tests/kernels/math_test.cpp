// The elementary functions of float against the library in double, over a fine comb of all bit patterns.
#include "tests/support/catch.hpp"

#include "kernels/math.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

using namespace polarscope::kernels;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSmallest = 1.17549435e-38f; // least normal number

// Distance in units of the last place of the right value.
double ulps(float got, double want) {
  const float near = static_cast<float>(std::fabs(want));
  return std::fabs(got - want) / (std::nextafterf(near, kInfinity) - near);
}

} // namespace

TEST_CASE("exp_ is within 1.1 ulp where its value is normal") {
  double worst = 0;
  for (std::uint64_t u = 0; u < (1ull << 32); u += 1009) {
    const float x = from_bits_(static_cast<std::uint32_t>(u));
    const double want = std::exp(static_cast<double>(x));
    if (!(want >= kSmallest && want <= 3.4028234e38)) continue;
    worst = std::max(worst, ulps(exp_(x), want));
  }
  CHECK(worst < 1.1);
  CHECK(exp_(0.0f) == 1.0f);
  CHECK(exp_(89.0f) == kInfinity);
  CHECK(exp_(kInfinity) == kInfinity);
  CHECK(exp_(-88.0f) == 0.0f);
  CHECK(exp_(-kInfinity) == 0.0f);
  CHECK(std::isnan(exp_(std::nanf(""))));
}

TEST_CASE("log_ is within 1 ulp over the positive normal numbers") {
  double worst = 0;
  for (std::uint64_t u = 0x00800000u; u < 0x7F800000u; u += 509) {
    const float x = from_bits_(static_cast<std::uint32_t>(u));
    worst = std::max(worst, ulps(log_(x), std::log(static_cast<double>(x))));
  }
  CHECK(worst < 1.0);
  CHECK(log_(1.0f) == 0.0f);
  CHECK(log_(0.0f) == -kInfinity);
  CHECK(log_(kInfinity) == kInfinity);
  CHECK(std::isnan(log_(-1.0f)));
  CHECK(std::isnan(log_(std::nanf(""))));
}

TEST_CASE("sincos_turns_ is within 1e-7, and exact at quarter turns") {
  constexpr double kTurn = 6.283185307179586476925;
  double worst = 0;
  for (int i = -200000; i <= 200000; ++i) {
    const float t = static_cast<float>(i) * 1.7e-5f;
    const auto [s, c] = sincos_turns_(t);
    worst = std::max({worst, std::fabs(s - std::sin(kTurn * static_cast<double>(t))),
                      std::fabs(c - std::cos(kTurn * static_cast<double>(t)))});
  }
  CHECK(worst < 1e-7);
  const float sines[4] = {0, 1, 0, -1}, cosines[4] = {1, 0, -1, 0};
  for (int q = -8; q < 8; ++q) {
    const auto [s, c] = sincos_turns_(0.25f * static_cast<float>(q));
    CHECK(s == sines[q & 3]);
    CHECK(c == cosines[q & 3]);
    const auto [sd, cd] = sincos_turns_(0.25 * q);
    CHECK(sd == Approx(sines[q & 3]).margin(1e-15));
    CHECK(cd == Approx(cosines[q & 3]).margin(1e-15));
  }
}

TEST_CASE("atan2_ is within 3e-7 of the angle, in every quadrant and for tiny and huge ratios") {
  double worst = 0;
  for (int i = 0; i < 200000; ++i) {
    const double angle = -3.14159 + 6.28318 * i / 200000.0, size = std::pow(10.0, i % 20 - 10);
    const float x = static_cast<float>(size * std::cos(angle)), y = static_cast<float>(size * std::sin(angle));
    const double want = std::atan2(static_cast<double>(y), static_cast<double>(x));
    if (want != 0) worst = std::max(worst, std::fabs(atan2_(y, x) - want) / std::fabs(want));
  }
  for (float y = 1e-30f; y < 1e30f; y *= 3.7f)
    worst = std::max(worst, std::fabs(atan2_(y, 1.0f) / std::atan2(static_cast<double>(y), 1.0) - 1));
  CHECK(worst < 3e-7);
  CHECK(atan2_(0.0f, 0.0f) == 0.0f);
  CHECK(atan2_(0.0f, 1.0f) == 0.0f);
  CHECK(atan2_(0.0f, -1.0f) == Approx(3.14159265));
  CHECK(std::isnan(atan2_(std::nanf(""), 1.0f)));
  CHECK(std::isnan(atan2_(1.0f, std::nanf(""))));
}
