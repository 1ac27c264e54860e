// `run --record`: weights and gradients of every step as a .safetensors file (interface.md). Records are streamed to an
// unnamed temporary file while the runs compute and put in order at the end, so that memory does not grow with steps.
#pragma once

#include "engine/frame.hpp"
#include "engine/result.hpp"
#include "engine/session.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

class OutputFile;

class Recording {
public:
  struct Contents {
    bool gradients =
        true;            // and what else makes a trace of it: data, and the start before the optimizer's own projection
    bool states = false; // the optimizer's state after the last step, as state/<P>/<slot>
  };

  // Every `every`th step is kept. Fails early when the target cannot be written.
  static Result<std::unique_ptr<Recording>> open(const std::string& path, long every, Contents contents);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // What SessionOptions must ask for, and where its records go.
  RecordOptions options() const;
  void take(RunId run, const StepProgram& program, long first_step, std::span<const std::byte> records);

  // True when the last records could not be kept, for want of room on the disk: finish() will say so.
  bool failed() const { return error_.has_value(); }

  // Writes the file from what was taken. `frame`, `scene` and `session` have the same runs in the same order.
  Result<void> finish(const Frame& frame, const Scene& scene, Session& session);

private:
  struct Block {
    std::size_t offset, bytes;
  };
  struct Track { // one tensor of one run
    std::vector<Block> blocks;
    long rows = 0;
  };
  struct RunTracks {
    std::vector<Track> weights, gradients; // by parameter
    std::vector<long> steps;               // of the weights' rows
  };
  Recording() = default;
  void append(Track& track, const std::vector<std::byte>& bytes, long rows);
  Result<void> copy(const Track& track, OutputFile& out) const;

  std::unique_ptr<OutputFile> out_;
  int spool_ = -1; // unnamed file beside the target
  std::size_t spooled_ = 0;
  long every_ = 1;
  Contents contents_;
  std::map<RunId, RunTracks> runs_;
  std::optional<Error> error_; // the first that happened in take()
};

} // namespace polarscope
