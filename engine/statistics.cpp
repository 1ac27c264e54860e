#include "engine/statistics.hpp"

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

bool decided(const Estimate& difference) {
  return difference.count >= kFewestPairs && difference.mean != 0 && std::abs(difference.mean) >= 2 * difference.se;
}

} // namespace polarscope
