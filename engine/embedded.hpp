// Files compiled into the program: scenes/**/*.toml, assets/**/*.toml and assets/data, named by their path in the
// repository ("scenes/first_look.toml"), so that the program works from any folder.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace polarscope {

struct EmbeddedFile {
  const unsigned char* data = nullptr; // null: no such file
  std::size_t size = 0;                // bytes

  explicit operator bool() const { return data != nullptr; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data), size}; }
};

// The file of that name, or one that is false.
EmbeddedFile embedded_file(std::string_view name);

// All names, sorted.
std::vector<std::string_view> embedded_file_names();

} // namespace polarscope
