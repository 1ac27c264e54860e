#include "engine/write_file.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace polarscope {
namespace {

Error failure(const std::string& path, int reason) {
  const std::string message = std::string("cannot write: ") + std::strerror(reason);
  const bool full = reason == ENOSPC || reason == EDQUOT || reason == EIO || reason == EFBIG;
  Error error = full ? machine_lacks(message) : bad_input(message);
  error.place.file = path;
  return error;
}

// 0, or errno.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

Result<void> write_in_place(const std::string& path, std::string_view bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return failure(path, errno);
  int reason = write_all(descriptor, bytes);
  if (::close(descriptor) != 0 && reason == 0) reason = errno;
  if (reason) return failure(path, reason);
  return {};
}

// Behind symbolic links, so that renaming replaces the file and not the link.
std::string target_of(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (!resolved) return path;
  std::string target = resolved;
  std::free(resolved);
  return target;
}

} // namespace

Result<void> write_file(const std::string& path, std::string_view bytes) {
  if (path == "-") {
    if (const int reason = write_all(STDOUT_FILENO, bytes)) return failure("standard output", reason);
    return {};
  }
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return failure(path, EISDIR);
  if (exists && !S_ISREG(status.st_mode)) return write_in_place(path, bytes);

  const std::string target = target_of(path);
  const std::string temporary = target + "." + std::to_string(::getpid()) + ".tmp";
  const mode_t mode = exists ? status.st_mode & 07777 : 0666;
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (descriptor < 0) return failure(path, errno);
  int reason = write_all(descriptor, bytes);
  if (::close(descriptor) != 0 && reason == 0) reason = errno;
  if (reason == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) reason = errno;
  if (reason == 0) return {};
  ::unlink(temporary.c_str());
  return failure(path, reason);
}

} // namespace polarscope
