// What a sweep has finished, on disk as it goes, so that one that was killed goes on where it was. A line per member,
// each with its checksum; what a torn end holds is computed again.
#pragma once

#include "engine/result.hpp"
#include "engine/sweep_run.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polarscope {

// The device and what of it makes the bits, the instruction set or the GPU: "CPU, AVX-512".
std::string device_of_results(const SessionOptions& options);

// Equal for the same scene, numbers, kind of machine and program: what else a member's result depends on besides its
// label.
std::uint64_t sweep_key(const Scene& scene, const SweepRunOptions& options);

class SweepJournal {
public:
  // Reads what the file holds for this key and goes on after it. A file of another key is begun anew; so is any with
  // `fresh`. Only one program at a time has it open.
  static Result<std::unique_ptr<SweepJournal>> open(const std::string& path, std::uint64_t key, bool fresh);
  ~SweepJournal();
  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;

  KnownResults take_kept() { return std::move(kept_); }
  bool replaced() const { return replaced_; } // there was a journal of something else
  // On the disk when it returns.
  Result<void> append(const std::vector<MemberResult>& results);
  void remove(); // everything is done and written elsewhere
  const std::string& path() const { return path_; }

private:
  SweepJournal(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  Result<void> read(std::uint64_t key, bool fresh);
  Result<void> write(const std::string& text);
  Error failure(const char* what) const;

  std::string path_;
  int descriptor_;
  KnownResults kept_;
  bool replaced_ = false;
};

} // namespace polarscope
