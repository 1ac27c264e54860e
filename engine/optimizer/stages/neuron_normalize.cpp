// Geometry: every row is divided by the root of a running average of its own mean square.
#include "engine/optimizer/stages/shape_scale.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

constexpr double kGuard = 1e-10; // of both divisions, as the source's

void start(StageContext& c) {
  c.shared["moment"] = c.state("row_second_moment", 1, c.rows, "running average of the mean square of each row of the update");
}

void emit(StageContext& c) {
  const double scale = shape_scale(c.word("shape_scale"), c.rows, c.cols);
  c.build.emit(make_op(OpCode::row_second_moment, {c.update, c.shared.at("moment")}, {c.hparam("row_beta")}, c.build.constants({kGuard, scale})),
               fmt::format("v ← βv + (1−β) meanⱼU² ; U ← U/√v ; U ← {:.4g} · U, norm as before", scale));
}

} // namespace

Stage geometry_neuron_normalize() {
  Stage s;
  s.part = Part::geometry;
  s.kind = "neuron_normalize";
  s.meaning = "Divides every row by the root of its average mean square and keeps the norm of the whole.";
  s.formula = "vᵢ ← βvᵢ + (1−β) meanⱼ Uᵢⱼ²,  uᵢ ← uᵢ/(√vᵢ + ε),  U ← s U ‖U before‖/‖U‖";
  s.source = "NorMuon; kcc-lion/muown optim/normuown.py";
  s.options = {shape_scale_option()};
  s.hparams = {number("row_beta", 0.95, 0, 1 - 1e-9, "Share of the past in the rows' average mean square.")};
  s.own_size = true;
  s.start = start;
  s.emit = emit;
  return s;
}

} // namespace polarscope
