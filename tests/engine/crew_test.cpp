// Threads inside a member: a wide network steps to the same bits whether one thread, two or four work on it, alone or beside
// others, and everything that a run can do goes on working.
#include "engine/backend_cpu.hpp"
#include "engine/compile.hpp"
#include "engine/session.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/scenes.hpp"

#include <cmath>
#include <map>

using namespace polarscope;
using namespace polarscope::test;

namespace {

constexpr long kSteps = 14;

std::string text_of_network(const std::string& optimizer, int width, int runs, double lr, const std::string& norm) {
  std::string text =
      fmt::format("[scene]\ntitle = \"wide\"\nseed = 3\nsteps = {}\n[problem]\nkind = \"mlp\"\nlayers = 2\n"
                  "width = {}\nbatch = 40\nbatches = 3\nnorm = \"{}\"\n",
                  kSteps, width, norm);
  for (int i = 0; i < runs; ++i)
    text +=
        fmt::format("[[run]]\nlabel = \"{}\"\noptimizer = \"{}\"\nseed = {}\nhparam.lr = {}\nschedule.lr = {{ kind = "
                    "\"cosine\" }}\n", // an op that one thread makes for all
                    i, optimizer, i, lr);
  return text;
}

Scene network(const std::string& optimizer, int width, int runs, double lr = 0.01, const std::string& norm = "pre") {
  auto scene = parse_scene(text_of_network(optimizer, width, runs, lr, norm), "wide.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

SessionOptions threads(int n) {
  SessionOptions o;
  o.device = "cpu";
  o.threads = n;
  return o;
}

std::vector<std::uint64_t> hashes(const Scene& scene, int thread_count, long burst) {
  auto s = open_session(scene, threads(thread_count));
  while (s->head() < kSteps) s->advance(burst);
  std::vector<std::uint64_t> out;
  for (const RunFrame& r : frame_of(*s).runs) out.push_back(r.state_hash);
  return out;
}

} // namespace

TEST_CASE("a wide network has the same bits for any number of threads inside it") {
  // SOAP's first step finds all eigenvectors: a smaller network is as much work
  const std::map<std::string, int> widths = {{"sgd", 400},     {"adamw", 400}, {"muon", 256},
                                             {"md_muon", 256}, {"muown", 256}, {"soap", 128}};
  for (const auto& [optimizer, width] : widths) {
    if (kSanitized && optimizer != "sgd" && optimizer != "muon") continue;
    const Scene three = network(optimizer, width, 3), one = network(optimizer, width, 1);
    const auto program = compile(one, one.runs[0]);
    REQUIRE(program.ok());
    REQUIRE(most_lanes(**program) >= 2);
    const auto want = hashes(three, 1, kSteps);
    REQUIRE(want[0] != want[1]);
    for (const int n : {1, 2, 4})
      for (const long burst : {1l, 7l, 64l}) {
        if (kSanitized && (n == 1 || burst != 7)) continue;
        CAPTURE(optimizer, n, burst);
        REQUIRE(hashes(one, n, burst)[0] == want[0]);
        if (burst != 1) REQUIRE(hashes(three, n, burst) == want);
      }
  }
}

TEST_CASE("a member that diverges stops every thread inside it, at the same step") {
  const Scene scene = network("sgd", 400, 1, 1e9, "none");
  std::vector<long> stopped;
  for (const int n : {1, 2, 4}) {
    auto s = open_session(scene, threads(n));
    s->advance(kSteps);
    const Frame f = frame_of(*s);
    REQUIRE(f.runs[0].diverged);
    stopped.push_back(f.runs[0].diverged_at);
  }
  REQUIRE(stopped[1] == stopped[0]);
  REQUIRE(stopped[2] == stopped[0]);
}

TEST_CASE("the way back through a wide run, with a change of its rate, is the same on two threads") {
  const Scene scene = network("adamw", 400, 1);
  std::vector<std::uint64_t> all[2];
  for (const int n : {1, 2}) {
    auto s = open_session(scene, threads(n));
    auto& out = all[n - 1];
    s->advance(5);
    done(*s, command::SetHparam{1, "lr", 0.003, EditMode::from_here});
    s->advance(6);
    for (const long step : {11l, 3l, 5l, 7l, 0l, 11l}) out.push_back(s->state_hash_at(1, step));
    s->advance(3);
    out.push_back(s->state_hash());
    REQUIRE_FALSE(frame_of(*s).notice_is_error);
  }
  REQUIRE(all[0] == all[1]);
  REQUIRE(all[0][0] == all[0][5]);
}

TEST_CASE("few steps have enough work for several threads") {
  const Scene small = network("adamw", 64, 1), wide = network("adamw", 1024, 1);
  REQUIRE(most_lanes(**compile(small, small.runs[0])) == 1);
  REQUIRE(most_lanes(**compile(wide, wide.runs[0])) > 8);
}
