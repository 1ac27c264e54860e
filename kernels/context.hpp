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

#include "kernels/math.hpp"
#include "kernels/op.hpp"
#include "kernels/view.hpp"

POLARSCOPE_KERNELS_BEGIN

// The small team (kernels/cpu/small_team.hpp) takes small ops only, whose operands are single rows.
template <class T> inline constexpr bool kSmallOnly = false;
template <class T, OpCode code> inline constexpr bool kRunsOn = true;

template <class T> struct Context {
  using R = typename T::Real;
  using Exact = typename Scalars<R>::Exact;

  T& t;
  const Program& program;
  R* block;
  const Exact* base; // the run's hyperparameters as set by the user
  typename Scalars<R>::Seed seed;
  std::uint64_t step; // completed steps, t − 1: what schedules and random streams take
  bool starting;      // running the start list: nothing has been updated yet

  // Set by the check_finite op: the run stops after this step. Only the executor reads it.
  typename Scalars<R>::Truth stopped{};

  struct Power {
    Exact base{}, value{}; // 0ᵗ
  };
  Power powers[2] = {};
  int oldest = 0;

  POLARSCOPE_FN Mat<R> mat(std::uint16_t id) const {
    const Slot& s = program.slots[id];
    const std::uint32_t ld = kSmallOnly<T> ? s.cols : s.ld; // without the padding
    return {block + s.offset, static_cast<int>(s.rows), static_cast<int>(s.cols), static_cast<int>(ld)};
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
  POLARSCOPE_FN Exact exact_hp(const Op& op, int k) const {
    const R now = hp(op, k);
    const Exact set = base[op.hparam[k]];
    return sel(static_cast<R>(set) == now, set, static_cast<Exact>(now));
  }
  POLARSCOPE_FN R hp_or(const Op& op, int k, R otherwise) const {
    return op.hparam[k] == kNone ? otherwise : hp(op, k);
  }
  // βᵗ with t the number of this step. Ops of one kind ask for the same powers parameter after parameter: the CPU keeps two.
  POLARSCOPE_FN Exact power(Exact beta) {
#if defined(__CUDA_ARCH__)
    return pow_(beta, static_cast<double>(step + 1));
#else
    for (Power& p : powers)
      if (!any_(p.base != beta)) return p.value;
    powers[oldest] = {beta, pow_(beta, static_cast<double>(step + 1))};
    oldest ^= 1;
    return powers[oldest ^ 1].value;
#endif
  }
  POLARSCOPE_FN double constant(const Op& op, int k) const { return program.constants[op.constant + k]; }
};

POLARSCOPE_KERNELS_END
