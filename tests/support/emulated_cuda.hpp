// A CUDA module without a GPU: its functions on host memory, members stepped by the emulated block. What stands above the
// module (engine/backend_cuda, conform) is tested with it.
#pragma once

#include "kernels/cuda/module.h"

namespace polarscope::test {

const kernels::CudaModule& emulated_cuda();

} // namespace polarscope::test
