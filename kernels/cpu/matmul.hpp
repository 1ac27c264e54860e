// Small matrix products for one thread: C = act(α op(A) op(B) + β D), row-major, register-blocked, one copy per
// instruction set.
//
// A tile is MR rows × NV vectors of C held in registers; per k it takes NV vectors of B and MR broadcasts of A, so op(A)
// may be A or Aᵀ by strides alone. B is read in place, Bᵀ through a panel into which it is transposed. Vectors come from the compiler's vector extensions: no intrinsics. Rows of C and B are padded with
// zeros to whole vectors, so the last columns need no special case and padding stays zero. Sums run over k in order,
// in blocks of kDepth: the result does not depend on addresses.
#pragma once

#include "kernels/view.hpp"

#include <cstddef>

POLARSCOPE_KERNELS_BEGIN
namespace gemm {

// vector_size needs a literal: with a template parameter g++ 12 silently makes a scalar of it.
#if defined(__AVX512F__)
#  define POLARSCOPE_VECTOR_BYTES 64
constexpr int kMaxRows2 = 12, kMaxRows1 = 16;
#elif defined(__AVX__)
#  define POLARSCOPE_VECTOR_BYTES 32
constexpr int kMaxRows2 = 6, kMaxRows1 = 12;
#else
#  define POLARSCOPE_VECTOR_BYTES 16
constexpr int kMaxRows2 = 6, kMaxRows1 = 10;
#endif

template <class R> struct Vector;
template <> struct Vector<float> {
  typedef float Type __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES)));
  typedef float Unaligned __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES), aligned(4), may_alias));
};
template <> struct Vector<double> {
  typedef double Type __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES)));
  typedef double Unaligned __attribute__((vector_size(POLARSCOPE_VECTOR_BYTES), aligned(8), may_alias));
};
template <class R> constexpr int kLanes = POLARSCOPE_VECTOR_BYTES / static_cast<int>(sizeof(R));

template <class R> POLARSCOPE_FN typename Vector<R>::Type load(const R* p) {
  return *reinterpret_cast<const typename Vector<R>::Unaligned*>(p);
}
template <class R> POLARSCOPE_FN void store(R* p, typename Vector<R>::Type v) {
  *reinterpret_cast<typename Vector<R>::Unaligned*>(p) = v;
}

constexpr int kDepth = 256; // k per pass: a panel of two vectors' width then fits the first-level cache

// op(A) from its first row of the tile: element (r, k) at a[r · row + k · depth].
template <class R> struct Left {
  const R* p;
  std::ptrdiff_t row, depth;
};

// What happens to a finished sum.
template <class R> struct Finish {
  R alpha, beta;
  bool relu;
};

// clang-format off
#define POLARSCOPE_TILE(statement)                                                                                 \
  do {                                                                                                             \
    _Pragma("GCC unroll 16") for (int r = 0; r < MR; ++r)                                                          \
      _Pragma("GCC unroll 2") for (int v = 0; v < NV; ++v) statement;                                              \
  } while (false)
// clang-format on

template <class R, int MR, int NV>
void tile(int depth, const R* a, std::ptrdiff_t a_row, std::ptrdiff_t a_depth, const R* b, std::ptrdiff_t ldb, R* c,
          std::ptrdiff_t ldc, const R* d, const Finish<R>& finish) {
  using V = typename Vector<R>::Type;
  V sum[MR][NV];
  POLARSCOPE_TILE(sum[r][v] = V{});
  // Three rows to a pointer, so that every address is base + {0, 1, 2} · stride and nothing is spilled.
  constexpr int kGroups = (MR + 2) / 3;
  const R* from[kGroups];
#pragma GCC unroll 6
  for (int g = 0; g < kGroups; ++g) from[g] = a + 3 * g * a_row;
  for (int k = 0; k < depth; ++k, b += ldb) {
    V right[NV];
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) right[v] = load(b + v * kLanes<R>);
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
      const R left = from[r / 3][r % 3 * a_row];
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) sum[r][v] += left * right[v];
    }
#pragma GCC unroll 6
    for (int g = 0; g < kGroups; ++g) {
      from[g] += a_depth;
      __asm__("" : "+r"(from[g])); // one induction variable each: left alone, the compiler folds them into one
    }
  }
  // Passes over the registers rather than one branch per vector.
  const R alpha = finish.alpha, beta = finish.beta;
  if (alpha != R(1)) POLARSCOPE_TILE(sum[r][v] *= alpha);
  if (beta != R(0)) POLARSCOPE_TILE(sum[r][v] += beta * load(d + r * ldc + v * kLanes<R>));
  if (finish.relu) POLARSCOPE_TILE(sum[r][v] = sum[r][v] < V{} ? V{} : sum[r][v]); // what is not a number stays
  POLARSCOPE_TILE(store(c + r * ldc + v * kLanes<R>, sum[r][v]));
}

template <class R>
using Tile = void (*)(int, const R*, std::ptrdiff_t, std::ptrdiff_t, const R*, std::ptrdiff_t, R*, std::ptrdiff_t,
                      const R*, const Finish<R>&);

template <class R> struct Tiles1 {
  static constexpr Tile<R> of[17] = {nullptr,        tile<R, 1, 1>,  tile<R, 2, 1>,  tile<R, 3, 1>,  tile<R, 4, 1>,
                                     tile<R, 5, 1>,  tile<R, 6, 1>,  tile<R, 7, 1>,  tile<R, 8, 1>,  tile<R, 9, 1>,
                                     tile<R, 10, 1>, tile<R, 11, 1>, tile<R, 12, 1>, tile<R, 13, 1>, tile<R, 14, 1>,
                                     tile<R, 15, 1>, tile<R, 16, 1>};
};
template <class R> struct Tiles2 {
  static constexpr Tile<R> of[13] = {nullptr,        tile<R, 1, 2>,  tile<R, 2, 2>, tile<R, 3, 2>, tile<R, 4, 2>,
                                     tile<R, 5, 2>,  tile<R, 6, 2>,  tile<R, 7, 2>, tile<R, 8, 2>, tile<R, 9, 2>,
                                     tile<R, 10, 2>, tile<R, 11, 2>, tile<R, 12, 2>};
};

// Transposes a B × B block, B = 8 floats or 4 doubles, by log₂ B rounds of pair shuffles.
typedef float Float8 __attribute__((vector_size(32)));
typedef float Float8Unaligned __attribute__((vector_size(32), aligned(4), may_alias));
typedef double Double4 __attribute__((vector_size(32)));
typedef double Double4Unaligned __attribute__((vector_size(32), aligned(8), may_alias));

template <class R> constexpr int kBlock = 32 / static_cast<int>(sizeof(R));

POLARSCOPE_FN void transpose_block(const float* from, std::ptrdiff_t ld_from, float* to, std::ptrdiff_t ld_to) {
  Float8 a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) a[i] = *reinterpret_cast<const Float8Unaligned*>(from + i * ld_from);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i += 4) {
    a[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    a[i + 1] = __builtin_shufflevector(b[i + 1], b[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    a[i + 2] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    a[i + 3] = __builtin_shufflevector(b[i + 1], b[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const Float8 low = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    const Float8 high = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    *reinterpret_cast<Float8Unaligned*>(to + i * ld_to) = low;
    *reinterpret_cast<Float8Unaligned*>(to + (i + 4) * ld_to) = high;
  }
}

POLARSCOPE_FN void transpose_block(const double* from, std::ptrdiff_t ld_from, double* to, std::ptrdiff_t ld_to) {
  Double4 a[4], b[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) a[i] = *reinterpret_cast<const Double4Unaligned*>(from + i * ld_from);
#pragma GCC unroll 2
  for (int i = 0; i < 4; i += 2) {
    b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 4, 2, 6);
    b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 5, 3, 7);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    *reinterpret_cast<Double4Unaligned*>(to + i * ld_to) = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 4, 5);
    *reinterpret_cast<Double4Unaligned*>(to + (i + 2) * ld_to) = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 6, 7);
  }
}

// to(j, i) = from(i, j) for i < rows, j < cols.
template <class R>
void transpose(const R* from, std::ptrdiff_t ld_from, int rows, int cols, R* to, std::ptrdiff_t ld_to) {
  constexpr int B = kBlock<R>;
  int i = 0;
  for (; i + B <= rows; i += B) {
    int j = 0;
    for (; j + B <= cols; j += B) transpose_block(from + i * ld_from + j, ld_from, to + j * ld_to + i, ld_to);
    for (; j < cols; ++j)
      for (int r = i; r < i + B; ++r) to[j * ld_to + r] = from[r * ld_from + j];
  }
  for (; i < rows; ++i)
    for (int j = 0; j < cols; ++j) to[j * ld_to + i] = from[i * ld_from + j];
}

// Vectors to a panel of a symmetric result: the fewer, the less is computed above the diagonal; two feed the units better.
template <class R> constexpr int symmetric_width(int n) { return kLanes<R> >= 16 && n <= 128 ? 1 : 2; }

// Copies what was computed below the panels' own squares to above them: c(j, i) = c(i, j).
template <class R> void mirror(R* c, std::ptrdiff_t ld, int n) {
  const int width = symmetric_width<R>(n) * kLanes<R>;
  for (int j = 0; j + width < n; j += width) {
    const int below = j + width;
    transpose(c + below * ld + j, ld, n - below, width, c + j * ld + below, ld);
  }
}

// Rows [first, m) of one panel of C: NV vectors wide, blocks of nearly equal height so that none is one row high.
template <class R>
void panel_rows(Tile<R> const* tiles, int max_rows, int first, int m, int depth, const Left<R>& a, const R* b,
                std::ptrdiff_t ldb, R* c, std::ptrdiff_t ldc, const R* d, const Finish<R>& finish) {
  const int rows = m - first, blocks = (rows + max_rows - 1) / max_rows;
  const int height = rows / blocks, taller = rows % blocks; // the first `taller` blocks are one row higher
  int i = first;
  for (int block = 0; block < blocks; ++block) {
    const int h = height + (block < taller ? 1 : 0);
    tiles[h](depth, a.p + i * a.row, a.row, a.depth, b, ldb, c + i * ldc, ldc, d ? d + i * ldc : d, finish);
    i += h;
  }
}

// Fills a panel with `width` columns of Bᵀ from column j on, rows [k, k + depth); columns past n become zero.
template <class R> void fill_panel(const Mat<R>& b, int k, int depth, int j, int width, int n, R* panel) {
  const int present = n - j < width ? n - j : width;
  transpose(b.row(j) + k, b.ld, present, depth, panel, width);
  if (present < width)
    for (int i = 0; i < depth; ++i)
      for (int v = present; v < width; ++v) panel[i * width + v] = R(0);
}

// One pass over depth [k, k + depth): C ← act(α op(A) op(B) + β D).
template <class R>
void pass(const Mat<R>& c, const Mat<R>& a, const Mat<R>& b, const MatmulArgs<R>& args, int k, int depth, const R* d,
          const Finish<R>& finish) {
  constexpr int L = kLanes<R>;
  const int m = c.rows, n = c.cols;
  const int vectors = (n + L - 1) / L;
  const Left<R> left = args.transpose_a ? Left<R>{a.row(k), 1, a.ld} : Left<R>{a.p + k, a.ld, 1};
  alignas(64) R panel[kDepth * 2 * L];
  const int widest = args.symmetric ? symmetric_width<R>(n) : 2;
  for (int v = 0; v < vectors;) {
    // A symmetric result needs the rows from the panel's first column down.
    const int width = vectors - v < widest ? vectors - v : widest;
    const int j = v * L, first = args.symmetric ? j : 0;
    const R* right = b.row(k) + j;
    std::ptrdiff_t ldb = b.ld;
    if (args.transpose_b) {
      fill_panel(b, k, depth, j, width * L, n, panel);
      right = panel;
      ldb = width * L;
    }
    const bool two = width == 2;
    panel_rows<R>(two ? Tiles2<R>::of : Tiles1<R>::of, two ? kMaxRows2 : kMaxRows1, first, m, depth, left, right, ldb,
                  c.p + j, c.ld, d ? d + j : d, finish);
    v += width;
  }
}

// For views whose rows are not padded to whole vectors.
template <class R> void plain(const Mat<R>& c, const Mat<R>& a, const Mat<R>& b, const MatmulArgs<R>& args, int inner) {
  for (int i = 0; i < c.rows; ++i)
    for (int j = 0; j < c.cols; ++j) {
      R s = 0;
      for (int k = 0; k < inner; ++k)
        s += (args.transpose_a ? a(k, i) : a(i, k)) * (args.transpose_b ? b(j, k) : b(k, j));
      s *= args.alpha;
      if (args.beta != R(0)) s += args.beta * args.d[static_cast<std::ptrdiff_t>(i) * c.ld + j];
      c(i, j) = args.relu && s < R(0) ? R(0) : s;
    }
}

template <class R> void multiply(const Mat<R>& c, const Mat<R>& a, const Mat<R>& b, const MatmulArgs<R>& args) {
  const int inner = args.transpose_a ? a.rows : a.cols;
  constexpr int L = kLanes<R>;
  const int width = (c.cols + L - 1) / L * L;
  if (width > c.ld || (!args.transpose_b && width > b.ld)) return plain(c, a, b, args, inner);
  for (int k = 0; k < inner; k += kDepth) {
    const int depth = inner - k < kDepth ? inner - k : kDepth;
    const bool first = k == 0, last = k + depth == inner;
    const Finish<R> finish{args.alpha, first ? args.beta : R(1), last && args.relu};
    pass(c, a, b, args, k, depth, first ? args.d : c.p, finish);
  }
  if (args.symmetric) mirror(c.p, c.ld, c.rows);
}

#undef POLARSCOPE_TILE
} // namespace gemm
POLARSCOPE_KERNELS_END
