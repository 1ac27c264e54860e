// The CPU's team: one thread and its vector lanes. Barriers cost nothing; a sub-team is the team itself.
//
// Which numbers it gives is fixed by the instruction set and the shape: loops are vectorised without peeling for
// alignment, so no result depends on an address, and sums run in blocks that are added in double.
#pragma once

#include "kernels/context.hpp"
#include "kernels/cpu/dots.hpp"
#include "kernels/cpu/matmul.hpp"

#include <cassert>
#include <cstddef>

POLARSCOPE_KERNELS_BEGIN

template <class Scalar> class CpuTeam {
public:
  using Real = Scalar;
  using Acc = double;

  // `scratch`: `size` scalars, 64-byte aligned.
  CpuTeam(Real* scratch, std::size_t size) : arena_(scratch), size_(size) {}

  POLARSCOPE_FN int lanes() const { return 1; }

  // Slots' rows are padded to whole cache lines, so that size() is a multiple of a line.
  POLARSCOPE_FN int pad(int n) const {
    assert(n > 0 && n % kLine == 0);
    if (n <= 0 || n % kLine != 0) __builtin_unreachable();
    return n;
  }

  template <class F> POLARSCOPE_FN void for_each(int n, F f) {
#pragma GCC ivdep
    for (int i = 0; i < n; ++i) f(i);
  }

  template <class F> POLARSCOPE_FN void rows(int m, F f) {
    for (int i = 0; i < m; ++i) f(*this, i);
  }

  // A few terms: in double. More: lanes over a block, at most 64 terms deep on 16 lanes, in the type that f gives; blocks
  // in double.
  template <class F> POLARSCOPE_FN Acc sum(int n, F f) {
    Acc total = 0;
    if (n < kFew) {
      for (int i = 0; i < n; ++i) total += static_cast<Acc>(f(i));
      return total;
    }
    for (int first = 0; first < n; first += kSumBlock) {
      const int last = n - first < kSumBlock ? n : first + kSumBlock;
      decltype(f(0)) part = 0;
#pragma omp simd reduction(+ : part)
      for (int i = first; i < last; ++i) part += f(i);
      total += static_cast<Acc>(part);
    }
    return total;
  }

  template <class F> POLARSCOPE_FN auto sums(int n, F f) { return sums_of(n, f, decltype(f(0)){}); }

  // NaN counts as nothing: whoever must see it tests with finite_.
  template <class F> POLARSCOPE_FN Real max(int n, F f) {
    Real top = 0;
#pragma omp simd reduction(max : top)
    for (int i = 0; i < n; ++i) {
      const Real x = f(i);
      top = x > top ? x : top;
    }
    return top;
  }

  // for_each_dot and for_each_square (kernels/ops/dots.hpp): the sums of several rows together. Rows left over are done one by one, in the
  // same order of additions.
  template <class H, class F> POLARSCOPE_FN void dots(const Mat<Real>& a, const Mat<Real>& b, H h, F f) {
    constexpr int G = dots::kHalf<Real>;
    const int n = pad(a.ld), rows = a.rows;
    Real values[G];
    int i = 0;
    for (; i + G <= rows; i += G) {
      dots::rows_together(a.row(i), a.ld, b.row(i), b.ld, n, h, values);
      for (int r = 0; r < G; ++r) f(*this, i + r, values[r]);
    }
    for (; i < rows; ++i) {
      dots::rows_together(a.row(i), 0, b.row(i), 0, n, h, values);
      f(*this, i, values[0]);
    }
  }
  template <class H, class F> POLARSCOPE_FN void squares(const Mat<Real>& a, H h, F f) {
    const int n = pad(a.ld), rows = a.rows;
    Real values[4];
    int i = 0;
    for (; i + 4 <= rows; i += 4) {
      dots::squares_together(a.row(i), a.ld, n, i, h, values);
      for (int r = 0; r < 4; ++r) f(*this, i + r, values[r]);
    }
    for (; i < rows; ++i) {
      const auto alone = [=](Acc sum, int) { return h(sum, i); };
      dots::squares_together(a.row(i), 0, n, i, alone, values);
      f(*this, i, values[0]);
    }
  }
  POLARSCOPE_FN int row_width(const Mat<Real>& a) const { return pad(a.ld); }

  template <class F> POLARSCOPE_FN void single(F f) { f(); }
  POLARSCOPE_FN void sync() {}

  // Padding is zero; the rest holds whatever was there.
  POLARSCOPE_FN Mat<Real> scratch(int rows, int cols) {
    const int ld = (cols + kLine - 1) / kLine * kLine;
    Mat<Real> m{arena_ + used_, rows, cols, ld};
    used_ += static_cast<std::size_t>(rows) * static_cast<std::size_t>(ld);
    assert(used_ <= size_ && "program.scratch_size is too small for this op");
    for (int i = 0; i < rows; ++i)
      for (int j = cols; j < ld; ++j) m(i, j) = 0;
    return m;
  }
  POLARSCOPE_FN void release_scratch() { used_ = 0; } // by the executor, after each op

  // References: matrices copied into a call would be written in pieces and read as vectors, which stalls.
  POLARSCOPE_FN void matmul(const Mat<Real>& c, const Mat<Real>& a, const Mat<Real>& b,
                            const MatmulArgs<Real>& args = {}) {
    gemm::multiply(c, a, b, args);
  }

private:
  static constexpr int kLine = 64 / static_cast<int>(sizeof(Real));
  static constexpr int kFew = 8;
  static constexpr int kSumBlock = 1024;

  // As sum does it, N times in one pass. A reduction wants one variable to a sum.
  template <class F, int N> POLARSCOPE_FN Numbers<Acc, N> sums_of(int n, F f, Numbers<Real, N>) {
    static_assert(N >= 1 && N <= 7);
    Numbers<Acc, N> total = {};
    if (n < kFew) {
      for (int i = 0; i < n; ++i) {
        const Numbers<Real, N> term = f(i);
        for (int k = 0; k < N; ++k) total.of[k] += static_cast<Acc>(term.of[k]);
      }
      return total;
    }
    for (int first = 0; first < n; first += kSumBlock) {
      const int last = n - first < kSumBlock ? n : first + kSumBlock;
      Real a = 0, b = 0, c = 0, d = 0, e = 0, g = 0, h = 0;
#pragma omp simd reduction(+ : a, b, c, d, e, g, h)
      for (int i = first; i < last; ++i) {
        const Numbers<Real, N> term = f(i);
        a += term.of[0];
        if constexpr (N > 1) b += term.of[1];
        if constexpr (N > 2) c += term.of[2];
        if constexpr (N > 3) d += term.of[3];
        if constexpr (N > 4) e += term.of[4];
        if constexpr (N > 5) g += term.of[5];
        if constexpr (N > 6) h += term.of[6];
      }
      const Real part[] = {a, b, c, d, e, g, h};
      for (int k = 0; k < N; ++k) total.of[k] += static_cast<Acc>(part[k]);
    }
    return total;
  }

  Real* arena_;
  std::size_t size_;
  std::size_t used_ = 0;
};

POLARSCOPE_KERNELS_END
