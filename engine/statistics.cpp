#include "engine/statistics.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

namespace polarscope {

Estimate estimate(std::span<const double> values) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  Estimate out{kNone, kNone, values.size()};
  if (values.empty()) return out;
  const double n = static_cast<double>(values.size());
  double sum = 0;
  for (const double v : values) sum += v;
  out.mean = sum / n;
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.se = std::sqrt(squares / (n - 1) / n);
  return out;
}

Estimate paired_difference(std::span<const double> a, std::span<const double> b) {
  assert(a.size() == b.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  return estimate(differences);
}

Estimate difference_by_seed(const BySeed& a, const BySeed& b) {
  std::vector<double> left, right;
  for (const auto& [seed, value] : a)
    if (const auto it = b.find(seed); it != b.end()) {
      left.push_back(value);
      right.push_back(it->second);
    }
  return paired_difference(left, right);
}

namespace {

// 97.5 % quantiles of Student's t with 1 … 30 degrees of freedom.
constexpr std::array<double, 30> kStudent = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                             2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                             2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};

double student(std::size_t freedom) {
  if (freedom <= kStudent.size()) return kStudent[freedom - 1];
  // The normal quantile and its first corrections in 1/freedom: Abramowitz & Stegun 26.7.5.
  constexpr double z = 1.959964;
  const double n = static_cast<double>(freedom);
  return z + (z * z * z + z) / (4 * n) + (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * n * n);
}

} // namespace

double needed_errors(std::size_t count) {
  return count < 2 ? std::numeric_limits<double>::infinity() : std::max(2.0, student(count - 1));
}

bool decided(const Estimate& difference) {
  return difference.count >= kFewestPairs && difference.mean != 0 &&
         std::abs(difference.mean) >= needed_errors(difference.count) * difference.se;
}

} // namespace polarscope
