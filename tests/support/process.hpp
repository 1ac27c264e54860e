// A child process with its output captured, and a folder that is removed afterwards.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace polarscope::test {

struct Outcome {
  int exit_code = -1; // 128 + signal when a signal ended it
  std::string out, err;
};

struct ProcessOptions {
  std::string folder = {};           // working folder; "" = this process's
  std::string out_file = {};         // where stdout goes instead of being captured
  int interrupt_after_ms = -1;       // SIGINT after this time
  int interrupt_again_after_ms = -1; // a second one
  std::function<bool()> ready = {};  // both count from when this first says so, instead of from the start
  int signal = 0;                    // sent once `signal_when` says so, which is asked every few milliseconds
  std::function<bool()> signal_when = {};
};

// Runs a program found by path and waits for it; after two minutes it is killed.
Outcome run_process(const std::vector<std::string>& command, const ProcessOptions& options = {});

class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& text) const; // returns its path
  std::vector<std::string> names() const;                                    // sorted

private:
  std::string path_;
};

std::string read_text(const std::string& path);

} // namespace polarscope::test
