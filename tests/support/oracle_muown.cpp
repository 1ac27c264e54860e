// D: Muown and AngularMuown with their direction part kept explicitly; the code under test keeps it implicit in W.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace polarscope::test {

namespace {

// The step of the lengths from their gradient, without the rate; MuownMagnitudeExp's five.
Direction magnitude_step(const std::string& kind) {
  if (kind == "adam") return adam();
  if (kind == "sgd") return raw_gradient();
  if (kind == "signum") return then(momentum(Form::ema, false, "beta1"), sign);
  if (kind == "lion")
    return [m = Matrix()](const Hparams&, const Matrix& g) mutable {
      if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
      const Matrix c = 0.9 * m + 0.1 * g;
      m = 0.99 * m + 0.01 * g;
      return sign(c);
    };
  return [](const Hparams&, const Matrix& g) { return Matrix(Matrix::Zero(g.rows(), g.cols())); }; // fixed
}

class Muown : public Oracle {
public:
  Muown(Hparams defaults, Direction direction, Direction lengths)
      : direction_(std::move(direction)), lengths_(std::move(lengths)) {
    hparams = std::move(defaults);
  }
  Matrix start(const Matrix& w) override {
    v_ = w;
    g_ = w.rowwise().norm();
    return w;
  }
  Matrix step(const Matrix& w, const Matrix& gradient) override {
    const Matrix u = row_normalised(v_);
    const Vector slope = gradient.cwiseProduct(u).rowwise().sum();
    Matrix inside = gradient;
    for (long i = 0; i < v_.rows(); ++i) {
      const double r = v_.row(i).norm();
      inside.row(i) = (r > 0 ? g_(i) / r : share_of_zero_row_) * (gradient.row(i) - slope(i) * u.row(i));
    }
    const double lr = hparams("lr"), decay = hparams.count("weight_decay") ? hparams("weight_decay") : 0;
    v_ -= lr * direction_(hparams, inside);
    g_ -= lr * Vector(lengths_(hparams, slope));
    const Matrix next = scale_rows(row_normalised(v_), g_);
    if (decay == 0) return next;
    // The decay takes ηλW_old off the composed weight and measures its rows again; r is that of v still.
    const Vector r = v_.rowwise().norm();
    const Matrix decayed = next - lr * decay * w;
    g_ = decayed.rowwise().norm();
    v_ = scale_rows(row_normalised(decayed), r);
    return decayed;
  }

protected:
  Vector g_;
  double share_of_zero_row_ = 0; // g/r where both are zero

private:
  Direction direction_, lengths_;
  Matrix v_;
};

// emerging_optimizers/contrib/muown.py: the lengths alone decay, after their Adam step.
class NemoMuown : public Muown {
public:
  NemoMuown()
      : Muown({{"lr", 3e-4}, {"momentum", 0.95}, {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}},
              then(momentum(Form::ema, false), muon_shaping("quintic", "clamp", spectral_scale)), adam()) {
    share_of_zero_row_ = 1; // both start at 1e-12
  }
  Matrix start(const Matrix& w) override {
    Muown::start(w);
    g_ = g_.cwiseMax(1e-12);
    return w;
  }
  Matrix step(const Matrix& w, const Matrix& gradient) override {
    const double decay = std::exchange(hparams["weight_decay"], 0);
    const Matrix next = Muown::step(w, gradient);
    hparams["weight_decay"] = decay;
    g_ *= 1 - hparams("lr") * decay;
    return (1 - hparams("lr") * decay) * next;
  }
};

// A11's row scales between Newton–Schulz and the step.
Direction normuon_direction() {
  return [d = momentum(Form::heavy_ball, true), v = Vector()](const Hparams& h, const Matrix& g) mutable {
    const Matrix o = newton_schulz(d(h, g), "kj", "add");
    if (v.size() == 0) v = Vector::Zero(g.rows());
    v = 0.95 * v + 0.05 * Vector(o.cwiseProduct(o).rowwise().mean());
    const Matrix scaled = scale_rows(o, (v.array().sqrt() + 1e-10).inverse().matrix());
    return Matrix(0.2 * kj_scale(g) * o.norm() / (scaled.norm() + 1e-10) * scaled);
  };
}

// fhueb/angular-muown, κ_t = (1 + c·completed steps)^−p on U's step only.
class AngularMuown : public Oracle {
public:
  AngularMuown() {
    hparams = {{"lr", 0.01},  {"momentum", 0.95}, {"beta1", 0.9},    {"beta2", 0.95},
               {"eps", 1e-8}, {"fade", 1e-3},     {"fade_power", 1}, {"fade_start", 0}};
  }
  Matrix start(const Matrix& w) override {
    u_ = row_normalised(w);
    g_ = w.rowwise().norm();
    for (long i = 0; i < w.rows(); ++i)
      if (g_(i) <= 1e-7) g_(i) = std::sqrt(0.33), u_.row(i).setZero();
    return w;
  }
  Matrix step(const Matrix&, const Matrix& gradient) override {
    const double lr = hparams("lr"), since = std::max(t_++ - hparams("fade_start"), 0.0);
    const double kappa = std::pow(1 + hparams("fade") * since, -hparams("fade_power"));
    const Vector slope = gradient.cwiseProduct(u_).rowwise().sum();
    const Matrix inside = scale_rows(gradient - scale_rows(u_, slope), g_);
    u_ -= lr * kappa * shaping_(direction_(hparams, inside));
    for (long i = 0; i < u_.rows(); ++i) u_.row(i) /= std::max(u_.row(i).norm(), 1e-7);
    g_ -= lr * Vector(lengths_(hparams, slope));
    for (long i = 0; i < g_.size(); ++i) g_(i) = (g_(i) < 0 ? -1 : 1) * std::max(std::abs(g_(i)), 1e-7);
    return scale_rows(u_, g_);
  }

private:
  Direction direction_ = momentum(Form::heavy_ball, true), lengths_ = adam();
  Shaping shaping_ = split_qkv(muon_shaping("polar_express_angular", "scaled", kj_scale));
  Matrix u_;
  Vector g_;
  int t_ = 0;
};

} // namespace

Maker row_lengths(Hparams defaults, Direction direction, Direction lengths) {
  return [=] { return std::make_unique<Muown>(defaults, direction, lengths); };
}

void add_muown_oracles(Makers& makers) {
  // The code's rate is 3e-4; the experiments' about 1e-3 is the preset's.
  const Hparams numbers = {{"lr", 1e-3}, {"momentum", 0.95}, {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}};
  const Shaping kj = muon_shaping("kj", "add", rms_scale);
  const auto muown = [&](const std::string& name, const Hparams& h, Shaping shaping, const std::string& lengths) {
    makers[name] = row_lengths(h, then(momentum(Form::heavy_ball, true), std::move(shaping)), magnitude_step(lengths));
  };
  const Hparams without_adam = {{"lr", 1e-3}, {"momentum", 0.95}};
  muown("muown", numbers, kj, "adam");
  muown("muown_qkv", numbers, split_qkv(kj), "adam");
  muown("muown_fixed", without_adam, kj, "fixed");
  muown("muown_sgd", without_adam, kj, "sgd");
  muown("muown_signum", {{"lr", 1e-3}, {"momentum", 0.95}, {"beta1", 0.9}}, kj, "signum");
  muown("muown_lion", without_adam, kj, "lion");
  makers["muown_nemo"] = [] { return std::make_unique<NemoMuown>(); };
  makers["normuown"] =
      row_lengths({{"momentum", 0.95}, {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}}, normuon_direction(), adam());
  makers["angular_muown"] = [] { return std::make_unique<AngularMuown>(); };
}

} // namespace polarscope::test
