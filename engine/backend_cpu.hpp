// The CPU as a device: one member per thread at a time, its block private, stepped K times before the next member.
#pragma once

#include "engine/backend.hpp"

namespace polarscope {

// `threads` 0 = one per core. `isa` "" = by the fixed rule of kernels::choose_isa, else v2 | v3 | v4.
Result<std::unique_ptr<Backend>> open_cpu_backend(int threads, const std::string& isa);

// "CPU, AVX-512": what this machine's widest executor is called.
std::string cpu_description();

} // namespace polarscope
