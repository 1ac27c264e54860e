#include "tests/support/xvfb.hpp"

#include <cstdlib>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

Xvfb::Xvfb() {
  int ends[2];
  if (::pipe(ends) != 0) return;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const int quiet = ::open("/dev/null", O_WRONLY);
    ::dup2(quiet, STDERR_FILENO);
    const std::string descriptor = std::to_string(ends[1]);
    ::execlp("Xvfb", "Xvfb", "-displayfd", descriptor.c_str(), "-screen", "0", "1280x800x24", "-nolisten", "tcp",
             nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  // The server writes its display's number when it is ready, and closes the pipe when it cannot start.
  std::string number;
  for (char c; child > 0 && ::read(ends[0], &c, 1) == 1 && c != '\n';) number += c;
  ::close(ends[0]);
  if (child > 0 && number.empty()) ::waitpid(child, nullptr, 0);
  if (child < 0 || number.empty()) return;
  process_ = child;
  if (const char* old = std::getenv("DISPLAY")) old_display_ = old;
  ::setenv("DISPLAY", (":" + number).c_str(), 1);
}

Xvfb::~Xvfb() {
  if (process_ <= 0) return;
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
  if (old_display_.empty()) ::unsetenv("DISPLAY");
  else ::setenv("DISPLAY", old_display_.c_str(), 1);
}
