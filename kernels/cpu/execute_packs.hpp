// Steps packs of tiny members on the CPU, one member to a vector lane.
#pragma once

#include "kernels/op.hpp"

#include <cstddef>
#include <cstdint>

namespace polarscope::kernels {

// The ops whose bodies run on packs: those of small problems and of optimizers that work element by element.
constexpr bool runs_in_packs(OpCode code) {
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

// A program as packs run it. A member's elements lie in a pack one after the other, without padding.
struct PackProgram {
  Program program;                         // its slots are those of the pack
  const std::uint32_t* elements = nullptr; // of each element in a pack: its offset in a member's own block
  std::uint32_t element_count = 0;
};

struct PackExecutor {
  const char* isa;
  int members; // of a pack
  std::size_t (*memory_bytes)(const PackProgram&);
  // As CpuExecutor::advance for up to `members` members that are at the same step: m[k].step, status and records are those of the
  // member's own block, made[k] the steps it has made. memory: memory_bytes bytes, 64-byte aligned, private to the thread.
  void (*advance)(const PackProgram&, Member* const* m, int count, std::uint64_t steps, void* memory,
                  std::uint64_t* made);
};

// Of one instruction set, as cpu_executors; null where there is none.
const PackExecutor* pack_executor(const char* isa);

} // namespace polarscope::kernels
