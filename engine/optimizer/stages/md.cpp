// Magnitude: W = diag(γr) Ŵ diag(γc) with Ŵ on a sphere and learned gains (algorithms.md §C).
#include "engine/optimizer/stages/low_rank_gains.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"
#include "engine/optimizer/stages/split_blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {

namespace {

bool equalises(const std::string& sphere) {
  return sphere == "rowcol" || sphere == "inv_rowcol" || sphere == "equi" || sphere == "balanced";
}

std::uint32_t map_code(const std::string& map) {
  return map == "direct" ? 1 : map == "offset" ? 2 : map == "exp" ? 3 : 0;
}

// c_F = √max(m, n) of what is held together: the matrix, or one of its blocks.
double block_norm(const StageContext& c) { return std::sqrt(std::max(c.rows / split_blocks(c), c.cols)); }
double whole_norm(const StageContext& c) { return std::sqrt(split_blocks(c)) * block_norm(c); }

std::uint32_t block_slices(const StageContext& c, const std::string& sphere) {
  return slices_count(sphere, c.rows / split_blocks(c), c.cols);
}

// The norm of each slice under the words that fix it by the shape.
double slice_target(const StageContext& c, const std::string& sphere, const std::string& target) {
  return target == "unit" ? 1 : block_norm(c) / std::sqrt(block_slices(c, sphere));
}

// " of block 2", or nothing where there is only the whole.
std::string block_words(const StageContext& c, std::uint32_t k) {
  return split_blocks(c) == 1 ? "" : fmt::format(" of block {}", k + 1);
}

void emit_equalise(StageContext& c, SlotId weight, const std::string& sphere) {
  const bool balanced = sphere == "balanced";
  const std::uint32_t code = sphere == "rowcol" ? 0 : sphere == "inv_rowcol" ? 1 : 2;
  const double rounds = sphere == "equi" ? 1 : 10;
  for (std::uint32_t k = 0; k < split_blocks(c); ++k)
    c.build.emit(make_op(OpCode::equalise_rows_columns, {split_block(c, weight, k)}, {},
                         c.build.constants({balanced ? block_norm(c) : 0.0, rounds}), code),
                 fmt::format("Ŵ ← {}(Ŵ), {} rounds{}", sphere, rounds, block_words(c, k)));
}

// Brings `x` to the sphere, and with it whatever the target says that its norms are.
void emit_project(StageContext& c, SlotId x, const char* name) {
  const std::string sphere = c.word("sphere");
  if (equalises(sphere)) return emit_equalise(c, x, sphere);
  for (std::uint32_t k = 0; k < split_blocks(c); ++k) {
    const SlotId block = split_block(c, x, k);
    c.build.emit(make_op(OpCode::to_norms, {block, block, split_block(c, c.shared.at("magnitude.radius"), k)}, {},
                         c.build.constants({0, 1}), slices_code(sphere)),
                 fmt::format("{0} ← c {0}/‖{0}‖ per {1}{2}", name, sphere, block_words(c, k)));
  }
}

void emit_live_radius(StageContext& c) {
  if (equalises(c.word("sphere")) || c.word("target") != "value") return;
  c.build.emit(make_op(OpCode::fill, {c.shared.at("magnitude.radius")}, {c.hparam("radius")}), "c ← radius");
}

void start_radius(StageContext& c) {
  const std::string sphere = c.word("sphere"), target = c.word("target");
  if (equalises(sphere)) return;
  const std::uint32_t blocks = split_blocks(c);
  const SlotId radius = c.state("radius", blocks, block_slices(c, sphere),
                                blocks == 1 ? "norm that the direction part is held to"
                                            : "norms that the direction part's blocks are held to");
  c.shared["magnitude.radius"] = radius;
  if (target == "value") return emit_live_radius(c);
  if (target != "initial") {
    c.build.emit(make_op(OpCode::fill, {radius}, {}, c.build.constants({slice_target(c, sphere, target)})),
                 fmt::format("c ← {:.4g}", slice_target(c, sphere, target)));
    return;
  }
  for (std::uint32_t k = 0; k < blocks; ++k)
    c.build.emit(make_op(OpCode::slice_norms, {split_block(c, c.weight, k), split_block(c, radius, k)}, {}, 0,
                         slices_code(sphere)),
                 fmt::format("c ← ‖W₀‖ per {}{}", sphere, block_words(c, k)));
}

// Which gains carry the norms of the start when it is preserved: rows before columns before the one scalar.
std::string carrying_axis(const std::string& gains) { return gains == "row_column" ? "row" : gains; }

// The raw values of an axis' first gains: ones, or the start's norms over those that the direction part is given.
void start_raw(StageContext& c, const std::string& axis, SlotId raw) {
  const std::string init = c.word("init");
  const std::uint32_t map = map_code(c.word("gain_map"));
  if (init == "project" || carrying_axis(c.word("gains")) != axis) {
    c.build.emit(make_op(OpCode::gain_start, {raw}, {}, c.build.constants({1}), map), "a ← φ⁻¹(1)");
    return;
  }
  // The source's direction part starts with slices of norm 1, that of the scalar with √max(m, n).
  const double given =
      init == "preserve" && axis != "scalar" ? 1 : whole_norm(c) / std::sqrt(slices_count(axis, c.rows, c.cols));
  c.build.emit(make_op(OpCode::slice_norms, {c.weight, raw}, {}, 0, slices_code(axis)),
               fmt::format("a ← ‖W₀‖ per {}", axis));
  c.build.emit(make_op(OpCode::gain_inverse_of, {raw}, {}, c.build.constants({1 / given}), map),
               fmt::format("a ← φ⁻¹(max(a, 1e-8)/{:.4g})", given));
}

// One vector of gains: its raw values, Adam's two averages, and what a step computes from them.
void start_gain(StageContext& c, const std::string& axis, std::uint32_t count) {
  auto& s = c.shared;
  const std::string name = axis == "scalar" ? "gain" : axis + "_gain";
  const std::string key = axis == "column" ? "column." : "row.";
  s[key + "raw"] = c.state(name, 1, count, "raw gains a; the gain is γ = φ(a)");
  s[key + "first"] = c.state(name + "_first_moment", 1, count, "running average of the raw gain's gradient");
  s[key + "second"] = c.state(name + "_second_moment", 1, count, "running average of its square");
  s[key + "value"] = c.scratch(name + "_value", 1, count, "γ = φ(a)");
  s[key + "slope"] = c.scratch(name + "_slope", 1, count, "φ′(a)");
  s[key + "gradient"] = c.scratch(name + "_gradient", 1, count, "gradient of the loss in γ");
  const std::uint32_t map = map_code(c.word("gain_map"));
  start_raw(c, axis, s[key + "raw"]);
  c.build.emit(make_op(OpCode::gain_values, {s[key + "raw"], s[key + "value"], s[key + "slope"]}, {}, 0, map),
               "γ ← φ(a)");
}

SlotId slot_of(const StageContext& c, const std::string& key) {
  const auto it = c.shared.find(key);
  return it == c.shared.end() ? kNone : it->second;
}

void start(StageContext& c) {
  start_radius(c);
  c.shared["magnitude.direction"] = c.scratch("direction", c.rows, c.cols, "Ŵ: direction part of the weight");
  c.shared["magnitude.gradient"] = c.scratch("direction_gradient", c.rows, c.cols, "gradient of the loss in Ŵ");
  if (c.word("init") == "project") emit_project(c, c.weight, "Ŵ");
  c.build.emit(make_op(OpCode::copy, {c.weight, c.shared.at("magnitude.direction")}), "Ŵ ← W");
  const std::string gains = c.word("gains");
  if (gains == "low_rank") start_low_rank(c, map_code(c.word("gain_map")));
  if (gains == "scalar") start_gain(c, gains, 1);
  if (gains == "row" || gains == "row_column") start_gain(c, "row", c.rows);
  if (gains == "column" || gains == "row_column") start_gain(c, "column", c.cols);
}

// The direction part out of the weight, and the gradients of both, for gains per row, per column or for the whole.
void enter_gains(StageContext& c, SlotId direction, SlotId gradient, std::uint32_t divide) {
  const SlotId row = slot_of(c, "row.value"), column = slot_of(c, "column.value");
  const bool gains = row != kNone || column != kNone;
  const std::uint32_t map = map_code(c.word("gain_map"));
  for (const std::string key : {"row.", "column."})
    if (slot_of(c, key + "raw") != kNone)
      c.build.emit(make_op(OpCode::gain_values,
                           {c.shared.at(key + "raw"), c.shared.at(key + "value"), c.shared.at(key + "slope")}, {}, 0,
                           map),
                   "γ ← φ(a)");
  c.build.emit(make_op(OpCode::scale_rows_columns, {c.weight, direction, row, column}, {}, 0, divide),
               !gains        ? "Ŵ ← W"
               : divide == 2 ? "Ŵ ← W / (max(γr, 1e-8) max(γc, 1e-8))"
                             : "Ŵ ← W / (γr γc)");
  c.build.emit(make_op(OpCode::copy, {c.gradient, gradient}), "Ĝ ← G");
  if (gains)
    c.build.emit(make_op(OpCode::gain_gradients,
                         {direction, gradient, row, column, slot_of(c, "row.gradient"), slot_of(c, "column.gradient")}),
                 "gr ← Σⱼ G Ŵ γc ; gc ← Σᵢ γr G Ŵ ; Ĝ ← γr G γc");
}

void enter(StageContext& c) {
  const SlotId direction = c.shared.at("magnitude.direction"), gradient = c.shared.at("magnitude.gradient");
  const std::uint32_t divide = c.word("unfuse") == "clamped" ? 2 : 1;
  if (c.word("gains") == "low_rank") enter_low_rank(c, map_code(c.word("gain_map")), direction, gradient, divide);
  else enter_gains(c, direction, gradient, divide);
  for (std::uint32_t k = 0; c.flag("tangent") && k < split_blocks(c); ++k)
    c.build.emit(make_op(OpCode::tangent, {split_block(c, direction, k), split_block(c, gradient, k)}, {}, 0,
                         slices_code(c.word("sphere"))),
                 "Ĝ ← Ĝ − Ŵ⟨Ŵ, Ĝ⟩/‖Ŵ‖²" + block_words(c, k));
  c.weight = direction;
  c.gradient = gradient;
}

void emit(StageContext& c) {
  if (!c.flag("hypersphere_update")) return;
  emit_live_radius(c);
  emit_project(c, c.update, "U");
}

HparamId gain_rate(StageContext& c) { return c.word("gain_rate") == "weight" ? c.lr : c.hparam("gain_lr"); }

void leave_gain(StageContext& c, const std::string& key) {
  const SlotId raw = slot_of(c, key + "raw");
  if (raw == kNone) return;
  const std::uint32_t map = map_code(c.word("gain_map"));
  const HparamId rate = gain_rate(c);
  c.build.emit(make_op(OpCode::gain_decay, {raw}, {rate, c.hparam("gain_weight_decay")}), "a ← (1 − ηγ λγ) a");
  c.build.emit(make_op(OpCode::gain_adam,
                       {raw, c.shared.at(key + "gradient"), c.shared.at(key + "first"), c.shared.at(key + "second"),
                        c.shared.at(key + "slope")},
                       {rate, c.hparam("gain_beta1"), c.hparam("gain_beta2"), c.hparam("gain_eps")}, 0,
                       c.flag("gain_bias_correction") ? 0u : 1u),
               "a ← Adam(a, g φ′(a), ηγ)");
  c.build.emit(make_op(OpCode::gain_floor, {raw}, {c.hparam("gain_min")}, 0, map), "a ← max(a, φ⁻¹(least gain))");
  c.build.emit(make_op(OpCode::gain_values, {raw, c.shared.at(key + "value")}, {}, 0, map), "γ ← φ(a)");
}

// The steps of the gains, and W ← γr Ŵ γc.
void leave_gains(StageContext& c, SlotId direction, SlotId weight) {
  leave_gain(c, "row.");
  leave_gain(c, "column.");
  if (c.word("gauge") == "balanced" && slot_of(c, "column.raw") != kNone && slot_of(c, "row.raw") != kNone)
    c.build.emit(make_op(OpCode::balance_gains,
                         {c.shared.at("row.raw"), c.shared.at("column.raw"), c.shared.at("row.value"),
                          c.shared.at("column.value")},
                         {}, 0, map_code(c.word("gain_map"))),
                 "γr ← s γr ; γc ← γc/s, geometric means alike");
  c.build.emit(
      make_op(OpCode::scale_rows_columns, {direction, weight, slot_of(c, "row.value"), slot_of(c, "column.value")}),
      "W ← γr Ŵ γc");
}

// That the direction part, or each of its blocks, has its norms.
void emit_promises(StageContext& c, SlotId direction) {
  const std::uint32_t blocks = split_blocks(c);
  for (std::uint32_t k = 0; k < blocks; ++k) {
    const std::uint32_t column = c.promise(blocks == 1 ? 0 : k + 1, c.rounding());
    c.emit_check(make_op(OpCode::norm_violation,
                         {split_block(c, direction, k), split_block(c, c.shared.at("magnitude.radius"), k)}, {},
                         c.build.constants({0}), column << 2 | slices_code(c.word("sphere"))),
                 fmt::format("check ‖Ŵ‖ = c per {}{}", c.word("sphere"), block_words(c, k)));
  }
}

void leave(StageContext& c) {
  const SlotId direction = c.shared.at("magnitude.direction"), weight = c.build.parameter(c.parameter).weight;
  emit_live_radius(c);
  emit_project(c, direction, "Ŵ");
  if (c.word("gains") == "low_rank") leave_low_rank(c, map_code(c.word("gain_map")), direction, weight, gain_rate(c));
  else leave_gains(c, direction, weight);
  c.weight = weight;
  if (!equalises(c.word("sphere"))) emit_promises(c, direction);
}

// Without gains the weight is the direction part. A radius that may be edited while running, and spheres that leave the
// scale free, hold nothing.
void motion(const StageContext& c, Motion& m) {
  if (c.word("gains") == "none" && c.word("target") != "value" && !equalises(c.word("sphere")))
    m.norm = Motion::Norm::held;
}

std::vector<Setting> options() {
  return {
      word("sphere", "matrix",
           {{"matrix", "the norm of the whole matrix", "magnitude–direction post, flat"},
            {"row", "each row's norm", "magnitude–direction post"},
            {"column", "each column's norm", "magnitude–direction post"},
            {"rowcol", "10 rounds of dividing by column and row norms of the same matrix; the scale is free",
             "haeggee/Megatron-LM"},
            {"inv_rowcol", "the same with the two divisions swapped", "haeggee/Megatron-LM"},
            {"equi", "one round, columns then rows", "haeggee/Megatron-LM"},
            {"balanced", "10 alternating rounds, then the whole matrix to √max(m, n)", "own variant"}},
           "What the direction part is held to."),
      word("target", "sqrt_max",
           {{"initial", "the norms of the start weight", "magnitude–direction post, comparison of axes"},
            {"sqrt_max", "the whole matrix √max(m, n), shared evenly by rows or columns", "haeggee/Megatron-LM"},
            {"unit", "every slice 1", "haeggee/Megatron-LM, sphere kinds row and column"},
            {"matched", "rows √(max(m, n)/m), columns √(max(m, n)/n)", "own variant"},
            {"value", "the hyperparameter radius", "own variant"}},
           "Which norm each slice of the direction part has."),
      word("gains", "row_column",
           {{"none", "no gains: the weight is the direction part", ""},
            {"scalar", "one gain for the matrix", "2606.25971, algorithm 1"},
            {"row", "one gain per row", ""},
            {"column", "one gain per column", ""},
            {"row_column", "one gain per row and one per column", "2606.25971, algorithm 2"},
            {"low_rank", "one gain per element, φ(φ⁻¹(1) + A B) with thin A and B; gain_min holds the gains themselves",
             "own variant"}},
           "Which learned gains multiply the direction part."),
      word("gain_map", "softplus",
           {{"softplus", "γ = log(1 + eᵃ), positive", "2606.25971; MoE code"},
            {"direct", "γ = a, may change sign", "dense code"},
            {"offset", "γ = 1 + a", ""},
            {"exp", "γ = eᵃ, positive, relative steps", ""}},
           "How a gain follows from its raw value."),
      integer("rank", 4, 1, 1024, "Columns of A and rows of B where gains are low_rank; at most the smaller side."),
      split_option("haeggee/Megatron-LM, split_qkv",
                   "Whether fused queries, keys and values are held to spheres of their own; gains are not split."),
      word("init", "project",
           {{"project", "the start is brought to the sphere, gains start at 1", "haeggee/Megatron-LM"},
            {"preserve", "gains start at the norms of the start, the direction part at slices of 1",
             "haeggee/Megatron-LM, preserve_init"},
            {"preserve_norm", "the same with slices that are on the sphere: no jump in the first step", "own variant"}},
           "What happens to the start; one axis of gains carries its norms."),
      word("unfuse", "exact",
           {{"exact", "divides by what was multiplied", "haeggee/Megatron-LM, --gains-no-clamp"},
            {"clamped", "divides by max(γ, 1e-8): a gain below zero destroys the direction",
             "haeggee/Megatron-LM, default"}},
           "How the direction part is taken out of the weight."),
      word("gauge", "free",
           {{"free", "row and column gains share one redundant scale", "haeggee/Megatron-LM"},
            {"balanced", "after each step their geometric means are made alike", "own variant"}},
           "What becomes of the scale that row and column gains share."),
      word("gain_rate", "own",
           {{"own", "gain_lr", "magnitude–direction post"},
            {"weight", "the learning rate of the weight", "2606.25971, second version"}},
           "Which learning rate the gains have."),
      boolean("gain_bias_correction", true, "Divides the gains' running averages by 1 − βᵗ."),
      boolean("tangent", false, "Takes the radial part out of the direction part's gradient first."),
      boolean("hypersphere_update", false, "Brings the update to the sphere as well.")};
}

} // namespace

Stage magnitude_md() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "md";
  s.meaning = "Splits the weight into a direction part on a sphere and learned gains with a rate of their own.";
  s.formula = "W = diag(γr) Ŵ diag(γc),  Ŵ ← c N(Ŵ − η U(Ĝ)),  a ← Adam(a, g φ′(a), ηγ),  γ = φ(a)";
  s.source = "Hägele, Kosson, Hernández-Cano, Jaggi 2606.25971; haeggee/Megatron-LM megatron/core/optimizer/master.py";
  s.options = options();
  s.hparams = {log_number("radius", 1, 1e-12, 1e12, "Norm of each slice of the direction part when target is value."),
               log_number("gain_lr", 1e-3, 0, 1e3, "Learning rate of the gains."),
               number("gain_beta1", 0.9, 0, 1 - 1e-9, "Share of the past in the gains' average gradient."),
               number("gain_beta2", 0.99, 0, 1 - 1e-9, "Share of the past in the gains' average squared gradient."),
               log_number("gain_eps", 1e-8, 0, 1, "Keeps the ratio of the gains' Adam finite."),
               log_number("gain_weight_decay", 0, 0, 1e3, "Decay of the raw gains, before their Adam step."),
               log_number("gain_min", 0, 0, 1e6, "Smallest gain; 0 sets no floor.")};
  s.hparams[0].formula = "‖Ŵ‖ = c";
  s.promises = {
      {"direction norms fixed", "The direction part stays on its sphere.", "direction_norm_error"},
      {"query norms fixed", "The queries' block of the direction part stays on its sphere.", "query_norm_error"},
      {"key norms fixed", "The keys' block of the direction part stays on its sphere.", "key_norm_error"},
      {"value norms fixed", "The values' block of the direction part stays on its sphere.", "value_norm_error"}};
  s.own_size = true;
  s.start = start;
  s.enter = enter;
  s.emit = emit;
  s.leave = leave;
  s.motion = motion;
  return s;
}

} // namespace polarscope
