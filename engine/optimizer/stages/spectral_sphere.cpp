// Magnitude: the weight is rescaled to a largest singular value before each step, whose size follows (algorithms.md §B4).
#include "engine/optimizer/stages/constraint_sets.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"

namespace polarscope {

namespace {

constexpr double kGuard = 1e-7;     // W ← R W/(σ + 1e-7)
constexpr double kTolerance = 1e-5; // of σ = R: what the guard takes where σ is not below 0.01

bool dynamic(const StageContext& c) { return c.word("retraction") == "dynamic"; }

void emit_radius(StageContext& c) {
  c.build.emit(make_op(OpCode::fill, {c.shared.at("radius")}, {c.hparam("radius")},
                       c.build.constants({shape_scale("out_in", c.rows, c.cols)}), 1),
               "R ← radius · √(m/n)");
}

void start(StageContext& c) {
  c.shared["radius"] = c.state("radius", 1, 1, "R: largest singular value that the weight is held to");
  start_top_pair(c, "sphere", false);
  emit_radius(c);
}

void enter(StageContext& c) {
  const SlotId radius = c.shared.at("radius"), value = c.shared.at("sphere.value");
  emit_radius(c);
  const HparamId decay = c.hparam("weight_decay");
  if (!dynamic(c)) c.build.emit(make_op(OpCode::shrink, {c.weight}, {c.lr, decay}), "W ← (1 − ηλ) W");
  emit_top_pair(c, "sphere", c.weight, sigma_iterations(c), false);
  c.build.emit(make_op(OpCode::retract_spectral, {c.weight, value, radius}, {c.lr, decay}, c.build.constants({kGuard}),
                       dynamic(c) ? 1u : 0u),
               dynamic(c) ? "W ← (1 + ηλ sign(R − σ)) W" : "W ← R W/(σ + ε)");
  if (dynamic(c) || sigma_iterations(c) > 0) return; // these come near R only
  const std::uint32_t column = c.promise(0, kTolerance, 1, false);
  c.emit_check(
      make_op(OpCode::top_singular, {c.weight, c.shared.at("sphere.left"), c.shared.at("sphere.right"), value}),
      "σ ← largest singular value of W, exact");
  c.emit_check(make_op(OpCode::norm_violation, {value, radius}, {}, c.build.constants({0}), column << 2),
               "check σ = R");
}

void emit(StageContext& c) {
  c.build.emit(make_op(OpCode::scale_rows_columns, {c.update, c.update, c.shared.at("radius"), kNone}), "U ← R U");
}

} // namespace

Stage magnitude_spectral_sphere() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "spectral_sphere";
  s.meaning = "Rescales the weight to a largest singular value before each step and makes the step as large as that.";
  s.formula = "W ← R W/(σ₁ + ε),  W ← W − η R U,  R = c √(m/n)";
  s.source = "Spectral sphere 2601.08393; Unakar/Spectral-Sphere-Optimizer sso.py";
  s.options = sigma_options();
  s.options.push_back(
      word("retraction", "rescale",
           {{"rescale", "W ← R W/(σ + 1e-7)", "Spectral-Sphere-Optimizer"},
            {"dynamic", "W ← (1 + ηλ sign(R − σ)) W, λ the weight decay, which decays nothing else then",
             "Spectral-Sphere-Optimizer, dynamic mode"}},
           "How the largest singular value is brought to R."));
  s.hparams = {log_number("radius", 1, 1e-12, 1e12, "c of R = c √(m/n)."),
               log_number("weight_decay", 0, 0, 1e3, "Decay before the rescaling, or the rate of the dynamic one.")};
  s.promises = {{"spectral norm at the step's start", "Before each step the weight's largest singular value is R.",
                 "sphere_error"}};
  s.start = start;
  s.enter = enter;
  s.emit = emit;
  return s;
}

} // namespace polarscope
