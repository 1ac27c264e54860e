#include "engine/files.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace polarscope {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBuffer = 1 << 16;
constexpr int kMostNames = 1000; // tried for a temporary file

// The disk's trouble is the machine's, the name's trouble is the user's.
ErrorKind kind_of(int error) {
  return error == ENOSPC || error == EDQUOT || error == EIO || error == EFBIG ? ErrorKind::machine_lacks
                                                                              : ErrorKind::bad_input;
}

// The temporary files of this process, for remove_unfinished_files(); a handler can neither lock nor allocate.
constexpr std::size_t kMostUnfinished = 16;
std::atomic<char*> unfinished[kMostUnfinished];
static_assert(std::atomic<char*>::is_always_lock_free, "read from a signal handler");

void remember_unfinished(const std::string& name) {
  char* copy = ::strdup(name.c_str());
  for (std::atomic<char*>& place : unfinished)
    if (char* none = nullptr; place.compare_exchange_strong(none, copy)) return;
  std::free(copy);
}

void forget_unfinished(const std::string& name) {
  for (std::atomic<char*>& place : unfinished)
    if (char* held = place.load(); held && name == held && place.compare_exchange_strong(held, nullptr))
      return std::free(held);
}

class Descriptor {
public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

private:
  int fd_;
};

// The process in the name "<name>.<process>.part" of a temporary file; 0 of any other name.
pid_t writer_in(std::string_view file, std::string_view name) {
  constexpr std::string_view kEnd = ".part";
  if (!file.starts_with(name) || !file.ends_with(kEnd) || file.size() < name.size() + kEnd.size() + 2) return 0;
  const std::string_view number = file.substr(name.size() + 1, file.size() - name.size() - kEnd.size() - 1);
  if (file[name.size()] != '.' || number.front() < '1' || number.front() > '9') return 0;
  pid_t process = 0;
  const char* const end = number.data() + number.size();
  const auto [rest, error] = std::from_chars(number.data(), end, process);
  return error == std::errc() && rest == end ? process : 0;
}

// A writer locks its temporary file: where it lives in a container or on another machine its number says nothing here.
bool is_being_written(const std::string& file) {
  const Descriptor opened(::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) return true; // or not ours
  return ::flock(opened.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// Removes the temporary files of this target whose processes were killed.
void remove_left_behind(const fs::path& target) {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const std::string name = target.filename().string();
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const pid_t writer = writer_in(it->path().filename().string(), name);
    if (writer == 0 || ::kill(writer, 0) == 0 || errno != ESRCH) continue;
    const std::string file = it->path().string();
    if (!is_being_written(file)) ::unlink(file.c_str());
  }
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

} // namespace

Result<std::string> read_file(const std::string& path, std::size_t most) {
  const auto fail = [&](int error) { return bad_input(std::strerror(error), {path}); };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return fail(errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail(errno);
  if (S_ISDIR(status.st_mode)) return bad_input("is a folder, not a file", {path});
  std::string text;
  std::vector<char> chunk(kBuffer);
  for (;;) {
    const ssize_t n = ::read(file.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno);
    if (n == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > most) return bad_input(fmt::format("is larger than {} bytes", most), {path});
  }
}

// ---- writing ------------------------------------------------------------------------------------------------------

Error OutputFile::failure(const char* what) const {
  const int error = errno;
  return {kind_of(error), {path_ == "-" ? "stdout" : path_}, fmt::format("{}: {}", what, std::strerror(error))};
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), descriptor_(other.descriptor_),
      buffer_(std::move(other.buffer_)) {
  other.descriptor_ = -1;
  other.temporary_.clear();
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0 && descriptor_ != STDOUT_FILENO) ::close(descriptor_);
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  forget_temporary();
}

void OutputFile::forget_temporary() {
  forget_unfinished(temporary_);
  temporary_.clear();
}

void remove_unfinished_files() {
  for (std::atomic<char*>& place : unfinished)
    if (const char* name = place.exchange(nullptr)) ::unlink(name);
}

Result<OutputFile> OutputFile::open(const std::string& path) {
  OutputFile out;
  out.path_ = path;
  if (path == "-") {
    out.descriptor_ = STDOUT_FILENO;
    return out;
  }
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    return out.failure("cannot write");
  }
  if (exists && !S_ISREG(status.st_mode)) {
    out.descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (out.descriptor_ < 0) return out.failure("cannot write");
    return out;
  }
  if (exists && ::access(path.c_str(), W_OK) != 0) return out.failure("cannot write");
  std::error_code ignored; // a link keeps pointing at what it names
  const fs::path target = fs::is_symlink(path, ignored) ? fs::canonical(path, ignored) : fs::path(path);
  if (!target.empty()) out.path_ = target.string();
  std::string name = fmt::format("{}.{}.part", out.path_, ::getpid());
  const auto create = [&] { return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); };
  out.descriptor_ = create();
  // Numbers of processes come again: a killed one of the same number may have left its file, which is not ours to remove.
  for (int k = 2; out.descriptor_ < 0 && errno == EEXIST && k <= kMostNames; ++k) {
    name = fmt::format("{}.{}.{}.part", out.path_, ::getpid(), k);
    out.descriptor_ = create();
  }
  if (out.descriptor_ < 0) return out.failure("cannot write");
  out.temporary_ = name;
  remember_unfinished(name);
  ::flock(out.descriptor_, LOCK_EX | LOCK_NB); // until it is closed; see is_being_written
  remove_left_behind(out.path_);
  if (exists) ::fchmod(out.descriptor_, status.st_mode & 07777);
  return out;
}

Result<void> OutputFile::flush() {
  const bool ok = write_all(descriptor_, buffer_);
  buffer_.clear();
  if (!ok) return failure("cannot write");
  return {};
}

Result<void> OutputFile::write(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() < kBuffer) return {};
  return flush();
}

Result<void> OutputFile::commit() {
  if (auto done = flush(); !done) return done;
  if (temporary_.empty()) {
    if (descriptor_ == STDOUT_FILENO) return {};
    const int fd = descriptor_;
    descriptor_ = -1;
    if (::close(fd) != 0) return failure("cannot write");
    return {};
  }
  if (::fsync(descriptor_) != 0) return failure("cannot write");
  const int fd = descriptor_;
  descriptor_ = -1;
  if (::close(fd) != 0) return failure("cannot write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failure("cannot rename");
  forget_temporary();
  return {};
}

Result<void> write_file(const std::string& path, std::string_view text) {
  auto file = OutputFile::open(path);
  if (!file) return file.error();
  if (auto done = file->write(text); !done) return done;
  return file->commit();
}

// ---- looking around -----------------------------------------------------------------------------------------------

std::vector<std::string> installed_folders() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const fs::path here = program.parent_path();
  std::vector<std::string> out;
  for (const fs::path& folder :
       {here, here.parent_path(), here.parent_path().parent_path(), here.parent_path() / "share" / "polarscope"})
    if (fs::is_directory(folder / "scenes", error)) out.push_back(folder.string());
  return out;
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::vector<std::string> toml_files_below(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->path().extension() == ".toml" && it->is_regular_file(ignored))
      out.push_back(it->path().lexically_relative(folder).generic_string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace polarscope
