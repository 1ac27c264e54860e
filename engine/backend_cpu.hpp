// The CPU as a device: one member per thread at a time, its block private, stepped K times before the next member. Where members
// are fewer than threads and steps are long, several threads step one member together; small members are stepped in packs, one to a
// vector lane, with the bits that each has alone.
#pragma once

#include "engine/backend.hpp"

namespace polarscope {

// `threads` 0 = one per core. `isa` "" = by the fixed rule of kernels::choose_isa, else v2 | v3 | v4.
Result<std::unique_ptr<Backend>> open_cpu_backend(int threads, const std::string& isa);

// How many threads can step a member together and be the faster for it: a fixed rule on the program's shape. Results do not
// depend on it.
int most_lanes(const StepProgram& program);

// "CPU, AVX-512": what this machine's widest executor is called.
std::string cpu_description();

} // namespace polarscope
