// A CUDA module without a GPU: its functions on host memory, members stepped by the emulated block. What stands above the
// module (engine/backend_cuda, conform) is tested with it.
#pragma once

#include "kernels/cuda/module.h"

namespace polarscope::test {

const kernels::CudaModule& emulated_cuda();

// From the call after the next `calls` on, every function of the module fails, until this is asked again; −1: never.
void emulated_cuda_fails_after(int calls);

// Bytes that the blocks of further members may take; −1: as many as they like.
void emulated_cuda_has_memory(long long bytes);

} // namespace polarscope::test
