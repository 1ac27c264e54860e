// The one loop that every executor runs: for each step, for each op, the body. A template over the team.
#pragma once

#include "kernels/ops/all.hpp"

POLARSCOPE_KERNELS_BEGIN

// A body by itself: on the CPU each has registers of its own, on CUDA all stand in one switch.
#define POLARSCOPE_OP(name, slots, flops, doc)                                                                         \
  template <class T> POLARSCOPE_ONCE void run_##name(Context<T>& c, const Op& op) { ops::name(c, op); }
#include "kernels/ops.def"
#undef POLARSCOPE_OP

template <class T> POLARSCOPE_FN void run_op(Context<T>& c, const Op& op) {
  switch (op.code) {
#define POLARSCOPE_OP(name, slots, flops, doc)                                                                         \
  case OpCode::name:                                                                                                   \
    if constexpr (kRunsOn<T, OpCode::name>) run_##name(c, op);                                                         \
    break;
#include "kernels/ops.def"
#undef POLARSCOPE_OP
  case OpCode::count_: break;
  }
}

// Runs a list of ops for the step that finishes as number t = c.step + 1 (0 for the start list).
template <class T> POLARSCOPE_ONCE void run_list(Context<T>& c, const Op* ops, std::uint32_t count) {
  const std::uint64_t t = c.starting ? 0 : c.step + 1;
  for (std::uint32_t k = 0; k < count; ++k) {
    if constexpr (requires { c.t.run_small(c, ops, count); }) { // the small team's turn
      k += c.t.run_small(c, ops + k, count - k);
      if (k == count) return;
    }
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
  const auto* base = c.base;
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
  const std::uint64_t completed = c.starting ? c.step : c.step + 1;
  if (completed % c.program.recorded_every != 0) return;
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

// What to run: ops in order, `steps` times.
struct Task {
  const Op* ops;
  std::uint32_t count;
  bool starting; // the start list: once, before step 1
  bool fresh;    // each time begins as a step does
  std::uint64_t steps;
};

POLARSCOPE_FN Task start_task(const Program& p) { return {p.start, p.start_count, true, true, 1}; }
POLARSCOPE_FN Task step_task(const Program& p, std::uint64_t steps) {
  return {p.step, p.step_count, false, true, steps};
}
POLARSCOPE_FN Task range_task(const Program& p, const OpRange& r) {
  return {(r.starting ? p.start : p.step) + r.first, r.last - r.first, r.starting, r.fresh, 1};
}

// What came of a task, the same in every lane.
struct Burst {
  std::uint64_t made; // steps
  bool stopped;       // the last of them was not finite
};

// Runs a task after step number `step`; one record each time when `records` is not null. The only way into the bodies,
// so that an executor which inlines them all holds one copy.
template <class T>
POLARSCOPE_FN Burst run_task(T& t, const Program& p, typename T::Real* block, const double* hparams, std::uint64_t seed,
                             std::uint64_t step, const Task& task, typename T::Real* records) {
  for (std::uint64_t k = 0; k < task.steps; ++k) {
    Context<T> c{t, p, block, hparams, seed, step + k, task.starting};
    if (task.fresh) begin_step(c);
    run_list(c, task.ops, task.count);
    if (records) {
      write_record(c, records);
      records += p.record_size;
      t.sync(); // the next step clears the slab
    }
    if (c.stopped) return {k + 1, true};
  }
  return {task.steps, false};
}

POLARSCOPE_KERNELS_END
