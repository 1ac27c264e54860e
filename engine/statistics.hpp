// Means with their standard errors, and differences of pairs.
#pragma once

#include <cstddef>
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

// Fewer pairs than this decide nothing, whatever their spread.
inline constexpr std::size_t kFewestPairs = 3;

// Does a difference stand clear of its uncertainty: at least two standard errors, from at least kFewestPairs pairs?
bool decided(const Estimate& difference);

} // namespace polarscope
