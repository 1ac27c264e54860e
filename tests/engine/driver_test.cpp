// The engine thread: pacing, slices, previews, scenes, frames; by hand and threaded.
#include "engine/driver.hpp"
#include "tests/support/scenes.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

using namespace polarscope;
using namespace polarscope::test;

namespace {

SessionOptions cpu() {
  SessionOptions o;
  o.device = "cpu";
  o.threads = 2;
  return o;
}

SceneText two_runs(long steps = 1000) {
  SceneText s;
  s.runs = 2;
  s.steps = steps;
  return s;
}

std::unique_ptr<Driver> by_hand(long steps = 1000) {
  return std::make_unique<Driver>(open_session(two_runs(steps), cpu()), cpu(), false);
}

void settle(Driver& d) {
  for (int i = 0; i < 100000 && d.busy(); ++i) d.pump(0);
  REQUIRE_FALSE(d.busy());
}

// Waits until a frame of a threaded driver satisfies the condition.
template <class F> bool wait_for(Driver& d, F condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < until) {
    if (condition(*d.frame())) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

} // namespace

TEST_CASE("a driver by hand does nothing until it is pumped") {
  auto d = by_hand();
  REQUIRE(d->frame() != nullptr);
  REQUIRE(d->frame()->head == 0);
  REQUIRE(d->frame()->state != nullptr);
  REQUIRE_FALSE(d->busy());
  d->send(command::StepBy{1});
  REQUIRE(d->busy());
  REQUIRE(d->frame()->head == 0);
  d->pump(0);
  settle(*d);
  REQUIRE(d->frame()->head == 1);
  REQUIRE(d->frame()->state->step == 1);
  REQUIRE(d->frame()->state->find("W") != nullptr);
}

TEST_CASE("playing makes speed × time steps and stops at the end") {
  auto d = by_hand(200);
  REQUIRE(d->frame()->speed == 50);
  d->send(command::Play{});
  d->pump(1.0);
  REQUIRE(d->frame()->head == 50);
  REQUIRE(d->frame()->playing);
  d->send(command::SetSpeed{10});
  for (int i = 0; i < 10; ++i) d->pump(0.05); // half a step a turn
  REQUIRE(d->frame()->head == 55);
  d->send(command::Pause{});
  d->pump(1.0);
  REQUIRE(d->frame()->head == 55);
  REQUIRE_FALSE(d->busy());
  d->send(command::SetSpeed{1000});
  d->send(command::Play{});
  for (int i = 0; i < 20; ++i) d->pump(0.1);
  REQUIRE(d->frame()->head == 200);
  REQUIRE_FALSE(d->frame()->playing);
  REQUIRE_FALSE(d->busy());
  REQUIRE(d->frame()->notice.find("ends") != std::string::npos);
}

TEST_CASE("playing from the past shows what exists, then computes on") {
  auto d = by_hand();
  d->send(command::ComputeTo{100});
  d->pump(0);
  settle(*d);
  d->send(command::MoveCursor{80});
  d->send(command::Play{});
  d->pump(0.2); // ten steps
  REQUIRE(d->frame()->cursor == 90);
  REQUIRE(d->frame()->head == 100);
  d->pump(0.4); // twenty
  REQUIRE(d->frame()->cursor == d->frame()->head);
  REQUIRE(d->frame()->head == 110);
}

TEST_CASE("as fast as possible reaches the end") {
  auto d = by_hand(50000);
  d->send(command::SetSpeed{0});
  d->send(command::Play{});
  d->pump(0);
  settle(*d);
  REQUIRE(d->frame()->head == 50000);
}

TEST_CASE("the driver's state is the session's") {
  auto d = by_hand();
  auto s = open_session(two_runs(), cpu());
  d->send(command::Play{});
  for (int i = 0; i < 7; ++i) d->pump(0.013 * i);
  d->send(command::Pause{});
  d->pump(0);
  s->advance(d->frame()->head);
  REQUIRE(d->frame()->head > 0);
  REQUIRE(d->frame()->state_hash == s->state_hash());
}

TEST_CASE("of waiting previews only the last is computed, edits are all kept") {
  auto d = by_hand();
  d->send(command::ComputeTo{300});
  d->pump(0);
  settle(*d);
  const RunId run = d->frame()->runs[0].id;
  for (int i = 1; i <= 50; ++i) d->send(command::SetHparam{run, "lr", 0.01 * i, EditMode::from_start, true});
  d->send(command::SetHparam{run, "lr", 0.5, EditMode::from_start});
  d->pump(0);
  settle(*d);
  const auto f = d->frame();
  REQUIRE(f->runs[0].hparams[0] == 0.5);
  REQUIRE(f->runs[0].series.last_step() == 300);
  REQUIRE_FALSE(f->runs[0].ghost.empty());
  REQUIRE_FALSE(f->computing);
}

TEST_CASE("a scene that cannot be opened is a notice, the old one stays") {
  auto d = by_hand();
  d->send(command::ComputeTo{10});
  d->pump(0);
  settle(*d);
  const auto generation = d->frame()->scene_generation;
  d->send(command::OpenScene{"no/such_scene"});
  d->pump(0);
  REQUIRE(d->frame()->notice_is_error);
  REQUIRE(d->frame()->scene_generation == generation);
  REQUIRE(d->frame()->head == 10);
  d->send(command::OpenScene{"first_look"});
  d->pump(0);
  const auto f = d->frame();
  REQUIRE_FALSE(f->notice_is_error);
  REQUIRE(f->scene_generation == generation + 1);
  REQUIRE(f->head == 0);
  REQUIRE(f->steps == 600);
  REQUIRE(f->runs[0].label == "norm 1");
}

TEST_CASE("a refused command is a notice") {
  auto d = by_hand();
  d->send(command::SelectRun{99});
  d->pump(0);
  REQUIRE(d->frame()->notice_is_error);
  d->send(command::SelectRun{d->frame()->runs[1].id});
  d->pump(0);
  REQUIRE_FALSE(d->frame()->notice_is_error);
  REQUIRE(d->frame()->state->run == d->frame()->runs[1].id);
}

TEST_CASE("a frame once published never changes") {
  auto d = by_hand();
  d->send(command::ComputeTo{50});
  d->pump(0);
  settle(*d);
  const auto old = d->frame();
  const auto w = old->state->find("W")->values;
  d->send(command::SetHparam{old->runs[0].id, "lr", 0.5, EditMode::from_start});
  d->send(command::ComputeTo{500});
  d->pump(0);
  settle(*d);
  REQUIRE(old->head == 50);
  REQUIRE(old->runs[0].series.last_step() == 50);
  REQUIRE(old->state->find("W")->values == w);
  REQUIRE(old->runs[0].hparams[0] == 0.1);
  REQUIRE(d->frame()->number > old->number);
}

TEST_CASE("a plane's loss is computed between bursts and follows its request") {
  auto d = by_hand();
  REQUIRE(d->plane() == nullptr);
  Driver::PlaneRequest request{d->frame()->runs[0].id, 0, {1, 0}, {0, 1}, 90};
  d->request_plane(request);
  d->pump(0);
  REQUIRE(d->plane() != nullptr);
  REQUIRE(d->plane()->request == request);
  REQUIRE(d->plane()->loss.size() == 90);
  request.samples = 180;
  d->request_plane(request);
  d->pump(0);
  REQUIRE(d->plane()->loss.size() == 180);
}

TEST_CASE("a threaded driver computes, wakes and sleeps", "[thread]") {
  std::atomic<int> wakes{0};
  Driver d(open_session(two_runs(100000), cpu()), cpu(), true, [&] { ++wakes; });
  d.send(command::SetSpeed{0});
  d.send(command::Play{});
  REQUIRE(wait_for(d, [](const Frame& f) { return f.head > 2000; }));
  d.request_plane({d.frame()->runs[0].id, 0, {1, 0}, {0, 1}, 90});
  d.send(command::Pause{});
  REQUIRE(wait_for(d, [](const Frame& f) { return !f.playing; }));
  REQUIRE(wakes > 0);
  const auto hash = d.frame()->state_hash;
  auto s = open_session(two_runs(100000), cpu());
  s->advance(d.frame()->head);
  REQUIRE(s->state_hash() == hash);
  for (int i = 0; i < 10000 && (d.busy() || !d.plane()); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  REQUIRE(d.plane() != nullptr);
  // Asleep: no frames, and next to no processor time beside what a thread that never sleeps gets of this machine now.
  const auto until = [](std::chrono::milliseconds span) { return std::chrono::steady_clock::now() + span; };
  bool asleep = false;
  for (int attempt = 0; attempt < 10 && !asleep; ++attempt) {
    const int before = wakes;
    const std::clock_t first = std::clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::clock_t second = std::clock();
    asleep = wakes == before;
    for (const auto end = until(std::chrono::milliseconds(300)); std::chrono::steady_clock::now() < end;) {}
    asleep = asleep && static_cast<double>(second - first) < 0.2 * static_cast<double>(std::clock() - second);
  }
  REQUIRE(asleep);
}

TEST_CASE("readers, senders and the engine thread share nothing that changes", "[thread]") {
  Driver d(open_session(two_runs(20000), cpu()), cpu(), true);
  std::atomic<bool> done{false};
  std::atomic<long> wrong{0};
  std::thread reader([&] {
    std::vector<MinMax> out;
    while (!done) {
      const auto f = d.frame();
      for (const RunFrame& r : f->runs) {
        r.series.query(0, 0, static_cast<double>(f->head), 200, out);
        wrong += r.series.last_step() > f->head;
      }
      if (f->state) wrong += f->state->slots.empty();
    }
  });
  d.send(command::SetSpeed{0});
  d.send(command::Play{});
  const RunId run = d.frame()->runs[0].id;
  for (int i = 0; i < 60; ++i) {
    d.send(command::SetHparam{run, "lr", 0.01 * (1 + i % 9), i % 2 ? EditMode::from_here : EditMode::from_start,
                              i % 3 != 0});
    if (i % 20 == 0) d.send(command::DuplicateRun{run});
    if (i % 7 == 0) d.send(command::MoveCursor{10 * i});
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  d.send(command::ComputeTo{20000});
  REQUIRE(wait_for(d, [](const Frame& f) { return f.head == 20000 && !f.computing; }));
  done = true;
  reader.join();
  REQUIRE(wrong == 0);
}
