#include "kernels/emulate/block.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <numeric>

namespace polarscope::kernels {

EmulatedBlock::EmulatedBlock(const BlockShape& shape)
    : shape_(shape), partials_(static_cast<std::size_t>(4 * shape.lanes)), random_(shape.shuffle_seed) {
  assert(shape.lanes > 0 && shape.warp > 0);
  order_.resize(static_cast<std::size_t>(shape.lanes));
  std::iota(order_.begin(), order_.end(), 0);
  if (shape.order == LaneOrder::reverse) std::reverse(order_.begin(), order_.end());
}

int EmulatedBlock::warp_lanes(int warp) const { return std::min(shape_.warp, shape_.lanes - warp * shape_.warp); }

void EmulatedBlock::order_lanes() {
  if (shape_.order != LaneOrder::shuffled) return;
  for (std::size_t i = order_.size(); i > 1; --i) {
    random_ = random_ * 6364136223846793005ull + 1442695040888963407ull;
    std::swap(order_[i - 1], order_[(random_ >> 33) % i]);
  }
}

// Lets lanes past barriers that everybody has reached; false when nobody may go on.
bool EmulatedBlock::release() {
  const auto all = [&](int first, int count, State s) {
    return std::all_of(state_.begin() + first, state_.begin() + first + count, [&](State x) { return x == s; });
  };
  bool any = false;
  const auto let_go = [&](int first, int count) {
    for (int i = first; i < first + count; ++i) {
      state_[static_cast<std::size_t>(i)] = State::ready;
      ++passed_[static_cast<std::size_t>(i)];
    }
    any = true;
  };
  for (int w = 0; w < warps(); ++w)
    if (all(w * shape_.warp, warp_lanes(w), State::at_warp)) let_go(w * shape_.warp, warp_lanes(w));
  if (all(0, shape_.lanes, State::at_block)) let_go(0, shape_.lanes);
  return any;
}

void EmulatedBlock::explain(BlockOutcome& outcome) const {
  static constexpr const char* kWords[] = {"runs", "waits for the block", "waits for its warp", "has ended"};
  outcome.ok = false;
  for (std::size_t i = 1; i < state_.size(); ++i)
    if (state_[i] != state_[0] || passed_[i] != passed_[0]) {
      std::snprintf(outcome.message, sizeof outcome.message,
                    "divergent barriers: lane 0 %s after %ld barriers, lane %zu %s after %ld",
                    kWords[static_cast<int>(state_[0])], passed_[0], i, kWords[static_cast<int>(state_[i])],
                    passed_[i]);
      return;
    }
  std::snprintf(outcome.message, sizeof outcome.message, "every lane %s", kWords[static_cast<int>(state_[0])]);
}

BlockOutcome EmulatedBlock::run(void (*body)(void*, int), void* argument) {
  state_.assign(static_cast<std::size_t>(shape_.lanes), State::ready);
  passed_.assign(static_cast<std::size_t>(shape_.lanes), 0);
  Fibres fibres(shape_.lanes, body, argument);
  fibres_ = &fibres;
  BlockOutcome outcome;
  for (;;) {
    order_lanes();
    for (const int lane : order_) {
      State& state = state_[static_cast<std::size_t>(lane)];
      if (state != State::ready) continue;
      fibres.resume(lane);
      if (fibres.ended(lane)) state = State::ended;
    }
    if (std::all_of(state_.begin(), state_.end(), [](State s) { return s == State::ended; })) break;
    const bool lanes_ready = std::any_of(state_.begin(), state_.end(), [](State s) { return s == State::ready; });
    if (!release() && !lanes_ready) {
      explain(outcome);
      break;
    }
  }
  fibres_ = nullptr;
  return outcome;
}

void EmulatedBlock::wait(int lane, Scope scope) {
  state_[static_cast<std::size_t>(lane)] = scope == Scope::block ? State::at_block : State::at_warp;
  fibres_->yield();
}

} // namespace polarscope::kernels
