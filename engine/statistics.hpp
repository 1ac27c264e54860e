// Means with their standard errors, and differences of pairs.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>

namespace polarscope {

struct Estimate {
  double mean = 0; // NaN of nothing
  double se = 0;   // standard error of the mean, s/√n with s² = Σ(x − mean)²/(n − 1); NaN below two values
  std::size_t count = 0;
};

Estimate estimate(std::span<const double> values);

// Of a[i] − b[i]: what runs on the same data and noise differ by. Equally many of both.
Estimate paired_difference(std::span<const double> a, std::span<const double> b);

// The same of what both have for a seed.
using BySeed = std::map<std::uint64_t, double>;
Estimate difference_by_seed(const BySeed& a, const BySeed& b);

// The mean of what is finite among the values seen, as the final loss is of the last steps.
class FiniteMean {
public:
  void see(double value) {
    if (!std::isfinite(value)) return; // the step that diverged, or none recorded
    sum_ += value;
    ++count_;
  }
  // NaN of nothing.
  double mean() const {
    return count_ > 0 ? sum_ / static_cast<double>(count_) : std::numeric_limits<double>::quiet_NaN();
  }

private:
  double sum_ = 0;
  long count_ = 0;
};

// Fewer pairs than this decide nothing, whatever their spread.
inline constexpr std::size_t kFewestPairs = 3;

// How many standard errors from 0 a mean of `count` values is decided at: the 97.5 % quantile of Student's t with
// count − 1 degrees of freedom, and never less than 2. Infinite below two values.
double needed_errors(std::size_t count);

// Does a difference stand clear of its uncertainty: at least needed_errors of them, from at least kFewestPairs pairs?
// Of one difference by itself: among many, some 5 % of those between equals are decided by chance.
bool decided(const Estimate& difference);

} // namespace polarscope
