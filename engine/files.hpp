// Reading and writing files: whole or not at all. Results are written under a temporary name beside the target and
// renamed, so that a full disk or an interrupt leaves nothing half-written.
#pragma once

#include "engine/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// The whole file. Refuses folders, unreadable files and files of more than `most` bytes.
Result<std::string> read_file(const std::string& path, std::size_t most);

// A file being written, under another name until it is whole. "-" is stdout; devices and pipes are written directly.
// Opening one removes what killed processes left of the same file.
class OutputFile {
public:
  static Result<OutputFile> open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile(); // removes the temporary file when not committed

  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
  // Flushes to the disk and gives the file its name.
  Result<void> commit();

private:
  OutputFile() = default;
  Error failure(const char* what) const;

  std::string path_, temporary_; // temporary_ "" = written directly
  void forget_temporary();
  int descriptor_ = -1;
  std::vector<std::byte> buffer_;
  Result<void> flush();
};

// The whole text at once.
Result<void> write_file(const std::string& path, std::string_view text);

// Removes the temporary files that are being written. Async-signal-safe, for a handler that ends the program.
void remove_unfinished_files();

// Folders that may hold scenes/, besides the working folder: beside the program and above it (source tree).
std::vector<std::string> installed_folders();

bool file_exists(const std::string& path); // a regular file or a folder

// Regular files named *.toml below a folder, as paths relative to it with '/', sorted; none when it does not exist.
std::vector<std::string> toml_files_below(const std::string& folder);

} // namespace polarscope
