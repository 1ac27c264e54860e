#include "engine/optimizer/stages/low_rank_gains.hpp"

#include "engine/problem/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace polarscope {

namespace {

constexpr std::uint32_t kUncorrected = 16; // of the adam op's word (kernels/ops/adaptive.hpp)

std::uint32_t rank_of(const StageContext& c) {
  return std::min({static_cast<std::uint32_t>(c.integer("rank")), c.rows, c.cols});
}

// A or B with Adam's two averages, its gradient and its step.
void start_factor(StageContext& c, const std::string& side, std::uint32_t rows, std::uint32_t cols,
                  const std::string& meaning) {
  auto& s = c.shared;
  const std::string name = side + "_gain";
  s[side] = c.state(name, rows, cols, meaning);
  s[side + ".first"] = c.state(name + "_first_moment", rows, cols, "running average of the factor's gradient");
  s[side + ".second"] = c.state(name + "_second_moment", rows, cols, "running average of its square");
  s[side + ".gradient"] = c.scratch(name + "_gradient", rows, cols, "gradient of the loss in the factor");
  s[side + ".step"] = c.scratch(name + "_step", rows, cols, "u: Adam's ratio of the factor's gradient");
}

void emit_product(StageContext& c, SlotId to, SlotId a, SlotId b, std::uint32_t word, const char* text) {
  c.build.emit(make_op(OpCode::product, {to, a, b}, {}, c.build.constants({1, 0}), word), text);
}

void emit_times(StageContext& c, SlotId a, SlotId b, SlotId to, const char* text) {
  c.build.emit(make_op(OpCode::times, {a, b, to}), text);
}

void emit_gains(StageContext& c, std::uint32_t map, SlotId slope) {
  const SlotId gains = c.shared.at("gains");
  emit_product(c, gains, c.shared.at("left"), c.shared.at("right"), 0, "Γ ← A B");
  c.build.emit(make_op(OpCode::matrix_gains, {gains, slope}, {c.hparam("gain_min")}, 0, map),
               slope == kNone ? "Γ ← max(φ(φ⁻¹(1) + Γ), least gain)"
                              : "Γ ← max(φ(φ⁻¹(1) + Γ), least gain) ; S ← φ′, 0 at the least gain");
}

void emit_factor_step(StageContext& c, const std::string& side, HparamId rate, const char* name) {
  const auto& s = c.shared;
  const SlotId ratio = s.at(side + ".step");
  c.build.emit(make_op(OpCode::adam, {s.at(side + ".gradient"), s.at(side + ".first"), s.at(side + ".second"), ratio},
                       {c.hparam("gain_beta1"), c.hparam("gain_beta2"), c.hparam("gain_eps")}, 0,
                       c.flag("gain_bias_correction") ? 0 : kUncorrected),
               fmt::format("u ← Adam(∇{})", name));
  c.build.emit(make_op(OpCode::apply_decayed, {s.at(side), ratio}, {rate, c.hparam("gain_weight_decay")}),
               fmt::format("{0} ← (1 − ηγ λγ) {0} − ηγ u", name));
}

} // namespace

void start_low_rank(StageContext& c, std::uint32_t map) {
  auto& s = c.shared;
  const std::uint32_t rank = rank_of(c);
  start_factor(c, "left", c.rows, rank, "A of the gains' A B: starts as N(0, 1/rank) by the run's seed");
  start_factor(c, "right", rank, c.cols, "B of the gains' A B: starts at 0");
  s["gains"] = c.scratch("gain_value", c.rows, c.cols, "Γ: one gain per element");
  s["slope"] = c.scratch("gain_slope", c.rows, c.cols, "S: how Γ follows A B, then the gradient of the loss in A B");
  const SlotId size = c.scratch("left_gain_size", 1, rank, "1/√rank");
  c.build.emit(make_op(OpCode::fill, {size}, {}, c.build.constants({1 / std::sqrt(rank)})), "s ← 1/√rank");
  const std::uint32_t stream = static_cast<std::uint32_t>(Stream::gains) + static_cast<std::uint32_t>(c.parameter);
  c.build.emit(make_op(OpCode::normal_rows, {s.at("left"), size}, {}, 0, stream - 1), "A ← N(0, s²)");
  emit_gains(c, map, kNone);
}

// From dL = Σ G ∘ dW and W = Γ ∘ Ŵ. The least gain may be edited between steps: W stays, and Ŵ is W over the gains that are
// from now on.
void enter_low_rank(StageContext& c, std::uint32_t map, SlotId direction, SlotId gradient, std::uint32_t divide) {
  const auto& s = c.shared;
  const SlotId gains = s.at("gains"), slope = s.at("slope");
  emit_gains(c, map, slope);
  c.build.emit(make_op(OpCode::times, {c.weight, gains, direction}, {}, 0, divide),
               divide == 2 ? "Ŵ ← W / max(Γ, 1e-8)" : "Ŵ ← W / Γ");
  emit_times(c, slope, direction, slope, "S ← S ∘ Ŵ");
  emit_times(c, slope, c.gradient, slope, "S ← S ∘ G");
  emit_product(c, s.at("left.gradient"), slope, s.at("right"), kernels::kTransposeB, "∇A ← S Bᵀ");
  emit_product(c, s.at("right.gradient"), s.at("left"), slope, kernels::kTransposeA, "∇B ← Aᵀ S");
  emit_times(c, c.gradient, gains, gradient, "Ĝ ← Γ ∘ G");
}

void leave_low_rank(StageContext& c, std::uint32_t map, SlotId direction, SlotId weight, HparamId rate) {
  emit_factor_step(c, "left", rate, "A");
  emit_factor_step(c, "right", rate, "B");
  emit_gains(c, map, kNone);
  emit_times(c, direction, c.shared.at("gains"), weight, "W ← Γ ∘ Ŵ");
}

} // namespace polarscope
