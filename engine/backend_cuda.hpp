// The GPU as a device, through the optional CUDA module that lies beside the program (kernels/cuda/module.h).
#pragma once

#include "engine/backend.hpp"

namespace polarscope::kernels {
struct CudaModule;
}

namespace polarscope {

// The module, when it was built, loads and finds a GPU with a driver; asked for once per process.
struct CudaDevice {
  const kernels::CudaModule* module = nullptr; // null: there is none
  std::string description;                     // "CUDA, NVIDIA H100, 132 multiprocessors"
  std::string why_not;                         // one line when there is none
};
const CudaDevice& cuda_device();

// A backend on top of a module's functions. A device that fails in the middle of a run has lost it; one that lacks memory
// for another member, or for looking at a plane, only refuses that.
std::unique_ptr<Backend> make_cuda_backend(const kernels::CudaModule& module, std::string description);

} // namespace polarscope
