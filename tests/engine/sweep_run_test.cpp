// Going through a sweep: what a member leaves is that of the run alone, in any batch, on any number of threads, and
// after any interruption.
#include "engine/backend_cpu.hpp"
#include "engine/scene_read.hpp"
#include "engine/sweep.hpp"
#include "engine/sweep_journal.hpp"
#include "engine/sweep_run.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>

using namespace polarscope;
using namespace polarscope::test;

namespace {

const std::string kScene = R"([scene]
seed = 4
steps = 60
[problem]
kind = "rows"
rows = 2
cols = 4
[sweep]
optimizer = ["sgd", "muon"]
hparam.lr = { values = [0.01, 0.1] }
seeds = 3
)";

Scene scene_of(const std::string& text) {
  auto scene = parse_scene(text, "s.toml");
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

KnownResults results_of(const Scene& scene, int threads, double tail = 0.1) {
  SweepRunOptions options;
  options.session = {"cpu", threads};
  options.tail = tail;
  KnownResults known;
  const auto done = run_members(scene, options, known);
  if (!done) FAIL(done.error().text());
  REQUIRE(*done);
  return known;
}

bool same(const MemberResult& a, const MemberResult& b) {
  const bool loss = a.final_loss == b.final_loss || (std::isnan(a.final_loss) && std::isnan(b.final_loss));
  return a.label == b.label && a.group == b.group && a.seed == b.seed && a.hparams == b.hparams &&
         a.diverged == b.diverged && a.step == b.step && a.state_hash == b.state_hash && loss && a.curve == b.curve &&
         a.start_norm == b.start_norm && a.norm == b.norm && a.final == b.final && a.failed == b.failed &&
         a.expected == b.expected && a.not_judged == b.not_judged && a.invariants.size() == b.invariants.size() &&
         a.state_bytes == b.state_bytes;
}

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

} // namespace

TEST_CASE("members of a sweep are the runs alone, on any number of threads", "[sweep][determinism]") {
  const Scene scene = scene_of(kScene);
  const KnownResults one = results_of(scene, 1);
  REQUIRE(one.size() == 12);
  for (std::size_t m = 0; m < 12; ++m) {
    const Scene alone = with_members(scene, {m});
    auto session = Session::open(alone, {"cpu", 1});
    REQUIRE(session.ok());
    (*session)->advance(60);
    Frame frame;
    (*session)->fill(frame);
    const RunFrame& run = frame.runs[0];
    INFO(run.label);
    const MemberResult& result = one.at(run.label);
    CHECK(result.state_hash == run.state_hash);
    CHECK(result.seed == run.seed);
    CHECK_FALSE(result.diverged);
    const int loss = run.program->find_metric("loss");
    double tail = 0; // the last tenth: steps 55 to 60
    for (long step = 55; step <= 60; ++step) tail += *run.series.at(loss, step) / 6;
    CHECK(result.final_loss == Approx(tail).epsilon(1e-12));
    CHECK(result.value("loss") == *run.series.at(loss, 60));
    CHECK(result.curve.size() == kCurvePoints);
    // 60 steps in 50 stretches: the first has steps 1 and 2
    CHECK(result.curve.front() == Approx((*run.series.at(loss, 1) + *run.series.at(loss, 2)) / 2).epsilon(1e-12));
    CHECK(result.curve.back() == *run.series.at(loss, 60));
    CHECK(result.good());
  }
  for (const int threads : {2, 4}) {
    const KnownResults others = results_of(scene, threads);
    REQUIRE(others.size() == one.size());
    for (const auto& [label, result] : others) CHECK(same(result, one.at(label)));
  }
}

TEST_CASE("a member's norm and turn are those of all its parameters together", "[sweep]") {
  const Scene scene = scene_of("[scene]\nseed = 4\nsteps = 20\n[problem]\nkind = \"mlp\"\nlayers = 3\n[sweep]\n"
                               "optimizer = [\"adamw\"]\nseeds = 2\n");
  for (const auto& [label, result] : results_of(scene, 1)) {
    INFO(label);
    double square = 0, least = 1, most = 0;
    for (const auto& [name, value] : result.final) {
      if (name.ends_with(".frobenius_norm")) square += value * value;
      if (name.ends_with(".angular_update")) least = std::min(least, value), most = std::max(most, value);
    }
    CHECK(result.norm == Approx(std::sqrt(square)).epsilon(1e-6));
    CHECK(result.start_norm > 0);
    CHECK(least < most);
    CHECK(result.angular_update > least); // some mean of theirs: the norms have hardly changed
    CHECK(result.angular_update < most);
  }
}

TEST_CASE("a final loss is the mean over the last steps, at least one", "[sweep]") {
  CHECK(tail_steps(1000, 0.1) == 100);
  CHECK(tail_steps(5, 0.1) == 1);
  CHECK(tail_steps(1, 0) == 1);
  CHECK(tail_steps(10, 1) == 10);
  const Scene scene = scene_of(kScene);
  const KnownResults last = results_of(scene, 1, 0);
  for (const auto& [label, result] : last) CHECK(result.final_loss == result.value("loss"));
}

TEST_CASE("a sweep that is stopped keeps what was finished and goes on", "[sweep]") {
  const Scene scene = scene_of(kScene);
  const KnownResults whole = results_of(scene, 1);
  KnownResults known;
  SweepRunOptions options;
  options.session = {"cpu", 1};
  std::size_t batches = 0, computed = 0;
  options.stop = [&] { return batches == 1; };
  options.finished = [&](const std::vector<MemberResult>& results) -> Result<void> {
    ++batches;
    computed += results.size();
    return {};
  };
  auto done = run_members(scene, options, known);
  REQUIRE(done.ok());
  CHECK_FALSE(*done);
  CHECK(known.size() == computed);
  REQUIRE(computed > 0);
  REQUIRE(computed < 12);
  options.stop = {};
  done = run_members(scene, options, known);
  REQUIRE(done.ok());
  CHECK(*done);
  CHECK(computed == 12); // none of them twice
  for (const auto& [label, result] : known) CHECK(same(result, whole.at(label)));
}

TEST_CASE("a batch that would take too long begins again with a member per thread", "[sweep]") {
  const Scene scene = scene_of(kScene);
  const KnownResults whole = results_of(scene, 1);
  for (const std::size_t threads : {1u, 2u}) {
    INFO(threads);
    KnownResults known;
    SweepRunOptions options;
    options.session = {"cpu", static_cast<int>(threads)};
    options.long_batch = 0; // as any is
    std::vector<std::size_t> batches;
    options.finished = [&](const std::vector<MemberResult>& results) -> Result<void> {
      batches.push_back(results.size());
      return {};
    };
    SweepProgress last;
    options.progress = [&](const SweepProgress& now) { // of what stays only
      CHECK(now.steps >= last.steps);
      CHECK(now.seconds >= last.seconds);
      CHECK(now.done >= last.done);
      last = now;
    };
    options.stop = [&] { return batches.size() == 1; };
    auto done = run_members(scene, options, known);
    REQUIRE(done.ok());
    CHECK_FALSE(*done);
    CHECK(known.size() == threads); // kept before the others have begun
    options.stop = {};
    last = {};
    done = run_members(scene, options, known);
    REQUIRE(done.ok());
    CHECK(*done);
    CHECK(batches == std::vector<std::size_t>(12 / threads, threads));
    CHECK(last.done == 12);
    CHECK(last.steps == last.all_steps);
    REQUIRE(known.size() == 12);
    for (const auto& [label, result] : known) CHECK(same(result, whole.at(label)));
  }
}

TEST_CASE("the time of a step is that of computing, and every run's batches begin alike", "[sweep]") {
  std::string text = kScene;
  text.replace(text.find("seeds = 3"), 9, "seeds = 20");
  const Scene scene = scene_of(text);
  std::vector<std::pair<std::string, std::size_t>> batches; // run and members
  SweepRunOptions options;
  options.session = {"cpu", 1};
  options.finished = [&](const std::vector<MemberResult>& results) -> Result<void> {
    batches.emplace_back(results.front().group, results.size());
    return {};
  };
  KnownResults known;
  REQUIRE(run_members(scene, options, known).ok());
  const auto second =
      std::find_if(batches.begin(), batches.end(), [](const auto& batch) { return batch.first == "muon"; });
  REQUIRE(second > batches.begin() + 1);
  CHECK(batches.front().second == second->second);
  CHECK(batches[1].second > batches.front().second); // and grow
  double stepping = 0, everything = 0;
  for (const auto& [label, result] : known) {
    CHECK(result.step_seconds > 0);
    stepping += result.step_seconds * static_cast<double>(result.step);
    everything += result.seconds;
  }
  CHECK(stepping < everything); // of one thread, which also opened and reported
}

TEST_CASE("members of one label are refused before anything is computed", "[sweep]") {
  // "x" at momentum 0.9 and "x momentum 0.9", which has no momentum, with the same seeds.
  const std::string text = R"([scene]
[problem]
kind = "circle"
[[run]]
label = "x"
optimizer = "momentum"
[[run]]
label = "x momentum 0.9"
optimizer = "sgd"
[sweep]
hparam.momentum = { values = [0.5, 0.9] }
seeds = 3
)";
  const auto scene = parse_scene(text, "s.toml");
  REQUIRE_FALSE(scene.ok());
  CHECK(scene.error().text() == "s.toml:7:1: two runs have the label 'x momentum 0.9 seed 0'");
  std::string other = text;
  other.replace(other.find("x momentum 0.9"), 14, "y");
  Scene made = scene_of(other);
  CHECK(results_of(made, 1).size() == 9);
  made.runs[1].label = "x momentum 0.9";
  KnownResults known;
  const auto done = run_members(made, {}, known);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().text().find("two runs have the label 'x momentum 0.9 seed 0'") != std::string::npos);
  CHECK(known.empty());
  CHECK_FALSE(expanded(made).ok());
}

TEST_CASE("diverged members are told as such", "[sweep]") {
  const Scene scene = scene_of("[scene]\nsteps = 300\n[problem]\nkind = \"quadratic\"\n[[run]]\noptimizer = \"sgd\"\n"
                               "[sweep]\nhparam.lr = { values = [0.001, 1e6] }\nseeds = 2\n");
  const KnownResults known = results_of(scene, 2);
  CHECK_FALSE(known.at("sgd lr 0.001 seed 0").diverged);
  const MemberResult& lost = known.at("sgd lr 1e+06 seed 1");
  CHECK(lost.diverged);
  CHECK(lost.step < 300);
  CHECK(std::isnan(lost.final_loss));
  CHECK(std::isnan(lost.curve.back()));
}

TEST_CASE("expectations and losses are asked of every member", "[sweep]") {
  const KnownResults known =
      results_of(scene_of(kScene + "[expect]\nloss = [{ run = \"sgd\", below = -1 }, { above = -1 }]\n"), 1);
  for (const auto& [label, result] : known) {
    CHECK(result.expected == (result.group == "sgd" ? 2u : 1u));
    CHECK(result.failed.size() == (result.group == "sgd" ? 1u : 0u));
    CHECK(result.good() == (result.group != "sgd"));
  }
}

TEST_CASE("members that are others than the scene was written with are not judged", "[sweep][expect]") {
  const std::string expect = "[expect]\nloss = { above = 1e9 }\n";
  const Scene written = scene_of(kScene + expect);
  const auto results = [](const Scene& scene, const Scene& original) {
    SweepRunOptions options;
    options.session = {"cpu", 1};
    options.written = WrittenScene{original, "changed"};
    KnownResults known;
    const auto done = run_members(scene, options, known);
    if (!done) FAIL(done.error().text());
    return known;
  };
  for (const auto& [label, result] : results(written, written)) {
    CHECK(result.failed.size() == 1);
    CHECK(result.not_judged.empty());
  }
  // one rate stays, the other is new
  std::string text = kScene + expect;
  text.replace(text.find("0.01, 0.1"), 9, "0.01, 0.2");
  const KnownResults rates = results(scene_of(text), written);
  REQUIRE(rates.size() == 12);
  for (const auto& [label, result] : rates) {
    INFO(label);
    const bool own = label.find(" lr 0.01 ") != std::string::npos;
    CHECK(result.expected == (own ? 1u : 0u));
    CHECK(result.failed.size() == (own ? 1u : 0u));
    CHECK(result.good() == !own);
    CHECK(result.not_judged == (own ? "" : "changed"));
  }
  Scene other = written;
  other.seed = 9;
  for (const auto& [label, result] : results(other, written)) CHECK(result.good());
  // nor is a record missed that only the unchanged members have
  const Scene rare = scene_of(kScene + "[metrics]\nangle = { every = 7 }\n[expect]\nangle = { above = 100 }\n");
  KnownResults none;
  CHECK_FALSE(run_members(rare, {}, none).ok()); // step 60 is not among them
  CHECK(results(rare, Scene{}).size() == 12);
  // a scene of more members than a session holds
  std::string many = kScene + expect;
  many.replace(many.find("seeds = 3"), 9, "seeds = 300");
  many.replace(many.find("steps = 60"), 10, "steps = 1");
  const Scene all = scene_of(many);
  REQUIRE(sweep_size(all) > static_cast<double>(kMostRuns));
  for (const auto& [label, result] : results(all, all)) CHECK(result.failed.size() == 1);
}

TEST_CASE("the journal gives back what it was given", "[sweep][journal]") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/j";
  const KnownResults whole = results_of(scene_of(kScene), 2);
  std::vector<MemberResult> first, second;
  for (const auto& [label, result] : whole) (first.size() < 5 ? first : second).push_back(result);
  second.front().final_loss = NAN;
  second.front().curve.back() = INFINITY;
  {
    auto journal = SweepJournal::open(path, 7, false);
    REQUIRE(journal.ok());
    CHECK((*journal)->take_kept().empty());
    REQUIRE((*journal)->append(first).ok());
    REQUIRE((*journal)->append(second).ok());
    // while it is open nobody else writes it
    const auto other = SweepJournal::open(path, 7, false);
    REQUIRE_FALSE(other.ok());
    CHECK(other.error().text().find("is the journal of a sweep that is running") != std::string::npos);
  }
  const std::string text = read_text(path);
  {
    auto journal = SweepJournal::open(path, 7, false);
    REQUIRE(journal.ok());
    const KnownResults kept = (*journal)->take_kept();
    REQUIRE(kept.size() == 12);
    for (const MemberResult& r : first) CHECK(same(kept.at(r.label), r));
    for (const MemberResult& r : second) CHECK(same(kept.at(r.label), r));
  }
  CHECK(read_text(path) == text);

  SECTION("a torn end is cut off and written over, wherever it tore") {
    std::vector<std::size_t> ends = {0}; // of the whole lines
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) ends.push_back(++at);
    for (std::size_t cut = 1; cut < text.size(); cut += 97) {
      write(path, text.substr(0, cut));
      auto journal = SweepJournal::open(path, 7, false);
      REQUIRE(journal.ok());
      const auto lines = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), cut) - ends.begin()) - 1;
      CHECK((*journal)->take_kept().size() == (lines > 0 ? lines - 1 : 0));
      CHECK_FALSE((*journal)->replaced());
      REQUIRE((*journal)->append({second.back()}).ok());
      journal = SweepJournal::open(path + "2", 1, false); // closes the first
      auto again = SweepJournal::open(path, 7, false);
      REQUIRE(again.ok());
      CHECK((*again)->take_kept().contains(second.back().label));
    }
  }
  SECTION("a flipped bit ends what is believed") {
    std::string wrong = text;
    const auto third = wrong.find('\n', wrong.find('\n', wrong.find('\n') + 1) + 1);
    wrong[third + 40] ^= 1;
    write(path, wrong);
    CHECK((*SweepJournal::open(path, 7, false))->take_kept().size() == 2);
  }
  SECTION("another key, or --fresh, begins anew") {
    auto journal = SweepJournal::open(path, 8, false);
    REQUIRE(journal.ok());
    CHECK((*journal)->replaced());
    CHECK((*journal)->take_kept().empty());
    journal = SweepJournal::open(path + "2", 1, false);
    write(path, text);
    CHECK((*SweepJournal::open(path, 7, true))->take_kept().empty());
  }
  SECTION("what is no journal is left alone") {
    write(path, "my thesis\n");
    const auto journal = SweepJournal::open(path, 7, false);
    REQUIRE_FALSE(journal.ok());
    CHECK(journal.error().text().find("exists and is no journal of a sweep") != std::string::npos);
    CHECK(read_text(path) == "my thesis\n");
  }
}

TEST_CASE("the journal's key is of everything that a result depends on", "[sweep][journal]") {
  const Scene scene = scene_of(kScene);
  const SweepRunOptions cpu{{"cpu"}, 0.1};
  const std::uint64_t key = sweep_key(scene, cpu);
  CHECK(sweep_key(scene_of(kScene), cpu) == key);
  CHECK(sweep_key(scene, {{"cpu", 4}, 0.1}) == key); // threads change nothing
  CHECK(sweep_key(scene, {{"cpu"}, 0.2}) != key);
  Scene other = scene;
  other.steps = 61;
  other.schedule_steps = 60;
  CHECK(sweep_key(other, cpu) != key);
  other = scene;
  other.seed = 5;
  CHECK(sweep_key(other, cpu) != key);
  std::string text = kScene;
  text.replace(text.find("0.01, 0.1"), 9, "0.01, 0.2");
  CHECK(sweep_key(scene_of(text), cpu) != key);
  // and of what its members are judged by
  SweepRunOptions written = cpu;
  written.written = WrittenScene{scene, "changed"};
  CHECK(sweep_key(scene, written) != key);
  CHECK(sweep_key(other, written) != sweep_key(other, cpu));
}

TEST_CASE("the journal's key is of the machine as far as it makes the bits", "[sweep][journal]") {
  // "CPU, AVX-512": a journal that is carried to a machine without it is of no use there
  CHECK(device_of_results({"cpu"}) == cpu_description());
  CHECK(device_of_results({"auto"}) == cpu_description());
  CHECK(device_of_results({"cpu", 4}) == cpu_description());
  const std::string other = device_of_results({"cpu", 0, "v2"});
  CHECK(other == "CPU, v2");
  const Scene scene = scene_of(kScene);
  CHECK(sweep_key(scene, {{"cpu"}}) == sweep_key(scene, {{"auto"}}));
  CHECK(sweep_key(scene, {{"cpu", 0, "v2"}}) != sweep_key(scene, {{"cpu"}}));
}

TEST_CASE("the journal's key is of the recipes that a scene names, in full", "[sweep][journal]") {
  const TemporaryFolder folder;
  const std::string mine = folder.path() + "/mine.toml", other = folder.path() + "/other.toml";
  const auto key = [&](const std::string& run, const std::string& route) {
    write(other, "base = \"sgd\"\n" + route);
    write(mine, "base = \"muon\"\n" + run);
    // mine.toml makes two of the runs, and its text is not the scene's
    return sweep_key(scene_of("[scene]\n[problem]\nkind = \"mlp\"\n[sweep]\noptimizer = [\"" + mine +
                              "\", \"sgd\"]\nhparam.lr = { values = [0.01, 0.1] }\n"),
                     {{"cpu"}, 0.1});
  };
  const std::string routed = "route.vector = \"" + other + "\"\n";
  const std::uint64_t plain = key("", ""), routes = key(routed, "");
  CHECK(key("", "") == plain);
  CHECK(key(routed, "") == routes);
  CHECK(plain != routes);
  CHECK(key("route.vector = \"adamw\"\n", "") != routes);
  CHECK(key(routed, "hparam.lr = 0.07\n") != routes);
  CHECK(key(routed, "schedule.lr = { kind = \"cosine\" }\n") != routes);
  CHECK(key("hparam.momentum = 0.8\n", "") != plain);
  CHECK(key("schedule.lr = { kind = \"cosine\", warmup = 3 }\n", "") != plain);
  CHECK(key("direction = { kind = \"momentum\", nesterov = false }\n", "") != plain);
}
