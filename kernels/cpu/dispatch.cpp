#include "kernels/cpu/execute.hpp"
#include "kernels/small.hpp"

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
namespace v2_small {
extern const SmallExecutor kSmallExecutor;
}
namespace v3_small {
extern const SmallExecutor kSmallExecutor;
}
namespace v4_small {
extern const SmallExecutor kSmallExecutor;
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

const SmallExecutor* small_executor(const char* isa) {
  return !std::strcmp(isa, "v4")   ? &v4_small::kSmallExecutor
         : !std::strcmp(isa, "v3") ? &v3_small::kSmallExecutor
                                   : &v2_small::kSmallExecutor;
}

#else

namespace base {
extern const CpuExecutors kExecutors;
}
namespace base_small {
extern const SmallExecutor kSmallExecutor;
}
const CpuExecutors* cpu_executors(const char* isa) { return std::strcmp(isa, "base") ? nullptr : &base::kExecutors; }
const SmallExecutor* small_executor(const char*) { return &base_small::kSmallExecutor; }

#endif

const char* choose_isa(std::uint32_t widest_row) {
#if defined(__x86_64__)
  // Rows of fewer than 16 numbers do not fill a 512-bit vector.
  if (widest_row >= 16 && cpu_executors("v4")) return "v4";
  return cpu_executors("v3") ? "v3" : "v2";
#else
  (void)widest_row;
  return "base";
#endif
}

} // namespace polarscope::kernels
