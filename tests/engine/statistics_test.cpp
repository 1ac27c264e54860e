// Means, standard errors and paired differences against examples worked out by hand.
#include "engine/statistics.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <vector>

using namespace polarscope;

TEST_CASE("mean and standard error by hand", "[statistics]") {
  // 2, 4, 4, 4, 5, 5, 7, 9: mean 40/8 = 5; squares of deviations 9+1+1+1+0+0+4+16 = 32; s² = 32/7; se = √(32/7/8) = √(4/7)
  const std::vector<double> eight = {2, 4, 4, 4, 5, 5, 7, 9};
  CHECK(estimate(eight).mean == 5);
  CHECK(estimate(eight).se == Approx(std::sqrt(4.0 / 7)));
  CHECK(estimate(eight).count == 8);
  // two values: se = |a − b|/2
  const std::vector<double> two = {1, 4};
  CHECK(estimate(two).mean == 2.5);
  CHECK(estimate(two).se == Approx(1.5));
  // one value has no spread, none has no mean
  const std::vector<double> one = {3};
  CHECK(estimate(one).mean == 3);
  CHECK(std::isnan(estimate(one).se));
  CHECK(std::isnan(estimate({}).mean));
  // a common offset changes no spread: the deviations are taken from the mean
  const std::vector<double> shifted = {1e9 + 1, 1e9 + 2, 1e9 + 3};
  CHECK(estimate(shifted).se == Approx(1 / std::sqrt(3.0)));
}

TEST_CASE("pairs remove what runs have in common", "[statistics]") {
  // differences 3, 4, 5: mean 4, s = 1, se = 1/√3; the runs themselves spread a hundred times as much
  const std::vector<double> a = {103, 54, 205}, b = {100, 50, 200};
  const Estimate d = paired_difference(a, b);
  CHECK(d.mean == 4);
  CHECK(d.se == Approx(1 / std::sqrt(3.0)));
  CHECK(decided(d));
  CHECK(estimate(a).se > 40);
  const Estimate back = paired_difference(b, a);
  CHECK(back.mean == -4);
  CHECK(decided(back));
}

namespace {

// P(T ≤ t) of Student's t by Simpson's rule over its density, for t ≥ 0.
double student_below(double t, double freedom) {
  const double scale = std::exp(std::lgamma((freedom + 1) / 2) - std::lgamma(freedom / 2)) / std::sqrt(freedom * M_PI);
  const auto density = [&](double x) { return scale * std::pow(1 + x * x / freedom, -(freedom + 1) / 2); };
  constexpr int kParts = 2000;
  const double h = t / kParts;
  double sum = density(0) + density(t);
  for (int i = 1; i < kParts; ++i) sum += (i % 2 == 1 ? 4 : 2) * density(i * h);
  return 0.5 + sum * h / 3;
}

} // namespace

TEST_CASE("how far from 0 a mean must be follows Student's t", "[statistics]") {
  CHECK(std::isinf(needed_errors(0)));
  CHECK(std::isinf(needed_errors(1)));
  // the printed table
  CHECK(needed_errors(2) == Approx(12.706));
  CHECK(needed_errors(3) == Approx(4.303));
  CHECK(needed_errors(4) == Approx(3.182));
  CHECK(needed_errors(5) == Approx(2.776));
  CHECK(needed_errors(10) == Approx(2.262));
  CHECK(needed_errors(31) == Approx(2.042));
  CHECK(needed_errors(41) == Approx(2.021).margin(5e-4));
  // each leaves 5 % of what is equal outside, until two standard errors are more than that
  for (std::size_t n = 2; n <= 60; ++n) {
    INFO(n);
    CHECK(student_below(needed_errors(n), static_cast<double>(n - 1)) == Approx(0.975).margin(4e-5));
    CHECK(needed_errors(n) > needed_errors(n + 1));
  }
  for (const std::size_t n : {62, 100, 1000, 1000000}) CHECK(needed_errors(n) == 2);
}

TEST_CASE("nothing is ranked within what chance makes, nor from too few pairs", "[statistics]") {
  CHECK(decided({2.78, 1.0, 5}));
  CHECK_FALSE(decided({2.77, 1.0, 5}));
  CHECK(decided({-4.31, 1.0, 3}));
  CHECK_FALSE(decided({-4.29, 1.0, 3}));
  CHECK(decided({2.0, 1.0, 1000}));
  CHECK_FALSE(decided({-1.99, 1.0, 1000}));
  CHECK_FALSE(decided({99.0, 1.0, 2}));
  CHECK_FALSE(decided({0.0, 0.0, 5})); // equal to the bit
  CHECK_FALSE(decided(estimate({})));
  const std::vector<double> a = {1, 5, 2}, b = {2, 3, 2};
  CHECK_FALSE(decided(paired_difference(a, b))); // −1, 2, 0: mean 1/3, se √(7/9)
  CHECK(paired_difference(a, b).se == Approx(std::sqrt(7.0) / 3));
}
