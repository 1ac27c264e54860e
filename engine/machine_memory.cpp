#include "engine/machine_memory.hpp"

#include "engine/files.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

namespace polarscope {

namespace {

constexpr std::size_t kMostText = 1 << 16;

// The number in a file; no limit where there is none ("max", or no such file).
double limit_in(const std::string& file) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const auto text = read_file(file, kMostText);
  if (!text) return kNone;
  unsigned long long bytes = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), bytes);
  return error == std::errc() && end != text->data() ? static_cast<double>(bytes) : kNone;
}

// The least limit of a group and of those around it: `path` below `mount`, "/a/b" or "/".
double limit_along(const std::string& mount, std::string path, const char* name) {
  double least = std::numeric_limits<double>::infinity();
  while (true) {
    if (path == "/") path.clear();
    least = std::min(least, limit_in(mount + path + "/" + name));
    if (path.empty()) return least;
    const auto slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
}

bool has_word(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string one; std::getline(words, one, ',');)
    if (one == word) return true;
  return false;
}

} // namespace

// A line of /proc/self/cgroup is "number:controllers:path"; without controllers it is of version 2.
double machine_memory(const std::string& root) {
  double bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const auto groups = read_file(root + "/proc/self/cgroup", kMostText);
  if (!groups) return bytes;
  std::istringstream lines(*groups);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    const std::string mount = root + "/sys/fs/cgroup";
    if (controllers.empty()) bytes = std::min(bytes, limit_along(mount, path, "memory.max"));
    else if (has_word(controllers, "memory"))
      bytes = std::min(bytes, limit_along(mount + "/memory", path, "memory.limit_in_bytes"));
  }
  return bytes;
}

} // namespace polarscope
