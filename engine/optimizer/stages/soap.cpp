// Direction: Adam in the eigenbasis of Shampoo's factors (algorithms.md §A14).
#include "engine/optimizer/stage.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

constexpr std::uint32_t kTransposeLeft = 1, kTransposeRight = 2; // of the op two_sided

bool nemo(const StageContext& c) { return c.word("variant") == "nemo"; }
SlotId slot_of(const StageContext& c, const std::string& key) {
  const auto it = c.shared.find(key);
  return it == c.shared.end() ? kNone : it->second;
}

void start(StageContext& c) {
  auto& s = c.shared;
  s["first"] = c.state("first_moment", c.rows, c.cols, "running average of the gradient, in the eigenbasis");
  s["second"] = c.state("second_moment", c.rows, c.cols, "running average of the squared gradient in the eigenbasis");
  s["rotated"] = c.scratch("rotated_gradient", c.rows, c.cols, "gradient in the eigenbasis");
  const auto longest = static_cast<std::uint32_t>(c.integer("max_precond_dim"));
  const auto side = [&](const std::string& name, std::uint32_t length, const char* factor) {
    if (length > longest) return; // this side keeps its own basis
    s[name] = c.state(name + "_factor", length, length, factor);
    s[name + ".basis"] = c.state(name + "_basis", length, length, "eigenvectors of the factor, one per row");
  };
  side("left", c.rows, "L: running average of G Gᵀ");
  side("right", c.cols, "R: running average of GᵀG");
}

void emit_factors(StageContext& c) {
  const std::uint32_t how = nemo(c) ? 2 : 1;
  for (const std::string side : {"left", "right"})
    if (slot_of(c, side) != kNone)
      c.build.emit(make_op(OpCode::kronecker_factor, {c.gradient, slot_of(c, side)}, {c.hparam("shampoo_beta")}, 0,
                           how << 1 | (side == "left" ? 0u : 1u)),
                   side == "left" ? "L ← βL + (1−β)GGᵀ" : "R ← βR + (1−β)GᵀG");
}

void emit_into_basis(StageContext& c, SlotId from, SlotId to, const char* text) {
  c.build.emit(make_op(OpCode::two_sided, {from, slot_of(c, "left.basis"), slot_of(c, "right.basis"), to}, {}, 0,
                       kTransposeRight),
               text);
}
void emit_out_of_basis(StageContext& c, SlotId from, SlotId to, const char* text) {
  c.build.emit(make_op(OpCode::two_sided, {from, slot_of(c, "left.basis"), slot_of(c, "right.basis"), to}, {}, 0,
                       kTransposeLeft),
               text);
}

void emit_refresh(StageContext& c) {
  const SlotId first = c.shared.at("first");
  emit_out_of_basis(c, first, first, "m ← Q_L m Q_Rᵀ");
  if (!nemo(c)) emit_factors(c);
  const std::uint32_t constants = c.build.constants({static_cast<double>(c.integer("frequency"))});
  for (const std::string side : {"left", "right"})
    if (slot_of(c, side) != kNone)
      c.build.emit(make_op(OpCode::refresh_basis,
                           {slot_of(c, side), slot_of(c, side + ".basis"), c.shared.at("second")}, {}, constants,
                           (side == "left" ? 0u : 1u) | (nemo(c) ? 2u : 0u)),
                   side == "left" ? "Q_L ← qr(L Q_L)" : "Q_R ← qr(R Q_R)");
  emit_into_basis(c, first, first, "m ← Q_Lᵀ m Q_R");
}

void emit_adam(StageContext& c) {
  const SlotId rotated = c.shared.at("rotated");
  emit_into_basis(c, c.gradient, rotated, "G′ ← Q_Lᵀ G Q_R");
  c.build.emit(make_op(OpCode::adam_in_basis, {rotated, c.shared.at("first"), c.shared.at("second"), rotated},
                       {c.hparam("beta1"), c.hparam("beta2"), c.hparam("eps")}, 0, nemo(c) ? 1u : 2u),
               nemo(c) ? "U′ ← m̂/(√v̂ + ε)" : "U′ ← m/(√v + ε) · √(1−β₂ᵏ)/(1−β₁ᵏ), from the second call on");
  emit_out_of_basis(c, rotated, c.update, "U ← Q_L U′ Q_Rᵀ");
}

void emit_bases_check(StageContext& c) {
  const std::string side = slot_of(c, "left") != kNone ? "left" : "right";
  if (slot_of(c, side) == kNone) return;
  const std::uint32_t column = c.promise(0, c.build.precision() == Precision::f64 ? 1e-12 : 1e-5);
  c.emit_check(make_op(OpCode::basis_violation, {slot_of(c, side + ".basis")}, {}, 0, column), "check QᵀQ = I");
}

void emit_decay(StageContext& c, std::uint32_t form, const char* text) {
  c.build.emit(make_op(OpCode::decay_in_update, {c.update, c.weight}, {c.lr, c.hparam("weight_decay")}, 0, form), text);
}

void emit(StageContext& c) {
  if (nemo(c)) {
    emit_factors(c);
    emit_refresh(c);
    emit_adam(c);
    emit_decay(c, 1, "U ← U + λW");
  } else {
    emit_adam(c);
    emit_decay(c, 0, "U ← (1 − ηλ)U + λW, so that the decay comes last; not in the first call");
    emit_refresh(c);
  }
  emit_bases_check(c);
}

} // namespace

Stage direction_soap() {
  Stage s;
  s.part = Part::direction;
  s.kind = "soap";
  s.meaning = "Runs Adam in the slowly refreshed eigenbasis of Shampoo's factors.";
  s.formula = "U = Q_L (m/(√v + ε)) Q_Rᵀ,  m, v of Q_Lᵀ G Q_R,  Q ← qr(F Q)";
  s.source =
      "SOAP 2409.11321; nikhilvyas/SOAP soap.py; eigenvectors by Jacobi rotations, QR by Householder's reflections";
  s.options = {
      word("variant", "source",
           {{"source",
             "the first call makes no step, ε before the bias correction, decay last, bases every frequency calls",
             "nikhilvyas/SOAP soap.py"},
            {"nemo", "the factors first and corrected, bases every call and sorted after the QR, ε last",
             "NVIDIA-NeMo/Emerging-Optimizers legacy_soap"}},
           "Whose order of operations."),
      integer("frequency", 10, 1, 1000000, "Calls between refreshes of the bases."),
      integer("max_precond_dim", 10000, 0, 1000000, "A side longer than this keeps its own basis.")};
  s.hparams = {learning_rate(3e-3),
               number("beta1", 0.95, 0, 1 - 1e-9, "Share of the past in the average gradient."),
               number("beta2", 0.95, 0, 1 - 1e-9, "Share of the past in the average squared gradient."),
               number("shampoo_beta", 0.95, 0, 1 - 1e-9, "Share of the past in the factors."),
               log_number("eps", 1e-8, 0, 1, "Keeps the ratio finite."),
               log_number("weight_decay", 0, 0, 1e3,
                          "Weight decay: of the source's after the step and from the second call on.")};
  s.hparams[5].formula = "W ← (1 − ηλ)(W − ηU)  or  (1 − ηλ)W − ηU";
  s.promises = {{"eigenbasis orthonormal", "The rows of the kept eigenbasis are orthonormal.", "basis_error"}};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
