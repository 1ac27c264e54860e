#include "tests/support/oracle.hpp"

#include <cmath>

namespace polarscope::test {

double dot(const Numbers& a, const Numbers& b) {
  long double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<long double>(a[i]) * b[i];
  return static_cast<double>(sum);
}

double norm(const Numbers& a) { return std::sqrt(dot(a, a)); }

Numbers scaled(const Numbers& a, double factor) {
  Numbers out = a;
  for (double& x : out) x *= factor;
  return out;
}

Numbers minus(const Numbers& a, const Numbers& b) {
  Numbers out = a;
  for (std::size_t i = 0; i < a.size(); ++i) out[i] -= b[i];
  return out;
}

double angle(const Numbers& a, const Numbers& b) {
  // ‖a ∧ b‖² = ‖a ∧ (b − a)‖² = Σ_{i<j} (aᵢdⱼ − aⱼdᵢ)²
  long double wedge = 0, inner = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    inner += static_cast<long double>(a[i]) * b[i];
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const long double di = static_cast<long double>(b[i]) - a[i], dj = static_cast<long double>(b[j]) - a[j];
      const long double w = a[i] * dj - a[j] * di;
      wedge += w * w;
    }
  }
  return static_cast<double>(std::atan2(std::sqrt(wedge), inner));
}

Numbers finite_difference(const std::function<double(const Numbers&)>& f, const Numbers& x) {
  const double h = 1e-5 * norm(x);
  Numbers out(x.size()), y = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    y[i] = x[i] + h;
    const double above = f(y);
    y[i] = x[i] - h;
    const double below = f(y);
    y[i] = x[i];
    out[i] = (above - below) / (2 * h);
  }
  return out;
}

double Dice::uniform() {
  state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
  return static_cast<double>(state_ >> 11) * 0x1p-53;
}

double Dice::normal() {
  const double u = 1 - uniform(), v = uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
}

long Dice::integer(long least, long most) {
  return least + static_cast<long>(uniform() * static_cast<double>(most - least + 1));
}

Numbers Dice::normals(std::size_t count) {
  Numbers out(count);
  for (double& x : out) x = normal();
  return out;
}

} // namespace polarscope::test
