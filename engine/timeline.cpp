#include "engine/timeline.hpp"

#include <algorithm>
#include <cassert>

namespace polarscope {

namespace {

// Small states are cheap to step again, so few keyframes do; large ones are stepped at most a few times.
long first_stride(std::size_t block_bytes) {
  if (block_bytes <= 4096) return 256;
  return block_bytes <= 65536 ? 64 : 16;
}

} // namespace

Timeline::Timeline(std::size_t block_bytes, std::size_t byte_budget)
    : keyframe_bytes_(block_bytes + sizeof(Keyframe)), budget_(byte_budget), first_stride_(first_stride(block_bytes)),
      stride_(first_stride_) {}

void Timeline::add(Keyframe keyframe) {
  assert(wants(keyframe.step));
  assert(keyframes_.empty() || keyframes_.back().step < keyframe.step);
  keyframes_.push_back(std::move(keyframe));
  thin();
}

void Timeline::thin() {
  while (keyframes_.size() > 2 && bytes() > budget_) {
    stride_ *= 2;
    std::erase_if(keyframes_, [this](const Keyframe& k) { return !wants(k.step); });
  }
}

const Keyframe& Timeline::before(long step) const {
  const auto it = std::upper_bound(keyframes_.begin(), keyframes_.end(), step,
                                   [](long s, const Keyframe& k) { return s < k.step; });
  assert(it != keyframes_.begin());
  return *(it - 1);
}

const Keyframe* Timeline::at(long step) const {
  const auto it = std::lower_bound(keyframes_.begin(), keyframes_.end(), step,
                                   [](const Keyframe& k, long s) { return k.step < s; });
  return it != keyframes_.end() && it->step == step ? &*it : nullptr;
}

void Timeline::clear() {
  keyframes_.clear();
  stride_ = first_stride_;
}

std::size_t Timeline::bytes() const { return keyframes_.size() * keyframe_bytes_; }

std::vector<double> edited_row(std::vector<double> start, const std::vector<Edit>& edits, long step) {
  for (const Edit& e : edits)
    if (e.step <= step) start[static_cast<std::size_t>(e.column)] = e.value;
  return start;
}

} // namespace polarscope
