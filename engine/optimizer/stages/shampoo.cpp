// Direction: the gradient between inverse roots of its two Kronecker factors (algorithms.md §A13).
#include "engine/optimizer/stage.hpp"

namespace polarscope {

namespace {

void start(StageContext& c) {
  auto& s = c.shared;
  s["left"] = c.state("left_factor", c.rows, c.rows, "L: sum of G Gᵀ");
  s["right"] = c.state("right_factor", c.cols, c.cols, "R: sum of GᵀG");
  s["left.root"] = c.scratch("left_root", c.rows, c.rows, "root of L");
  s["right.root"] = c.scratch("right_root", c.cols, c.cols, "root of R");
  s["half"] = c.scratch("half_preconditioned", c.rows, c.cols, "gradient after the left side");
}

std::uint32_t accumulation(const StageContext& c) {
  const std::string word = c.word("accumulate");
  return word == "sum" ? 0 : word == "average" ? 1 : 3;
}

void emit_side(StageContext& c, SlotId gradient, const char* side, double power) {
  const bool left = side[0] == 'l';
  const std::uint32_t how = accumulation(c);
  const SlotId factor = c.shared.at(side), root = c.shared.at(std::string(side) + ".root");
  c.build.emit(
      make_op(OpCode::kronecker_factor, {gradient, factor}, {c.hparam("shampoo_beta")}, 0, how << 1 | (left ? 0u : 1u)),
      left ? "L ← L + GGᵀ" : "R ← R + GᵀG");
  c.build.emit(
      make_op(OpCode::factor_power, {factor, root}, {c.hparam("eps")}, c.build.constants({power}), how == 3 ? 1u : 0u),
      left ? "P ← (L + ε)^p" : "Q ← (R + ε)^p");
}

void emit(StageContext& c) {
  const bool chained = c.word("root") == "half_chained";
  const double power = chained ? -0.5 : -0.25;
  const SlotId half = c.shared.at("half");
  emit_side(c, c.gradient, "left", power);
  c.build.emit(make_op(OpCode::two_sided, {c.gradient, c.shared.at("left.root"), kNone, half}), "Ĝ ← P G");
  emit_side(c, chained ? half : c.gradient, "right", power);
  c.build.emit(make_op(OpCode::two_sided, {half, kNone, c.shared.at("right.root"), c.update}), "U ← Ĝ Q");
}

} // namespace

Stage direction_shampoo() {
  Stage s;
  s.part = Part::direction;
  s.kind = "shampoo";
  s.meaning = "Multiplies the gradient on both sides by inverse roots of its accumulated outer products.";
  s.formula = "U = (L + ε)^(−¼) G (R + ε)^(−¼),  L ← L + GGᵀ,  R ← R + GᵀG";
  s.source = "Shampoo 1802.09568; roots by Jacobi rotations, right to rounding times the condition number";
  s.options = {
      word("root", "quarter",
           {{"quarter", "power −¼ on each side, both factors from the gradient", "pytorch-optimizer shampoo.py"},
            {"half_chained", "power −½ on each side, R from the gradient after the left side",
             "torch-optimizer shampoo.py"}},
           "Which roots of the factors are taken."),
      word("accumulate", "sum",
           {{"sum", "all outer products, from εI", "Shampoo 1802.09568"},
            {"average", "a running average with shampoo_beta", ""},
            {"none", "of the present gradient alone: U = msign(G)", "definition"}},
           "What the factors collect.")};
  Setting beta = number("shampoo_beta", 0.95, 0, 1 - 1e-9, "Share of the past in averaged factors.");
  Setting eps = log_number("eps", 1e-4, 0, 1e3, "Added to the factors' eigenvalues: accumulation from εI.");
  s.hparams = {learning_rate(1e-3), beta, eps};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
