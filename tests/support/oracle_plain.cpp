// A1–A5: gradient descent and its averages, signs, and the element-wise adaptive methods.
#include "tests/support/oracle_parts.hpp"

#include <cmath>

namespace polarscope::test {

namespace {

// torch.optim.RMSprop, not centred: v ← αv + (1−α)G², U = G/(√v + ε). Its α is called beta2 here.
Direction rmsprop() {
  return [v = Matrix()](const Hparams& h, const Matrix& g) mutable {
    if (v.size() == 0) v = Matrix::Zero(g.rows(), g.cols());
    v = h("beta2") * v + (1 - h("beta2")) * g.cwiseProduct(g);
    return Matrix(g.array() / (v.array().sqrt() + h("eps")));
  };
}

// torch.optim.Adagrad: v ← v + G², U = G/(√v + ε), v from 0, no decay of the rate.
Direction adagrad() {
  return [v = Matrix()](const Hparams& h, const Matrix& g) mutable {
    if (v.size() == 0) v = Matrix::Zero(g.rows(), g.cols());
    v += g.cwiseProduct(g);
    return Matrix(g.array() / (v.array().sqrt() + h("eps")));
  };
}

// torch.optim.NAdam: μ_t = β1(1 − ½·0.96^{tψ}), ψ its momentum_decay, Π_t = Π μ_i;
// U = [(1−μ_t) G/(1−Π_t) + μ_{t+1} m/(1−Π_{t+1})] / (√v̂ + ε).
Direction nadam() {
  return [m = Matrix(), v = Matrix(), t = 0, product = 1.0](const Hparams& h, const Matrix& g) mutable {
    if (t++ == 0) m = v = Matrix::Zero(g.rows(), g.cols());
    const auto mu = [&](int step) { return h("beta1") * (1 - 0.5 * std::pow(0.96, step * h("momentum_decay"))); };
    product *= mu(t);
    m = h("beta1") * m + (1 - h("beta1")) * g;
    v = h("beta2") * v + (1 - h("beta2")) * g.cwiseProduct(g);
    const Eigen::ArrayXXd root = (v.array() / (1 - std::pow(h("beta2"), t))).sqrt() + h("eps");
    const Matrix above = (1 - mu(t)) / (1 - product) * g + mu(t + 1) / (1 - product * mu(t + 1)) * m;
    return Matrix(above.array() / root);
  };
}

// optax.nadamw: the look-ahead's average is corrected as the next step's, [β1 m/(1−β1^{t+1}) + (1−β1) G/(1−β1^t)] / (√v̂ + ε).
Direction optax_nadam() {
  return [m = Matrix(), v = Matrix(), t = 0](const Hparams& h, const Matrix& g) mutable {
    if (t++ == 0) m = v = Matrix::Zero(g.rows(), g.cols());
    const double beta1 = h("beta1"), beta2 = h("beta2");
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g.cwiseProduct(g);
    const Matrix above = beta1 / (1 - std::pow(beta1, t + 1)) * m + (1 - beta1) / (1 - std::pow(beta1, t)) * g;
    return Matrix(above.array() / ((v.array() / (1 - std::pow(beta2, t))).sqrt() + h("eps")));
  };
}

// A4: c uses the old m.
Direction lion() {
  return [m = Matrix()](const Hparams& h, const Matrix& g) mutable {
    if (m.size() == 0) m = Matrix::Zero(g.rows(), g.cols());
    const Matrix c = h("beta1") * m + (1 - h("beta1")) * g;
    m = h("beta2") * m + (1 - h("beta2")) * g;
    return sign(c);
  };
}

// 2409.03137 with apple/ml-ademamix's schedulers: α_t = α t/T and β₃(t) by linear half-lives for t < T;
// U = (m̂₁ + α_t m₂)/(√v̂ + ε), m₂ not corrected.
Direction ademamix() {
  return [m1 = Matrix(), m2 = Matrix(), v = Matrix(), t = 0](const Hparams& h, const Matrix& g) mutable {
    if (t++ == 0) m1 = m2 = v = Matrix::Zero(g.rows(), g.cols());
    const double beta1 = h("beta1"), beta2 = h("beta2"), warmup = h("slow_warmup");
    double beta3 = h("beta3"), alpha = h("alpha");
    if (t < warmup) {
      const auto half_life = [](double beta) { return std::log(0.5) / std::log(beta + 1e-8) - 1; };
      const double done = t / warmup, now = (1 - done) * half_life(beta1) + done * half_life(beta3);
      beta3 = std::pow(0.5, 1 / (now + 1));
      alpha *= done;
    }
    m1 = beta1 * m1 + (1 - beta1) * g;
    m2 = beta3 * m2 + (1 - beta3) * g;
    v = beta2 * v + (1 - beta2) * g.cwiseProduct(g);
    const Matrix above = m1 / (1 - std::pow(beta1, t)) + alpha * m2;
    return Matrix(above.array() / ((v.array() / (1 - std::pow(beta2, t))).sqrt() + h("eps")));
  };
}

// λW joins the gradient before anything else.
Maker coupled(Hparams defaults, Direction u) {
  return rule(std::move(defaults), [u = std::move(u)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    return Matrix(w - h("lr") * u(h, g + h("weight_decay") * w));
  });
}

} // namespace

void add_plain_oracles(Makers& makers) {
  makers["sgd"] = plain({{"lr", 0.1}}, raw_gradient());
  makers["momentum"] = plain({{"lr", 0.1}, {"momentum", 0.9}}, momentum(Form::heavy_ball, false));
  makers["nesterov"] = plain({{"lr", 0.1}, {"momentum", 0.9}}, momentum(Form::heavy_ball, true));
  makers["normalized_sgd"] = plain({{"lr", 0.05}}, then(raw_gradient(), normalised));
  makers["signsgd"] = decoupled({{"lr", 0.01}, {"weight_decay", 0}}, then(raw_gradient(), sign));
  // 1802.04434: m ← μm + (1−μ)G; its rate is its user's.
  makers["signum"] = decoupled({{"momentum", 0.9}, {"weight_decay", 0}}, then(momentum(Form::ema, false), sign));
  makers["lion"] = decoupled({{"lr", 1e-4}, {"beta1", 0.9}, {"beta2", 0.99}, {"weight_decay", 0}}, lion());
  makers["rmsprop"] = coupled({{"lr", 0.01}, {"beta2", 0.99}, {"eps", 1e-8}, {"weight_decay", 0}}, rmsprop());
  makers["adagrad"] = coupled({{"lr", 0.01}, {"eps", 1e-10}, {"weight_decay", 0}}, adagrad());
  const Hparams adam_defaults = {{"lr", 1e-3}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}};
  const auto with_decay = [&](double decay) {
    Hparams h = adam_defaults;
    h["weight_decay"] = decay;
    return h;
  };
  makers["adam"] = coupled(with_decay(0), adam());
  makers["adam_l2"] = coupled(adam_defaults, adam()); // the decay is the user's
  makers["adamw"] = decoupled(with_decay(0.01), adam());
  makers["nadamw"] =
      decoupled({{"lr", 2e-3}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}, {"momentum_decay", 4e-3}}, nadam());
  makers["ademamix"] = decoupled({{"lr", 1e-3},
                                  {"beta1", 0.9},
                                  {"beta2", 0.999},
                                  {"beta3", 0.9999},
                                  {"slow_warmup", 0},
                                  {"eps", 1e-8},
                                  {"weight_decay", 0}},
                                 ademamix());
  makers["nadamw_optax"] =
      decoupled({{"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}, {"weight_decay", 1e-4}}, optax_nadam());
}

} // namespace polarscope::test
