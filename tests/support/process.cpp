#include "tests/support/process.hpp"

#include "tests/support/sanitized.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>
#include <cassert>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace polarscope::test {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void become(const std::vector<std::string>& command, const ProcessOptions& options, int out, int err) {
  if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(127);
  if (!options.out_file.empty()) out = ::open(options.out_file.c_str(), O_WRONLY);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) ::signal(signal, SIG_DFL); // a parent under nohup ignores some
  std::vector<char*> arguments;
  for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

// Reads both pipes until they close; sends SIGINT and, much later, SIGKILL when their time has come.
void pump(int out, int err, pid_t child, const ProcessOptions& options, Outcome& outcome) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  auto counted_from = start;
  bool ready = !options.ready;
  std::vector<int> interrupts; // still to be sent, the next one last
  for (const int at : {options.interrupt_again_after_ms, options.interrupt_after_ms})
    if (at >= 0) interrupts.push_back(at);
  std::array<pollfd, 2> pipes = {{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  bool signalled = !options.signal_when;
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    ::poll(pipes.data(), pipes.size(), signalled ? 20 : 2);
    if (!signalled && options.signal_when()) {
      ::kill(child, options.signal);
      signalled = true;
    }
    if (!ready && options.ready()) {
      ready = true;
      counted_from = Clock::now();
    }
    const auto since = [](Clock::time_point from) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - from).count();
    };
    const auto passed = since(start);
    if (ready && !interrupts.empty() && since(counted_from) >= interrupts.back()) {
      ::kill(child, SIGINT);
      interrupts.pop_back();
    }
    if (passed > (kSanitized ? 1'200'000 : 120'000)) ::kill(child, SIGKILL);
    for (std::size_t i = 0; i < 2; ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
      std::array<char, 4096> chunk;
      const ssize_t n = ::read(pipes[i].fd, chunk.data(), chunk.size());
      if (n > 0) (i == 0 ? outcome.out : outcome.err).append(chunk.data(), static_cast<std::size_t>(n));
      else pipes[i].fd = -1;
    }
  }
}

} // namespace

Outcome run_process(const std::vector<std::string>& command, const ProcessOptions& options) {
  int out[2], err[2];
  const bool piped = ::pipe2(out, O_CLOEXEC) == 0 && ::pipe2(err, O_CLOEXEC) == 0;
  assert(piped);
  (void)piped;
  const pid_t child = ::fork();
  if (child == 0) become(command, options, out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  Outcome outcome;
  pump(out[0], err[0], child, options, outcome);
  ::close(out[0]);
  ::close(err[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "polarscope-test-XXXXXX").string();
  const char* made = ::mkdtemp(name.data());
  assert(made);
  path_ = made;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::permissions(path_, fs::perms::owner_all, ignored);
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& text) const {
  const std::string path = path_ + "/" + name;
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::vector<std::string> TemporaryFolder::names() const {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(path_)) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

} // namespace polarscope::test
