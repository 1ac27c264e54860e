// Steps members on an emulated thread block: for tests of the op bodies without a GPU.
#pragma once

#include "kernels/emulate/block.hpp"
#include "kernels/op.hpp"

namespace polarscope::kernels {

// As CpuExecutor, for one block shape. `scratch`: program.scratch_size scalars. A member whose lanes could not meet at a
// barrier is left in the middle of the op.
struct EmulatedExecutor {
  BlockOutcome (*start)(const BlockShape&, const Program&, Member&, void* scratch);
  BlockOutcome (*advance)(const BlockShape&, const Program&, Member&, std::uint64_t steps, void* scratch);
  BlockOutcome (*run_ops)(const BlockShape&, const Program&, const Member&, const OpRange&, void* scratch);
};

extern const EmulatedExecutor kEmulatedF32, kEmulatedF64;

} // namespace polarscope::kernels
