// The program as the command line's tests run it.
#pragma once

#include "tests/support/process.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace polarscope::test {

// In the source's folder, where options name no other.
inline Outcome program(std::vector<std::string> arguments, ProcessOptions options = {}) {
  if (options.folder.empty()) options.folder = POLARSCOPE_SOURCE_DIR;
  arguments.insert(arguments.begin(), POLARSCOPE_PROGRAM);
  return run_process(arguments, options);
}

inline bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline long lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

} // namespace polarscope::test
