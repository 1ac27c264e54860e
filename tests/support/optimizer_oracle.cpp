#include "tests/support/optimizer_oracle.hpp"

#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace polarscope::test {

Matrix matrix(const std::vector<double>& v, long rows, long cols) {
  Matrix m(rows, cols);
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < cols; ++j) m(i, j) = v[static_cast<std::size_t>(i * cols + j)];
  return m;
}

std::vector<double> values(const Matrix& m) {
  std::vector<double> v;
  for (long i = 0; i < m.rows(); ++i)
    for (long j = 0; j < m.cols(); ++j) v.push_back(m(i, j));
  return v;
}

Matrix exact_msign(const Matrix& g) {
  const Eigen::JacobiSVD<Matrix> svd(g, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Vector s = svd.singularValues();
  const double floor =
      static_cast<double>(std::max(g.rows(), g.cols())) * std::numeric_limits<double>::epsilon() * s(0);
  Matrix out = Matrix::Zero(g.rows(), g.cols());
  for (long k = 0; k < s.size(); ++k)
    if (s(k) > floor) out += svd.matrixU().col(k) * svd.matrixV().col(k).transpose();
  return out;
}

namespace {

using Triples = std::vector<std::array<double, 3>>;

// algorithms of A6: KellerJordan/Muon; NVIDIA-NeMo/Emerging-Optimizers (quintic, polar_express);
// thinking-machines-lab/manifolds (raw, safe); fhueb/angular-muown; KellerJordan/modded-nanogpt; DeepSeek.
Triples raw_polar_express() {
  return {{8.28721201814563, -23.595886519098837, 17.300387312530933},
          {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
          {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
          {3.3184196573706015, -2.488488024314874, 0.51004894012372},
          {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
          {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
          {1.8750014808534479, -1.2500016453999487, 0.3750001645474248},
          {1.875, -1.25, 0.375}};
}

Triples triples(const std::string& set) {
  if (set == "kj") return Triples(5, {3.4445, -4.7750, 2.0315});
  if (set == "quintic")
    return {{4.0848, -6.8946, 2.9270},
            {3.9505, -6.3029, 2.6377},
            {3.7418, -5.5913, 2.3037},
            {2.8769, -3.1427, 1.2046},
            {2.8366, -3.0525, 1.2012}};
  if (set == "polar_express")
    return {{8.2051, -22.9019, 16.4607}, {4.0664, -2.8612, 0.5184}, {3.9096, -2.8234, 0.5250},
            {3.2856, -2.4153, 0.4853},   {2.2779, -1.6198, 0.3985}, {1.8726, -1.2307, 0.3585},
            {1.8564, -1.2132, 0.3568},   {1.8750, -1.2500, 0.3750}};
  if (set == "polar_express_angular")
    return {{8.237312490495555, -23.157747414558198, 16.680568411445915},
            {4.082441999064836, -2.8930477353325887, 0.5252849256975651},
            {3.9263479922546556, -2.8547468034765293, 0.5318022422894989},
            {3.2982187133085143, -2.4245419810267062, 0.48632008358844075},
            {2.320007312889811, -1.6862169729967622, 0.42068027340235137}};
  if (set == "modded_nanogpt")
    return {{8.156554524902461, -22.48329292557795, 15.878769915207462},
            {4.042929935166739, -2.808917465908714, 0.5000178451051316},
            {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
            {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
            {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}};
  if (set == "deepseek") {
    Triples t(8, {3.4445, -4.7750, 2.0315});
    t.insert(t.end(), 2, {2, -1.5, 0.5});
    return t;
  }
  if (set == "cubic") return Triples(20, {1.5, -0.5, 0});
  Triples t = raw_polar_express();
  if (set == "polar_express_raw") return t;
  if (set != "polar_express_safe") throw std::invalid_argument("no coefficients called " + set);
  for (std::size_t k = 0; k < 7; ++k) t[k] = {t[k][0] / 1.01, t[k][1] / std::pow(1.01, 3), t[k][2] / std::pow(1.01, 5)};
  return t;
}

} // namespace

Matrix newton_schulz(const Matrix& g, const std::string& set, const std::string& form, int steps, double eps) {
  if (g.rows() > g.cols()) return newton_schulz(g.transpose(), set, form, steps, eps).transpose();
  const double f = g.norm();
  const double below = form == "add"      ? f + eps
                       : form == "clamp"  ? std::max(f, eps)
                       : form == "scaled" ? 1.01 * f + eps
                       : form == "modded" ? 1.02 * f + 1e-6
                                          : f;
  if (below == 0) return Matrix::Zero(g.rows(), g.cols());
  Matrix x = g / below;
  Triples t = triples(set);
  if (steps > 0) t.resize(static_cast<std::size_t>(steps), t.back());
  for (const auto& [a, b, c] : t) {
    const Matrix gram = x * x.transpose();
    x = a * x + (b * gram + c * gram * gram) * x;
  }
  return x;
}

Matrix row_normalised(const Matrix& g) {
  Matrix out = g;
  for (long i = 0; i < g.rows(); ++i)
    if (g.row(i).norm() > 0) out.row(i) /= g.row(i).norm(); // a row of one number becomes exactly ±1
  return out;
}

Matrix column_normalised(const Matrix& g) { return row_normalised(g.transpose()).transpose(); }

double softplus(double a) { return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a))); }
double softplus_inverse(double gain) { return gain + std::log(-std::expm1(-gain)); }

double Hparams::operator()(const std::string& name) const {
  const auto found = find(name);
  if (found == end()) throw std::invalid_argument("the oracle needs the hyperparameter " + name);
  return found->second;
}

namespace {

const Makers& makers() {
  static const Makers all = [] {
    Makers m;
    for (const auto add : {add_plain_oracles, add_decay_oracles, add_projection_oracles, add_orthogonal_oracles,
                           add_row_oracles, add_scion_oracles, add_kronecker_oracles, add_sphere_oracles,
                           add_spectral_oracles, add_md_oracles, add_low_rank_oracles, add_muown_oracles})
      add(m);
    return m;
  }();
  return all;
}

} // namespace

std::vector<std::string> oracle_names() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

std::unique_ptr<Oracle> make_oracle(const std::string& preset) {
  const auto found = makers().find(preset);
  return found == makers().end() ? nullptr : found->second();
}

} // namespace polarscope::test
