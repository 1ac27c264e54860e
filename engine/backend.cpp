// The list of devices and how one is chosen by name.
#include "engine/backend.hpp"

#include "engine/backend_cpu.hpp"
#include "engine/backend_cuda.hpp"

#include <fmt/format.h>

namespace polarscope {

std::vector<DeviceInfo> devices() {
  const CudaDevice& cuda = cuda_device();
  return {{"cpu", cpu_description(), true, ""},
          {"cuda", cuda.module ? cuda.description : "CUDA", cuda.module != nullptr, cuda.why_not}};
}

Result<std::unique_ptr<Backend>> open_backend(const std::string& device, int threads, const std::string& isa) {
  if (device == "cuda") {
    const CudaDevice& cuda = cuda_device();
    if (!cuda.module) return machine_lacks(cuda.why_not);
    return make_cuda_backend(*cuda.module, cuda.description);
  }
  // auto is the CPU by rule: a few small runs finish there before a launch has begun, and the choice may depend on
  // neither timing nor the number of runs, or the same scene would not give the same bits.
  if (device == "cpu" || device == "auto") return open_cpu_backend(threads, isa);
  return bad_input(fmt::format("unknown device '{}'; cpu, cuda and auto are known", device));
}

} // namespace polarscope
