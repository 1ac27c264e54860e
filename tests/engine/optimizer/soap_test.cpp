// SOAP on wide, tall and square matrices where its factors have full rank: in the middle of a run, after gradients in every
// direction. At the first step the larger factor of a matrix that is not square has a null space, whose basis is arbitrary.
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

constexpr int kBefore = 25, kSteps = 25; // bases are refreshed after steps 30 and 40

// Gradients whose rows and columns differ in size, so that eigenvalues are well apart.
class Gradients {
public:
  Gradients(int rows, int cols) : rows_(rows), cols_(cols), dice_(static_cast<unsigned long long>(100 * rows + cols)) {}
  Matrix next() {
    Matrix g = normals();
    for (int i = 0; i < rows_; ++i) g.row(i) *= std::exp2(-2.0 * i / rows_);
    for (int j = 0; j < cols_; ++j) g.col(j) *= std::exp2(-2.0 * j / cols_);
    return g;
  }
  Matrix normals() { return matrix(dice_.normals(static_cast<std::size_t>(rows_ * cols_)), rows_, cols_); }

private:
  int rows_, cols_;
  Dice dice_;
};

Matrix in_precision(Matrix m, Precision precision) {
  if (precision == Precision::f32) m = m.cast<float>().cast<double>();
  return m;
}

Matrix descending_eigenvectors(const Matrix& f) {
  return Eigen::SelfAdjointEigenSolver<Matrix>(f).eigenvectors().rowwise().reverse();
}

SoapState state_of(Gradients& gradients, int rows, int cols, Precision precision) {
  SoapState s;
  s.left_factor = Matrix::Zero(rows, rows);
  s.right_factor = Matrix::Zero(cols, cols);
  constexpr int kAveraged = 100;
  for (int k = 0; k < kAveraged; ++k) {
    const Matrix g = gradients.next();
    s.left_factor += g * g.transpose() / kAveraged;
    s.right_factor += g.transpose() * g / kAveraged;
  }
  s.left_factor = in_precision(s.left_factor, precision);
  s.right_factor = in_precision(s.right_factor, precision);
  s.left_basis = in_precision(descending_eigenvectors(s.left_factor), precision);
  s.right_basis = in_precision(descending_eigenvectors(s.right_factor), precision);
  s.first = in_precision(0.1 * gradients.normals(), precision);
  s.second = in_precision(gradients.normals().cwiseAbs2() + Matrix::Constant(rows, cols, 0.1), precision);
  s.steps = kBefore;
  return s;
}

// Least eigenvalue over the largest of both factors.
double condition(const SoapState& s) {
  double least = 1;
  for (const Matrix& f : {s.left_factor, s.right_factor}) {
    const Vector values = Eigen::SelfAdjointEigenSolver<Matrix>(f).eigenvalues();
    least = std::min(least, values.minCoeff() / values.maxCoeff());
  }
  return least;
}

// How far the weights are apart at worst, relative to the way gone; and that way, relative to the weight.
std::pair<double, double> compare(const std::string& preset, int rows, int cols, Precision precision) {
  const OptimizerSpec spec = preset_spec(preset);
  const auto program = program_for(spec, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(cols), precision,
                                   kBefore + kSteps);
  Gradients gradients(rows, cols);
  const SoapState state = state_of(gradients, rows, cols, precision);
  CHECK(condition(state) > 0.01);
  Matrix w = in_precision(gradients.normals(), precision);
  const Matrix origin = w;

  ProgramRig rig(program, hparams_of(*program, spec));
  rig.write("W", values(w));
  rig.start();
  rig.write("W.left_factor", values(state.left_factor));
  rig.write("W.right_factor", values(state.right_factor));
  rig.write("W.left_basis", values(state.left_basis.transpose())); // one eigenvector per row
  rig.write("W.right_basis", values(state.right_basis.transpose()));
  rig.write("W.first_moment", values(state.first));
  rig.write("W.second_moment", values(state.second));
  rig.set_step(kBefore);

  const auto oracle = soap_from(preset == "soap_nemo", state);
  for (const HparamInfo& h : program->hparams()) oracle->hparams[h.setting.name] = spec.value_of(h.setting);
  double worst = 0;
  for (int t = 1; t <= kSteps; ++t) {
    const Matrix g = in_precision(gradients.next(), precision);
    REQUIRE(rig.step(values(g)));
    w = oracle->step(w, g);
    const double way = (w - origin).norm(), apart = (matrix(rig.read("W"), rows, cols) - w).norm();
    if (way > 0) worst = std::max(worst, apart / way);
    if (std::isnan(apart)) worst = HUGE_VAL;
  }
  CHECK(rig.worst_promise() <= 1);
  return {worst, (w - origin).norm() / origin.norm()};
}

} // namespace

TEST_CASE("SOAP follows its formula on wide, tall and square matrices of full rank", "[oracle]") {
  for (const char* preset : {"soap", "soap_nemo"})
    for (const auto& [rows, cols] : {std::pair{6, 20}, {20, 6}, {12, 12}, {3, 40}, {1, 9}})
      for (const Precision precision : {Precision::f64, Precision::f32}) {
        const bool single = precision == Precision::f32;
        CAPTURE(preset, rows, cols, single);
        const auto [worst, way] = compare(preset, rows, cols, precision);
        CAPTURE(worst, way);
        CHECK(worst <= (single ? 3e-4 : 1e-11));
        CHECK(way > 1e-3); // it has moved
      }
}
