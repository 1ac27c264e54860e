// libFuzzer target: any bytes as a .safetensors file are refused or read, by every reader that takes one: the tensors
// themselves, a trace for replay, a checkpoint for inspect. What is read is what the header promised.
#include "engine/inspect.hpp"
#include "engine/safetensors.hpp"
#include "engine/trace.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

namespace {

using namespace polarscope;

void demand(bool held) {
  if (!held) std::abort();
}

// A file that lives in memory, by the name under which it can be opened.
std::string in_memory(const std::uint8_t* data, std::size_t size) {
  static const int descriptor = memfd_create("fuzz", 0);
  demand(descriptor >= 0 && ftruncate(descriptor, 0) == 0);
  demand(pwrite(descriptor, data, size, 0) == static_cast<ssize_t>(size));
  return "/proc/self/fd/" + std::to_string(descriptor);
}

void read_tensors(const SafetensorsFile& file, std::size_t size) {
  for (const TensorInfo& t : file.tensors()) {
    demand(t.begin <= t.end && t.end <= size);
    demand(file.find(t.name) != nullptr);
    const std::uint64_t count = t.elements();
    if (dtype_bytes(t.dtype) > 0) demand(count * dtype_bytes(t.dtype) == t.end - t.begin);
    const auto all = file.read(t, 0, count);
    demand(all.ok() == is_floating(t.dtype));
    if (!all) continue;
    demand(all->size() == count);
    demand(!file.read(t, 0, count + 1).ok() && !file.read(t, count + 1, 0).ok() && !file.read(t, 1, ~0ull).ok());
  }
}

void read_trace(const std::string& path, const std::string& run) {
  const auto trace = Trace::open(path, run);
  if (!trace) return;
  demand((*trace)->steps() > 0 && !(*trace)->parameters().empty());
  for (std::size_t p = 0; p < (*trace)->parameters().size(); ++p) {
    const TraceParameter& parameter = (*trace)->parameters()[p];
    const std::size_t elements = std::size_t{parameter.rows} * parameter.cols;
    demand(parameter.start.size() == elements);
    const long last = (*trace)->steps() - 1;
    const auto gradient = (*trace)->gradients(p, last, 1);
    demand(gradient.ok() && gradient->size() == elements);
  }
}

void inspect(const std::string& path) {
  const auto report = inspect_checkpoints(path, path, [](const std::string&, double) { return true; });
  if (!report) return;
  demand(report->only_in_first.empty() && report->only_in_second.empty() && report->other_shape.empty());
  demand(!inspect_table(*report).empty() && !inspect_json(*report).empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = in_memory(data, size);
  const auto file = SafetensorsFile::open(path);
  if (!file) return 0;
  read_tensors(*file, size);
  std::set<std::string> runs = {""};
  for (const TensorInfo& t : file->tensors())
    if (t.name.starts_with("gradient/")) runs.insert(percent_decoded(t.name.substr(9, t.name.find('/', 9) - 9)));
  for (const std::string& run : runs) read_trace(path, run);
  inspect(path);
  return 0;
}
