// The CPU's team: one thread and its vector lanes. barriers cost nothing; a sub-team is the team itself.
#pragma once

#include "kernels/context.hpp"

#include <cstddef>

POLARSCOPE_KERNELS_BEGIN

template <class Scalar> class CpuTeam {
public:
  using Real = Scalar;
  using Acc = double;

  CpuTeam(Real* scratch, std::size_t size) : arena_(scratch), size_(size) {}

  int lanes() const { return 1; }
  POLARSCOPE_FN int pad(int n) const { return n; }
  template <class F> POLARSCOPE_FN void for_each(int n, F f) {
#pragma GCC ivdep
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
  template <class F> POLARSCOPE_FN Real max(int n, F f) {
    Real top = 0;
    for (int i = 0; i < n; ++i) {
      const Real x = f(i);
      top = x > top ? x : top;
    }
    return top;
  }
  template <class F> POLARSCOPE_FN void single(F f) { f(); }
  POLARSCOPE_FN void sync() {}

  Mat<Real> scratch(int rows, int cols) {
    constexpr int kLine = 64 / static_cast<int>(sizeof(Real));
    const int ld = (cols + kLine - 1) / kLine * kLine;
    Mat<Real> m{arena_ + used_, rows, cols, ld};
    used_ += static_cast<std::size_t>(rows) * ld;
    for (int i = 0; i < m.size(); ++i) m.p[i] = 0;
    return m;
  }
  void release_scratch() { used_ = 0; } // by the executor, after each op

  void matmul(Mat<Real> c, Mat<Real> a, Mat<Real> b, const MatmulArgs<Real>& args = {}) {
    const int inner = args.transpose_a ? a.rows : a.cols;
    for (int i = 0; i < c.rows; ++i)
      for (int j = 0; j < c.cols; ++j) {
        Real s = 0;
        for (int k = 0; k < inner; ++k)
          s += (args.transpose_a ? a(k, i) : a(i, k)) * (args.transpose_b ? b(j, k) : b(k, j));
        s *= args.alpha;
        if (args.beta != 0) s += args.beta * args.d[static_cast<long>(i) * c.ld + j];
        c(i, j) = args.relu && s < 0 ? Real(0) : s;
      }
  }

private:
  Real* arena_;
  std::size_t size_;
  std::size_t used_ = 0;
};

POLARSCOPE_KERNELS_END
