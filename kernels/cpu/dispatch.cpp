#include "kernels/cpu/execute.hpp"

#include <cstring>

namespace polarscope::kernels {

#if defined(__x86_64__)

namespace v2 {
extern const CpuExecutors kExecutors;
}
namespace v3 {
extern const CpuExecutors kExecutors;
}
namespace v4 {
extern const CpuExecutors kExecutors;
}

const CpuExecutors* cpu_executors(const char* isa) {
  if (!std::strcmp(isa, "v4"))
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512cd")
               ? &v4::kExecutors
               : nullptr;
  if (!std::strcmp(isa, "v3"))
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")
               ? &v3::kExecutors
               : nullptr;
  if (!std::strcmp(isa, "v2")) return &v2::kExecutors;
  return nullptr;
}

#else

namespace base {
extern const CpuExecutors kExecutors;
}
const CpuExecutors* cpu_executors(const char* isa) { return std::strcmp(isa, "base") ? nullptr : &base::kExecutors; }

#endif

const char* choose_isa(std::uint32_t widest_row) {
#if defined(__x86_64__)
  // Rows of at most 16 numbers lose more in horizontal sums on 512-bit vectors than they gain.
  if (widest_row > 16 && cpu_executors("v4")) return "v4";
  return cpu_executors("v3") ? "v3" : "v2";
#else
  (void)widest_row;
  return "base";
#endif
}

} // namespace polarscope::kernels
