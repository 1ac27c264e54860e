// Keyframes of one run and the edits between them: what any step of the past is made from again.
//
// A keyframe is the persistent head of a member's block. Keyframes stand at
// multiples of a stride that starts small and doubles when the byte budget is reached, so which steps have one
// depends on the step number and the budget alone.
#pragma once

#include "engine/backend.hpp"

#include <cstddef>
#include <vector>

namespace polarscope {

struct Keyframe {
  long step = 0;
  MemberState state;
  std::vector<std::byte> block;
};

// A hyperparameter changed while the run stood at `step`: in force from step + 1 on.
struct Edit {
  long step;
  int column;
  double value;
  bool operator==(const Edit&) const = default;
};

class Timeline {
public:
  Timeline(std::size_t block_bytes, std::size_t byte_budget);

  long stride() const { return stride_; }
  bool wants(long step) const { return step % stride_ == 0; }
  // The first step after `step` that wants a keyframe: bursts end there.
  long next(long step) const { return (step / stride_ + 1) * stride_; }
  // Appends a keyframe later than all others, at a step that wants one.
  void add(Keyframe keyframe);
  // The latest keyframe at or before a step; there is one at step 0 before anything is asked.
  const Keyframe& before(long step) const;
  // The keyframe at exactly this step, or null.
  const Keyframe* at(long step) const;
  void clear();
  std::size_t bytes() const;

private:
  void thin();

  std::size_t keyframe_bytes_, budget_;
  long first_stride_, stride_;
  std::vector<Keyframe> keyframes_; // by step
};

// The row of hyperparameters after the edits made at steps ≤ `step`.
std::vector<double> edited_row(std::vector<double> start, const std::vector<Edit>& edits, long step);

} // namespace polarscope
