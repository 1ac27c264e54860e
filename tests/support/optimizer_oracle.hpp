// Slow float64 optimizers written from the formulas of the sources, with Eigen's decompositions where one is needed;
// they share nothing with the code under test. One maker per preset, by the preset's name.
#pragma once

#include <Eigen/Dense>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace polarscope::test {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

Matrix matrix(const std::vector<double>& values, long rows, long cols); // row-major
std::vector<double> values(const Matrix& m);                            // row-major

// U Vᵀ over the singular values above max(m, n)·eps·σ₁; the other directions get 0.
Matrix exact_msign(const Matrix& g);
// kj | quintic | polar_express | polar_express_safe | polar_express_raw | polar_express_angular | cubic | deepseek |
// modded_nanogpt, with the input scaled by add | clamp | scaled | modded | none. 0 steps: the set's own length; beyond it
// the last triple repeats.
Matrix newton_schulz(const Matrix& g, const std::string& set, const std::string& form, int steps = 0,
                     double eps = 1e-7);
Matrix row_normalised(const Matrix& g); // zero rows stay zero
Matrix column_normalised(const Matrix& g);
double softplus(double a);
double softplus_inverse(double gain);

// Hyperparameters by canonical name.
struct Hparams : std::map<std::string, double> {
  using std::map<std::string, double>::map;
  double operator()(const std::string& name) const; // throws when nobody gave it
};

// One parameter under one optimizer: the whole state lives inside.
class Oracle {
public:
  virtual ~Oracle() = default;
  virtual Matrix start(const Matrix& w) { return w; }        // the weight at step 0
  virtual Matrix step(const Matrix& w, const Matrix& g) = 0; // the next weight
  // The source's own defaults; a source that leaves a number to its user leaves it out here. May change between steps.
  Hparams hparams;
};

std::vector<std::string> oracle_names();
// null when there is none for this preset.
std::unique_ptr<Oracle> make_oracle(const std::string& preset);

} // namespace polarscope::test
