#include "engine/spectrum.hpp"

#include <fmt/format.h>

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

namespace polarscope {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using KeepGoing = std::function<bool(double)>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr std::uint64_t kBlockNumbers = 1 << 21; // 16 MiB of float64
constexpr Index kRowsPerReport = 16;             // of the tridiagonal form, between questions whether to go on

// The matrix turned so that it has at least as many rows as columns, read in blocks of rows.
class TallMatrix {
public:
  TallMatrix(std::uint64_t rows, std::uint64_t cols, const ReadBlock& read)
      : read_(read), wide_(cols > rows), rows_(std::max(rows, cols)), cols_(std::min(rows, cols)) {}

  std::uint64_t rows() const { return rows_; }
  std::uint64_t cols() const { return cols_; }
  std::uint64_t block_rows() const { return std::min(rows_, std::max(cols_, kBlockNumbers / cols_)); }

  // `into`: rows × cols of the block that starts at `row`.
  Result<void> read(std::uint64_t row, Eigen::Ref<MatrixXd> into) {
    const auto count = static_cast<std::uint64_t>(into.rows());
    auto done = wide_ ? read_(0, cols_, row, count, buffer_) : read_(row, count, 0, cols_, buffer_);
    if (!done) return done;
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    if (wide_) into = Eigen::Map<const MatrixXd>(buffer_.data(), into.rows(), into.cols());
    else into = Eigen::Map<const RowMajor>(buffer_.data(), into.rows(), into.cols());
    return {};
  }

private:
  const ReadBlock& read_;
  bool wide_;
  std::uint64_t rows_, cols_;
  std::vector<double> buffer_;
};

std::vector<double> to_vector(const VectorXd& values) { return {values.data(), values.data() + values.size()}; }

// Blocks of rows below the triangular factor of those before, factored again: A = Q R, so A and R have the same values.
Result<std::optional<Spectrum>> by_svd(TallMatrix& matrix, const KeepGoing& keep_going) {
  const auto n = static_cast<Index>(matrix.cols());
  MatrixXd stack;
  for (std::uint64_t row = 0; row < matrix.rows();) {
    if (!keep_going(static_cast<double>(row) / static_cast<double>(matrix.rows()))) return std::optional<Spectrum>();
    const std::uint64_t count = std::min(matrix.block_rows(), matrix.rows() - row);
    const Index above = row == 0 ? 0 : n;
    MatrixXd next(above + static_cast<Index>(count), n);
    if (above > 0) next.topRows(n) = stack.topRows(n).triangularView<Eigen::Upper>();
    if (auto done = matrix.read(row, next.bottomRows(static_cast<Index>(count))); !done) return done.error();
    row += count;
    stack = std::move(next);
    if (row < matrix.rows() || above > 0) Eigen::HouseholderQR<Eigen::Ref<MatrixXd>> factored(stack); // in place
  }
  const bool one_block = matrix.block_rows() == matrix.rows();
  const MatrixXd reduced = one_block ? stack : MatrixXd(stack.topRows(n).triangularView<Eigen::Upper>());
  Spectrum out;
  out.values = to_vector(Eigen::BDCSVD<MatrixXd>(reduced).singularValues());
  out.resolution = static_cast<double>(n) * kEpsilon * out.values.front();
  return std::optional(std::move(out));
}

// Householder's reduction of the lower triangle to tridiagonal form (Golub, Van Loan 2013, algorithm 8.3.1), one column
// at a time so that it can be stopped; false when it was.
bool tridiagonalize(MatrixXd& a, VectorXd& diagonal, VectorXd& below, const KeepGoing& keep_going) {
  const Index n = a.rows();
  diagonal.resize(n);
  below.resize(n - 1);
  VectorXd v, p;
  for (Index k = 0; k + 1 < n; ++k) {
    const Index left = n - k - 1;
    const double rest = static_cast<double>(left) / static_cast<double>(n);
    if (k % kRowsPerReport == 0 && !keep_going(1 - rest * rest * rest)) return false;
    double tau = 0, beta = 0;
    a.col(k).tail(left).makeHouseholderInPlace(tau, beta);
    v = a.col(k).tail(left);
    v[0] = 1;
    auto rest_of_a = a.bottomRightCorner(left, left);
    p.noalias() = rest_of_a.selfadjointView<Eigen::Lower>() * (tau * v);
    p -= (0.5 * tau * p.dot(v)) * v;
    rest_of_a.selfadjointView<Eigen::Lower>().rankUpdate(v, p, -1);
    diagonal[k] = a(k, k);
    below[k] = beta;
  }
  diagonal[n - 1] = a(n - 1, n - 1);
  return true;
}

Result<std::optional<Spectrum>> by_gram(TallMatrix& matrix, const KeepGoing& keep_going) {
  const auto n = static_cast<Index>(matrix.cols());
  MatrixXd gram = MatrixXd::Zero(n, n), block;
  // about: n²·rows for the sum; 4/3 n³, at a fourth of the speed, for the tridiagonal form
  const double sum_share =
      static_cast<double>(matrix.rows()) / (static_cast<double>(matrix.rows()) + 5 * static_cast<double>(n));
  for (std::uint64_t row = 0; row < matrix.rows();) {
    if (!keep_going(sum_share * static_cast<double>(row) / static_cast<double>(matrix.rows())))
      return std::optional<Spectrum>();
    const std::uint64_t count =
        std::min({matrix.block_rows(), matrix.rows() - row, kBlockNumbers / matrix.cols() + 64});
    block.resize(static_cast<Index>(count), n);
    if (auto done = matrix.read(row, block); !done) return done.error();
    gram.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose());
    row += count;
  }
  VectorXd diagonal, below;
  if (!tridiagonalize(gram, diagonal, below,
                      [&](double done) { return keep_going(sum_share + (1 - sum_share) * done); }))
    return std::optional<Spectrum>();
  Eigen::SelfAdjointEigenSolver<MatrixXd> solver;
  solver.computeFromTridiagonal(diagonal, below, Eigen::EigenvaluesOnly);
  Spectrum out;
  out.gram = true;
  out.values = to_vector(solver.eigenvalues().cwiseMax(0).cwiseSqrt().reverse());
  out.resolution = std::sqrt(static_cast<double>(n) * kEpsilon) * out.values.front();
  return std::optional(std::move(out));
}

} // namespace

Result<std::optional<Spectrum>> singular_values(std::uint64_t rows, std::uint64_t cols, const ReadBlock& read,
                                                const KeepGoing& keep_going) {
  TallMatrix matrix(rows, cols, read);
  if (matrix.cols() == 0) return std::optional(Spectrum{});
  try {
    return matrix.cols() <= kLargestSvd ? by_svd(matrix, keep_going) : by_gram(matrix, keep_going);
  } catch (const std::bad_alloc&) {
    return machine_lacks(fmt::format("not enough memory for the singular values of a {} × {} matrix", rows, cols));
  }
}

} // namespace polarscope
