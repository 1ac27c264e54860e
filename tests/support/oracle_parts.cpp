#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace polarscope::test {

namespace {

class Rule : public Oracle {
public:
  Rule(Hparams defaults, StepRule step, StartRule start) : step_(std::move(step)), start_(std::move(start)) {
    hparams = std::move(defaults);
  }
  Matrix start(const Matrix& w) override { return start_ ? start_(w) : w; }
  Matrix step(const Matrix& w, const Matrix& g) override { return step_(hparams, w, g); }

private:
  StepRule step_;
  StartRule start_;
};

} // namespace

Maker rule(Hparams defaults, StepRule step, StartRule start) {
  return [=] { return std::make_unique<Rule>(defaults, step, start); };
}

Maker plain(Hparams defaults, Direction u) {
  return rule(std::move(defaults), [u = std::move(u)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    return Matrix(w - h("lr") * u(h, g));
  });
}

Maker decoupled(Hparams defaults, Direction u) {
  return rule(std::move(defaults), [u = std::move(u)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    return Matrix((1 - h("lr") * h("weight_decay")) * w - h("lr") * u(h, g));
  });
}

Direction then(Direction first, Shaping second) {
  return [first = std::move(first), second = std::move(second)](const Hparams& h, const Matrix& g) mutable {
    return second(first(h, g));
  };
}

Direction raw_gradient() {
  return [](const Hparams&, const Matrix& g) { return g; };
}

Direction momentum(Form form, bool nesterov, std::string name) {
  return [=, m = Matrix()](const Hparams& h, const Matrix& g) mutable -> Matrix {
    if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
    const double mu = h(name), share = form == Form::ema ? 1 - mu : 1;
    m = mu * m + share * g;
    if (nesterov) return share * g + mu * m;
    return m;
  };
}

Direction adam(std::string prefix) {
  return [=, m = Matrix(), v = Matrix(), t = 0](const Hparams& h, const Matrix& g) mutable {
    if (t++ == 0) m = v = Matrix::Zero(g.rows(), g.cols());
    const double beta1 = h(prefix + "beta1"), beta2 = h(prefix + "beta2"), eps = h(prefix + "eps");
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g.cwiseProduct(g);
    Matrix out(g.rows(), g.cols());
    for (long i = 0; i < g.rows(); ++i)
      for (long j = 0; j < g.cols(); ++j) {
        const double above = m(i, j) / (1 - std::pow(beta1, t)),
                     below = std::sqrt(v(i, j) / (1 - std::pow(beta2, t))) + eps;
        out(i, j) = below > 0 ? above / below : 0;
      }
    return out;
  };
}

double sign_of(double x) { return (x > 0) - (x < 0); }
Matrix sign(const Matrix& m) {
  return m.unaryExpr([](double x) { return sign_of(x); });
}
Matrix normalised(const Matrix& m) { return m.norm() > 0 ? Matrix(m / m.norm()) : m; }
Matrix scale_rows(const Matrix& m, const Vector& per_row) { return per_row.asDiagonal() * m; }
double inner(const Matrix& a, const Matrix& b) { return a.cwiseProduct(b).sum(); }

namespace {
double rows_of(const Matrix& d) { return static_cast<double>(d.rows()); }
double columns_of(const Matrix& d) { return static_cast<double>(d.cols()); }
} // namespace

double kj_scale(const Matrix& d) { return std::sqrt(std::max(1.0, rows_of(d) / columns_of(d))); }
double rms_scale(const Matrix& d) { return 0.2 * std::sqrt(std::max(rows_of(d), columns_of(d))); }
double out_in_scale(const Matrix& d) { return std::sqrt(rows_of(d) / columns_of(d)); }
double shape_up_scale(const Matrix& d) {
  return std::sqrt(std::max(rows_of(d) / columns_of(d), columns_of(d) / rows_of(d)));
}
double spectral_scale(const Matrix& d) { return std::sqrt(std::max(rows_of(d), columns_of(d))); }

Shaping split_qkv(Shaping one) {
  return [one = std::move(one)](const Matrix& d) {
    if (d.rows() != 3 * d.cols()) return one(d);
    Matrix out(d.rows(), d.cols());
    for (int part = 0; part < 3; ++part)
      out.middleRows(part * d.cols(), d.cols()) = one(d.middleRows(part * d.cols(), d.cols()));
    return out;
  };
}

Shaping muon_shaping(std::string set, std::string form, double (*scale)(const Matrix&), double eps) {
  return [=](const Matrix& d) { return Matrix((scale ? scale(d) : 1.0) * newton_schulz(d, set, form, 0, eps)); };
}

} // namespace polarscope::test
