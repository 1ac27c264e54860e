// What an op body sees: the team that runs it, its operands, the step's number and the run's seed.
//
// A body is a template over the team:
//
//   template <class T> POLARSCOPE_FN void scale_update(Context<T>& c, const Op& op)
//
// and may use only the context, the team and the helpers of kernels/. The team (kernels/cpu/team.hpp is the
// reference; the emulated block and CUDA implement the same) offers, with R = T::Real and Acc = double, the type sums
// are accumulated in:
//
//   t.for_each(n, f)        f(i) for i in [0, n), independent of each other; no barrier at the end
//   t.rows(m, f)            f(sub, i) for each row i; sub is a team for one row: for_each, sum, max, single, sync
//   t.sum(n, f) → Acc       Σ f(i) over a fixed tree, the same value in every lane; barriers inside. Terms of type Acc are
//                           added in Acc, terms of type R in R over a few dozen at most and from there on in Acc
//   t.sums(n, f)            N sums in one pass: f(i) is a Numbers<R, N>, the result a Numbers<Acc, N>; each sum is what sum
//                           gives; N is at most 7
//   t.max(n, f) → R         max f(i), likewise; 0 for n = 0
//   t.single(f)             one lane runs f: writes of scalars
//   t.sync()                between a write and a read of the same memory by different lanes
//   t.scratch(rows, cols)   a Mat<R> from the team's arena, until the op ends: padding zero, the rest anything; every lane calls it
//   t.matmul(C, A, B, args) no barrier at the end
//   t.pad(n)                a promise to the compiler that n is a whole number of vectors; elsewhere n itself
//
// Lane rules: memory written inside for_each / rows / single / matmul may be read by other lanes only after
// sync(); the executor calls sync() after every op. Loops over Mat::size() include padding, so the function must
// give 0 for zero inputs there, or loop over cols instead.
#pragma once

#include "kernels/op.hpp"
#include "kernels/view.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class T> struct Context {
  using R = typename T::Real;

  T& t;
  const Program& program;
  R* block;
  const double* base; // the run's hyperparameters as set by the user
  std::uint64_t seed;
  std::uint64_t step; // completed steps, t − 1: what schedules and random streams take
  bool starting;      // running the start list: nothing has been updated yet

  // Set by the check_finite op: the run stops after this step. Only the executor reads it.
  bool stopped = false;

  POLARSCOPE_FN Mat<R> mat(std::uint16_t id) const {
    const Slot& s = program.slots[id];
    return {block + s.offset, static_cast<int>(s.rows), static_cast<int>(s.cols), static_cast<int>(s.ld)};
  }
  POLARSCOPE_FN Mat<R> mat(const Op& op, int k) const { return mat(op.slot[k]); }
  POLARSCOPE_FN bool has(const Op& op, int k) const { return op.slot[k] != kNone; }
  POLARSCOPE_FN R* ptr(const Op& op, int k) const { return block + program.slots[op.slot[k]].offset; }
  // Columns of the metric slab, from op.word on: where a metric op writes what it measured.
  POLARSCOPE_FN R* metric(const Op& op) const { return block + program.slots[program.metric_slot].offset + op.word; }
  // Current value of a hyperparameter, after schedules. Slot 0 is the row of current values.
  POLARSCOPE_FN R hp(const Op& op, int k) const { return block[program.slots[0].offset + op.hparam[k]]; }
  // The same without the rounding to R, for differences from 1: the base value, which is a double, unless a schedule has
  // changed it.
  POLARSCOPE_FN double exact_hp(const Op& op, int k) const {
    const R now = hp(op, k);
    const double set = base[op.hparam[k]];
    return static_cast<R>(set) == now ? set : static_cast<double>(now);
  }
  POLARSCOPE_FN R hp_or(const Op& op, int k, R otherwise) const {
    return op.hparam[k] == kNone ? otherwise : hp(op, k);
  }
  POLARSCOPE_FN double constant(const Op& op, int k) const { return program.constants[op.constant + k]; }
};

POLARSCOPE_KERNELS_END
