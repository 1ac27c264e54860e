// The team of an emulated thread block: the same contract as CUDA's (kernels/cuda/team.cuh), run on the CPU by fibres.
// Each lane has its own EmuTeam object; all lanes of a block share an EmulatedBlock.
//
// It is there to find mistakes, not to be fast: scratch memory starts as NaN, sums run lane by lane as on the GPU.
#pragma once

#include "kernels/context.hpp"
#include "kernels/emulate/block.hpp"
#include "kernels/lane_sum.hpp"

#include <cassert>
#include <cmath>
#include <cstddef>

POLARSCOPE_KERNELS_BEGIN

// The lanes of one warp, at one row.
template <class Scalar> class EmuWarp {
public:
  using Real = Scalar;
  using Acc = double;

  EmuWarp(EmulatedBlock& block, int lane)
      : block_(block), lane_(lane), first_(lane / block.shape().warp * block.shape().warp),
        count_(block.warp_lanes(lane / block.shape().warp)) {}

  int lanes() const { return count_; }
  int pad(int n) const { return n; }
  template <class F> void for_each(int n, F f) {
    for (int i = lane_ - first_; i < n; i += count_) f(i);
  }
  template <class F> Acc sum(int n, F f) {
    return combine(lane_sum<Acc>(lane_ - first_, n, count_, f), [](Acc a, Acc b) { return a + b; });
  }
  template <class F> Real max(int n, F f) {
    Real top = 0;
    for (int i = lane_ - first_; i < n; i += count_) {
      const Real x = f(i);
      top = x > top ? x : top;
    }
    return combine(top, [](Real a, Real b) { return b > a ? b : a; });
  }
  template <class F> void single(F f) {
    if (lane_ == first_) f();
  }
  void sync() { block_.wait(lane_, EmulatedBlock::Scope::warp); }

private:
  template <class Number, class F> Number combine(Number mine, F f) {
    double* partials = block_.partials(EmulatedBlock::Scope::warp, round_);
    partials[lane_] = static_cast<double>(mine);
    round_ ^= 1;
    sync();
    Number total = static_cast<Number>(partials[first_]);
    for (int i = first_ + 1; i < first_ + count_; ++i) total = f(total, static_cast<Number>(partials[i]));
    return total;
  }

  EmulatedBlock& block_;
  int lane_, first_, count_;
  int round_ = 0;
};

template <class Scalar> class EmuTeam {
public:
  using Real = Scalar;
  using Acc = double;

  // `arena`: `size` scalars shared by the block's lanes.
  EmuTeam(EmulatedBlock& block, int lane, Real* arena, std::size_t size)
      : block_(block), lane_(lane), arena_(arena), size_(size), warp_(block, lane) {}

  int lanes() const { return block_.shape().lanes; }
  int pad(int n) const { return n; }
  template <class F> void for_each(int n, F f) {
    for (int i = lane_; i < n; i += lanes()) f(i);
  }
  template <class F> void rows(int m, F f) {
    for (int i = lane_ / block_.shape().warp; i < m; i += block_.warps()) f(warp_, i);
  }
  template <class F> Acc sum(int n, F f) {
    return combine(lane_sum<Acc>(lane_, n, lanes(), f), [](Acc a, Acc b) { return a + b; });
  }
  template <class F> auto sums(int n, F f) {
    auto mine = lane_sums<Acc>(lane_, n, lanes(), f);
    for (Acc& x : mine.of) x = combine(x, [](Acc a, Acc b) { return a + b; });
    return mine;
  }
  template <class F> Real max(int n, F f) {
    Real top = 0;
    for (int i = lane_; i < n; i += lanes()) {
      const Real x = f(i);
      top = x > top ? x : top;
    }
    return combine(top, [](Real a, Real b) { return b > a ? b : a; });
  }
  template <class F> void single(F f) {
    if (lane_ == 0) f();
  }
  void sync() { block_.wait(lane_, EmulatedBlock::Scope::block); }

  Mat<Real> scratch(int rows, int cols) {
    constexpr int kLine = 64 / static_cast<int>(sizeof(Real));
    const int ld = (cols + kLine - 1) / kLine * kLine;
    Mat<Real> m{arena_ + used_, rows, cols, ld};
    used_ += static_cast<std::size_t>(m.size());
    assert(used_ <= size_ && "program.scratch_size is too small for this op");
    for_each(m.size(), [=](int i) { m.p[i] = i % ld < cols ? static_cast<Real>(NAN) : Real(0); });
    sync();
    return m;
  }
  void release_scratch() { used_ = 0; }

  // One lane to an element. A symmetric result is computed below the diagonal and mirrored, as elsewhere.
  void matmul(Mat<Real> c, Mat<Real> a, Mat<Real> b, const MatmulArgs<Real>& args = {}) {
    const int inner = args.transpose_a ? a.rows : a.cols;
    for_each(c.rows * c.cols, [=](int e) {
      const int i = e / c.cols, j = e % c.cols;
      if (args.symmetric && j > i) return;
      Real s = 0;
      for (int k = 0; k < inner; ++k)
        s += (args.transpose_a ? a(k, i) : a(i, k)) * (args.transpose_b ? b(j, k) : b(k, j));
      s *= args.alpha;
      if (args.beta != Real(0)) s += args.beta * args.d[static_cast<std::ptrdiff_t>(i) * c.ld + j];
      if (args.relu && s < Real(0)) s = 0;
      c(i, j) = s;
      if (args.symmetric) c(j, i) = s;
    });
  }

private:
  // Rounds alternate between two buffers: a lane may begin the next round while others still read this one.
  template <class Number, class F> Number combine(Number mine, F f) {
    double* partials = block_.partials(EmulatedBlock::Scope::block, round_);
    partials[lane_] = static_cast<double>(mine);
    round_ ^= 1;
    sync();
    Number total = static_cast<Number>(partials[0]);
    for (int i = 1; i < lanes(); ++i) total = f(total, static_cast<Number>(partials[i]));
    return total;
  }

  EmulatedBlock& block_;
  int lane_;
  Real* arena_;
  std::size_t size_;
  std::size_t used_ = 0;
  int round_ = 0;
  EmuWarp<Real> warp_;
};

// Runs body(team) on every lane of a block.
template <class R, class F> BlockOutcome run_block(const BlockShape& shape, R* arena, std::size_t size, F body) {
  EmulatedBlock block(shape);
  struct Call {
    EmulatedBlock& block;
    R* arena;
    std::size_t size;
    F& body;
  } call{block, arena, size, body};
  return block.run(
      [](void* p, int lane) {
        Call& call_of_lane = *static_cast<Call*>(p);
        EmuTeam<R> team(call_of_lane.block, lane, call_of_lane.arena, call_of_lane.size);
        call_of_lane.body(team);
      },
      &call);
}

POLARSCOPE_KERNELS_END
