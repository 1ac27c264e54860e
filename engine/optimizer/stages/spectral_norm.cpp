// Magnitude: the weight is a trained matrix over an estimate of its largest singular value.
#include "engine/optimizer/stage.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

constexpr double kLeast = 1e-12; // torch.nn.utils.parametrizations.spectral_norm, eps

void emit_divide(StageContext& c, long iterations, bool fresh) {
  const auto& s = c.shared;
  const ParamInfo& p = c.build.parameter(c.parameter);
  c.build.emit(make_op(OpCode::spectral_divide, {s.at("raw"), s.at("left"), s.at("right"), s.at("value"), p.weight}, {},
                       c.build.constants({kLeast, fresh ? 1.0 : 0.0}), static_cast<std::uint32_t>(iterations)),
               fmt::format("u, v ← {} power iterations on V ; σ ← uᵀVv ; W ← V/σ", iterations));
}

void start(StageContext& c) {
  auto& s = c.shared;
  s["raw"] = c.state("raw", c.rows, c.cols, "V: the trained matrix");
  s["left"] = c.state("left_vector", 1, c.rows, "u: left singular vector of V, one iteration better each step");
  s["right"] = c.state("right_vector", 1, c.cols, "v: right singular vector of V");
  s["value"] = c.state("singular_value", 1, 1, "σ: estimate of V's largest singular value");
  s["gradient"] = c.scratch("raw_gradient", c.rows, c.cols, "gradient of the loss in V");
  c.build.emit(make_op(OpCode::copy, {c.weight, s.at("raw")}), "V ← W");
  // Fifteen when it is made, and one more in the first forward pass.
  emit_divide(c, c.integer("start_iterations") + c.integer("iterations"), true);
}

void enter(StageContext& c) {
  const auto& s = c.shared;
  c.build.emit(make_op(OpCode::spectral_divide_gradient,
                       {c.gradient, c.weight, s.at("left"), s.at("right"), s.at("value"), s.at("gradient")}),
               "∇V ← (G − ⟨G, W⟩ u vᵀ)/σ");
  c.gradient = s.at("gradient");
  c.weight = s.at("raw");
}

void leave(StageContext& c) {
  emit_divide(c, c.integer("iterations"), false);
  c.weight = c.build.parameter(c.parameter).weight;
}

} // namespace

Stage magnitude_spectral_norm() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "spectral_norm";
  s.meaning = "Divides a trained matrix by its largest singular value, estimated one power iteration at a time.";
  s.formula = "W = V/σ,  σ = uᵀVv,  v ← N(Vᵀu),  u ← N(Vv);  ∇V = (G − ⟨G, W⟩ u vᵀ)/σ";
  s.source = "Spectral normalisation 1802.05957; torch.nn.utils.parametrizations.spectral_norm; v starts as 1 + j/n "
             "instead of at random";
  s.options = {integer("iterations", 1, 1, 100, "Power iterations per step."),
               integer("start_iterations", 15, 0, 1000, "Power iterations when the parametrisation is made.")};
  s.start = start;
  s.enter = enter;
  s.leave = leave;
  return s;
}

} // namespace polarscope
