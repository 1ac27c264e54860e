// Sizes of a matrix beyond its Frobenius norm: spectral norm, stable rank, norms of rows and columns.
#include "engine/metric/metric.hpp"

#include <algorithm>

namespace polarscope {

Metric spectral_norm_metric();
Metric stable_rank_metric();
Metric row_norm_metric();
Metric column_norm_metric();

void emit_motion(MetricBatch& batch);

namespace {

void emit_spectrum(MetricBatch& batch) {
  const ParamInfo p = batch.param();
  const std::uint32_t side = std::min(p.rows, p.cols);
  const double columns[] = {double(batch.column("spectral_norm")), double(batch.column("stable_rank"))};
  // at cadences of their own, each of the two keeps its own vector
  const SlotId vector =
      batch.build.slot(p.name + (columns[0] < 0 ? ".stable_rank_vector" : ".singular_vector"), Role::state, 1, side,
                       "singular vector of the largest singular value, where its search starts", batch.parameter);
  const Op op = make_op(OpCode::spectrum, {p.weight, vector}, {}, batch.build.constants({columns[0], columns[1]}));
  const char* text = columns[0] < 0   ? "measure stable_rank"
                     : columns[1] < 0 ? "measure spectral_norm"
                                      : "measure spectral_norm, stable_rank";
  batch.emit_start(op, text);
  batch.emit(op, text);
}

void emit_row_norms(MetricBatch& batch) {
  const Op op =
      make_op(OpCode::row_norms, {batch.param().weight}, {}, 0, static_cast<std::uint32_t>(batch.column("row_norm")));
  batch.emit_start(op, "measure row_norm");
  batch.emit(op, "measure row_norm");
}

void emit_column_norms(MetricBatch& batch) {
  const Op op = make_op(OpCode::column_norms, {batch.param().weight}, {}, 0,
                        static_cast<std::uint32_t>(batch.column("column_norm")));
  batch.emit_start(op, "measure column_norm");
  batch.emit(op, "measure column_norm");
}

} // namespace

Metric spectral_norm_metric() {
  Metric m;
  m.name = "spectral_norm";
  m.title = "Spectral norm";
  m.formula = "‖W‖₂ = σ₁, the largest singular value";
  m.meaning = "The most that the weight can stretch a vector.";
  m.source = "algorithm: Lanczos 1950, at most 32 rounds, from the vector found last time";
  m.every_of_large = 10;
  m.log_by_default = true;
  m.emit = emit_spectrum;
  m.emit_one_row = emit_motion; // one row has one singular value, its norm
  return m;
}

Metric stable_rank_metric() {
  Metric m;
  m.name = "stable_rank";
  m.title = "Stable rank";
  m.formula = "‖W‖² / ‖W‖₂²";
  m.meaning = "How many directions share the weight's size: 1 for one, at most the smaller side.";
  m.source = "Rudelson, Vershynin 2007";
  m.every_of_large = 10;
  m.emit = emit_spectrum;
  m.emit_one_row = emit_motion; // one row has one singular value, its norm
  return m;
}

Metric row_norm_metric() {
  Metric m;
  m.name = "row_norm";
  m.title = "Row norms";
  m.formula = "‖wᵢ‖ = √ Σⱼ Wᵢⱼ²";
  m.meaning = "Size of each row: the weights of one output.";
  m.shape = MetricShape::per_row;
  m.log_by_default = true;
  m.emit = emit_row_norms;
  m.emit_one_row = emit_motion;
  return m;
}

Metric column_norm_metric() {
  Metric m;
  m.name = "column_norm";
  m.title = "Column norms";
  m.formula = "‖W₍:ⱼ₎‖ = √ Σᵢ Wᵢⱼ²";
  m.meaning = "Size of each column: the weights of one input.";
  m.shape = MetricShape::per_column;
  m.every = 0; // rarely looked at, and a column for each input: recorded when a scene asks
  m.log_by_default = true;
  m.emit = emit_column_norms;
  return m;
}

} // namespace polarscope
