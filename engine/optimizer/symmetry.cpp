#include "engine/optimizer/symmetry.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <limits>

namespace polarscope {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Change = std::function<Matrix(const Matrix&)>;

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr int kFewSteps = 4, kSteps = 6;
constexpr double kLarger = 1000;

Matrix matrix_of(const GivenMatrix& m) { return Eigen::Map<const Matrix>(m.values.data(), m.rows, m.cols); }

GivenMatrix given(const Matrix& m) {
  return {static_cast<std::uint32_t>(m.rows()), static_cast<std::uint32_t>(m.cols()), {m.data(), m.data() + m.size()}};
}

GivenMatrix changed(const GivenMatrix& m, const Change& change) { return given(change(matrix_of(m))); }

std::vector<GivenMatrix> changed(const std::vector<GivenMatrix>& all, const Change& change) {
  std::vector<GivenMatrix> out;
  for (const GivenMatrix& m : all) out.push_back(changed(m, change));
  return out;
}

Matrix rotation(std::uint64_t seed, std::uint32_t n) {
  return Eigen::HouseholderQR<Matrix>(matrix_of(random_matrix(seed, n, n))).householderQ();
}

// The random numbers of one measurement.
struct Dice {
  std::uint64_t seed;
  std::uint64_t next() { return seed = seed * 6364136223846793005ull + 1442695040888963407ull; }
};

std::vector<GivenMatrix> random_gradients(Dice& dice, std::uint32_t rows, std::uint32_t cols) {
  std::vector<GivenMatrix> out;
  for (int t = 0; t < kSteps; ++t) out.push_back(random_matrix(dice.next(), rows, cols));
  return out;
}

// ‖W − W₁‖/‖W₁‖ at the end.
double moved(const Walk& walk, std::size_t steps) {
  if (walk.size() != steps + 1) return kNothing;
  const Matrix first = matrix_of(walk[1]);
  return (matrix_of(walk.back()) - first).norm() / first.norm();
}

// The ends of two walks, one of them taken back by `undo`, in units of the way gone by the other.
double apart(const Walk& one, const Change& undo, const Walk& other) {
  if (one.size() != other.size() || one.size() != kSteps + 1) return kNothing;
  const Matrix end = matrix_of(other.back());
  const double way = (end - matrix_of(other.front())).norm();
  return (undo(matrix_of(one.back())) - end).norm() / std::max(way, 1e-300);
}

Matrix same(const Matrix& m) { return m; }

} // namespace

const char* symmetry_name(Symmetry symmetry) {
  switch (symmetry) {
  case Symmetry::no_gradient: return "T1";
  case Symmetry::no_rate: return "T2";
  case Symmetry::gradient_size: return "T3";
  case Symmetry::row_rotation: return "T4 rows";
  case Symmetry::column_rotation: return "T4 columns";
  case Symmetry::transpose: return "T5";
  }
  return "";
}

const char* symmetry_meaning(Symmetry symmetry) {
  switch (symmetry) {
  case Symmetry::no_gradient: return "without gradient, history and decay the weight stays";
  case Symmetry::no_rate: return "with a rate of 0 the weight stays";
  case Symmetry::gradient_size: return "gradients 1000 times larger give the same path";
  case Symmetry::row_rotation: return "W, G → QW, QG turns the path alike";
  case Symmetry::column_rotation: return "W, G → WP, GP turns the path alike";
  case Symmetry::transpose: return "Wᵀ, Gᵀ give the transposed path";
  }
  return "";
}

Walker walker_of(const OptimizerSpec& spec) {
  return [spec](const std::map<std::string, double>& changes, const GivenMatrix& weight,
                const std::vector<GivenMatrix>& gradients) {
    GivenGradients run(spec, Precision::f64, weight, changes);
    Walk walk = {run.weight()};
    for (const GivenMatrix& g : gradients) {
      if (!run.step(g)) break;
      walk.push_back(run.weight());
    }
    return walk;
  };
}

double measure(Symmetry symmetry, const Walker& walk, std::uint32_t rows, std::uint32_t cols, std::uint64_t seed) {
  Dice dice{seed};
  const GivenMatrix w = random_matrix(dice.next(), rows, cols);
  if (symmetry == Symmetry::no_gradient) {
    const GivenMatrix none{rows, cols, std::vector<double>(std::size_t{rows} * cols)};
    return moved(walk({{"weight_decay", 0}}, w, std::vector<GivenMatrix>(kFewSteps, none)), kFewSteps);
  }
  const std::vector<GivenMatrix> gradients = random_gradients(dice, rows, cols);
  if (symmetry == Symmetry::no_rate) return moved(walk({{"lr", 0}, {"gain_lr", 0}}, w, gradients), kSteps);
  const Walk straight = walk({}, w, gradients);
  if (symmetry == Symmetry::gradient_size) {
    const auto larger = changed(gradients, [](const Matrix& g) { return Matrix(kLarger * g); });
    return apart(walk({}, w, larger), same, straight);
  }
  Change turn, back;
  if (symmetry == Symmetry::row_rotation) {
    const Matrix q = rotation(dice.next(), rows);
    turn = [q](const Matrix& m) { return Matrix(q * m); };
    back = [q](const Matrix& m) { return Matrix(q.transpose() * m); };
  } else if (symmetry == Symmetry::column_rotation) {
    const Matrix p = rotation(dice.next(), cols);
    turn = [p](const Matrix& m) { return Matrix(m * p); };
    back = [p](const Matrix& m) { return Matrix(m * p.transpose()); };
  } else {
    turn = back = [](const Matrix& m) { return Matrix(m.transpose()); };
  }
  return apart(walk({}, changed(w, turn), changed(gradients, turn)), back, straight);
}

std::vector<SymmetryResult> try_symmetries(const OptimizerSpec& spec) {
  const Walker walk = walker_of(spec);
  std::vector<SymmetryResult> results;
  for (const Symmetry symmetry : kSymmetries) {
    SymmetryResult r;
    r.symmetry = symmetry;
    const bool rests = symmetry == Symmetry::no_gradient || symmetry == Symmetry::no_rate;
    r.holds_below = rests ? 1e-14 : symmetry == Symmetry::gradient_size ? 2e-3 : 1e-7;
    r.nearly_below = rests ? 1e-2 : symmetry == Symmetry::gradient_size ? 0.2 : 1e-4;
    for (const auto& [rows, cols] : {std::pair<std::uint32_t, std::uint32_t>{4, 9}, {9, 4}, {6, 6}}) {
      if (symmetry == Symmetry::transpose && rows == cols) continue;
      const double found = measure(symmetry, walk, rows, cols, 1);
      if (!(found > r.worst)) {
        if (!std::isnan(found)) continue;
        r.worst = std::numeric_limits<double>::infinity();
      } else {
        r.worst = found;
      }
      r.rows = rows;
      r.cols = cols;
    }
    results.push_back(r);
  }
  return results;
}

} // namespace polarscope
