// B9 trust ratios and projections, B3 slices and reparametrisations, B8 rotational variants.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope::test {

namespace {

const Hparams kAdam = {{"lr", 1e-3}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}};

Hparams with(Hparams h, const Hparams& more) {
  for (const auto& [name, value] : more) h[name] = value;
  return h;
}

// LARS as PyPI pytorch-optimizer has it: the local rate multiplies G + λW before the buffer; 1 where its fraction is 0/0.
Maker lars() {
  return rule({{"lr", 1e-3}, {"momentum", 0.9}, {"weight_decay", 0}},
              [m = Matrix()](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
                const double decay = h("weight_decay"), below = g.norm() + decay * w.norm();
                const double trust = w.norm() > 0 && below > 0 ? 1e-3 * w.norm() / below : 1;
                m = h("momentum") * m + trust * (g + decay * w);
                return Matrix(w - h("lr") * m);
              });
}

// LAMB as PyPI torch-optimizer has it (no bias correction), with its debias switch, and the textbook's form.
enum class Lamb { plain, debiased, textbook };
Maker lamb(Lamb form) {
  return rule(with(kAdam, {{"eps", 1e-6}, {"weight_decay", 0}}),
              [=, m = Matrix(), v = Matrix(), t = 0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                if (t++ == 0) m = v = Matrix::Zero(g.rows(), g.cols());
                const double beta1 = h("beta1"), beta2 = h("beta2"), one = 1 - std::pow(beta1, t),
                             two = 1 - std::pow(beta2, t);
                m = beta1 * m + (1 - beta1) * g;
                v = beta2 * v + (1 - beta2) * g.cwiseProduct(g);
                Matrix u = form == Lamb::textbook ? Matrix(m.array() / one / ((v.array() / two).sqrt() + h("eps")))
                                                  : Matrix(m.array() / (v.array().sqrt() + h("eps")));
                u += h("weight_decay") * w;
                const double phi = std::min(w.norm(), 10.0), trust = phi > 0 && u.norm() > 0 ? phi / u.norm() : 1;
                const double debias = form == Lamb::debiased ? std::sqrt(two) / one : 1;
                return Matrix(w - h("lr") * trust * debias * u);
              });
}

// clovaai/AdamP: takes the radial part off `u` where the gradient is nearly orthogonal to the weight, by rows if that
// holds for all of them, else of the whole; returns the factor of the decay.
double project(const Matrix& w, const Matrix& g, double delta, double ratio, double eps, Matrix& u) {
  const auto cosine = [&](const Matrix& a, const Matrix& b) {
    return std::abs(inner(a, b)) / (std::max(a.norm(), eps) * std::max(b.norm(), eps));
  };
  double most = 0;
  for (long i = 0; i < w.rows(); ++i) most = std::max(most, cosine(g.row(i), w.row(i)));
  if (most < delta / std::sqrt(static_cast<double>(w.cols()))) {
    for (long i = 0; i < w.rows(); ++i) {
      const Matrix unit = w.row(i) / (w.row(i).norm() + eps);
      u.row(i) -= unit * inner(unit, u.row(i));
    }
    return ratio;
  }
  if (cosine(g, w) >= delta / std::sqrt(static_cast<double>(w.size()))) return 1;
  const Matrix unit = w / (w.norm() + eps);
  u -= unit * inner(unit, u);
  return ratio;
}

double optional(const Hparams& h, const char* name, double otherwise) { return h.count(name) ? h(name) : otherwise; }

// Without Nesterov the update is the buffer itself, so what the projection takes stays gone.
Maker sgdp(bool nesterov) {
  return rule({{"delta", 0.1}, {"wd_ratio", 0.1}},
              [=, m = Matrix()](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
                m = h("momentum") * m + g;
                Matrix ahead = g + h("momentum") * m, &u = nesterov ? ahead : m;
                const double ratio = project(w, g, h("delta"), h("wd_ratio"), 1e-8, u);
                return Matrix((1 - h("lr") * h("weight_decay") * ratio / (1 - h("momentum"))) * w - h("lr") * u);
              });
}

Maker adamp() {
  return rule(with(kAdam, {{"delta", 0.1}, {"wd_ratio", 0.1}}),
              [d = adam()](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                Matrix u = d(h, g);
                const double ratio = project(w, g, h("delta"), h("wd_ratio"), h("eps"), u);
                return Matrix((1 - h("lr") * h("weight_decay") * ratio) * w - h("lr") * u);
              });
}

Matrix centred(const Matrix& m) { return m.colwise() - m.rowwise().mean(); }

// jxbz/nero
Matrix nero_rows(const Matrix& w) { return row_normalised(centred(w)); }

Maker nero() {
  return rule(
      {{"lr", 0.01}, {"slice_beta", 0.999}},
      [v = Vector(), scale = -1.0, t = 0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
        if (t++ == 0) {
          v = Vector::Zero(g.rows());
          scale = w.rowwise().norm().mean();
          if (scale == 0) scale = 0.01;
        }
        v = h("slice_beta") * v + (1 - h("slice_beta")) * Vector(g.rowwise().squaredNorm());
        const Vector size = (v / (1 - std::pow(h("slice_beta"), t))).array().sqrt();
        const Vector over = size.unaryExpr([](double x) { return x > 0 ? 1 / x : 0; });
        return nero_rows(w - h("lr") * scale * scale_rows(g, over));
      },
      nero_rows);
}

// A base direction whose result is put back on a set after every step, and at the start.
Maker retracting(Hparams defaults, Direction direction, StartRule put_back) {
  return rule(
      std::move(defaults),
      [=](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
        return put_back((1 - h("lr") * optional(h, "weight_decay", 0)) * w - h("lr") * direction(h, g));
      },
      put_back);
}

// NVlabs/edm2: w/(ε + ‖w_i‖√(rows/numel)), rows to about √fan_in.
Matrix edm2_rows(const Matrix& w) {
  Matrix out = w;
  for (long i = 0; i < w.rows(); ++i) out.row(i) /= 1e-4 + w.row(i).norm() / std::sqrt(static_cast<double>(w.cols()));
  return out;
}

// The gradient arrives at n(W), after the write-back has already put W there once: Jᵀ with c = ε + ‖w‖/√n,
// G/c − w⟨w, G⟩/(‖w‖√n c²).
Maker edm2() {
  return rule(
      {{"eps", 1e-8}},
      [d = adam()](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
        Matrix through = g;
        const double root = std::sqrt(static_cast<double>(w.cols()));
        for (long i = 0; i < w.rows(); ++i) {
          const double norm = w.row(i).norm(), c = 1e-4 + norm / root;
          through.row(i) = g.row(i) / c;
          if (norm > 0) through.row(i) -= w.row(i).dot(g.row(i)) / (norm * root * c * c) * w.row(i);
        }
        return edm2_rows(w - h("lr") * d(h, through));
      },
      edm2_rows);
}

// 2407.01800 with a period of one step: back to the Frobenius norm of the start.
Maker normalize_and_project() {
  return rule(kAdam, [d = adam(), rho = -1.0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    if (rho < 0) rho = w.norm();
    return Matrix(rho * normalised(w - h("lr") * d(h, g)));
  });
}

// bluorion-com/weight_rescaling: every 50 steps, where the standard deviation (of n − 1) is above 1.2 times the target.
Maker tvr() {
  return rule(with(kAdam, {{"target_deviation", 0.02}, {"threshold", 1.2}}),
              [d = adam(), t = 0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                Matrix next = (1 - h("lr") * optional(h, "weight_decay", 0)) * w - h("lr") * d(h, g);
                if (++t % 50 != 0) return next;
                const double mean = next.mean(), count = static_cast<double>(next.size());
                const double deviation = std::sqrt((next.array() - mean).square().sum() / (count - 1));
                const double target = h("target_deviation");
                if (deviation > h("threshold") * target)
                  next = ((next.array() - mean) * target / deviation + mean).matrix();
                return next;
              });
}

// 1602.07868: w = g v/‖v‖ per row, gradient descent on g and v.
Maker weight_norm() {
  return rule({}, [v = Matrix(), length = Vector()](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    if (v.size() == 0) v = w, length = w.rowwise().norm();
    for (long i = 0; i < v.rows(); ++i) {
      const double norm = v.row(i).norm();
      if (norm == 0) continue;
      const double slope = g.row(i).dot(v.row(i)) / norm;
      v.row(i) -= h("lr") * (length(i) / norm * (g.row(i) - slope * v.row(i) / norm)).eval();
      length(i) -= h("lr") * slope;
    }
    return scale_rows(row_normalised(v), length);
  });
}

// torch.nn.utils.parametrizations.spectral_norm: the loss sees V/σ, σ = uᵀVv, one round u ← N(Vv), v ← N(Vᵀu) per forward
// pass and 15 before the first; u and v count as constants. In place of a random v: 1 + j/n.
class SpectralNorm : public Oracle {
public:
  Matrix start(const Matrix& w) override {
    v_ = w;
    right_ = Vector::LinSpaced(w.cols(), 0, static_cast<double>(w.cols() - 1)) / static_cast<double>(w.cols());
    right_.array() += 1;
    for (int k = 0; k < 15; ++k) iterate();
    return forward();
  }
  Matrix step(const Matrix& w, const Matrix& g) override {
    v_ -= hparams("lr") / sigma_ * (g - inner(g, w) * left_ * right_.transpose());
    return forward();
  }

private:
  void iterate() {
    left_ = normalised(v_ * right_);
    right_ = normalised(v_.transpose() * left_);
  }
  Matrix forward() {
    iterate();
    sigma_ = left_.dot(v_ * right_);
    return v_ / sigma_;
  }
  Matrix v_;
  Vector left_, right_;
  double sigma_ = 1;
};

// B8, epfml/REQ: rows centred at the start, keeping the norms they had. Rows of one element have nothing left.
Matrix centred_rows(const Matrix& w) { return scale_rows(row_normalised(centred(w)), w.rowwise().norm()); }

using Rotation = std::function<double(const Hparams&)>;

Maker rotational(Hparams defaults, Direction direction, Rotation rotation) {
  return rule(
      std::move(defaults),
      [=, norm = Vector(), average = Vector(), t = 0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
        if (t++ == 0) {
          norm = centred(w).rowwise().norm();
          average = Vector::Zero(w.rows());
        }
        Matrix d = centred(direction(h, g)), next = w;
        for (long i = 0; i < w.rows(); ++i) {
          if (norm(i) == 0) continue;
          d.row(i) -= w.row(i) * (d.row(i).dot(w.row(i)) / (norm(i) * norm(i)));
          average(i) = 0.9 * average(i) + 0.1 * d.row(i).squaredNorm();
          const double size = std::sqrt(average(i) / (1 - std::pow(0.9, t)));
          next.row(i) -= rotation(h) * norm(i) * d.row(i) / (size + 1e-8);
        }
        return scale_rows(row_normalised(next), norm);
      },
      centred_rows);
}

double lion_share(double b1, double b2) { return (1 - b1) * (1 - b1) + b1 * b1 * (1 - b2) / (1 + b2); }

Direction lion_sign() {
  return [m = Matrix()](const Hparams& h, const Matrix& g) mutable {
    if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
    const Matrix c = h("beta1") * m + (1 - h("beta1")) * g;
    m = h("beta2") * m + (1 - h("beta2")) * g;
    return sign(c);
  };
}

void add_rotational(Makers& makers) {
  makers["rotational_sgd"] = rotational({}, momentum(Form::heavy_ball, false), [](const Hparams& h) {
    return std::sqrt(2 * h("lr") * h("weight_decay") / (1 + h("momentum")));
  });
  makers["rotational_adamw"] = rotational(with(kAdam, {{"weight_decay", 0.01}}), adam(), [](const Hparams& h) {
    return std::sqrt(2 * h("lr") * h("weight_decay") * (1 - h("beta1")) / (1 + h("beta1")));
  });
  makers["rotational_lion"] =
      rotational({{"lr", 1e-4}, {"beta1", 0.9}, {"beta2", 0.99}}, lion_sign(), [](const Hparams& h) {
        return std::sqrt(M_PI / 2) * std::sqrt(2 * h("lr") * h("weight_decay")) *
               std::sqrt(lion_share(h("beta1"), h("beta2")));
      });
}

} // namespace

void add_projection_oracles(Makers& makers) {
  makers["lars"] = lars();
  makers["lamb"] = lamb(Lamb::plain);
  makers["lamb_debiased"] = lamb(Lamb::debiased);
  makers["lamb_textbook"] = lamb(Lamb::textbook);
  makers["sgdp"] = sgdp(false);
  makers["sgdp_nesterov"] = sgdp(true);
  makers["adamp"] = adamp();
  makers["nero"] = nero();
  makers["normalize_and_project"] = normalize_and_project();
  makers["tvr"] = tvr();
  const Hparams base = {{"beta1", 0.9}, {"eps", 1e-8}};
  makers["ngpt"] = retracting(base, adam(), row_normalised);
  makers["ngpt_output"] = retracting(base, adam(), column_normalised);
  makers["edm2"] = edm2();
  makers["spectral_norm"] = [] { return std::make_unique<SpectralNorm>(); };
  makers["weight_norm"] = weight_norm();
  add_rotational(makers);
}

} // namespace polarscope::test
