// Steps members on the CPU: one entry per instruction set and precision, chosen at run time.
#pragma once

#include "kernels/op.hpp"

#include <cstddef>
#include <cstdint>

namespace polarscope::kernels {

struct CpuLanes;

// Where a thread works. `scratch`: program.scratch_size scalars, 64-byte aligned. Several threads step one member together when
// each makes the same call as another lane of the same `lanes`, with the same scratch; the bits are those of one thread.
struct CpuPlace {
  CpuPlace(void* own_scratch) : scratch(own_scratch) {}
  CpuPlace(void* shared_scratch, CpuLanes& shared, int number)
      : scratch(shared_scratch), lanes(&shared), lane(number) {}

  void* scratch;
  CpuLanes* lanes = nullptr; // none: the thread works alone
  int lane = 0;
};

struct CpuExecutor {
  const char* isa;
  // Runs the start list (member.step must be 0) and writes one record to member.records when it is not null.
  void (*start)(const Program&, Member&, CpuPlace);
  // Makes up to `steps` steps, fewer when the member diverges, or when its lanes are kept from running at the same time; one
  // record per step made. Returns the steps made.
  std::uint64_t (*advance)(const Program&, Member&, std::uint64_t steps, CpuPlace);
  // Runs ops [first, last) of the step list once, at the member's present step, updating nothing else.
  void (*run_range)(const Program&, Member&, std::uint32_t first, std::uint32_t last, CpuPlace);
  // The same with every choice: also ops of the start list, and ops in the middle of a step.
  void (*run_ops)(const Program&, const Member&, const OpRange&, CpuPlace);
};

// C = act(alpha op(A) op(B) + beta D), row-major: op(A) rows × inner, op(B) inner × cols, C and D rows × cols with ld_c.
struct RawMatmul {
  void* c;
  const void* a;
  const void* b;
  const void* d = nullptr;
  int rows, cols, inner;
  int ld_c, ld_a, ld_b;
  bool transpose_a = false, transpose_b = false, relu = false, symmetric = false;
  double alpha = 1, beta = 0;
};

// For benchmarks and tests: pieces of the executor and of the machine by themselves.
struct CpuProbes {
  long flops_f32, flops_f64; // floating-point operations of one round of multiply_add
  double (*multiply_add_f32)(long rounds);
  double (*multiply_add_f64)(long rounds);
  double (*read)(const float* p, long n); // sums n floats, n a multiple of 128
  void (*matmul_f32)(const RawMatmul&);
  void (*matmul_f64)(const RawMatmul&);
};

struct CpuExecutors {
  CpuExecutor f32, f64;
  CpuProbes probes;
};

// The executors of one instruction set, "v2", "v3", "v4" (x86-64 levels) or "base"; null when this build or this
// machine lacks it.
const CpuExecutors* cpu_executors(const char* isa);

// The instruction set for a program: a fixed rule on the machine and the widest row, never on timing or on how many
// members there are, because results differ in the last bits between instruction sets.
const char* choose_isa(std::uint32_t widest_row);

} // namespace polarscope::kernels
