// A6–A9: Muon in the forms of its sources, and NorMuon.
#include "tests/support/oracle_parts.hpp"

#include <cmath>

namespace polarscope::test {

namespace {

Hparams defaults(double lr, double mu, double decay) { return {{"lr", lr}, {"momentum", mu}, {"weight_decay", decay}}; }

Direction ema_nesterov() { return momentum(Form::ema, true); }

// A11, kcc-lion/muown optim/normuown.py: v_i ← .95v_i + .05 mean_j O_ij² without bias correction, rows divided by
// √v_i + 1e-10, then back to the norm that O had.
Direction normuon() {
  return [d = ema_nesterov(), v = Vector()](const Hparams& h, const Matrix& g) mutable {
    const Matrix o = newton_schulz(d(h, g), "kj", "add");
    if (v.size() == 0) v = Vector::Zero(g.rows());
    v = 0.95 * v + 0.05 * Vector(o.cwiseProduct(o).rowwise().mean());
    const Matrix scaled = scale_rows(o, (v.array().sqrt() + 1e-10).inverse().matrix());
    return Matrix(kj_scale(g) * o.norm() / (scaled.norm() + 1e-10) * scaled);
  };
}

} // namespace

void add_orthogonal_oracles(Makers& makers) {
  const auto muon = [&](const std::string& name, Hparams h, Shaping shaping) {
    makers[name] = decoupled(std::move(h), then(ema_nesterov(), std::move(shaping)));
  };
  const Hparams kj = defaults(0.02, 0.95, 0), torch = defaults(1e-3, 0.95, 0.1);
  muon("muon", kj, muon_shaping("kj", "add", kj_scale));
  // The coefficient sets of A6 in KellerJordan's Muon, each with the input scaling of its own source.
  muon("muon_quintic", kj, muon_shaping("quintic", "clamp", kj_scale));
  muon("muon_polar_express", kj, muon_shaping("polar_express", "clamp", kj_scale));
  muon("exact_muon", kj, [](const Matrix& d) { return Matrix(kj_scale(d) * exact_msign(d)); });
  muon("muon_polar_express_raw", kj, muon_shaping("polar_express_raw", "clamp", kj_scale));
  muon("muon_polar_express_safe", kj,
       [](const Matrix& d) { return Matrix(kj_scale(d) * newton_schulz(d, "polar_express_safe", "scaled", 10, 0)); });
  muon("muon_polar_express_angular", kj, muon_shaping("polar_express_angular", "scaled", kj_scale));
  muon("muon_modded_nanogpt", kj, muon_shaping("modded_nanogpt", "modded", kj_scale));
  muon("muon_deepseek", kj, muon_shaping("deepseek", "add", kj_scale));
  muon("muon_cubic", kj, muon_shaping("cubic", "none", kj_scale));
  // haeggee/Megatron-LM's dense Muon baseline.
  muon("muon_out_in", defaults(5.66e-3, 0.95, 0.1), muon_shaping("quintic", "clamp", out_in_scale));
  // torch.optim.Muon decays with the rate before the shape scale, as everything here does: η(λW + sO).
  muon("torch_muon", torch, muon_shaping("kj", "clamp", kj_scale));
  muon("torch_muon_match_rms", torch, muon_shaping("kj", "clamp", rms_scale));
  muon("torch_muon_spectral", torch, muon_shaping("kj", "clamp", out_in_scale));
  // 2502.16982, MoonshotAI/Moonlight: a sum of gradients where KellerJordan averages.
  makers["moonlight"] = decoupled(torch, then(momentum(Form::heavy_ball, true), muon_shaping("kj", "add", rms_scale)));
  makers["normuon"] = decoupled(kj, normuon());
}

} // namespace polarscope::test
