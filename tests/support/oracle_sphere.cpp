// B1: the hyperball, where update and weight keep the norm of the start.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope::test {

namespace {

// HeavyBall's HyperBallAdamW: no first moment, U = G/max(√v̂, ε).
Direction clamped_rms() {
  return [v = Matrix(), t = 0](const Hparams& h, const Matrix& g) mutable {
    if (t++ == 0) v = Matrix::Zero(g.rows(), g.cols());
    v = h("beta2") * v + (1 - h("beta2")) * g.cwiseProduct(g);
    return Matrix(g.array() / (v.array() / (1 - std::pow(h("beta2"), t))).sqrt().max(h("eps")));
  };
}

} // namespace

// W⁺ = ρ·N((1 − ηλ)W − η·ρ·u/max(‖u‖_F, eps)), ρ = ‖W₀‖_F
Maker hyperball(Hparams defaults, Direction direction, double eps) {
  return rule(std::move(defaults), [=, rho = -1.0](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
    if (rho < 0) rho = w.norm();
    const Matrix u = direction(h, g);
    const double decay = h.count("weight_decay") ? h("weight_decay") : 0;
    return Matrix(rho * normalised((1 - h("lr") * decay) * w - h("lr") * rho * u / std::max(u.norm(), eps)));
  });
}

void add_sphere_oracles(Makers& makers) {
  makers["muonh"] = hyperball({{"lr", 0.02}, {"momentum", 0.95}},
                              then(momentum(Form::heavy_ball, true), muon_shaping("kj", "add", nullptr)));
  makers["adamh"] = hyperball({{"lr", 0.01}, {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}}, adam());
  makers["muonh_nemo"] = hyperball({{"weight_decay", 0.01}},
                                   then(momentum(Form::ema, false), muon_shaping("quintic", "clamp", nullptr)), 1e-15);
  makers["hyperball_adamw"] = hyperball({{"eps", 1e-8}}, clamped_rms());
  makers["rmnph"] = hyperball({{"momentum", 0.95}}, then(momentum(Form::heavy_ball, true), row_normalised));
}

} // namespace polarscope::test
