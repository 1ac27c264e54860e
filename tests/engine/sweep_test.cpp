// [sweep]: reading, members, writing back, and that a member is the run it says it is.
#include "engine/sweep.hpp"

#include "engine/scene_read.hpp"
#include "engine/session.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

#include <cmath>
#include <map>
#include <string>
#include <vector>

using namespace polarscope;

namespace {

const std::string kHead = "[scene]\nseed = 11\nsteps = 40\n[problem]\nkind = \"rows\"\nrows = 2\ncols = 4\n";
const std::string kMuon = "[[run]]\noptimizer = \"muon\"\n";

Scene scene_of(const std::string& text, const std::vector<std::string>& sets = {}) {
  std::vector<SetArgument> parsed;
  for (const std::string& set : sets) parsed.push_back(*parse_set(set));
  auto scene = parse_scene(kHead + text, "s.toml", parsed);
  if (!scene) FAIL(scene.error().text());
  return *scene;
}

std::string error_of(const std::string& text, const std::vector<std::string>& sets = {}) {
  std::vector<SetArgument> parsed;
  for (const std::string& set : sets) parsed.push_back(*parse_set(set));
  const auto scene = parse_scene(kHead + text, "s.toml", parsed);
  return scene ? "no error" : scene.error().text();
}

std::vector<std::string> labels(const Scene& scene) {
  std::vector<std::string> out;
  for (std::size_t m = 0; m < static_cast<std::size_t>(sweep_size(scene)); ++m)
    out.push_back(member_spec(scene, m).label);
  return out;
}

using Labels = std::vector<std::string>;

} // namespace

TEST_CASE("a sweep's numbers are spaced as asked", "[sweep]") {
  const auto values = [](const std::string& form) {
    return scene_of(kMuon + "[sweep]\nhparam.lr = " + form + "\n").sweep->hparams.at(0).values;
  };
  CHECK(values("{ log = [1e-3, 1e-1], count = 3 }") == std::vector<double>{1e-3, 1e-2, 1e-1});
  CHECK(values("{ log = [0.001, 0.008], count = 4 }") == std::vector<double>{0.001, 0.002, 0.004, 0.008});
  CHECK(values("{ linear = [0.1, 0.5], count = 5 }") == std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5});
  CHECK(values("{ values = [0.3, 0.1] }") == std::vector<double>{0.3, 0.1});
  const auto eight = values("{ log = [1e-4, 1e-1], count = 8 }");
  REQUIRE(eight.size() == 8);
  for (std::size_t i = 1; i < 8; ++i) CHECK(eight[i] / eight[i - 1] == Approx(std::pow(10.0, 3.0 / 7)));
}

TEST_CASE("members are the product, run by run, seeds fastest", "[sweep]") {
  const Scene scene =
      scene_of("[[run]]\noptimizer = \"sgd\"\n[[run]]\nlabel = \"ball\"\noptimizer = \"muon\"\n"
               "[sweep]\nhparam.lr = { values = [0.1, 0.2] }\nhparam.momentum = { values = [0.5, 0.9] }\n"
               "seeds = 2\n");
  // SGD has no momentum and is not repeated for it
  CHECK(labels(scene) == Labels{"sgd lr 0.1 seed 11", "sgd lr 0.1 seed 12", "sgd lr 0.2 seed 11", "sgd lr 0.2 seed 12",
                                "ball lr 0.1 momentum 0.5 seed 11", "ball lr 0.1 momentum 0.5 seed 12",
                                "ball lr 0.1 momentum 0.9 seed 11", "ball lr 0.1 momentum 0.9 seed 12",
                                "ball lr 0.2 momentum 0.5 seed 11", "ball lr 0.2 momentum 0.5 seed 12",
                                "ball lr 0.2 momentum 0.9 seed 11", "ball lr 0.2 momentum 0.9 seed 12"});
  const RunSpec member = member_spec(scene, 11);
  CHECK(member.group == "ball");
  CHECK(member.seed == 12u);
  CHECK(member.hparams.at("lr") == 0.2);
  CHECK(member.hparams.at("momentum") == 0.9);
  CHECK(has_member(scene, "ball lr 0.2 momentum 0.9 seed 12"));
  CHECK_FALSE(has_member(scene, "ball lr 0.3 momentum 0.9 seed 12"));
}

TEST_CASE("words of a sweep make runs of their own", "[sweep]") {
  SECTION("optimizers, without any [[run]]") {
    CHECK(labels(scene_of("[sweep]\noptimizer = [\"adamw\", \"muon\"]\nseeds = 2\n")) ==
          Labels{"adamw seed 11", "adamw seed 12", "muon seed 11", "muon seed 12"});
  }
  SECTION("a run's numbers go to the optimizers that have them") {
    const Scene scene = scene_of("[[run]]\nlabel = \"a\"\nhparam.momentum = 0.8\nstart = { norm = 2.0 }\n"
                                 "[sweep]\noptimizer = [\"adamw\", \"muon\"]\n");
    CHECK(labels(scene) == Labels{"a adamw", "a muon"});
    CHECK(scene.runs[0].hparams.empty());
    CHECK(scene.runs[1].hparams == std::map<std::string, double>{{"momentum", 0.8}});
    CHECK(scene.runs[0].start.norm == 2.0);
  }
  SECTION("options, for the runs that have them") {
    const Scene scene = scene_of("[[run]]\noptimizer = \"adamw\"\n" + kMuon +
                                 "[sweep]\noptimizer.direction.nesterov = [true, false]\n"
                                 "optimizer.geometry.ns_coefficients = [\"kj\", \"quintic\"]\n");
    CHECK(labels(scene) ==
          Labels{"adamw", "muon nesterov true ns_coefficients kj", "muon nesterov true ns_coefficients quintic",
                 "muon nesterov false ns_coefficients kj", "muon nesterov false ns_coefficients quintic"});
    CHECK(scene.runs[4].optimizer.part(Part::direction).options.at("nesterov") == SettingValue(false));
    CHECK(scene.runs[4].optimizer.part(Part::geometry).options.at("ns_coefficients") ==
          SettingValue(std::string("quintic")));
  }
  SECTION("stages, and optimizers beside options") {
    CHECK(labels(scene_of(kMuon + "[sweep]\noptimizer.magnitude = [\"free\", \"hyperball\"]\n")) ==
          Labels{"muon free", "muon hyperball"});
    CHECK(labels(scene_of(
              "[sweep]\noptimizer.base = [\"adamw\", \"muon\"]\noptimizer.direction.nesterov = [true, false]\n")) ==
          Labels{"adamw", "muon nesterov true", "muon nesterov false"});
  }
}

TEST_CASE("a sweep is written back as it was read", "[sweep]") {
  const std::vector<std::string> texts = {
      kMuon + "[sweep]\nhparam.lr = { log = [1e-4, 1e-1], count = 8 }\nseeds = 4\n",
      kMuon + "[sweep]\nhparam.lr = { linear = [0.1, 0.4], count = 4 }\nhparam.momentum = { values = [0.9, 0.5] }\n",
      "[sweep]\noptimizer = [\"adamw\", \"muon\"]\nhparam.lr = { log = [1e-3, 1e-1], count = 3 }\n",
      "[[run]]\nlabel = \"x\"\noptimizer.base = \"muon\"\noptimizer.magnitude = { kind = \"hyperball\" }\nhparam.lr = "
      "0.02\n"
      "start = { norm = 2.0 }\n[sweep]\noptimizer.direction.nesterov = [true, false]\nseeds = 2\n",
  };
  for (const std::string& text : texts) {
    const Scene scene = scene_of(text);
    const std::string written = to_toml(scene);
    INFO(written);
    CHECK(written.find("[sweep]") != std::string::npos);
    const auto again = parse_scene(written, "s.toml");
    if (!again) FAIL(again.error().text());
    CHECK(labels(*again) == labels(scene));
    CHECK(to_toml(*again) == written);
    for (std::size_t m = 0; m < labels(scene).size(); ++m) {
      const RunSpec a = member_spec(scene, m), b = member_spec(*again, m);
      CHECK(a.hparams == b.hparams);
      CHECK(a.seed == b.seed);
      CHECK(a.optimizer.parts == b.optimizer.parts);
      CHECK(a.start.norm == b.start.norm);
    }
  }
}

TEST_CASE("a route's numbers are swept by their own names", "[sweep]") {
  const auto scene = parse_scene("[scene]\n[problem]\nkind = \"mlp\"\n[[run]]\noptimizer = \"muon\"\n[sweep]\n"
                                 "hparam.rest.lr = { values = [0.1, 0.2] }\n",
                                 "s.toml");
  if (!scene) FAIL(scene.error().text());
  CHECK(labels(*scene) == Labels{"muon rest.lr 0.1", "muon rest.lr 0.2"});
  CHECK(member_spec(*scene, 1).hparams.at("rest.lr") == 0.2);
  const auto again = parse_scene(to_toml(*scene), "s.toml");
  if (!again) FAIL(again.error().text());
  CHECK(labels(*again) == labels(*scene));
}

TEST_CASE("--set works on what a sweep starts from, and on the sweep", "[sweep]") {
  const std::string text = "[[run]]\n[sweep]\noptimizer = [\"adamw\", \"muon\"]\nhparam.lr = { values = [0.1, 0.2] }\n";
  const Scene one = scene_of(text, {"muon:momentum=0.7"});
  CHECK(labels(one) == Labels{"adamw lr 0.1", "adamw lr 0.2", "muon lr 0.1", "muon lr 0.2"});
  CHECK(one.runs[1].hparams.at("momentum") == 0.7);
  CHECK(labels(*parse_scene(to_toml(one), "s.toml")) == labels(one));
  CHECK(scene_of(text, {"weight_decay=0.3"}).runs[0].hparams.at("weight_decay") == 0.3);
  CHECK(labels(scene_of(text, {"sweep.hparam.lr={ values = [0.5] }", "sweep.seeds=1"})) ==
        Labels{"adamw lr 0.5", "muon lr 0.5"});
  CHECK(labels(scene_of(text, {"sweep.optimizer=[\"sgd\"]"})) == Labels{"sgd lr 0.1", "sgd lr 0.2"});
  CHECK(error_of(text, {"lr=0.3"}) == "--set lr=0.3: 'lr' is swept; sweep.hparam.lr sets what it goes through");
  CHECK(error_of(text, {"sweep.seeds=0"}) == "--set sweep.seeds=0: 'seeds' = 0 is out of range; allowed: 1 to 10000");
}

TEST_CASE("malformed sweeps are refused at their place", "[sweep]") {
  // Line 8 is [[run]], line 10 [sweep], line 11 the case.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"seedz = 2", "s.toml:11:1: unknown key 'seedz' in [sweep]; did you mean 'seeds'?"},
      {"seeds = 0", "s.toml:11:9: 'seeds' = 0 is out of range; allowed: 1 to 10000"},
      {"seeds = 1.5", "s.toml:11:9: 'seeds' must be a whole number, not 1.5"},
      {"hparam = 3", "s.toml:11:10: 'hparam' must be a table, not 3"},
      {"hparam.lrr = { values = [1] }", "s.toml:11:8: no run has the hyperparameter 'lrr'; did you mean 'lr'?"},
      {"hparam.lr = 0.1",
       "s.toml:11:13: 'lr' in [sweep] must be { log = [a, b], count = n }, { linear = [a, b], count = n "
       "} or { values = […] }"},
      {"hparam.lr = { log = [1e-3, 1e-1] }", "s.toml:11:13: 'lr' in [sweep] must be { log"},
      {"hparam.lr = { values = [0.1], count = 3 }", "s.toml:11:13: 'lr' in [sweep] must be { log"},
      {"hparam.lr = { log = [1e-3, 1e-1], linear = [1, 2], count = 3 }", "s.toml:11:13: 'lr' in [sweep] must be { log"},
      {"hparam.lr = { lgo = [1e-3, 1e-1], count = 3 }",
       "s.toml:11:15: unknown key 'lgo' in [sweep] lr; did you mean 'log'?"},
      {"hparam.lr = { log = [0.0, 1e-1], count = 3 }", "s.toml:11:21: 'log' must be two rising numbers above 0"},
      {"hparam.lr = { log = [0.1, 0.01], count = 3 }", "s.toml:11:21: 'log' must be two rising numbers above 0"},
      {"hparam.lr = { linear = [1.0], count = 3 }", "s.toml:11:24: 'linear' must be two rising numbers"},
      {"hparam.lr = { linear = [1.0, 2.0, 3.0], count = 3 }", "s.toml:11:24: 'linear' has 3 numbers; allowed: 1 to 2"},
      {"hparam.lr = { log = [1e-3, 1e-1], count = 1e9 }",
       "s.toml:11:43: 'count' = 1000000000 is out of range; allowed: 2 to 10000"},
      {"hparam.lr = { log = [1e-3, 1e-1], count = 1 }", "s.toml:11:43: 'count' = 1 is out of range"},
      {"hparam.lr = { log = [1e-3, inf], count = 3 }", "s.toml:11:28: 'log' must be a finite number, not inf"},
      {"hparam.lr = { values = [] }", "s.toml:11:24: 'values' has 0 numbers; allowed: 1 to 10000"},
      {"hparam.lr = { values = [0.1, nan] }", "s.toml:11:30: 'values' must be a finite number, not nan"},
      {"hparam.lr = { values = [0.1, -0.1] }", "s.toml:11:30: 'lr' = -0.1 is out of range; allowed: 0 to"},
      {"hparam.momentum = { values = [0.5, 2.0] }", "s.toml:11:36: 'momentum' = 2 is out of range; allowed: 0 to"},
      {"hparam.lr = { values = [0.1, 0.1] }", "s.toml:11:30: 'lr' in [sweep] has 0.1 twice"},
      {"optimizer = \"muon\"", "s.toml:11:13: [sweep] optimizer must be a list of optimizers"},
      {"optimizer = [\"muon\"]", "s.toml:9:1: [sweep] has optimizers: leave this one out, or write a [[run]] for each"},
      {"optimizer.magnitued.gains = [\"none\"]",
       "s.toml:11:11: unknown key 'magnitued' in [sweep] optimizer; did you mean 'magnitude'?"},
      {"optimizer.direction.nestrov = [true]",
       "s.toml:11:21: no run has the option 'direction.nestrov'; did you mean 'direction.nesterov'?"},
      {"optimizer.geometry.ns_coefficients = [\"kj\", \"quintc\"]",
       "s.toml:11:45: 'ns_coefficients' has no value 'quintc'; did you mean 'quintic'?"},
      {"optimizer.geometry = [\"orthogonalize\"]",
       "s.toml:11:23: unknown geometry 'orthogonalize'; did you mean 'orthogonalise'?"},
      {"optimizer.direction.nesterov = []", "s.toml:11:32: 'nesterov' in [sweep] must be a list of 1 to 1024 values"},
      {"optimizer.direction.nesterov = [true, true]", "s.toml:11:39: 'nesterov' in [sweep] has true twice"},
      {"optimizer.direction.nesterov = [[true]]",
       "s.toml:11:33: 'nesterov' in [sweep] must be a list of words, not of a list"},
  };
  for (const auto& [line, expected] : cases) {
    const std::string text = error_of(kMuon + "[sweep]\n" + line + "\n");
    INFO(line << "\n" << text);
    CHECK(text.find(expected) == 0);
  }
  CHECK(error_of("[sweep]\noptimizer = [\"adamw\", \"muom\"]\n") ==
        "s.toml:9:23: unknown optimizer 'muom'; did you mean 'muon'?");
  const auto number = parse_scene("sweep = 3\n" + kHead + kMuon, "s.toml");
  REQUIRE_FALSE(number.ok());
  CHECK(number.error().text() == "s.toml:1:9: 'sweep' must be a table, not 3");
  CHECK(error_of("[sweep]\nseeds = 3\n").find("the scene has no [[run]]") != std::string::npos);
}

TEST_CASE("a sweep of absurd size is refused before anything is made", "[sweep]") {
  const std::string big = "hparam.lr = { log = [1e-3, 1e-1], count = 10000 }\nhparam.momentum = { linear = [0.1, 0.9], "
                          "count = 10000 }\nseeds = 10000\n";
  const std::string text = error_of(kMuon + "[sweep]\n" + big);
  INFO(text);
  CHECK(text.find("s.toml:10:1: [sweep] makes 1e+12 members (about ") == 0);
  CHECK(text.find("; the most is 100000") != std::string::npos);
  // what one session cannot hold is still a sweep
  const Scene scene = scene_of(kMuon + "[sweep]\nseeds = 2000\n");
  CHECK(sweep_size(scene) == 2000);
  const auto session = Session::open(scene, {});
  REQUIRE_FALSE(session.ok());
  CHECK(session.error().text().find("s.toml:10:1: [sweep] makes 2000 members") == 0);
  CHECK(session.error().text().find("'polarscope sweep' goes through more of them in turn") != std::string::npos);
}

TEST_CASE("bytes are told in a unit that fits", "[sweep]") {
  CHECK(size_text(512) == "512 B");
  CHECK(size_text(34'000) == "34 kB");
  CHECK(size_text(12e6) == "12 MB");
  CHECK(size_text(3.4e9) == "3.4 GB");
}

TEST_CASE("an expectation of a run is one of each of its members", "[sweep]") {
  const Scene scene = scene_of(kMuon + "[sweep]\nseeds = 2\n[expect]\nloss = { run = \"muon\", below = 9 }\n"
                                       "angle = { run = \"muon seed 12\", above = 0 }\n");
  const Scene members = with_members(scene, {0, 1});
  REQUIRE(members.expect.size() == 3);
  CHECK(members.expect[0].run == "muon seed 11");
  CHECK(members.expect[1].run == "muon seed 12");
  CHECK(members.expect[2].run == "muon seed 12");
  CHECK(error_of(kMuon + "[sweep]\nseeds = 2\n[expect]\nloss = { run = \"muon seed 13\", below = 9 }\n")
            .find("no run is labelled 'muon seed 13'") != std::string::npos);
}

TEST_CASE("a member is to the bit the run alone, for any number of threads", "[sweep][determinism]") {
  const Scene scene =
      scene_of("[sweep]\noptimizer = [\"adamw\", \"muon\"]\nhparam.lr = { values = [0.01, 0.1] }\nseeds = 2\n");
  std::map<std::string, std::uint64_t> alone;
  for (std::size_t m = 0; m < 8; ++m) {
    Scene one = with_members(scene, {m});
    auto session = Session::open(one, {"cpu", 1});
    REQUIRE(session.ok());
    (*session)->advance(40);
    alone[one.runs[0].label] = (*session)->state_hash(1);
  }
  REQUIRE(alone.size() == 8);
  for (const int threads : {1, 2, 4}) {
    auto session = Session::open(scene, {"cpu", threads});
    if (!session) FAIL(session.error().text());
    for (const long burst : {7, 1, 32}) (*session)->advance(burst);
    Frame frame;
    (*session)->fill(frame);
    REQUIRE(frame.runs.size() == 8);
    for (const RunFrame& run : frame.runs) {
      INFO(run.label);
      CHECK(run.state_hash == alone.at(run.label));
      CHECK((run.group == "adamw" || run.group == "muon"));
    }
  }
}
