// How a weight stands and how its last step moved it: norm, turning, radial parts. One operation measures them all,
// because they share their sums (algorithms.md §F).
#include "engine/metric/metric.hpp"

namespace polarscope {

Metric frobenius_norm_metric();
Metric angular_update_metric();
Metric relative_update_metric();
Metric radial_update_metric();
Metric radial_gradient_metric();
Metric effective_lr_metric();
Metric angle_metric();
Metric angle_travelled_metric();

void emit_motion(MetricBatch& batch);

namespace {

constexpr const char* kGlossary = "Hägele, Kosson, Hernández-Cano, Jaggi 2026";

// In the order of kernels::ops::Motion.
struct MotionColumn {
  const char* name;
  bool of_weight = false; // needs no other weight than the present one
};
constexpr MotionColumn kMotion[] = {{"frobenius_norm", true}, {"angular_update"},      {"relative_update"},
                                    {"radial_update"},        {"radial_gradient"},     {"angle"},
                                    {"angle_travelled"},      {"spectral_norm", true}, {"stable_rank", true},
                                    {"row_norm", true}};

// The direction angles are measured to: the problem's, or the weight as it stood at step 0.
SlotId reference_direction(MetricBatch& batch) {
  const ParamInfo& p = batch.param();
  if (p.reference != kNone) return p.reference;
  const SlotId start = batch.build.slot(p.name + ".start", Role::state, p.rows, p.cols,
                                        "weight at step 0, the direction angles are measured to", batch.parameter);
  batch.emit_start(make_op(OpCode::copy, {p.weight, start}), "W₀ ← W");
  return start;
}

std::string text_of(const MetricBatch& batch) {
  std::string text = "measure";
  for (const MotionColumn& m : kMotion)
    if (batch.column(m.name) >= 0) text += std::string(text == "measure" ? " " : ", ") + m.name;
  return text;
}

void emit_effective_lr(MetricBatch& batch) {
  const UpdateInfo& info = batch.info;
  const SlotId weight = info.trained == kNone ? batch.param().previous : info.trained;
  const auto column = static_cast<std::uint32_t>(batch.column("effective_lr"));
  if (info.own_size)
    batch.emit(make_op(OpCode::effective_lr, {weight, info.update}, {info.lr}, 0, column), "measure η‖U‖/‖W‖");
  else batch.emit(make_op(OpCode::effective_lr, {weight}, {info.lr}, 0, column), "measure η/‖W‖²");
}

Metric motion(std::string name, std::string title, std::string unit, std::string formula, std::string meaning) {
  Metric m;
  m.name = std::move(name);
  m.title = std::move(title);
  m.unit = std::move(unit);
  m.formula = std::move(formula);
  m.meaning = std::move(meaning);
  m.source = kGlossary;
  m.of_update = true;
  m.emit = emit_motion;
  return m;
}

} // namespace

void emit_motion(MetricBatch& batch) {
  const ParamInfo p = batch.param();
  ProgramBuilder& build = batch.build;
  const SlotId reference = batch.column("angle") >= 0 ? reference_direction(batch) : kNone;
  SlotId travelled = kNone;
  if (batch.column("angle_travelled") >= 0)
    travelled = build.slot(p.name + ".angle_travelled", Role::state, 1, 2,
                           "angle travelled so far, and the rounding error of its sum", batch.parameter);
  std::vector<double> constants;
  bool sizes = true; // alone: they need no weight but this one
  for (const MotionColumn& m : kMotion) {
    constants.push_back(batch.column(m.name));
    sizes = sizes && (m.of_weight || batch.column(m.name) < 0);
  }
  constants.push_back(batch.every);
  Op op = sizes ? make_op(OpCode::weight_motion, {p.weight}, {}, build.constants(constants))
                : make_op(OpCode::weight_motion, {p.weight, p.previous, p.gradient, reference, travelled}, {},
                          build.constants(constants));
  batch.emit_start(op, text_of(batch));
  if (travelled == kNone) {
    batch.emit(op, text_of(batch));
    return;
  }
  // the sum grows at every step, whatever the cadence of its column
  build.emit(op, text_of(batch));
}

Metric frobenius_norm_metric() {
  Metric m = motion("frobenius_norm", "Frobenius norm", "", "‖W‖ = √ Σᵢⱼ Wᵢⱼ²",
                    "Size of the whole weight: its distance from zero.");
  m.of_update = false;
  m.log_by_default = true;
  return m;
}

Metric angular_update_metric() {
  Metric m = motion("angular_update", "Angular update", "rad", "2 atan2(‖ŵₜ − ŵₜ₋₁‖, ‖ŵₜ + ŵₜ₋₁‖),  ŵ = W/‖W‖",
                    "Angle by which this step turned the weight.");
  m.log_by_default = true;
  return m;
}

Metric relative_update_metric() {
  Metric m = motion("relative_update", "Relative update", "", "‖Wₜ − Wₜ₋₁‖ / ‖Wₜ₋₁‖",
                    "Length of this step against the norm of the weight before it.");
  m.log_by_default = true;
  return m;
}

Metric radial_update_metric() {
  return motion("radial_update", "Radial fraction of the update", "", "⟨W, ΔW⟩ / (‖W‖‖ΔW‖)",
                "Share of the step along the weight itself: positive outward, 0 for a pure turn.");
}

Metric radial_gradient_metric() {
  return motion("radial_gradient", "Radial fraction of the gradient", "", "⟨W, G⟩ / (‖W‖‖G‖)",
                "Share of the gradient along the weight: 0 for a scale-invariant loss.");
}

Metric effective_lr_metric() {
  Metric m = motion("effective_lr", "Effective learning rate", "",
                    "η‖U‖/‖W‖ where updates have a size of their own, η/‖W‖² where they have the gradient's",
                    "How strongly the learning rate turns a weight of this norm; compare runs at equal values.");
  m.log_by_default = true;
  m.emit = emit_effective_lr;
  return m;
}

Metric angle_metric() {
  Metric m = motion("angle", "Angle", "rad", "∠(W, reference),  the reference is the start where the problem has none",
                    "Angle between the weight and the problem's reference direction.");
  m.of_update = false;
  return m;
}

Metric angle_travelled_metric() {
  Metric m = motion("angle_travelled", "Angle travelled", "rad", "Σₛ₌₁ᵗ ∠(Wₛ₋₁, Wₛ)",
                    "Sum of all turns so far, back and forth counted alike.");
  m.of_update = false;
  return m;
}

} // namespace polarscope
