// The team of small ops (kernels/small.hpp): one thread, everything in its order. Its scalar is a float, or a pack of floats
// in which every vector lane is another member's.
//
// Compiled without contraction to fused multiply-adds, which compilers choose differently for numbers and for vectors.
#pragma once

#include "kernels/context.hpp"
#include "kernels/small.hpp"

#include <cassert>

POLARSCOPE_KERNELS_BEGIN

template <class Scalar> class SmallTeam {
public:
  using Real = Scalar;
  using Acc = typename Scalars<Scalar>::Exact;

  POLARSCOPE_FN int lanes() const { return 1; }
  POLARSCOPE_FN int pad(int n) const { return n; }
  template <class F> POLARSCOPE_FN void for_each(int n, F f) {
    for (int i = 0; i < n; ++i) f(i);
  }
  template <class F> POLARSCOPE_FN void rows(int m, F f) {
    for (int i = 0; i < m; ++i) f(*this, i);
  }
  template <class F> POLARSCOPE_FN Acc sum(int n, F f) {
    Acc total = 0;
    for (int i = 0; i < n; ++i) total += static_cast<Acc>(f(i));
    return total;
  }
  template <class F> POLARSCOPE_FN auto sums(int n, F f) {
    auto total = no_sums<Acc>(decltype(f(0)){});
    for (int i = 0; i < n; ++i) add_to(total, f(i));
    return total;
  }
  template <class F> POLARSCOPE_FN Real max(int n, F f) {
    Real top = 0;
    for (int i = 0; i < n; ++i) top = max_(Real(f(i)), top);
    return top;
  }
  template <class F> POLARSCOPE_FN void single(F f) { f(); }
  POLARSCOPE_FN void sync() {}
  POLARSCOPE_FN Mat<Real> scratch(int rows, int cols) {
    Mat<Real> m{arena_ + used_, rows, cols, cols};
    used_ += rows * cols;
    assert(used_ <= kArena);
    return m;
  }
  POLARSCOPE_FN void release_scratch() { used_ = 0; }
  POLARSCOPE_FN void matmul(const Mat<Real>& c, const Mat<Real>& a, const Mat<Real>& b,
                            const MatmulArgs<Real>& args = {}) {
    const int inner = args.transpose_a ? a.rows : a.cols;
    for (int i = 0; i < c.rows; ++i)
      for (int j = 0; j < c.cols; ++j) {
        Real total = 0;
        for (int k = 0; k < inner; ++k)
          total += (args.transpose_a ? a(k, i) : a(i, k)) * (args.transpose_b ? b(j, k) : b(k, j));
        c(i, j) = args.alpha * total;
        if (args.d) c(i, j) += args.beta * args.d[i * c.ld + j];
      }
  }

private:
  static constexpr int kArena = 2 * kMostSmall + 2; // Newton–Schulz takes two rows and two numbers
  Real arena_[kArena];
  int used_ = 0;
};

template <class Scalar> inline constexpr bool kSmallOnly<SmallTeam<Scalar>> = true;
template <class Scalar, OpCode code> inline constexpr bool kRunsOn<SmallTeam<Scalar>, code> = has_small_body(code);

POLARSCOPE_KERNELS_END
