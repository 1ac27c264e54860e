// One thread's part of a matrix product: whole rows of C, of a single row or few whole vectors of columns, by the same tiles as
// for one thread. An element's sum runs over k alike whatever tile it lies in, so that its bits are the same.
#pragma once

#include "kernels/cpu/matmul.hpp"

#include <cmath>

POLARSCOPE_KERNELS_BEGIN
namespace gemm {

constexpr int kShareColumns = 32; // a multiple of every panel's width: tiles write whole panels
constexpr double kWorthSharing =
    2e5; // floating-point operations, a few microseconds: shorter than that a barrier counts

// Rows [first, last) and columns [left, right) of C.
template <class R>
void multiply_part(Mat<R> c, Mat<R> a, Mat<R> b, MatmulArgs<R> args, int first, int last, int left, int right) {
  if (first >= last || left >= right) return;
  const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(first) * c.ld + left;
  if (args.d) args.d += from;
  const auto rows = args.transpose_a ? Mat<R>{a.p + first, a.rows, last - first, a.ld}
                                     : Mat<R>{a.row(first), last - first, a.cols, a.ld};
  const auto columns = args.transpose_b ? Mat<R>{b.row(left), right - left, b.cols, b.ld}
                                        : Mat<R>{b.p + left, b.rows, right - left, b.ld};
  multiply(Mat<R>{c.p + from, last - first, right - left, c.ld}, rows, columns, args);
}

// Rows of a symmetric C, each up to the diagonal: lane k of n ends where k/n of the triangle's area does.
inline int triangle_cut(int rows, int lane, int lanes) {
  if (lane == lanes) return rows;
  const int cut = static_cast<int>(rows * std::sqrt(static_cast<double>(lane) / lanes));
  const int nearest = (cut + kShareColumns / 2) / kShareColumns * kShareColumns;
  return nearest < rows ? nearest : rows;
}

template <class R> void multiply_share(Mat<R> c, Mat<R> a, Mat<R> b, MatmulArgs<R> args, int lane, int lanes) {
  const int inner = args.transpose_a ? a.rows : a.cols, m = c.rows, n = c.cols;
  if (2.0 * m * n * inner * (args.symmetric ? 0.5 : 1) < kWorthSharing) {
    if (lane == 0) multiply(c, a, b, args);
    return;
  }
  if (args.symmetric) {
    const int first = triangle_cut(m, lane, lanes), last = triangle_cut(m, lane + 1, lanes);
    multiply_part(c, a, b, args, first, last, first, last);
    args.symmetric = false;
    multiply_part(c, a, b, args, first, last, 0, first);
    if (first > 0 && first < last) transpose(c.row(first), c.ld, last - first, first, c.p + first, c.ld);
    return;
  }
  const int whole = (n + kShareColumns - 1) / kShareColumns;
  if (m >= 4 * lanes || whole * kShareColumns > c.ld || (!args.transpose_b && whole * kShareColumns > b.ld)) {
    const auto cut = [&](int k) { return static_cast<int>(static_cast<long>(m) * k / lanes); };
    multiply_part(c, a, b, args, cut(lane), cut(lane + 1), 0, n);
    return;
  }
  const auto cut = [&](int k) { return k == lanes ? n : whole * k / lanes * kShareColumns; };
  multiply_part(c, a, b, args, 0, m, cut(lane), cut(lane + 1));
}

} // namespace gemm
POLARSCOPE_KERNELS_END
