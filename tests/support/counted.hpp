// A number that counts what is computed with it, and a team of one lane that runs op bodies with such numbers.
#pragma once

#include "kernels/context.hpp"
#include "kernels/math.hpp"

#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace polarscope::test {

// Of the layout of a double, so that a member's block can be read as numbers that count.
struct Counted {
  double v;

  Counted() = default;
  template <class N, class = std::enable_if_t<std::is_arithmetic_v<N>>>
  constexpr Counted(N n) : v(static_cast<double>(n)) {}
  template <class N, class = std::enable_if_t<std::is_arithmetic_v<N>>> explicit operator N() const {
    return static_cast<N>(v);
  }

  static inline long operations = 0;
  static Counted made(double value) {
    ++operations;
    return Counted(value);
  }

  friend Counted operator+(Counted a, Counted b) { return made(a.v + b.v); }
  friend Counted operator-(Counted a, Counted b) { return made(a.v - b.v); }
  friend Counted operator*(Counted a, Counted b) { return made(a.v * b.v); }
  friend Counted operator/(Counted a, Counted b) { return made(a.v / b.v); }
  friend Counted operator-(Counted a) { return Counted(-a.v); }
  Counted& operator+=(Counted b) { return *this = *this + b; }
  Counted& operator-=(Counted b) { return *this = *this - b; }
  Counted& operator*=(Counted b) { return *this = *this * b; }
  Counted& operator/=(Counted b) { return *this = *this / b; }
  friend bool operator<(Counted a, Counted b) { return a.v < b.v; }
  friend bool operator>(Counted a, Counted b) { return a.v > b.v; }
  friend bool operator<=(Counted a, Counted b) { return a.v <= b.v; }
  friend bool operator>=(Counted a, Counted b) { return a.v >= b.v; }
  friend bool operator==(Counted a, Counted b) { return a.v == b.v; }
  friend bool operator!=(Counted a, Counted b) { return a.v != b.v; }
};
static_assert(sizeof(Counted) == sizeof(double) && std::is_trivially_copyable_v<Counted>);

} // namespace polarscope::test

POLARSCOPE_KERNELS_BEGIN

using test::Counted;

inline Counted sqrt_(Counted x) { return Counted::made(std::sqrt(x.v)); }
inline Counted abs_(Counted x) { return Counted(std::fabs(x.v)); }
inline Counted exp_(Counted x) { return Counted::made(std::exp(x.v)); }
inline Counted log_(Counted x) { return Counted::made(std::log(x.v)); }
inline Counted log1p_(Counted x) { return Counted::made(std::log1p(x.v)); }
inline Counted expm1_(Counted x) { return Counted::made(std::expm1(x.v)); }
inline Counted pow_(Counted x, Counted y) { return Counted::made(std::pow(x.v, y.v)); }
inline Counted atan2_(Counted y, Counted x) { return Counted::made(std::atan2(y.v, x.v)); }
inline SinCos<Counted> sincos_turns_(Counted t) {
  const double x = 6.283185307179586 * t.v;
  return {Counted::made(std::sin(x)), Counted::made(std::cos(x))};
}
template <> struct Tiny<Counted> : Tiny<double> {};

class CountingTeam {
public:
  using Real = Counted;
  using Acc = Counted;

  explicit CountingTeam(std::size_t scratch_size) : arena_(scratch_size) {}

  int lanes() const { return 1; }
  int pad(int n) const { return n; }
  template <class F> void for_each(int n, F f) {
    for (int i = 0; i < n; ++i) f(i);
  }
  template <class F> void rows(int m, F f) {
    for (int i = 0; i < m; ++i) f(*this, i);
  }
  template <class F> auto sums(int n, F f) {
    decltype(f(0)) total = {};
    for (int i = 0; i < n; ++i) add_to(total, f(i));
    return total;
  }
  template <class F> Acc sum(int n, F f) {
    Acc total = 0;
    for (int i = 0; i < n; ++i) total += f(i);
    return total;
  }
  template <class F> Real max(int n, F f) {
    Real top = 0;
    for (int i = 0; i < n; ++i) top = max_(top, static_cast<Real>(f(i)));
    return top;
  }
  template <class F> void single(F f) { f(); }
  void sync() {}

  Mat<Real> scratch(int rows, int cols) {
    constexpr int kLine = 8;
    const int ld = (cols + kLine - 1) / kLine * kLine;
    Mat<Real> m{arena_.data() + used_, rows, cols, ld};
    used_ += static_cast<std::size_t>(m.size());
    for (int i = 0; i < m.size(); ++i) m.p[i] = 0;
    return m;
  }
  void release_scratch() { used_ = 0; }

  // Half of a symmetric result is computed, the rest mirrored.
  void matmul(Mat<Real> c, Mat<Real> a, Mat<Real> b, const MatmulArgs<Real>& args = {}) {
    const int inner = args.transpose_a ? a.rows : a.cols;
    for (int i = 0; i < c.rows; ++i)
      for (int j = 0; j < (args.symmetric ? i + 1 : c.cols); ++j) {
        Real s = 0;
        for (int k = 0; k < inner; ++k)
          s += (args.transpose_a ? a(k, i) : a(i, k)) * (args.transpose_b ? b(j, k) : b(k, j));
        s *= args.alpha;
        if (args.beta != Real(0)) s += args.beta * args.d[static_cast<long>(i) * c.ld + j];
        if (args.relu && s < Real(0)) s = 0;
        c(i, j) = s;
        if (args.symmetric) c(j, i) = s;
      }
  }

private:
  std::vector<Real> arena_;
  std::size_t used_ = 0;
};

POLARSCOPE_KERNELS_END
