// How much main memory this process may use.
#pragma once

#include <string>

namespace polarscope {

// Bytes: of the machine, or of the control group that the process is in (a container, a service) and those around it,
// where these allow less. `root`: of the file system, another one in tests.
double machine_memory(const std::string& root = "");

inline constexpr double kUsableMemory = 0.8; // of the machine's: the rest is for others

} // namespace polarscope
