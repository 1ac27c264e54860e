// Keyframes under a budget, and the row of hyperparameters that edits leave.
#include "engine/timeline.hpp"
#include "tests/support/catch.hpp"

using namespace polarscope;

namespace {

Keyframe keyframe(long step, std::size_t bytes) {
  Keyframe k;
  k.step = step;
  k.state.step = static_cast<std::uint64_t>(step);
  k.block.resize(bytes, static_cast<std::byte>(step % 251));
  return k;
}

// What a run does: a keyframe wherever the timeline wants one.
void fill(Timeline& timeline, long steps, std::size_t bytes) {
  timeline.add(keyframe(0, bytes));
  for (long step = timeline.next(0); step <= steps; step = timeline.next(step)) timeline.add(keyframe(step, bytes));
}

} // namespace

TEST_CASE("keyframes stay within their budget and stand at multiples of the stride") {
  for (const std::size_t bytes : {std::size_t{128}, std::size_t{20000}, std::size_t{100000}}) {
    const std::size_t budget = 64 * bytes;
    Timeline timeline(bytes, budget);
    const long first_stride = timeline.stride();
    fill(timeline, 100000, bytes);
    REQUIRE(timeline.bytes() <= budget);
    REQUIRE(timeline.bytes() >= budget / 4);
    REQUIRE(timeline.stride() > first_stride);
    REQUIRE(timeline.at(0) != nullptr);
    for (long step = 0; step <= 100000; step += 777) {
      const Keyframe& k = timeline.before(step);
      REQUIRE(k.step <= step);
      REQUIRE(step - k.step < timeline.stride());
      REQUIRE(k.step % timeline.stride() == 0);
      REQUIRE(k.block[0] == static_cast<std::byte>(k.step % 251));
      REQUIRE((timeline.at(step) != nullptr) == (step % timeline.stride() == 0));
    }
  }
}

TEST_CASE("which steps have keyframes does not depend on how one came there") {
  Timeline once(1000, 20000), again(1000, 20000);
  fill(once, 30000, 1000);
  fill(again, 5000, 1000);
  again.clear();
  fill(again, 30000, 1000);
  REQUIRE(once.stride() == again.stride());
  for (long step = 0; step <= 30000; step += 16) REQUIRE((once.at(step) == nullptr) == (again.at(step) == nullptr));
}

TEST_CASE("an edit at a step is in force after it, a later one replaces it") {
  const std::vector<Edit> edits = {{10, 0, 1.5}, {20, 1, 7}, {20, 0, 2.5}};
  const std::vector<double> start = {1, 2};
  REQUIRE(edited_row(start, edits, 9) == std::vector<double>{1, 2});
  REQUIRE(edited_row(start, edits, 10) == std::vector<double>{1.5, 2});
  REQUIRE(edited_row(start, edits, 19) == std::vector<double>{1.5, 2});
  REQUIRE(edited_row(start, edits, 20) == std::vector<double>{2.5, 7});
  REQUIRE(edited_row(start, edits, 99) == std::vector<double>{2.5, 7});
}
