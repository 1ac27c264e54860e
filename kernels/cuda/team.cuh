// CUDA's team: one thread block, its barriers and its shared memory. A row's team is one warp.
//
// The number of threads is fixed per program, never a function of how many members there are: sums over another
// number of lanes round differently. Sums run lane by lane (kernels/lane_sum.hpp), then in Acc as a butterfly in each warp
// and over the warps in order.
#pragma once

#include "kernels/context.hpp"
#include "kernels/lane_sum.hpp"

POLARSCOPE_KERNELS_BEGIN

inline constexpr unsigned kWholeWarp = 0xFFFFFFFFu;
inline constexpr int kWarp = 32;

template <class R, class F> __device__ __forceinline__ R butterfly(R mine, F f) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) mine = f(mine, __shfl_xor_sync(kWholeWarp, mine, step));
  return mine;
}

template <class Scalar> class CudaWarp {
public:
  using Real = Scalar;
  using Acc = double;

  __device__ __forceinline__ int lanes() const { return kWarp; }
  __device__ __forceinline__ int pad(int n) const { return n; }
  template <class F> __device__ __forceinline__ void for_each(int n, F f) {
    for (int i = lane(); i < n; i += kWarp) f(i);
  }
  template <class F> __device__ __forceinline__ Acc sum(int n, F f) {
    return butterfly(lane_sum<Acc>(lane(), n, kWarp, f), [](Acc a, Acc b) { return a + b; });
  }
  template <class F> __device__ __forceinline__ Real max(int n, F f) {
    Real top = 0;
    for (int i = lane(); i < n; i += kWarp) {
      const Real x = f(i);
      top = x > top ? x : top;
    }
    return butterfly(top, [](Real a, Real b) { return b > a ? b : a; });
  }
  template <class F> __device__ __forceinline__ void single(F f) {
    if (lane() == 0) f();
  }
  __device__ __forceinline__ void sync() { __syncwarp(); }

private:
  __device__ __forceinline__ int lane() const { return static_cast<int>(threadIdx.x) % kWarp; }
};

template <class Scalar, int kThreads> class CudaTeam {
public:
  using Real = Scalar;
  using Acc = double;
  static constexpr int kWarps = kThreads / kWarp;
  static_assert(kThreads % kWarp == 0);

  // `partials`: 2 · kWarps numbers of shared memory; `arena`: scratch.
  __device__ __forceinline__ CudaTeam(Acc* partials, Real* arena) : partials_(partials), arena_(arena) {}

  __device__ __forceinline__ int lanes() const { return kThreads; }
  __device__ __forceinline__ int pad(int n) const { return n; }

  template <class F> __device__ __forceinline__ void for_each(int n, F f) {
    for (int i = static_cast<int>(threadIdx.x); i < n; i += kThreads) f(i);
  }
  template <class F> __device__ __forceinline__ void rows(int m, F f) {
    CudaWarp<Real> warp;
    for (int i = static_cast<int>(threadIdx.x) / kWarp; i < m; i += kWarps) f(warp, i);
  }
  template <class F> __device__ __forceinline__ Acc sum(int n, F f) {
    return combine(lane_sum<Acc>(static_cast<int>(threadIdx.x), n, kThreads, f), [](Acc a, Acc b) { return a + b; });
  }
  template <class F> __device__ __forceinline__ auto sums(int n, F f) {
    auto mine = lane_sums<Acc>(static_cast<int>(threadIdx.x), n, kThreads, f);
    for (Acc& x : mine.of) x = combine(x, [](Acc a, Acc b) { return a + b; });
    return mine;
  }
  template <class F> __device__ __forceinline__ Real max(int n, F f) {
    Real top = 0;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += kThreads) {
      const Real x = f(i);
      top = x > top ? x : top;
    }
    return combine(top, [](Real a, Real b) { return b > a ? b : a; });
  }
  template <class F> __device__ __forceinline__ void single(F f) {
    if (threadIdx.x == 0) f();
  }
  __device__ __forceinline__ void sync() { __syncthreads(); }

  __device__ __forceinline__ Mat<Real> scratch(int rows, int cols) {
    constexpr int kLine = 64 / static_cast<int>(sizeof(Real));
    const int ld = (cols + kLine - 1) / kLine * kLine;
    const Mat<Real> m{arena_ + used_, rows, cols, ld};
    used_ += rows * ld;
    const int padding = ld - cols;
    if (padding) { // the same in every thread
      for_each(rows * padding, [=](int i) { m.p[i / padding * ld + cols + i % padding] = Real(0); });
      sync();
    }
    return m;
  }
  __device__ __forceinline__ void release_scratch() { used_ = 0; }

  __device__ __forceinline__ void matmul(Mat<Real> c, Mat<Real> a, Mat<Real> b, const MatmulArgs<Real>& args = {}) {
    // The four forms as variants of one loop, chosen once.
    if (args.transpose_a) args.transpose_b ? product<true, true>(c, a, b, args) : product<true, false>(c, a, b, args);
    else args.transpose_b ? product<false, true>(c, a, b, args) : product<false, false>(c, a, b, args);
  }

private:
  static constexpr int kTile = 4; // a thread computes 4 × 4 elements from registers

  // Inlined, as everything is: a body's choice of form is a constant there, so that one of the four remains.
  template <bool kTransposeA, bool kTransposeB>
  __device__ __forceinline__ static void product(Mat<Real> c, Mat<Real> a, Mat<Real> b, const MatmulArgs<Real>& args) {
    const int inner = kTransposeA ? a.rows : a.cols;
    const int across = (c.cols + kTile - 1) / kTile, tiles = (c.rows + kTile - 1) / kTile * across;
    for (int tile = static_cast<int>(threadIdx.x); tile < tiles; tile += kThreads) {
      const int i0 = tile / across * kTile, j0 = tile % across * kTile;
      if (args.symmetric && j0 > i0) continue; // tiles above the diagonal come from those below
      int row[kTile], col[kTile];              // past the edge: the last one again, not stored
#pragma unroll
      for (int u = 0; u < kTile; ++u) {
        row[u] = min(i0 + u, c.rows - 1);
        col[u] = min(j0 + u, c.cols - 1);
      }
      Real sum[kTile][kTile] = {};
      for (int k = 0; k < inner; ++k) {
        Real x[kTile], y[kTile];
#pragma unroll
        for (int u = 0; u < kTile; ++u) {
          x[u] = kTransposeA ? a(k, row[u]) : a(row[u], k);
          y[u] = kTransposeB ? b(col[u], k) : b(k, col[u]);
        }
#pragma unroll
        for (int u = 0; u < kTile; ++u)
#pragma unroll
          for (int v = 0; v < kTile; ++v) sum[u][v] += x[u] * y[v];
      }
#pragma unroll
      for (int u = 0; u < kTile; ++u)
#pragma unroll
        for (int v = 0; v < kTile; ++v) {
          const int i = i0 + u, j = j0 + v;
          if (i >= c.rows || j >= c.cols || (args.symmetric && j > i)) continue;
          Real s = args.alpha * sum[u][v];
          if (args.beta != Real(0)) s += args.beta * args.d[static_cast<long>(i) * c.ld + j];
          if (args.relu && s < Real(0)) s = 0;
          c(i, j) = s;
          if (args.symmetric) c(j, i) = s;
        }
    }
  }

  // Rounds alternate between two buffers: a warp may begin the next round while others still read this one.
  template <class Number, class F> __device__ __forceinline__ Number combine(Number mine, F f) {
    mine = butterfly(mine, f);
    Acc* round = partials_ + round_ * kWarps;
    round_ ^= 1;
    if (threadIdx.x % kWarp == 0) round[threadIdx.x / kWarp] = static_cast<Acc>(mine);
    __syncthreads();
    Number total = static_cast<Number>(round[0]);
#pragma unroll
    for (int w = 1; w < kWarps; ++w) total = f(total, static_cast<Number>(round[w]));
    return total;
  }

  Acc* partials_;
  Real* arena_;
  int used_ = 0;
  int round_ = 0;
};

POLARSCOPE_KERNELS_END
