// The barriers of an emulated thread block: lanes are fibres that run one after another, in a chosen order, from one
// barrier to the next. A body that forgets a barrier, or puts one where not every lane comes by, is caught here.
#pragma once

#include "kernels/emulate/fibre.hpp"

#include <cstdint>
#include <vector>

namespace polarscope::kernels {

enum class LaneOrder { forward, reverse, shuffled };

struct BlockShape {
  int lanes = 32;
  int warp = 8; // lanes that share a row; divides `lanes` or leaves a smaller last warp
  LaneOrder order = LaneOrder::forward;
  std::uint64_t shuffle_seed = 1;
};

// What became of a run of the block: "" or one sentence on which lanes wait where.
struct BlockOutcome {
  bool ok = true;
  char message[200] = "";
};

class EmulatedBlock {
public:
  enum class Scope : std::uint8_t { block, warp };

  explicit EmulatedBlock(const BlockShape& shape);

  const BlockShape& shape() const { return shape_; }
  int warps() const { return (shape_.lanes + shape_.warp - 1) / shape_.warp; }
  int warp_lanes(int warp) const; // of this warp: the last may be smaller

  // Runs body(argument, lane) for every lane until all have returned, or until they can never meet at a barrier.
  BlockOutcome run(void (*body)(void*, int), void* argument);

  // From inside a lane: returns when every lane of the block, or of the lane's warp, has come to its barrier.
  void wait(int lane, Scope scope);

  // Where lanes leave partial results for each other, one number for each lane: two rounds of the block's own, two of the
  // warps', because a warp may go on to its rows while other lanes still read the block's.
  double* partials(Scope scope, int round) {
    return partials_.data() + (scope == Scope::block ? round : 2 + round) * shape_.lanes;
  }

private:
  enum class State : std::uint8_t { ready, at_block, at_warp, ended };
  bool release();
  void order_lanes();
  void explain(BlockOutcome& outcome) const;

  BlockShape shape_;
  Fibres* fibres_ = nullptr;
  std::vector<State> state_;
  std::vector<long> passed_; // barriers passed, by lane: for the message
  std::vector<int> order_;
  std::vector<double> partials_;
  std::uint64_t random_;
};

} // namespace polarscope::kernels
