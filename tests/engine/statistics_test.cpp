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
  // differences 1, 2, 3: mean 2, s = 1, se = 1/√3; the runs themselves spread a hundred times as much
  const std::vector<double> a = {101, 52, 203}, b = {100, 50, 200};
  const Estimate d = paired_difference(a, b);
  CHECK(d.mean == 2);
  CHECK(d.se == Approx(1 / std::sqrt(3.0)));
  CHECK(decided(d));
  CHECK(estimate(a).se > 40);
  const Estimate back = paired_difference(b, a);
  CHECK(back.mean == -2);
  CHECK(decided(back));
}

TEST_CASE("nothing is ranked within two standard errors or from too few pairs", "[statistics]") {
  CHECK(decided({2.0, 1.0, 5}));
  CHECK(decided({-2.0, 1.0, 3}));
  CHECK_FALSE(decided({1.99, 1.0, 5}));
  CHECK_FALSE(decided({-1.99, 1.0, 1000}));
  CHECK_FALSE(decided({9.0, 1.0, 2}));
  CHECK_FALSE(decided({0.0, 0.0, 5})); // equal to the bit
  CHECK_FALSE(decided(estimate({})));
  const std::vector<double> a = {1, 5, 2}, b = {2, 3, 2};
  CHECK_FALSE(decided(paired_difference(a, b))); // −1, 2, 0: mean 1/3, se √(7/9)
  CHECK(paired_difference(a, b).se == Approx(std::sqrt(7.0) / 3));
}
