// Direction: an average of the gradient over the root of an average of its square, in the forms that sources use.
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

// The word of the adam op (kernels/ops/adaptive.hpp).
std::uint32_t first_code(const std::string& form) {
  return form == "none"             ? 1
         : form == "nesterov_torch" ? 2
         : form == "nesterov_optax" ? 3
         : form == "nesterov_plain" ? 4
                                    : 0;
}
std::uint32_t eps_code(const std::string& place) {
  return place == "before_correction" ? 1 : place == "clamp" ? 2 : place == "inside_root" ? 3 : 0;
}
std::uint32_t word_of(const StageContext& c) {
  return first_code(c.word("first_moment")) | (c.word("second_moment") == "sum" ? 8u : 0u) |
         (c.flag("bias_correction") ? 0u : 16u) | eps_code(c.word("eps_place")) << 5;
}

bool keeps_product(const StageContext& c) { return c.word("first_moment") == "nesterov_torch"; }

void start(StageContext& c) {
  if (c.word("first_moment") != "none")
    c.shared["direction.first"] = c.state("first_moment", c.rows, c.cols, "running average of the gradient");
  c.shared["direction.second"] = c.state("second_moment", c.rows, c.cols,
                                         c.word("second_moment") == "sum" ? "sum of the squared gradients"
                                                                          : "running average of the squared gradient");
  if (!keeps_product(c)) return;
  const SlotId product = c.state("momentum_product", 1, 1, "product of the momentum factors so far");
  c.shared["direction.product"] = product;
  c.build.emit(make_op(OpCode::fill, {product}, {}, c.build.constants({1})), "Πμ ← 1");
}

std::string below_text(const StageContext& c) {
  const std::string place = c.word("eps_place"), root = c.flag("bias_correction") ? "√v̂" : "√v";
  if (place == "clamp") return "max(" + root + ", ε)";
  if (place == "inside_root") return c.flag("bias_correction") ? "√(v̂ + ε)" : "√(v + ε)";
  return "(" + (place == "before_correction" ? std::string("√v") : root) + " + ε)";
}

std::string text_of(const StageContext& c) {
  const std::string first = c.word("first_moment");
  const std::string second = c.word("second_moment") == "sum" ? "v ← v + G²" : "v ← β₂v + (1−β₂)G²";
  const std::string above = first == "none" ? "G" : c.flag("bias_correction") ? "m̂" : "m";
  return (first == "none" ? "" : "m ← β₁m + (1−β₁)G ; ") + second + " ; U ← " + above + " / " + below_text(c);
}

void emit(StageContext& c) {
  const auto slot = [&](const char* name) {
    const auto it = c.shared.find(name);
    return it == c.shared.end() ? kNone : it->second;
  };
  const bool first = slot("direction.first") != kNone, average = c.word("second_moment") == "average";
  c.build.emit(
      make_op(OpCode::adam,
              {c.gradient, slot("direction.first"), slot("direction.second"), c.update, slot("direction.product")},
              {first ? c.hparam("beta1") : kNone, average ? c.hparam("beta2") : kNone, c.hparam("eps"),
               keeps_product(c) ? c.hparam("momentum_decay") : kNone},
              0, word_of(c)),
      text_of(c));
}

std::vector<Setting> options() {
  return {
      word("first_moment", "average",
           {{"average", "m̂ = m/(1−β₁ᵗ)", "torch.optim.Adam"},
            {"none", "the gradient itself", "torch.optim.RMSprop, Adagrad; HyperBallAdamW of HeavyBall"},
            {"nesterov_torch", "m̂ = (1−μₜ)G/(1−Πμ) + μₜ₊₁m/(1−μₜ₊₁Πμ), μₜ = β₁(1−½·0.96^{ψt})", "torch.optim.NAdam"},
            {"nesterov_optax", "m̂ = (1−β₁)G/(1−β₁ᵗ) + β₁m/(1−β₁ᵗ⁺¹)", "optax.nadamw"},
            {"nesterov_plain", "m̂ = ((1−β₁)G + β₁m)/(1−β₁ᵗ)", "MLCommons algorithmic-efficiency, NAdamW"}},
           "What stands above the fraction."),
      word("second_moment", "average",
           {{"average", "v ← β₂v + (1−β₂)G²", "torch.optim.Adam"},
            {"sum", "v ← v + G²: steps shrink for ever", "torch.optim.Adagrad"}},
           "How squared gradients are collected."),
      boolean("bias_correction", true, "Divides running averages by 1 − βᵗ, as they start at zero."),
      word("eps_place", "after_correction",
           {{"after_correction", "√v̂ + ε", "torch.optim.Adam"},
            {"before_correction", "√v + ε, then the bias correction", "nikhilvyas/SOAP; torch-optimizer LAMB"},
            {"clamp", "max(√v̂, ε)", "HeavyBall"},
            {"inside_root", "√(v̂ + ε)", "tf.compat.v1.train.RMSPropOptimizer; optax.rmsprop with eps_in_sqrt"}},
           "Where ε enters below the fraction.")};
}

void motion(const StageContext& c, Motion& m) {
  if (c.word("first_moment") == "average" && c.word("second_moment") == "average") m.follows = Motion::Follows::adam;
}

} // namespace

Stage direction_adam() {
  Stage s;
  s.part = Part::direction;
  s.kind = "adam";
  s.meaning = "Divides the average gradient by the root of the average square, element by element.";
  s.formula = "U = m̂ / (√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)";
  s.source = "Kingma, Ba 1412.6980; torch.optim.Adam";
  s.options = options();
  Setting beta1 = number("beta1", 0.9, 0, 1 - 1e-9, "Share of the past in the average gradient.");
  beta1.formula = "m ← β₁m + (1−β₁)G";
  Setting beta2 = number("beta2", 0.999, 0, 1 - 1e-9, "Share of the past in the average squared gradient.");
  beta2.formula = "v ← β₂v + (1−β₂)G²";
  Setting eps = log_number("eps", 1e-8, 0, 1, "Keeps the ratio finite; where it enters says eps_place.");
  eps.formula = "U = m̂ / (√v̂ + ε)";
  Setting psi = log_number("momentum_decay", 4e-3, 0, 1, "How fast NAdam's momentum rises to β₁: ψ.");
  psi.formula = "μₜ = β₁ (1 − ½·0.96^{ψt})";
  s.hparams = {learning_rate(1e-3), beta1, beta2, eps, psi};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  s.motion = motion;
  return s;
}

} // namespace polarscope
