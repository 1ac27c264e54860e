// B7: AdamW's direction under the other decays.
#include "tests/support/oracle_parts.hpp"

#include <algorithm>

namespace polarscope::test {

namespace {

// What is left of W before the step: W ← keep(η, λ) ∘ W, then −ηU.
using Keep = std::function<Matrix(const Hparams&, const Matrix& w, const Matrix& u)>;

Maker adam_with(Keep keep) {
  return rule({{"lr", 1e-3}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}},
              [u = adam(), keep = std::move(keep)](const Hparams& h, const Matrix& w, const Matrix& g) mutable {
                const Matrix step = u(h, g);
                return Matrix(keep(h, w, step) - h("lr") * step);
              });
}

} // namespace

void add_decay_oracles(Makers& makers) {
  makers["adamw_independent"] =
      adam_with([](const Hparams& h, const Matrix& w, const Matrix&) { return Matrix((1 - h("weight_decay")) * w); });
  makers["adamw_palm"] = adam_with([](const Hparams& h, const Matrix& w, const Matrix&) {
    return Matrix((1 - h("lr") * h("lr") * h("weight_decay")) * w);
  });
  // 2510.12402: only where the step would shrink the element as well, u∘W ≥ 0.
  makers["adamw_cautious"] = adam_with([](const Hparams& h, const Matrix& w, const Matrix& u) {
    const Matrix agrees = (u.array() * w.array() >= 0).cast<double>();
    return Matrix(w - h("lr") * h("weight_decay") * agrees.cwiseProduct(w));
  });
  // 2506.02285: decay ∝ γ_t²/γ_max; γ_max is the base rate, the value before any schedule ("lr_peak").
  makers["adamc"] = adam_with([](const Hparams& h, const Matrix& w, const Matrix&) {
    const double peak = h.count("lr_peak") ? h("lr_peak") : h("lr");
    return Matrix((1 - h("lr") * h("weight_decay") * (peak > 0 ? h("lr") / peak : 0)) * w);
  });
  // 2311.11446: decay toward a norm in place of toward zero, W ← W − ηλ(1 − ρ/‖W‖)W; ρ is a share of the start's norm.
  makers["adamwn"] = adam_with([rho = -1.0](const Hparams& h, const Matrix& w, const Matrix&) mutable {
    if (rho < 0) rho = h("target_ratio") * w.norm();
    return w.norm() > 0 ? Matrix((1 - h("lr") * h("weight_decay") * (1 - rho / w.norm())) * w) : w;
  });
}

} // namespace polarscope::test
