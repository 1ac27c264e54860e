// Sessions and what they keep of their runs' steps.
#include "engine/session.hpp"
#include "tests/support/scenes.hpp"

#include <algorithm>
#include <cmath>
#include <map>

using namespace polarscope;
using namespace polarscope::test;

namespace {

SceneText two_runs() {
  SceneText s;
  s.runs = 2;
  return s;
}

// Of two programs; three matrices of 4,096 numbers each. The last of every three diverges.
Scene networks(int runs) {
  std::string text = "[scene]\ntitle = \"test\"\nseed = 11\nsteps = 1000\n[problem]\nkind = \"mlp\"\n"
                     "layers = 3\nwidth = 64\n";
  for (int i = 0; i < runs; ++i)
    text += fmt::format("[[run]]\nlabel = \"run {}\"\noptimizer = \"{}\"\nhparam.lr = {}\n", i,
                        i % 3 == 0 ? "adamw" : "sgd", i % 3 == 2 ? 1e9 : 1e-3);
  auto scene = parse_scene(text, "test.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

std::vector<Sample> all_samples(const SeriesView& v, int column) {
  std::vector<Sample> out;
  v.samples(column, 0, v.last_step(), out);
  return out;
}

} // namespace

TEST_CASE("runs that record at the same time keep what each keeps alone, on any number of threads") {
  std::vector<std::vector<double>> kept; // by number of threads
  int diverged = 0;
  for (const int threads : {1, 2, 5}) {
    SessionOptions options;
    options.threads = threads;
    options.memory_budget = std::size_t{16} << 20; // thinned, too
    auto s = open_session(networks(7), options);
    while (s->head() < 240) s->advance(std::min(1 + 17l * threads, 240 - s->head()));
    const Frame f = frame_of(*s);
    std::vector<double> all;
    for (const RunFrame& r : f.runs) {
      for (int c = 0; c < r.series.columns(); ++c)
        for (const Sample& x : all_samples(r.series, c))
          all.insert(all.end(), {static_cast<double>(x.step), std::isnan(x.value) ? -1 : x.value});
      for (const InvariantStatus& i : r.invariants) all.push_back(static_cast<double>(i.broken_at));
      diverged += r.diverged;
      all.push_back(r.diverged ? static_cast<double>(r.diverged_at) : -1);
    }
    for (const Event& e : f.events) all.insert(all.end(), {static_cast<double>(e.step), static_cast<double>(e.run)});
    kept.push_back(std::move(all));
  }
  REQUIRE(kept[0].size() > 1000);
  REQUIRE(diverged > 0);
  REQUIRE(kept[1] == kept[0]);
  REQUIRE(kept[2] == kept[0]);
}

TEST_CASE("of larger networks every fourth step's weights are kept, as they were") {
  auto s = open_session(networks(1));
  s->advance(30);
  const Frame f = frame_of(*s);
  const RunFrame& run = f.runs[0];
  REQUIRE(run.program->recorded_every() == 4);
  std::vector<double> recorded;
  for (int p = 0; p < 3; ++p)
    for (const long step : {0l, 4l, 12l, 28l}) {
      REQUIRE(run.series.weight(p, step, recorded));
      const auto view = s->state_at(run.id, step);
      REQUIRE(view.ok());
      REQUIRE((*view)->find(run.program->parameters()[static_cast<std::size_t>(p)].name)->values == recorded);
    }
  REQUIRE_FALSE(run.series.weight(0, 30, recorded));
  REQUIRE(run.series.weight_step(0, 30) == 28);
  for (long step = 1; step <= 30; ++step)
    REQUIRE(std::isfinite(*run.series.at(run.program->find_metric("loss"), step)));
}

TEST_CASE("the sink receives every record once, in order") {
  std::map<RunId, long> next;
  SessionOptions options;
  options.sink = [&](RunId run, const StepProgram& p, long first, std::span<const std::byte> records) {
    REQUIRE(next[run] == first);
    next[run] += static_cast<long>(records.size() / (p.record_size() * p.scalar_bytes()));
  };
  auto s = open_session(two_runs(), options);
  s->advance(100);
  s->state_at(frame_of(*s).runs[0].id, 33).ok();
  s->advance(200);
  for (const auto& [run, count] : next) REQUIRE(count == 301);
  REQUIRE(next.size() == 2);
}

TEST_CASE("what a run keeps does not depend on which runs came before or after it") {
  SceneText text;
  text.runs = 128;
  text.steps = 20000;
  text.start = {"{ radius = 1.0, angle = -2.35 }"};
  SessionOptions options;
  options.memory_budget = std::size_t{128} << 20;
  auto s = open_session(text, options);
  const auto kept = [&](const RunFrame& r) {
    std::vector<long> steps;
    for (const Sample& x : all_samples(r.series, r.program->find_metric("W.frobenius_norm"))) steps.push_back(x.step);
    return steps;
  };
  const long steps = 10000;
  s->advance(steps);
  Frame f = frame_of(*s);
  const std::vector<long> first = kept(f.runs[0]);
  REQUIRE(first.size() < static_cast<std::size_t>(steps)); // thinned
  for (const RunFrame& r : f.runs) REQUIRE(kept(r) == first);

  done(*s, command::DuplicateRun{f.runs[3].id});
  done(*s, command::SetHparam{f.runs[5].id, "lr", 0.2, EditMode::from_start});
  while (s->continue_work(50)) {}
  f = frame_of(*s);
  REQUIRE(f.runs.size() == 129);
  for (std::size_t i = 0; i < 128; ++i) REQUIRE(kept(f.runs[i]) == first);
  REQUIRE(kept(f.runs[128]).size() < first.size()); // beyond the opening's shares

  done(*s, command::RemoveRun{f.runs[128].id});
  done(*s, command::Restart{});
  s->advance(steps);
  for (const RunFrame& r : frame_of(*s).runs) REQUIRE(kept(r) == first);
}

TEST_CASE("runs added after the opening stay within the memory budget") {
  SceneText text = two_runs();
  text.steps = 30000;
  SessionOptions options;
  options.memory_budget = std::size_t{8} << 20;
  auto s = open_session(text, options);
  const RunId first = frame_of(*s).runs[0].id;
  for (int i = 0; i < 38; ++i) done(*s, command::DuplicateRun{first});
  s->advance(text.steps);
  const Frame f = frame_of(*s);
  REQUIRE(f.runs.size() == 40);
  CHECK(f.memory_bytes <= options.memory_budget);
  CHECK(f.memory_bytes > options.memory_budget / 3); // it is used, too
}
