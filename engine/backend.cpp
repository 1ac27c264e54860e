// The list of devices and how one is chosen by name.
#include "engine/backend.hpp"

#include "engine/backend_cpu.hpp"

#include <fmt/format.h>

namespace polarscope {

std::vector<DeviceInfo> devices() { return {{"cpu", cpu_description(), true, ""}}; }

Result<std::unique_ptr<Backend>> open_backend(const std::string& device, int threads, const std::string& isa) {
  if (device == "cpu" || device == "auto") return open_cpu_backend(threads, isa);
  for (const DeviceInfo& d : devices())
    if (d.name == device && !d.available) return machine_lacks(fmt::format("no {}: {}", device, d.why_not));
  return bad_input(fmt::format("unknown device '{}'; cpu and auto are known", device));
}

} // namespace polarscope
