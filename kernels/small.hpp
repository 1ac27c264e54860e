// Small ops: those whose operands are single rows of a few numbers, as of weights on a circle or a sphere.
//
// The CPU computes them with bodies of their own (small_team.hpp), which round the same whether a number stands by itself or
// is one lane of a vector whose lanes are members. Many small members are therefore stepped side by side, a pack at a time,
// and each has the bits that it has alone. Whether an op is small depends on nothing but itself and its operands' shapes.
#pragma once

#include "kernels/op.hpp"

#include <cstddef>
#include <cstdint>

namespace polarscope::kernels {

inline constexpr std::uint32_t kMostSmall = 7; // numbers of an operand
inline constexpr int kMostMembers = 16;        // of a pack

// The ops whose bodies the small team takes: they choose with sel(), and add in a fixed order.
constexpr bool has_small_body(OpCode code) {
  switch (code) {
  case OpCode::circle_loss:
  case OpCode::sphere_loss:
  case OpCode::quadratic_loss:
  case OpCode::tangent_noise:
  case OpCode::gradient_tangency:
  case OpCode::copy:
  case OpCode::apply_update:
  case OpCode::apply_decayed:
  case OpCode::add_scaled:
  case OpCode::sign:
  case OpCode::newton_schulz:
  case OpCode::band_violation:
  case OpCode::scale_rows_columns:
  case OpCode::gain_values:
  case OpCode::gain_adam:
  case OpCode::gain_decay:
  case OpCode::gain_floor:
  case OpCode::gain_gradients:
  case OpCode::row_magnitude_split:
  case OpCode::row_magnitude_join:
  case OpCode::trust_ratio:
  case OpCode::remove_along:
  case OpCode::tangency_violation:
  case OpCode::slice_norms:
  case OpCode::to_norms:
  case OpCode::norm_violation:
  case OpCode::tangent:
  case OpCode::momentum:
  case OpCode::adam:
  case OpCode::lion:
  case OpCode::schedule:
  case OpCode::fill:
  case OpCode::check_finite:
  case OpCode::weight_motion:
  case OpCode::effective_lr: return true;
  default: return false;
  }
}

// What Op::small says.
inline bool is_small(const Op& op, const Slot* slots) {
  for (const std::uint16_t s : op.slot)
    if (s != kNone && (slots[s].rows != 1 || slots[s].cols > kMostSmall)) return false;
  return has_small_body(op.code);
}

// A program of nothing but small ops as packs run it: a member's elements lie one after the other, without padding.
struct PackProgram {
  Program program;                         // its slots are those of the pack
  const std::uint32_t* elements = nullptr; // of each element in a pack: its offset in a member's own block
  std::uint32_t element_count = 0;
};

struct SmallExecutor {
  // Runs small ops of one member for the step after `step`. Returns whether the run stops after this step.
  bool (*run)(const Program&, float* block, const double* hparams, std::uint64_t seed, std::uint64_t step,
              bool starting, const Op* ops, std::uint32_t count);
  int members; // of a pack, at most kMostMembers; 0: there are no packs
  std::size_t (*pack_bytes)(const PackProgram&);
  // As CpuExecutor::advance for up to `members` members that are at the same step; made[k]: the steps that m[k] has made.
  // memory: pack_bytes bytes, 64-byte aligned, private to the thread.
  void (*advance)(const PackProgram&, Member* const* m, int count, std::uint64_t steps, void* memory,
                  std::uint64_t* made);
};

// Of one instruction set, as cpu_executors.
const SmallExecutor* small_executor(const char* isa);

} // namespace polarscope::kernels
