// The CPU's team: one thread and its vector lanes, or several threads that step one member together. A row's team is one thread.
//
// Which numbers it gives is fixed by the instruction set and the shape: loops are vectorised without peeling for
// alignment, so no result depends on an address, and sums run in blocks that are added in double. Nor does any depend on
// the number of threads: they share out whole cache lines, rows, blocks of sums and tiles of products, each of which is computed
// by the same code as on one thread, and add up the same blocks in the same order.
#pragma once

#include "kernels/context.hpp"
#include "kernels/cpu/dots.hpp"
#include "kernels/cpu/lanes.hpp"
#include "kernels/cpu/matmul.hpp"
#include "kernels/cpu/product_share.hpp"
#include "kernels/small.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>

POLARSCOPE_KERNELS_BEGIN

// Numbers in a cache line, to which slots' rows are padded.
template <class R> constexpr int kLine = 64 / static_cast<int>(sizeof(R));
constexpr int kFew = 8; // a sum of fewer terms is not worth a vector

// A whole number of lines, which the compiler sees wherever a loop runs over it.
template <class R> struct Lines {
  int n;
  POLARSCOPE_FN operator int() const {
    assert(n % kLine<R> == 0);
    return n & -kLine<R>;
  }
};

// One block of a sum: vector lanes, at most 64 terms deep on 16 of them, in the type that f gives.
template <class F> POLARSCOPE_FN auto block_sum(int first, int last, F f) {
  decltype(f(0)) part = 0;
#pragma omp simd reduction(+ : part)
  for (int i = first; i < last; ++i) part += f(i);
  return part;
}

// The same for N sums in one pass. A reduction wants one variable to a sum.
template <class F, class R, int N> POLARSCOPE_FN Numbers<R, N> block_sums(int first, int last, F f, Numbers<R, N>) {
  static_assert(N >= 1 && N <= kMostSums);
  R a = 0, b = 0, c = 0, d = 0, e = 0, g = 0, h = 0, k = 0, l = 0;
#pragma omp simd reduction(+ : a, b, c, d, e, g, h, k, l)
  for (int i = first; i < last; ++i) {
    const Numbers<R, N> term = f(i);
    a += term.of[0];
    if constexpr (N > 1) b += term.of[1];
    if constexpr (N > 2) c += term.of[2];
    if constexpr (N > 3) d += term.of[3];
    if constexpr (N > 4) e += term.of[4];
    if constexpr (N > 5) g += term.of[5];
    if constexpr (N > 6) h += term.of[6];
    if constexpr (N > 7) k += term.of[7];
    if constexpr (N > 8) l += term.of[8];
  }
  const R all[] = {a, b, c, d, e, g, h, k, l};
  Numbers<R, N> part;
  for (int s = 0; s < N; ++s) part.of[s] = all[s];
  return part;
}

template <class R, class F> POLARSCOPE_FN R block_max(int first, int last, F f) {
  R top = 0;
#pragma omp simd reduction(max : top)
  for (int i = first; i < last; ++i) {
    const R x = f(i);
    top = x > top ? x : top;
  }
  return top;
}

template <class Scalar> class CpuRow {
public:
  using Real = Scalar;
  using Acc = double;

  POLARSCOPE_FN int lanes() const { return 1; }
  POLARSCOPE_FN Lines<Real> pad(int n) const { return {n}; }
  template <class F> POLARSCOPE_FN void for_each(int n, F f) {
#pragma GCC ivdep
    for (int i = 0; i < n; ++i) f(i);
  }
  // A few terms: in double. More: in blocks, these in double.
  template <class F> POLARSCOPE_FN Acc sum(int n, F f) {
    Acc total = 0;
    if (n < kFew) {
      for (int i = 0; i < n; ++i) total += static_cast<Acc>(f(i));
      return total;
    }
    for (int first = 0; first < n; first += kSumBlock)
      total += static_cast<Acc>(block_sum(first, n - first < kSumBlock ? n : first + kSumBlock, f));
    return total;
  }
  // As sum does it, N times in one pass.
  template <class F> POLARSCOPE_FN auto sums(int n, F f) {
    auto total = no_sums<Acc>(decltype(f(0)){});
    if (n < kFew) {
      for (int i = 0; i < n; ++i) add_to(total, f(i));
      return total;
    }
    for (int first = 0; first < n; first += kSumBlock)
      add_to(total, block_sums(first, n - first < kSumBlock ? n : first + kSumBlock, f, decltype(f(0)){}));
    return total;
  }
  // NaN counts as nothing: whoever must see it tests with finite_.
  template <class F> POLARSCOPE_FN Real max(int n, F f) { return block_max<Real>(0, n, f); }
  template <class F> POLARSCOPE_FN void single(F f) { f(); }
  POLARSCOPE_FN void sync() {}
};

template <class Scalar> class CpuTeam {
public:
  using Real = Scalar;
  using Acc = double;

  // `scratch`: `size` scalars, 64-byte aligned, the same for every lane. `small`: who runs small ops, none: this team.
  CpuTeam(Real* scratch, std::size_t size, CpuLanes* shared = nullptr, int lane = 0,
          const SmallExecutor* small = nullptr)
      : arena_(scratch), size_(size), shared_(shared), lanes_(shared ? shared->count : 1), lane_(lane), small_(small) {}

  POLARSCOPE_FN int lanes() const { return lanes_; }
  POLARSCOPE_FN Lines<Real> pad(int n) const { return {n}; }

  template <class F> POLARSCOPE_FN void for_each(int n, F f) {
    const Share mine = share(n, kLine<Real>);
#pragma GCC ivdep
    for (int i = mine.first; i < mine.last; ++i) f(i);
  }
  template <class F> POLARSCOPE_FN void for_each(Lines<Real> n, F f) {
    const Share mine = share(n.n, kLine<Real>);
    const int count = Lines<Real>{mine.last - mine.first};
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) f(mine.first + i);
  }

  template <class F> POLARSCOPE_FN void rows(int m, F f) {
    const Share mine = share(m, 1);
    CpuRow<Real> row;
    for (int i = mine.first; i < mine.last; ++i) f(row, i);
  }

  // As a row's, each block by one lane.
  template <class F> POLARSCOPE_FN Acc sum(int n, F f) {
    Acc total = 0;
    if (n < kFew) {
      if (lane_ == 0)
        for (int i = 0; i < n; ++i) total += static_cast<Acc>(f(i));
      if (lanes_ > 1) {
        if (lane_ == 0) partial(0) = total;
        add_partials(1, &total, 1);
      }
      return total;
    }
    const int blocks = (n - 1) / kSumBlock + 1;
    const Share mine = share(blocks, 1);
    // Without a branch in the loop, or there would be two of it.
    double alone;
    double* part = lanes_ > 1 ? &partial(mine.first) : &alone;
    const int stride = lanes_ > 1 ? 1 : 0;
    for (int b = mine.first; b < mine.last; ++b, part += stride) {
      const int first = b * kSumBlock;
      *part = static_cast<Acc>(block_sum(first, n - first < kSumBlock ? n : first + kSumBlock, f));
      total += *part;
    }
    if (lanes_ > 1) add_partials(blocks, &total, 1);
    return total;
  }

  template <class F> POLARSCOPE_FN auto sums(int n, F f) {
    auto total = no_sums<Acc>(decltype(f(0)){});
    constexpr int N = sizeof(total.of) / sizeof(total.of[0]);
    double alone[N];
    if (n < kFew) {
      if (lane_ == 0)
        for (int i = 0; i < n; ++i) add_to(total, f(i));
      if (lanes_ > 1) {
        if (lane_ == 0)
          for (int k = 0; k < N; ++k) partial(k) = total.of[k];
        add_partials(1, total.of, N);
      }
      return total;
    }
    const int blocks = (n - 1) / kSumBlock + 1;
    const Share mine = share(blocks, 1);
    double* part = lanes_ > 1 ? &partial(N * mine.first) : alone;
    const int stride = lanes_ > 1 ? N : 0;
    for (int b = mine.first; b < mine.last; ++b, part += stride) {
      const int first = b * kSumBlock;
      const auto here = block_sums(first, n - first < kSumBlock ? n : first + kSumBlock, f, decltype(f(0)){});
      for (int k = 0; k < N; ++k) part[k] = static_cast<Acc>(here.of[k]);
      add_to(total, here);
    }
    if (lanes_ > 1) add_partials(blocks, total.of, N);
    return total;
  }

  // for_each_dot and for_each_square (kernels/ops/dots.hpp): the sums of several rows together. Rows left over are done one
  // by one, in the same order of additions.
  template <class H, class F> POLARSCOPE_FN void dots(const Mat<Real>& a, const Mat<Real>& b, H h, F f) {
    constexpr int G = dots::kHalf<Real>;
    const Share mine = share(a.rows, G);
    const int n = pad(a.ld);
    CpuRow<Real> row;
    Real values[G];
    int i = mine.first;
    for (; i + G <= mine.last; i += G) {
      dots::rows_together(a.row(i), a.ld, b.row(i), b.ld, n, h, values);
      for (int r = 0; r < G; ++r) f(row, i + r, values[r]);
    }
    for (; i < mine.last; ++i) {
      dots::rows_together(a.row(i), 0, b.row(i), 0, n, h, values);
      f(row, i, values[0]);
    }
  }
  template <class H, class F> POLARSCOPE_FN void squares(const Mat<Real>& a, H h, F f) {
    const Share mine = share(a.rows, 4);
    const int n = pad(a.ld);
    CpuRow<Real> row;
    Real values[4];
    int i = mine.first;
    for (; i + 4 <= mine.last; i += 4) {
      dots::squares_together(a.row(i), a.ld, n, i, h, values);
      for (int r = 0; r < 4; ++r) f(row, i + r, values[r]);
    }
    for (; i < mine.last; ++i) {
      const auto alone = [=](Acc sum, int) { return h(sum, i); };
      dots::squares_together(a.row(i), 0, n, i, alone, values);
      f(row, i, values[0]);
    }
  }
  POLARSCOPE_FN int row_width(const Mat<Real>& a) const { return pad(a.ld); }

  template <class F> POLARSCOPE_FN Real max(int n, F f) {
    const Share mine = share(n, kLine<Real>);
    const Real top = block_max<Real>(mine.first, mine.last, f);
    return lanes_ > 1 ? greatest_of_lanes(top) : top;
  }

  template <class F> POLARSCOPE_FN void single(F f) {
    if (lane_ == 0) f();
  }
  POLARSCOPE_FN void sync() {
    if (lanes_ > 1) wait_for_all(*shared_);
  }

  // Padding is zero; the rest holds whatever was there.
  POLARSCOPE_FN Mat<Real> scratch(int rows, int cols) {
    const int ld = (cols + kLine<Real> - 1) / kLine<Real> * kLine<Real>;
    Mat<Real> m{arena_ + used_, rows, cols, ld};
    used_ += static_cast<std::size_t>(rows) * static_cast<std::size_t>(ld);
    assert(used_ <= size_ && "program.scratch_size is too small for this op");
    const Share mine = share(rows, 1);
    for (int i = mine.first; i < mine.last; ++i)
      for (int j = cols; j < ld; ++j) m(i, j) = 0;
    if (cols < ld) sync();
    return m;
  }
  POLARSCOPE_FN void release_scratch() { used_ = 0; } // by the executor, after each op

  // Runs the small ops that a list begins with, and returns how many they are. One lane does; the sum tells the others.
  template <class C>
  requires std::is_same_v<Real, float> POLARSCOPE_FN std::uint32_t run_small(C& c, const Op* ops, std::uint32_t count) {
    std::uint32_t n = 0;
    while (small_ && n < count && ops[n].small) ++n;
    if (n > 0 && sum(1, [&](int) {
                   return small_->run(c.program, c.block, c.base, c.seed, c.step, c.starting, ops, n) ? 1.0 : 0.0;
                 }) > 0)
      c.stopped = true;
    return n;
  }

  // References: matrices copied into a call would be written in pieces and read as vectors, which stalls.
  POLARSCOPE_FN void matmul(const Mat<Real>& c, const Mat<Real>& a, const Mat<Real>& b,
                            const MatmulArgs<Real>& args = {}) {
    if (lanes_ == 1) gemm::multiply(c, a, b, args);
    else gemm::multiply_share(c, a, b, args, lane_, lanes_);
  }

private:
  struct Share {
    int first, last;
  };

  // This lane's part of [0, n), in whole units; all of it where there is one lane.
  POLARSCOPE_FN Share share(int n, int unit) const {
    if (__builtin_expect(lanes_ == 1, 1)) return {0, n};
    return part_of(n, unit);
  }
  __attribute__((noinline, cold)) Share part_of(int n, int unit) const {
    const std::int64_t units = (n + unit - 1) / unit;
    const int first = static_cast<int>(units * lane_ / lanes_) * unit,
              last = static_cast<int>(units * (lane_ + 1) / lanes_) * unit;
    return {first, last < n ? last : n};
  }

  POLARSCOPE_FN double& partial(int k) {
    return shared_->partials[round_ * shared_->room + static_cast<std::size_t>(k)];
  }
  // `sums` sums of `count` blocks each, in the same order in every lane.
  __attribute__((noinline)) void add_partials(int count, Acc* totals, int sums) {
    assert(static_cast<std::size_t>(count * sums) <= shared_->room);
    sync();
    for (int s = 0; s < sums; ++s) {
      totals[s] = 0;
      for (int k = 0; k < count; ++k) totals[s] += partial(k * sums + s);
    }
    round_ ^= 1;
  }
  __attribute__((noinline)) Real greatest_of_lanes(Real mine) {
    partial(lane_) = static_cast<double>(mine);
    sync();
    Real top = 0;
    for (int k = 0; k < lanes_; ++k) top = static_cast<Real>(partial(k)) > top ? static_cast<Real>(partial(k)) : top;
    round_ ^= 1;
    return top;
  }

  Real* arena_;
  std::size_t size_;
  std::size_t used_ = 0;
  CpuLanes* shared_;
  int lanes_, lane_;
  const SmallExecutor* small_;
  std::size_t round_ = 0;
};

POLARSCOPE_KERNELS_END
