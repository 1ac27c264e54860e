// Magnitude: steps inside the ball of a norm along its linear minimisation oracle (Scion; algorithms.md §A12).
#include "engine/optimizer/stages/constraint_sets.hpp"
#include "engine/optimizer/stages/newton_schulz.hpp"
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

namespace {

constexpr double kGuard = 1e-8; // added to norms and to root mean squares, as the source's
constexpr int kCheckEvery = 10; // of the norm that costs a decomposition

std::uint32_t norm_code(const std::string& norm) {
  return norm == "sign" ? 1 : norm == "row" ? 2 : norm == "column" ? 3 : norm == "bias_rms" ? 4 : 0;
}

// D = s · NS(B): the norm in which a direction of exact singular values has size 1 is ‖·‖₂/s.
double spectral_scale(const StageContext& c) { return shape_scale(c.word("spectral_scale"), c.rows, c.cols); }

// The largest norm that a direction can have.
double top(const StageContext& c) { return c.word("norm") == "spectral" ? polynomial_of(c).top() : 1; }

void start(StageContext& c) {
  const std::string norm = c.word("norm");
  if (!c.flag("constrained")) return;
  const bool spectral = norm == "spectral";
  c.shared["ball.bound"] = c.state("norm_bound", 1, 1, "norm that the weight cannot exceed after its steps so far");
  if (spectral) {
    start_top_pair(c, "ball", false);
    emit_top_pair(c, "ball", c.weight, 0, false);
  }
  c.build.emit(make_op(OpCode::ball_bound,
                       {c.weight, spectral ? c.shared.at("ball.value") : kNone, c.shared.at("ball.bound")}, {},
                       c.build.constants({1 / spectral_scale(c), 0}), norm_code(norm)),
               "b ← ‖W₀‖");
}

void emit_direction(StageContext& c) {
  const std::string norm = c.word("norm");
  const double rows = c.rows, cols = c.cols;
  const auto slices = [&](const char* word, double guard, double target, std::string text) {
    c.build.emit(
        make_op(OpCode::to_norms, {c.update, c.update}, {}, c.build.constants({guard, target}), slices_code(word) | 4u),
        std::move(text));
  };
  if (norm == "spectral") emit_polar(c, polynomial_of(c), c.update, c.update, spectral_scale(c), "U");
  if (norm == "row") slices("row", kGuard / std::sqrt(cols), 1 / std::sqrt(cols), "uᵢ ← uᵢ/(‖uᵢ‖√n + ε)");
  if (norm == "column") slices("column", kGuard * std::sqrt(rows), std::sqrt(rows), "u:ⱼ ← u:ⱼ/(rms u:ⱼ + ε)");
  if (norm == "bias_rms")
    slices("matrix", kGuard * std::sqrt(rows * cols), std::sqrt(rows * cols), "U ← U/(rms U + ε)");
  if (norm != "sign") return;
  c.build.emit(make_op(OpCode::sign, {c.update, c.update}), "U ← sign(U)");
  c.build.emit(make_op(OpCode::scale_by, {c.update}, {}, c.build.constants({1 / cols})), "U ← U/n");
}

void emit(StageContext& c) {
  emit_direction(c);
  const bool constrained = c.flag("constrained");
  c.build.emit(make_op(OpCode::ball_step, {c.update, constrained ? c.weight : kNone}, {c.hparam("radius")}),
               constrained ? "U ← ρU + W:  W ← (1 − η)W − ηρU" : "U ← ρU");
}

void leave(StageContext& c) {
  if (!c.flag("constrained")) return;
  const std::string norm = c.word("norm");
  const bool spectral = norm == "spectral";
  const SlotId value = spectral ? c.shared.at("ball.value") : kNone, bound = c.shared.at("ball.bound");
  c.emit_check(make_op(OpCode::ball_bound, {c.weight, value, bound}, {c.lr, c.hparam("radius")},
                       c.build.constants({1, top(c)}), norm_code(norm)),
               "b ← |1 − η| b + ηρ");
  const int every = spectral ? kCheckEvery : 1;
  const std::uint32_t column = c.promise(0, spectral ? 1e-3 : 1e-5, every, false);
  const std::uint32_t constants = c.build.constants({1 / spectral_scale(c)});
  if (spectral) {
    Op found = make_op(OpCode::top_singular, {c.weight, c.shared.at("ball.left"), c.shared.at("ball.right"), value});
    found.every = static_cast<std::uint16_t>(every);
    c.emit_check(found, "σ ← largest singular value of W, exact");
  }
  Op check = make_op(OpCode::ball_violation, {c.weight, value, bound}, {}, constants, column << 3 | norm_code(norm));
  check.every = static_cast<std::uint16_t>(every);
  c.emit_check(check, "check ‖W‖ ≤ b");
}

std::vector<Setting> options() {
  std::vector<Setting> all = {word("norm", "spectral",
                                   {{"spectral", "√(m/n) NS(D), hidden layers", "Scion, Spectral"},
                                    {"sign", "sign(D)/n, first and last layer", "Scion, Sign"},
                                    {"row", "rows dᵢ/(‖dᵢ‖√n)", "Scion, RowNorm"},
                                    {"column", "columns by their root mean square, embeddings", "Scion, ColNorm"},
                                    {"bias_rms", "the whole by its root mean square, biases", "Scion, BiasRMS"}},
                                   "Whose ball it is."),
                              boolean("constrained", true, "Stays in the ball: W ← (1 − η)W − ηρD; else W ← W − ηρD."),
                              word("spectral_scale", "out_in",
                                   {{"out_in", "√(m/n)", "Scion, default"}, {"kj", "√max(1, m/n)", "Scion, option"}},
                                   "Factor of the spectral direction by the matrix's shape.")};
  for (Setting& option : polynomial_options("kj", "add")) all.push_back(std::move(option));
  return all;
}

} // namespace

Stage magnitude_norm_ball() {
  Stage s;
  s.part = Part::magnitude;
  s.kind = "norm_ball";
  s.meaning = "Steps to the point of a norm's ball that lies farthest along the direction, or along it without end.";
  s.formula = "W ← (1 − η)W − ηρD  or  W ← W − ηρD,  D of size 1 in the norm";
  s.source = "Scion 2502.07529; LIONS-EPFL/scion scion.py";
  s.options = options();
  s.hparams = {log_number("radius", 1, 1e-12, 1e12, "ρ: radius of the ball.")};
  s.hparams[0].formula = "‖W‖ ≤ ρ";
  s.promises = {{"weight inside its ball",
                 "The weight's norm exceeds neither the ball's radius nor what steps towards it leave of the start.",
                 "ball_excess"}};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  s.leave = leave;
  return s;
}

} // namespace polarscope
