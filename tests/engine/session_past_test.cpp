// Looking at past steps in slices, and bursts that end in time.
#include "engine/session.hpp"
#include "tests/support/scenes.hpp"

#include <random>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::shared_ptr<const StateView> in_slices(Session& s, RunId run, long step, long& slices) {
  for (slices = 1;; ++slices) {
    const auto view = s.look_at(run, step, 0);
    REQUIRE(view.ok());
    if (*view) return *view;
    REQUIRE(slices < 100000);
  }
}

bool same_values(const StateView& a, const StateView& b) {
  if (a.step != b.step || a.run != b.run || a.slots.size() != b.slots.size()) return false;
  for (std::size_t i = 0; i < a.slots.size(); ++i)
    if (a.slots[i].name != b.slots[i].name || a.slots[i].values != b.slots[i].values) return false;
  return true;
}

} // namespace

TEST_CASE("a look in slices shows what a look at once shows, and leaves the runs where they are") {
  SceneText text;
  text.runs = 2;
  text.steps = 3000;
  auto s = open_session(text), other = open_session(text);
  const RunId run = frame_of(*s).runs[1].id;
  for (auto* one : {&s, &other}) {
    (*one)->advance(900);
    REQUIRE((*one)->apply(command::SetHparam{run, "lr", 0.4, EditMode::from_here}).ok());
    (*one)->advance(1300);
  }
  std::mt19937 random(7);
  long longest = 0;
  for (int k = 0; k < 60; ++k) {
    const RunId which = frame_of(*s).runs[random() % 2].id;
    const long step = k % 3 == 2 ? 1000 - k : static_cast<long>(random() % 2201);
    long slices = 0;
    const auto view = in_slices(*s, which, step, slices);
    longest = std::max(longest, slices);
    REQUIRE(same_values(*view, **other->state_at(which, step)));
    if (k % 7 == 0) { // steps made meanwhile, and given up looks
      (void)s->look_at(run, 17, 0);
      s->advance(3);
      other->advance(3);
    }
  }
  CHECK(longest > 1);
  CHECK(s->state_hash() == other->state_hash());
  CHECK_FALSE(frame_of(*s).notice_is_error);
}

TEST_CASE("a look is given up when its run begins anew or goes") {
  SceneText text;
  text.runs = 2;
  text.steps = 2000;
  auto s = open_session(text);
  s->advance(1500);
  const RunId run = frame_of(*s).runs[0].id;
  (void)s->look_at(run, 1499, 0);
  REQUIRE(s->apply(command::SetHparam{run, "lr", 0.02, EditMode::from_start}).ok());
  while (s->continue_work(0.001)) {}
  long slices = 0;
  const auto view = in_slices(*s, run, 1490, slices);
  REQUIRE(same_values(*view, **s->state_at(run, 1490)));
  (void)s->look_at(run, 700, 0);
  REQUIRE(s->apply(command::RemoveRun{run}).ok());
  REQUIRE_FALSE(s->look_at(run, 700, 0).ok());
  s->advance(10);
  CHECK_FALSE(frame_of(*s).notice_is_error);
}

TEST_CASE("computing ends when its time is over, from the first burst on") {
  SceneText text;
  text.steps = 1000000;
  auto s = open_session(text), whole = open_session(text);
  const long first = s->advance(1000000, 0);
  CHECK(first == 1); // nothing is known of its cost yet
  long most = first, made = first;
  for (int k = 0; k < 6; ++k) {
    const long now = s->advance(1000000, 0.001);
    REQUIRE(now >= 1);
    made += now;
    most = std::max(most, now);
  }
  CHECK(most > 8); // and then more at once
  whole->advance(made);
  CHECK(s->state_hash() == whole->state_hash());
}
