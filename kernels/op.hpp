// The instruction of a step program and what an executor needs to run it. Plain data, shared by every executor
// (CPU per instruction set, emulated block, CUDA), trivially copyable.
#pragma once

#include <cstdint>

namespace polarscope::kernels {

enum class OpCode : std::uint8_t {
#define POLARSCOPE_OP(name, slots, flops, doc) name,
#include "kernels/ops.def"
#undef POLARSCOPE_OP
  count_
};

inline constexpr std::uint16_t kNone = 0xFFFF; // "no slot", "no hyperparameter"

inline constexpr std::uint32_t kNoLoss = 0xFFFFFFFF; // word of check_finite where gradients come from no loss

// The options of the product op's word, and rms_rows_backward's.
inline constexpr std::uint32_t kTransposeA = 1, kTransposeB = 2, kProductRelu = 4, kSymmetric = 8, kStepRowsA = 16,
                               kStepRowsB = 32;
inline constexpr std::uint32_t kReluMask = 1;

inline constexpr int kMostLanczosSteps = 32; // of the spectrum op: rows of its scratch

// A row-major matrix inside a member's block. Elements (i, j) with cols ≤ j < ld are padding and stay zero.
struct Slot {
  std::uint32_t offset; // of element (0, 0) from the block's start, in elements
  std::uint32_t rows, cols;
  std::uint32_t ld; // elements from row to row: CPU a multiple of 64 bytes
};
static_assert(sizeof(Slot) == 16);

// One instruction. What slot[k], hparam[k], word and the constants mean is said beside each body (kernels/ops).
struct Op {
  OpCode code = OpCode::count_;
  bool small = false;      // kernels/small.hpp
  std::uint16_t every = 1; // run when the finished step's number t is a multiple of this; row 0 always
  std::uint16_t slot[6] = {kNone, kNone, kNone, kNone, kNone, kNone};
  std::uint16_t hparam[4] = {kNone, kNone, kNone, kNone};
  std::uint32_t word = 0;     // flags or a small integer
  std::uint32_t constant = 0; // first of this op's constants in Program::constants
};
static_assert(sizeof(Op) == 32);

// A compiled program as an executor sees it: views into memory owned by engine's StepProgram.
struct Program {
  const Op* start = nullptr; // run once, at step 0: optimizer state, metrics of row 0
  std::uint32_t start_count = 0;
  const Op* step = nullptr; // run once per step
  std::uint32_t step_count = 0;
  const Slot* slots = nullptr;
  std::uint32_t slot_count = 0;
  const double* constants = nullptr;
  std::uint32_t constant_count = 0;
  std::uint32_t hparam_count = 0;          // slot 0 holds the current value of each, as scalars
  std::uint32_t metric_slot = 0;           // 1 × metric columns: what is recorded after each step
  const std::uint16_t* recorded = nullptr; // slots copied into each record after the metrics, without padding
  std::uint32_t recorded_count = 0;
  std::uint32_t recorded_every = 1; // completed steps; in records of the others the slots' room is left as it is
  std::uint32_t record_size = 0;  // scalars in a record: metric columns + recorded slots
  std::uint32_t scratch_size = 0; // scalars of team scratch that the widest op needs
};

// Part of a program's step list (or start list), for looking at single ops.
struct OpRange {
  std::uint32_t first = 0, last = 0;
  bool fresh = true;     // begin as a step does: current hyperparameters from the base row, metrics not recorded
  bool starting = false; // of the start list
};

enum class MemberStatus : std::uint32_t { ok = 0, diverged = 1 };

// One run of an ensemble, as an executor sees it.
struct Member {
  void* block = nullptr;           // layout of Program::slots, 64-byte aligned
  const double* hparams = nullptr; // base values, one per column; edited only between bursts
  std::uint64_t seed = 0;
  std::uint64_t step = 0; // completed steps
  MemberStatus status = MemberStatus::ok;
  std::uint32_t reserved = 0;
  std::uint64_t diverged_at = 0; // the step whose loss or norm was not finite; valid when status says so
  void* records = nullptr;       // room for `steps` records of record_size scalars, step after step; may be null
};

} // namespace polarscope::kernels
