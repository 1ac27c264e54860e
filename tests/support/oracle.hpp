// Float64 oracles written from the formulas: norms, angles and finite differences.
#pragma once

#include <functional>
#include <vector>

namespace polarscope::test {

using Numbers = std::vector<double>;

double dot(const Numbers& a, const Numbers& b);
double norm(const Numbers& a);
Numbers scaled(const Numbers& a, double factor);
Numbers minus(const Numbers& a, const Numbers& b);
double angle(const Numbers& a, const Numbers& b); // in long double, from the cross term: accurate at every angle

// Central differences of f at x with step 1e-5 ‖x‖ (algorithms.md §F2).
Numbers finite_difference(const std::function<double(const Numbers&)>& f, const Numbers& x);

// Random numbers for tests: a 64-bit linear congruence, so that a failure repeats.
class Dice {
public:
  explicit Dice(unsigned long long seed) : state_(seed * 2862933555777941757ull + 3037000493ull) {}
  double uniform();                    // in [0, 1)
  double normal();                     // standard normal
  long integer(long least, long most); // both ends included
  Numbers normals(std::size_t count);

private:
  unsigned long long state_;
};

} // namespace polarscope::test
