// Geometry: the direction's singular values become one, exactly or by a Newton–Schulz polynomial (algorithms.md §A6–A8).
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace polarscope {

namespace {

using Triple = std::array<double, 3>; // a, b, c of X ← aX + (bXXᵀ + c(XXᵀ)²)X

// KellerJordan/Muon muon.py.
const std::vector<Triple> kKellerJordan(5, Triple{3.4445, -4.7750, 2.0315});
// NVIDIA-NeMo/Emerging-Optimizers "quintic", which the magnitude–direction code uses.
const std::vector<Triple> kQuintic = {{4.0848, -6.8946, 2.9270}, {3.9505, -6.3029, 2.6377}, {3.7418, -5.5913, 2.3037},
                                      {2.8769, -3.1427, 1.2046}, {2.8366, -3.0525, 1.2012}};
// NVIDIA-NeMo/Emerging-Optimizers, Spectral-Sphere-Optimizer: four digits, safety factor 1.01 inside.
const std::vector<Triple> kPolarExpress = {{8.2051, -22.9019, 16.4607}, {4.0664, -2.8612, 0.5184}, {3.9096, -2.8234, 0.5250},
                                           {3.2856, -2.4153, 0.4853},   {2.2779, -1.6198, 0.3985}, {1.8726, -1.2307, 0.3585},
                                           {1.8564, -1.2132, 0.3568},   {1.8750, -1.2500, 0.3750}};
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

// The set's coefficients for this many steps: its own length for 0; the last row repeats.
std::vector<Triple> coefficients(const std::string& set, long steps) {
  std::vector<Triple> rows = set == "quintic"               ? kQuintic
                             : set == "polar_express"         ? kPolarExpress
                             : set == "polar_express_raw"     ? kPolarExpressRaw
                             : set == "polar_express_safe"    ? safe_polar_express()
                             : set == "polar_express_angular" ? kAngular
                             : set == "cubic"                 ? kCubic
                                                              : kKellerJordan;
  if (steps > 0) rows.resize(static_cast<std::size_t>(steps), rows.back());
  return rows;
}

// The largest value of the composed polynomial over the singular values that the input scale lets through: [0, 1].
// Sampled evenly in σ and in log σ; between samples it rises by less than the promise's tolerance.
double band_top(const std::vector<Triple>& set) {
  const auto value = [&](double x) {
    for (const Triple& t : set) {
      const double square = x * x;
      x *= t[0] + t[1] * square + t[2] * square * square;
    }
    return std::abs(x);
  };
  double top = 0;
  for (int k = 0; k <= 20000; ++k) top = std::max({top, value(k / 20000.0), value(std::pow(10, -8.0 * k / 20000))});
  return top;
}

std::uint32_t scale_code(const std::string& form) { return form == "clamp" ? 1 : form == "scaled" ? 2 : form == "none" ? 3 : 0; }

constexpr int kCheckEvery = 10;

void emit_checked(StageContext& c, Op op, std::string text) {
  op.every = kCheckEvery;
  c.build.emit(op, std::move(text));
}

void emit_exact(StageContext& c, double scale) {
  constexpr std::uint32_t kMostSweeps = 40;
  c.build.emit(make_op(OpCode::polar_factor, {c.update, c.update}, {}, c.build.constants({0, scale}), kMostSweeps),
               fmt::format("U ← {:.4g} · msign(U), exact", scale));
  const double tolerance = c.build.precision() == Precision::f64 ? 1e-10 : 1e-4;
  const std::uint32_t column = c.promise(0, tolerance, kCheckEvery);
  emit_checked(c, make_op(OpCode::isometry_violation, {c.update}, {}, c.build.constants({scale}), column), "check singular values 0 or 1");
}

void emit(StageContext& c) {
  const std::string set = c.word("ns_coefficients");
  const double scale = shape_scale(c.word("shape_scale"), c.rows, c.cols);
  if (set == "exact") return emit_exact(c, scale);
  const std::vector<Triple> rows = coefficients(set, c.integer("ns_steps"));
  std::vector<double> constants = {c.number("ns_eps"), scale};
  for (const Triple& t : rows) constants.insert(constants.end(), t.begin(), t.end());
  const auto steps = static_cast<std::uint32_t>(rows.size());
  c.build.emit(make_op(OpCode::newton_schulz, {c.update, c.update}, {}, c.build.constants(constants), steps << 2 | scale_code(c.word("ns_eps_form"))),
               fmt::format("U ← {:.4g} · NS(U), {} × {}", scale, set, steps));
  const std::uint32_t column = c.promise(1, 1e-3, kCheckEvery, false);
  emit_checked(c, make_op(OpCode::band_violation, {c.update}, {}, c.build.constants({scale, band_top(rows)}), column),
               fmt::format("check ‖U‖₂ ≤ {:.4g}", scale * band_top(rows)));
}

void motion(const StageContext& c, Motion& m) {
  const double few = std::min(c.rows, c.cols), many = std::max(c.rows, c.cols);
  m.shape = Motion::Shape::sliced;
  m.slice_length = many / few;
  // Polynomials of the better sets leave ‖U‖_F within 3 % of this; Keller Jordan's does not.
  if (c.word("ns_coefficients") != "kj") m.update_norm = shape_scale(c.word("shape_scale"), c.rows, c.cols) * std::sqrt(few);
}

std::vector<Setting> options() {
  Setting eps = log_number("ns_eps", 1e-7, 0, 1, "Number that keeps the first division finite.");
  return {word("ns_coefficients", "kj",
               {{"kj", "5 times (3.4445, −4.7750, 2.0315): band 0.68 to 1.13", "KellerJordan/Muon muon.py"},
                {"quintic", "5 tuned steps: band 0.978 to 1.032", "NVIDIA-NeMo/Emerging-Optimizers; haeggee/Megatron-LM"},
                {"polar_express", "8 steps with four digits", "NVIDIA-NeMo/Emerging-Optimizers; Spectral-Sphere-Optimizer"},
                {"polar_express_raw", "8 steps in full precision, no safety factor", "Polar Express 2505.16932"},
                {"polar_express_safe", "the full-precision steps with the safety factor 1.01", "thinking-machines-lab/manifolds src/msign.py"},
                {"polar_express_angular", "5 steps of AngularMuown", "fhueb/angular-muown"},
                {"cubic", "20 times (1.5, −0.5, 0): the classical iteration", "Björck, Bowie 1971"},
                {"exact", "U Vᵀ of the singular value decomposition, by Jacobi rotations", "definition"}},
               "Which polynomial turns the singular values into ones."),
          integer("ns_steps", 0, 0, 100, "Number of polynomial steps; 0 takes the set's own length."),
          word("ns_eps_form", "add",
               {{"add", "X/(‖X‖ + ε)", "KellerJordan/Muon, Muown, Scion"},
                {"clamp", "X/max(‖X‖, ε)", "torch.optim.Muon; NVIDIA-NeMo/Emerging-Optimizers; haeggee/Megatron-LM"},
                {"scaled", "X/(1.01‖X‖ + ε)", "fhueb/angular-muown; thinking-machines-lab/manifolds"},
                {"none", "X/‖X‖, zero stays zero", "house rule"}},
               "How the input is brought below singular value 1."),
          eps, shape_scale_option()};
}

} // namespace

Stage geometry_orthogonalise() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "orthogonalise";
  s.meaning = "Makes the direction's singular values one, so that all its directions move alike.";
  s.formula = "U = s · msign(D) ≈ s · NS(D),  X ← aX + (bXXᵀ + c(XXᵀ)²)X";
  s.source = "KellerJordan/Muon muon.py; Polar Express 2505.16932";
  s.options = options();
  s.promises = {{"singular values 0 or 1", "The exact polar factor is a partial isometry.", "isometry_error"},
                {"singular values below the band's top", "No singular value of the update exceeds the polynomial's largest value on [0, 1].", "band_excess"}};
  s.own_size = true;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
