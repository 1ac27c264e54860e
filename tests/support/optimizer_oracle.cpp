#include "tests/support/optimizer_oracle.hpp"

#include <algorithm>
#include <cmath>
#include <map>
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
  Matrix out = Matrix::Zero(g.rows(), g.cols());
  for (long k = 0; k < s.size(); ++k)
    if (s(k) > std::max(g.rows(), g.cols()) * 2.3e-16 * s(0)) out += svd.matrixU().col(k) * svd.matrixV().col(k).transpose();
  return out;
}

namespace {

using Triples = std::vector<std::array<double, 3>>;

Triples raw_polar_express() {
  return {{8.28721201814563, -23.595886519098837, 17.300387312530933}, {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
          {3.9486908534822946, -2.908902115962949, 0.5518191394370137}, {3.3184196573706015, -2.488488024314874, 0.51004894012372},
          {2.300652019954817, -1.6689039845747493, 0.4188073119525673}, {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
          {1.8750014808534479, -1.2500016453999487, 0.3750001645474248}, {1.875, -1.25, 0.375}};
}

Triples triples(const std::string& set) {
  if (set == "kj") return Triples(5, {3.4445, -4.7750, 2.0315});
  if (set == "quintic")
    return {{4.0848, -6.8946, 2.9270}, {3.9505, -6.3029, 2.6377}, {3.7418, -5.5913, 2.3037}, {2.8769, -3.1427, 1.2046}, {2.8366, -3.0525, 1.2012}};
  if (set == "polar_express")
    return {{8.2051, -22.9019, 16.4607}, {4.0664, -2.8612, 0.5184}, {3.9096, -2.8234, 0.5250}, {3.2856, -2.4153, 0.4853},
            {2.2779, -1.6198, 0.3985}, {1.8726, -1.2307, 0.3585}, {1.8564, -1.2132, 0.3568}, {1.8750, -1.2500, 0.3750}};
  if (set == "polar_express_angular")
    return {{8.237312490495555, -23.157747414558198, 16.680568411445915}, {4.082441999064836, -2.8930477353325887, 0.5252849256975651},
            {3.9263479922546556, -2.8547468034765293, 0.5318022422894989}, {3.2982187133085143, -2.4245419810267062, 0.48632008358844075},
            {2.320007312889811, -1.6862169729967622, 0.42068027340235137}};
  if (set == "cubic") return Triples(20, {1.5, -0.5, 0});
  Triples t = raw_polar_express();
  if (set == "polar_express_safe")
    for (std::size_t k = 0; k < 7; ++k) t[k] = {t[k][0] / 1.01, t[k][1] / std::pow(1.01, 3), t[k][2] / std::pow(1.01, 5)};
  return t;
}

} // namespace

Matrix newton_schulz(const Matrix& g, const std::string& set, const std::string& form, int steps) {
  if (g.rows() > g.cols()) return newton_schulz(g.transpose(), set, form, steps).transpose();
  const double eps = 1e-7, f = g.norm();
  const double below = form == "add" ? f + eps : form == "clamp" ? std::max(f, eps) : form == "scaled" ? 1.01 * f + eps : f;
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
  for (long i = 0; i < g.rows(); ++i) out.row(i) *= g.row(i).norm() > 0 ? 1 / g.row(i).norm() : 0;
  return out;
}

Matrix column_normalised(const Matrix& g) { return row_normalised(g.transpose()).transpose(); }

double softplus(double a) { return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a))); }
double softplus_inverse(double gain) { return gain + std::log(-std::expm1(-gain)); }

namespace {

Matrix elementwise(const Matrix& m, double (*f)(double)) { return m.unaryExpr(f); }

double sign_of(double x) { return (x > 0) - (x < 0); }

struct AdamState {
  double beta1, beta2, eps = 1e-8;
  Matrix m = {}, v = {};
  int t = 0;
  Matrix ratio(const Matrix& g) {
    if (t == 0) m = v = Matrix::Zero(g.rows(), g.cols());
    ++t;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g.cwiseProduct(g);
    Matrix out(g.rows(), g.cols());
    for (long i = 0; i < g.rows(); ++i)
      for (long j = 0; j < g.cols(); ++j) {
        const double above = m(i, j) / (1 - std::pow(beta1, t)), below = std::sqrt(v(i, j) / (1 - std::pow(beta2, t))) + eps;
        out(i, j) = below > 0 ? above / below : 0;
      }
    return out;
  }
};

// Buffer of past gradients; `average` is KellerJordan's lerp.
struct MomentumState {
  double mu;
  bool average, nesterov;
  Matrix m = {};
  Matrix direction(const Matrix& g) {
    if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
    const double share = average ? 1 - mu : 1;
    m = mu * m + share * g;
    return nesterov ? Matrix(share * g + mu * m) : m;
  }
};

using Direction = std::function<Matrix(const Matrix&)>;

// W ← (1 − ηλ)W − ηU
struct Plain : Oracle {
  Plain(double rate, Direction d, double lambda = 0) : lr(rate), direction(std::move(d)), decay(lambda) {}
  double lr;
  Direction direction;
  double decay;
  Matrix step(const Matrix& w, const Matrix& g) override { return (1 - lr * decay) * w - lr * direction(g); }
};

struct Hyperball : Oracle {
  Hyperball(double rate, Direction d) : lr(rate), direction(std::move(d)) {}
  double lr;
  Direction direction;
  double rho = 0;
  Matrix start(const Matrix& w) override {
    rho = w.norm();
    return w;
  }
  Matrix step(const Matrix& w, const Matrix& g) override {
    const Matrix u = direction(g);
    const Matrix next = w - lr * rho * u / std::max(u.norm(), 1e-10);
    return next.norm() > 0 ? Matrix(rho * next / next.norm()) : next;
  }
};

// Separate parameters Ŵ, row and column gains: the model that the fused step must reproduce.
struct MagnitudeDirection : Oracle {
  MagnitudeDirection(double rate, Direction d) : lr(rate), direction(std::move(d)) {}
  double lr, gain_lr = 1e-3;
  Direction direction;
  Matrix hat, rows, cols; // raw gains as column vectors
  AdamState row_adam{0.9, 0.99}, column_adam{0.9, 0.99};
  Matrix start(const Matrix& w) override {
    hat = project(w);
    rows = Matrix::Constant(w.rows(), 1, softplus_inverse(1));
    cols = Matrix::Constant(w.cols(), 1, softplus_inverse(1));
    return fused();
  }
  static Matrix project(const Matrix& w) { return std::sqrt(double(std::max(w.rows(), w.cols()))) * w / w.norm(); }
  Matrix fused() const { return elementwise(rows, softplus).asDiagonal() * hat * elementwise(cols, softplus).asDiagonal(); }
  static double slope(double a) { return 1 / (1 + std::exp(-a)); }
  Matrix step(const Matrix&, const Matrix& g) override {
    const Vector gr = elementwise(rows, softplus), gc = elementwise(cols, softplus);
    const Matrix product = g.cwiseProduct(hat);
    const Matrix row_gradient = (product * gc).cwiseProduct(elementwise(rows, slope));
    const Matrix column_gradient = (product.transpose() * gr).cwiseProduct(elementwise(cols, slope));
    const Matrix inner = gr.asDiagonal() * g * gc.asDiagonal();
    hat = project(hat - lr * direction(inner));
    rows -= gain_lr * row_adam.ratio(row_gradient);
    cols -= gain_lr * column_adam.ratio(column_gradient);
    return fused();
  }
};

// Explicit V, g; the code under test keeps V implicit.
struct Muown : Oracle {
  Muown(double rate) : lr(rate) {}
  double lr;
  Matrix v, g;
  MomentumState momentum{0.95, false, true};
  AdamState adam{0.9, 0.95};
  Matrix start(const Matrix& w) override {
    v = w;
    g = w.rowwise().norm();
    return w;
  }
  Matrix step(const Matrix&, const Matrix& gradient) override {
    const Matrix u = row_normalised(v);
    const Matrix slope = gradient.cwiseProduct(u).rowwise().sum();
    Matrix inner = gradient;
    for (long i = 0; i < v.rows(); ++i) {
      const double r = v.row(i).norm();
      inner.row(i) = (r > 0 ? g(i, 0) / r : 0) * (gradient.row(i) - slope(i, 0) * u.row(i));
    }
    const double scale = 0.2 * std::sqrt(double(std::max(v.rows(), v.cols())));
    v -= lr * scale * newton_schulz(momentum.direction(inner), "kj", "add");
    g -= lr * adam.ratio(slope);
    return Vector(g).asDiagonal() * row_normalised(v);
  }
};

Matrix torch_rows(const Matrix& g) {
  Matrix out = g;
  for (long i = 0; i < g.rows(); ++i) out.row(i) /= std::max(g.row(i).norm(), 1e-12);
  return out;
}

double kj_scale(const Matrix& g) { return std::sqrt(std::max(1.0, double(g.rows()) / double(g.cols()))); }

} // namespace

std::unique_ptr<Oracle> oracle(const std::string& preset, double lr) {
  const auto adam = [](double beta2) { return [s = AdamState{0.9, beta2}](const Matrix& g) mutable { return s.ratio(g); }; };
  const auto momentum = [](double mu, bool average, bool nesterov) {
    return [s = MomentumState{mu, average, nesterov}](const Matrix& g) mutable { return s.direction(g); };
  };
  const auto then = [](Direction first, Direction second) { return [=](const Matrix& g) { return second(first(g)); }; };
  const Direction kj = [](const Matrix& d) { return newton_schulz(d, "kj", "add"); };
  if (preset == "sgd") return std::make_unique<Plain>(lr, [](const Matrix& g) { return g; });
  if (preset == "momentum") return std::make_unique<Plain>(lr, momentum(0.9, false, false));
  if (preset == "nesterov") return std::make_unique<Plain>(lr, momentum(0.9, false, true));
  if (preset == "normalized_sgd") return std::make_unique<Plain>(lr, [](const Matrix& g) { return Matrix(g / g.norm()); });
  if (preset == "signsgd") return std::make_unique<Plain>(lr, [](const Matrix& g) { return elementwise(g, sign_of); });
  if (preset == "adam") return std::make_unique<Plain>(lr, adam(0.999));
  if (preset == "adamw") return std::make_unique<Plain>(lr, adam(0.999), 1e-2);
  if (preset == "muon")
    return std::make_unique<Plain>(lr, then(momentum(0.95, true, true), [kj](const Matrix& d) { return Matrix(kj_scale(d) * kj(d)); }));
  if (preset == "rmnp")
    return std::make_unique<Plain>(lr, then(momentum(0.95, false, true), [](const Matrix& d) { return Matrix(kj_scale(d) * torch_rows(d)); }));
  if (preset == "muonh") return std::make_unique<Hyperball>(lr, then(momentum(0.95, false, true), kj));
  if (preset == "adamh") return std::make_unique<Hyperball>(lr, adam(0.95));
  if (preset == "md_muon")
    return std::make_unique<MagnitudeDirection>(lr, then(momentum(0.95, true, true), [](const Matrix& d) {
      const double m = double(d.rows()), n = double(d.cols());
      return Matrix(std::sqrt(std::max(m / n, n / m)) * newton_schulz(d, "quintic", "clamp"));
    }));
  if (preset == "md_adam") return std::make_unique<MagnitudeDirection>(lr, adam(0.99));
  if (preset == "muown") return std::make_unique<Muown>(lr);
  throw std::invalid_argument("no oracle for " + preset);
}

} // namespace polarscope::test
