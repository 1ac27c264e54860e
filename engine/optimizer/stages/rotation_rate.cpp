// Magnitude: steps as long as turn each slice by the angle of its rotational equilibrium.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

std::uint32_t form_code(const std::string& form) { return form == "momentum" ? 1 : form == "lion" ? 2 : 0; }

const char* first_factor(const std::string& form) { return form == "momentum" ? "momentum" : "beta1"; }

void start(StageContext& c) {
  const std::string slices = c.word("granularity");
  const SlotId norms =
      c.state("turned_norm", 1, slices_count(slices, c.rows, c.cols), "norm of each slice at the start");
  c.shared["norms"] = norms;
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, norms}, {}, 0, slices_code(slices)),
               fmt::format("ρ ← ‖W₀‖ per {}", slices));
}

void emit(StageContext& c) {
  const std::string form = c.word("equilibrium"), slices = c.word("granularity");
  const HparamId first = c.hparam_of_recipe(first_factor(form)),
                 second = form == "lion" ? c.hparam_of_recipe("beta2") : kNone;
  if (first == kNone || (form == "lion" && second == kNone))
    return; // no such average in the recipe: steps keep their own length
  c.build.emit(make_op(OpCode::scale_to_rotation, {c.update, c.shared.at("norms")},
                       {c.lr, c.hparam("weight_decay"), first, second}, 0, slices_code(slices) | form_code(form) << 2),
               "U ← ρ U η_r/η");
}

} // namespace

Stage magnitude_rotation_rate() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "rotation_rate";
  s.meaning = "Makes steps turn the weight by the angle at which learning rate and decay would balance.";
  s.formula = "U ← ρ U η_r/η,  η_r = √(2ηλ(1−β₁)/(1+β₁)),  √(2ηλ/(1+μ))  or  √(π/2 · 2ηλ ((1−β₁)² + β₁²(1−β₂)/(1+β₂)))";
  s.source = "Rotational equilibrium 2305.17212; epfml/REQ";
  s.options = {word("equilibrium", "adam",
                    {{"adam", "of AdamW, with the recipe's β₁", "epfml/REQ rotational_adamw.py"},
                     {"momentum", "of gradient descent with the recipe's momentum", "epfml/REQ rotational_sgd.py"},
                     {"lion", "of Lion, with the recipe's β₁ and β₂", "epfml/REQ rotational_lion.py"}},
                    "Whose equilibrium gives the angle."),
               word("granularity", "row",
                    {{"row", "each row", "epfml/REQ"},
                     {"column", "each column", ""},
                     {"matrix", "the whole matrix", "epfml/REQ, per tensor"}},
                    "What turns by the angle: the geometry gives each of them norm 1.")};
  Setting decay = log_number("weight_decay", 1e-2, 0, 1e3, "λ of the balance; nothing decays.");
  decay.formula = "η_r ∝ √(2ηλ)";
  s.hparams = {decay};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
