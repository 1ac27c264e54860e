#include "engine/optimizer/stages/newton_schulz.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {

namespace {

using Triple = Polynomial::Triple;

// KellerJordan/Muon muon.py.
const std::vector<Triple> kKellerJordan(5, Triple{3.4445, -4.7750, 2.0315});
// NVIDIA-NeMo/Emerging-Optimizers "quintic", which the magnitude–direction code uses.
const std::vector<Triple> kQuintic = {{4.0848, -6.8946, 2.9270},
                                      {3.9505, -6.3029, 2.6377},
                                      {3.7418, -5.5913, 2.3037},
                                      {2.8769, -3.1427, 1.2046},
                                      {2.8366, -3.0525, 1.2012}};
// NVIDIA-NeMo/Emerging-Optimizers, Spectral-Sphere-Optimizer: four digits, safety factor 1.01 inside.
const std::vector<Triple> kPolarExpress = {
    {8.2051, -22.9019, 16.4607}, {4.0664, -2.8612, 0.5184}, {3.9096, -2.8234, 0.5250}, {3.2856, -2.4153, 0.4853},
    {2.2779, -1.6198, 0.3985},   {1.8726, -1.2307, 0.3585}, {1.8564, -1.2132, 0.3568}, {1.8750, -1.2500, 0.3750}};
// Polar Express 2505.16932 in full precision; thinking-machines-lab/manifolds src/msign.py.
const std::vector<Triple> kPolarExpressRaw = {{8.28721201814563, -23.595886519098837, 17.300387312530933},
                                              {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
                                              {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
                                              {3.3184196573706015, -2.488488024314874, 0.51004894012372},
                                              {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
                                              {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
                                              {1.8750014808534479, -1.2500016453999487, 0.3750001645474248},
                                              {1.875, -1.25, 0.375}};
// fhueb/angular-muown angular_muown.py.
const std::vector<Triple> kAngular = {{8.237312490495555, -23.157747414558198, 16.680568411445915},
                                      {4.082441999064836, -2.8930477353325887, 0.5252849256975651},
                                      {3.9263479922546556, -2.8547468034765293, 0.5318022422894989},
                                      {3.2982187133085143, -2.4245419810267062, 0.48632008358844075},
                                      {2.320007312889811, -1.6862169729967622, 0.42068027340235137}};
const std::vector<Triple> kCubic(20, Triple{1.5, -0.5, 0});

// The raw set with manifolds' safety factor: (a/1.01, b/1.01³, c/1.01⁵) in every row but the last.
std::vector<Triple> safe_polar_express() {
  std::vector<Triple> set = kPolarExpressRaw;
  for (std::size_t k = 0; k + 1 < set.size(); ++k)
    set[k] = {set[k][0] / 1.01, set[k][1] / std::pow(1.01, 3), set[k][2] / std::pow(1.01, 5)};
  return set;
}
// Eight steps that flatten, two of (2, −1.5, 0.5) that finish.
std::vector<Triple> deepseek() {
  std::vector<Triple> set(8, kKellerJordan.front());
  set.resize(10, Triple{2, -1.5, 0.5});
  return set;
}
// KellerJordan/modded-nanogpt: Polar Express for 5 steps with safety factor 1.02.
const std::vector<Triple> kModdedNanogpt = {{8.156554524902461, -22.48329292557795, 15.878769915207462},
                                            {4.042929935166739, -2.808917465908714, 0.5000178451051316},
                                            {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
                                            {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
                                            {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}};

// The set's coefficients for this many steps: its own length for 0; the last row repeats.
std::vector<Triple> coefficients(const std::string& set, long steps) {
  std::vector<Triple> rows = set == "quintic"                 ? kQuintic
                             : set == "polar_express"         ? kPolarExpress
                             : set == "polar_express_raw"     ? kPolarExpressRaw
                             : set == "polar_express_safe"    ? safe_polar_express()
                             : set == "polar_express_angular" ? kAngular
                             : set == "modded_nanogpt"        ? kModdedNanogpt
                             : set == "deepseek"              ? deepseek()
                             : set == "cubic"                 ? kCubic
                                                              : kKellerJordan;
  if (steps > 0) rows.resize(static_cast<std::size_t>(steps), rows.back());
  return rows;
}

std::uint32_t scale_code(const std::string& form) {
  return form == "clamp" ? 1 : form == "scaled" ? 2 : form == "none" ? 3 : form == "scaled_more" ? 4 : 0;
}

} // namespace

std::vector<double> Polynomial::constants(std::vector<double> head) const {
  for (const Triple& t : rows) head.insert(head.end(), t.begin(), t.end());
  return head;
}

// Sampled evenly in σ and in log σ; between samples it rises by less than the tolerance of the promises made of it.
double Polynomial::top() const {
  if (exact()) return 1;
  const auto value = [&](double x) {
    for (const Triple& t : rows) {
      const double square = x * x;
      x *= t[0] + t[1] * square + t[2] * square * square;
    }
    return std::abs(x);
  };
  double highest = 0;
  for (int k = 0; k <= 20000; ++k)
    highest = std::max({highest, value(k / 20000.0), value(std::pow(10, -8.0 * k / 20000))});
  return highest;
}

std::vector<Setting> polynomial_options(const std::string& set, const std::string& form, bool exact) {
  std::vector<SettingWord> sets = {
      {"kj", "5 times (3.4445, −4.7750, 2.0315): band 0.68 to 1.13", "KellerJordan/Muon muon.py"},
      {"quintic", "5 tuned steps: band 0.978 to 1.032", "NVIDIA-NeMo/Emerging-Optimizers; haeggee/Megatron-LM"},
      {"polar_express", "8 steps with four digits", "NVIDIA-NeMo/Emerging-Optimizers; Spectral-Sphere-Optimizer"},
      {"polar_express_raw", "8 steps in full precision, no safety factor", "Polar Express 2505.16932"},
      {"polar_express_safe", "the full-precision steps with the safety factor 1.01",
       "thinking-machines-lab/manifolds src/msign.py"},
      {"polar_express_angular", "5 steps of AngularMuown", "fhueb/angular-muown"},
      {"modded_nanogpt", "5 steps of Polar Express with the safety factor 1.02", "KellerJordan/modded-nanogpt"},
      {"deepseek", "8 steps of kj, then 2 of (2, −1.5, 0.5): band 1.0000 to 1.0005", "DeepSeek-style Muon"},
      {"cubic", "20 times (1.5, −0.5, 0): the classical iteration", "Björck, Bowie 1971"}};
  if (exact) sets.push_back({"exact", "U Vᵀ of the singular value decomposition, by Jacobi rotations", "definition"});
  Setting steps = integer("ns_steps", 0, 0, 100, "Number of polynomial steps; 0 takes the set's own length.");
  steps.zero = "the set's own length";
  return {word("ns_coefficients", set, sets, "Which polynomial turns the singular values into ones."), steps,
          word("ns_eps_form", form,
               {{"add", "X/(‖X‖ + ε)", "KellerJordan/Muon, Muown, Scion"},
                {"clamp", "X/max(‖X‖, ε)", "torch.optim.Muon; NVIDIA-NeMo/Emerging-Optimizers; haeggee/Megatron-LM"},
                {"scaled", "X/(1.01‖X‖ + ε)", "fhueb/angular-muown; thinking-machines-lab/manifolds"},
                {"scaled_more", "X/(1.02‖X‖ + ε)", "KellerJordan/modded-nanogpt"},
                {"none", "X/‖X‖, zero stays zero", "house rule"}},
               "How the input is brought below singular value 1."),
          log_number("ns_eps", 1e-7, 0, 1, "Number that keeps the first division finite.")};
}

Polynomial polynomial_of(const StageContext& c) {
  Polynomial p;
  p.name = c.word("ns_coefficients");
  if (!p.exact()) p.rows = coefficients(p.name, c.integer("ns_steps"));
  p.form = scale_code(c.word("ns_eps_form"));
  p.eps = c.number("ns_eps");
  return p;
}

void emit_polar(StageContext& c, const Polynomial& polynomial, SlotId from, SlotId to, double scale,
                const std::string& name) {
  if (polynomial.exact())
    c.build.emit(make_op(OpCode::polar_factor, {from, to}, {}, c.build.constants({0, scale})),
                 fmt::format("{0} ← {1:.4g} · msign({0}), exact", name, scale));
  else
    c.build.emit(
        make_op(OpCode::newton_schulz, {from, to}, {}, c.build.constants(polynomial.constants({polynomial.eps, scale})),
                polynomial.word()),
        fmt::format("{0} ← {1:.4g} · NS({0}), {2} × {3}", name, scale, polynomial.name, polynomial.rows.size()));
}

} // namespace polarscope
