// Slow float64 optimizers written from the formulas of the sources, with Eigen's singular value decomposition where one
// is needed; they share nothing with the code under test.
#pragma once

#include <Eigen/Dense>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace polarscope::test {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

Matrix matrix(const std::vector<double>& values, long rows, long cols); // row-major
std::vector<double> values(const Matrix& m);                            // row-major

Matrix exact_msign(const Matrix& g);
// kj | quintic | polar_express | polar_express_safe | polar_express_raw | polar_express_angular | cubic, with the input
// scaled by add | clamp | scaled | none and ε = 1e-7.
Matrix newton_schulz(const Matrix& g, const std::string& set, const std::string& form, int steps = 0);
Matrix row_normalised(const Matrix& g);
Matrix column_normalised(const Matrix& g);
double softplus(double a);
double softplus_inverse(double gain);

// One parameter under one optimizer: the whole state lives inside.
class Oracle {
public:
  virtual ~Oracle() = default;
  virtual Matrix start(const Matrix& w) { return w; }  // the weight at step 0
  virtual Matrix step(const Matrix& w, const Matrix& g) = 0; // the next weight
};

// A preset of the first release at the given rate, other numbers as the preset's source has them.
std::unique_ptr<Oracle> oracle(const std::string& preset, double lr);

} // namespace polarscope::test
