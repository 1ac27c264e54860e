// The one loop that every executor runs: for each step, for each op, the body. A template over the team.
#pragma once

#include "kernels/ops/all.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class T> POLARSCOPE_FN void run_op(Context<T>& c, const Op& op) {
  switch (op.code) {
#define POLARSCOPE_OP(name, slots, doc)                                                                            \
  case OpCode::name: ops::name(c, op); break;
#include "kernels/ops.def"
#undef POLARSCOPE_OP
  case OpCode::count_: break;
  }
}

// Runs a list of ops for the step that finishes as number t = c.step + 1 (0 for the start list).
template <class T> POLARSCOPE_ONCE void run_list(Context<T>& c, const Op* ops, std::uint32_t count) {
  const std::uint64_t t = c.starting ? 0 : c.step + 1;
  for (std::uint32_t k = 0; k < count; ++k) {
    const Op& op = ops[k];
    if (op.every > 1 && t % op.every != 0) continue;
    run_op(c, op);
    c.t.sync();
    c.t.release_scratch();
  }
}

// Fills the current hyperparameters and clears the metric slab to "not recorded".
template <class T> POLARSCOPE_FN void begin_step(Context<T>& c) {
  using R = typename T::Real;
  R* now = c.block + c.program.slots[0].offset;
  R* slab = c.block + c.program.slots[c.program.metric_slot].offset;
  const double* base = c.base;
  c.t.for_each(static_cast<int>(c.program.hparam_count), [=](int i) { now[i] = static_cast<R>(base[i]); });
  const R nan = static_cast<R>(NAN);
  c.t.for_each(static_cast<int>(c.program.slots[c.program.metric_slot].cols), [=](int i) { slab[i] = nan; });
  c.t.sync();
}

// Copies metrics and recorded slots, without padding, to `out` (record_size scalars).
template <class T> POLARSCOPE_FN void write_record(Context<T>& c, typename T::Real* out) {
  using R = typename T::Real;
  const Slot& m = c.program.slots[c.program.metric_slot];
  const R* slab = c.block + m.offset;
  c.t.for_each(static_cast<int>(m.cols), [=](int i) { out[i] = slab[i]; });
  out += m.cols;
  for (std::uint32_t k = 0; k < c.program.recorded_count; ++k) {
    const auto w = c.mat(c.program.recorded[k]);
    const int cols = w.cols;
    R* to = out;
    c.t.rows(w.rows, [=](auto& sub, int i) {
      R* row = to + static_cast<long>(i) * cols;
      const R* from = w.row(i);
      sub.for_each(cols, [=](int j) { row[j] = from[j]; });
    });
    out += static_cast<long>(w.rows) * cols;
  }
}

// What came of a burst, the same in every lane.
struct Burst {
  std::uint64_t made; // steps
  bool stopped;       // the last of them was not finite
};

// The start list, and one record when `record` is not null.
template <class T>
POLARSCOPE_FN void run_start(T& t, const Program& p, typename T::Real* block, const double* hparams,
                             std::uint64_t seed, typename T::Real* record) {
  Context<T> c{t, p, block, hparams, seed, 0, true};
  begin_step(c);
  run_list(c, p.start, p.start_count);
  if (record) write_record(c, record);
}

// Up to `steps` steps after step number `step`, one record each when `records` is not null.
template <class T>
POLARSCOPE_FN Burst run_steps(T& t, const Program& p, typename T::Real* block, const double* hparams,
                              std::uint64_t seed, std::uint64_t step, std::uint64_t steps,
                              typename T::Real* records) {
  for (std::uint64_t k = 0; k < steps; ++k) {
    Context<T> c{t, p, block, hparams, seed, step + k, false};
    begin_step(c);
    run_list(c, p.step, p.step_count);
    if (records) {
      write_record(c, records);
      records += p.record_size;
      t.sync(); // the next step clears the slab
    }
    if (c.stopped) return {k + 1, true};
  }
  return {steps, false};
}

// Ops [first, last) of the step list, or of the start list, on the block as it stands.
template <class T>
POLARSCOPE_FN void run_range(T& t, const Program& p, typename T::Real* block, const double* hparams,
                             std::uint64_t seed, std::uint64_t step, const OpRange& range) {
  Context<T> c{t, p, block, hparams, seed, step, range.starting};
  if (range.fresh) begin_step(c);
  run_list(c, (range.starting ? p.start : p.step) + range.first, range.last - range.first);
}

POLARSCOPE_KERNELS_END
