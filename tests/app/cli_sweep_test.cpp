// polarscope sweep and compare, by running the built program.
#include "tests/support/catch.hpp"
#include "tests/app/program.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

using namespace polarscope::test;
using Json = nlohmann::json;

namespace {

std::string sweep_scene(long steps) {
  return "[scene]\nseed = 2\nsteps = " + std::to_string(steps) +
         "\n[problem]\nkind = \"rows\"\nrows = 4\ncols = 8\nnoise = 0.05\n[sweep]\noptimizer = [\"sgd\", \"muon\"]\n"
         "hparam.lr = { log = [0.01, 1.0], count = 5 }\nseeds = 4\n";
}

// Times differ from run to run.
Json without_times(const std::string& text) {
  Json json = Json::parse(text);
  json.erase("seconds");
  for (Json& best : json["best"]) best.erase("seconds_per_step");
  return json;
}

// Where a sweep without a result file keeps its journal.
struct StateFolder {
  StateFolder() { ::setenv("XDG_STATE_HOME", folder.path().c_str(), 1); }
  ~StateFolder() { ::unsetenv("XDG_STATE_HOME"); }
  TemporaryFolder folder;
};

} // namespace

TEST_CASE("sweep prints members, bests and differences, and nothing else", "[cli][sweep]") {
  const StateFolder state;
  const TemporaryFolder folder;
  const std::string scene = folder.write("s.toml", sweep_scene(50));
  const Outcome outcome = program({"sweep", scene, "--device", "cpu"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out.find("run   lr") == 0);
  CHECK(outcome.out.find("loss: mean over steps 46 to 50; ± standard error over seeds") != std::string::npos);
  CHECK(outcome.out.find("each at its best:") != std::string::npos);
  CHECK(outcome.out.find("sgd − muon") != std::string::npos);
  CHECK(outcome.out.find("state hash ") != std::string::npos);
  CHECK(folder.names() == std::vector<std::string>{"s.toml"});
  CHECK(program({"sweep", scene, "--csv", "-"}).out.find("run,member,seed,step,of,optimizer,lr,status") == 0);
  CHECK(lines_of(program({"sweep", scene, "--csv", "-"}).out) == 41);
  // one thread or four, the same to the bit
  const Json one = without_times(program({"sweep", scene, "--json", "-", "--threads", "1"}).out);
  const Json four = without_times(program({"sweep", scene, "--json", "-", "--threads", "4"}).out);
  CHECK(one == four);
  CHECK(one.at("complete") == true);
  CHECK(one.at("members").size() == 40);
  CHECK(one.at("settings").size() == 10);
  CHECK(one.at("best").size() == 2);
  CHECK(one.at("best").at(0).at("band").at("mean").size() == 50);
  // a member has the hash of the run alone
  const Json& member = one.at("members").at(27);
  CHECK(member.at("label") == "muon lr 0.0316 seed 5");
  const std::string alone = folder.write(
      "one.toml",
      "[scene]\nseed = 5\nsteps = 50\n[problem]\nkind = \"rows\"\nrows = 4\ncols = 8\nnoise = 0.05\n[[run]]\n"
      "optimizer = \"muon\"\nhparam.lr = " +
          member.at("hparams").at("lr").dump() + "\n");
  const Json run = Json::parse(program({"run", alone, "--json", "-", "--device", "cpu"}).out);
  CHECK(run.at("runs").at(0).at("state_hash") == member.at("state_hash"));
  CHECK(run.at("state_hash") == member.at("state_hash"));
  CHECK(run.at("runs").at(0).at("final").at("loss") == member.at("final").at("loss"));
  // `run` and the window take the same scene, its members as runs
  const Json runs = Json::parse(program({"run", scene, "--json", "-", "--device", "cpu"}).out);
  REQUIRE(runs.at("runs").size() == 40);
  CHECK(runs.at("state_hash") == one.at("state_hash"));
}

TEST_CASE("a sweep that is killed goes on where it was", "[cli][sweep]") {
  const TemporaryFolder folder;
  const std::string scene = folder.write("s.toml", sweep_scene(20000));
  const std::string whole = folder.path() + "/whole.json", killed = folder.path() + "/killed.json",
                    journal = killed + ".journal";
  REQUIRE(program({"sweep", scene, "--json", whole, "--device", "cpu"}).exit_code == 0);
  CHECK(folder.names() == std::vector<std::string>{"s.toml", "whole.json"}); // the journal is gone

  ProcessOptions kill;
  kill.signal = SIGKILL;
  kill.signal_when = [&] { return lines_of(read_text(journal)) >= 9; };
  const Outcome first = program({"sweep", scene, "--json", killed, "--device", "cpu", "--threads", "1"}, kill);
  REQUIRE(first.exit_code == 128 + SIGKILL);
  const long kept = lines_of(read_text(journal)) - 1; // without the header
  REQUIRE(kept >= 8);
  REQUIRE(kept < 40);
  folder.write("killed.json.journal",
               read_text(journal) + "0123456789abcdef {\"label\": \"torn"); // as a power cut leaves it

  const Outcome second = program({"sweep", scene, "--json", killed, "--device", "cpu"});
  INFO(second.err);
  CHECK(second.exit_code == 0);
  CHECK(second.err.find("polarscope: " + std::to_string(kept) + " members are kept from before, in " + journal) == 0);
  CHECK(without_times(read_text(killed)) == without_times(read_text(whole)));
  // neither its journal nor the file that the killed one had begun
  CHECK(folder.names() == std::vector<std::string>{"killed.json", "s.toml", "whole.json"});
}

TEST_CASE("a sweep that is interrupted prints what is done", "[cli][sweep]") {
  const StateFolder state;
  const TemporaryFolder folder;
  const std::string scene = folder.write("s.toml", sweep_scene(50000));
  const std::string json = folder.path() + "/r.json", journal = json + ".journal";
  ProcessOptions interrupt;
  interrupt.signal = SIGINT;
  interrupt.signal_when = [&] { return lines_of(read_text(journal)) >= 9; };
  const Outcome outcome = program({"sweep", scene, "--json", json, "--device", "cpu", "--threads", "1"}, interrupt);
  INFO(outcome.err);
  CHECK(outcome.exit_code == 130);
  CHECK(outcome.err.find("interrupted; ") != std::string::npos);
  CHECK(outcome.err.find("the same command goes on with the others") != std::string::npos);
  CHECK(outcome.out.find("each at its best:") != std::string::npos);
  const Json result = Json::parse(read_text(json));
  CHECK(result.at("complete") == false);
  CHECK(static_cast<long>(result.at("members").size()) == lines_of(read_text(journal)) - 1);
  // the journal of another scene is no use, which is said
  folder.write("s.toml", sweep_scene(60));
  const Outcome other = program({"sweep", scene, "--json", json, "--device", "cpu"});
  CHECK(other.exit_code == 0);
  CHECK(other.err.find("was of another scene, program or machine and is begun anew") != std::string::npos);
}

TEST_CASE("members that --set or --seed changed are not judged", "[cli][sweep][expect]") {
  const StateFolder state;
  const TemporaryFolder folder;
  const std::string scene = folder.write("s.toml", sweep_scene(20) + "[expect]\nloss = { below = -1 }\n");
  const auto failed = [&](std::vector<std::string> more, std::size_t not_judged) {
    more.insert(more.begin(), {"sweep", scene, "--device", "cpu", "--json", "-"});
    const Outcome outcome = program(more);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code < 2);
    std::size_t count = 0, others = 0;
    const Json result = Json::parse(outcome.out);
    for (const Json& member : result.at("members")) {
      count += member.at("failed").size();
      others += member.contains("not_judged");
    }
    CHECK(outcome.exit_code == (count > 0 ? 1 : 0));
    CHECK(others == not_judged);
    CHECK(says(outcome.err, "not judged") == (not_judged > 0));
    return count;
  };
  CHECK(failed({}, 0) == 40);
  CHECK(failed({"--set", "problem.rows=3"}, 40) == 0);
  CHECK(failed({"--set", "muon:momentum=0.5"}, 20) == 20);
  CHECK(failed({"--seed", "9"}, 40) == 0);
  CHECK(failed({"--set", "scene.speed=3"}, 0) == 40); // which changes no result
  const Outcome table = program({"sweep", scene, "--device", "cpu", "--set", "problem.rows=3"});
  CHECK(table.exit_code == 0);
  CHECK(says(table.out, "expectations of 40 of 40 members not judged: changed by --set\n"));
}

TEST_CASE("sweeps that cannot be are refused with one line", "[cli][sweep]") {
  const TemporaryFolder folder;
  const std::string huge =
      folder.write("huge.toml", sweep_scene(10) + "hparam.momentum = { linear = [0.1, 0.9], count = 10000 }\n");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"sweep", "first_look"}, "first_look.toml: has no [sweep]; 'polarscope run' runs it"},
      {{"sweep", huge}, huge + ":9:1: [sweep] makes 200020 members (about "},
      {{"sweep", "interference/rates", "--set", "lr=1"}, "'lr' is swept; sweep.hparam.lr sets what it goes through"},
      {{"sweep", "interference/rates", "--tail", "101"}, "--tail"},
      {{"sweep", "interference/rates", "--csv", "-", "--json", "-"}, "only one result can go to stdout"},
      {{"compare", "muon", "adamw"}, "--scene"},
      {{"compare", "--scene", "first_look"}, "OPT"},
      {{"compare", "muom", "adamw", "--scene", "first_look"}, "unknown optimizer 'muom'; did you mean 'muon'?"},
      {{"compare", "muon", "adamw", "--scene", "first_look", "--sweep", "lrr"}, "did you mean 'lr'?"},
      {{"compare", "muon", "adamw", "--scene", "first_look", "--set", "lr=1"}, "compare sets keys of the scene only"},
      {{"compare", "muon", "adamw", "--scene", "first_look", "--seeds", "0"}, "--seeds"},
  };
  for (const auto& [arguments, expected] : cases) {
    const Outcome outcome = program(arguments);
    INFO(arguments.back() << "\n" << outcome.err);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out.empty());
    CHECK(lines_of(outcome.err) == 1);
    CHECK(outcome.err.find(expected) != std::string::npos);
  }
}

TEST_CASE("compare shows each at its best and all at one rate", "[cli][compare]") {
  const StateFolder state;
  const TemporaryFolder folder;
  const std::string json = folder.path() + "/c.json";
  const Outcome outcome = program({"compare", "sgd", "muon", "--scene", "interference/layer", "--steps", "60",
                                   "--seeds", "3", "--json", json, "--device", "cpu"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out.find("each at its best:") != std::string::npos);
  CHECK(outcome.out.find("the best of sgd:") != std::string::npos);
  CHECK(outcome.out.find("time per step") != std::string::npos);
  const Json result = Json::parse(read_text(json));
  CHECK(result.at("best").size() == 2);
  CHECK(result.at("same").at("hparam") == "lr");
  CHECK(result.at("differences").size() == 1);
  // a lone optimizer gets a baseline
  const Outcome alone =
      program({"compare", "muon", "--scene", "first_look", "--steps", "20", "--seeds", "2", "--device", "cpu"});
  INFO(alone.err);
  CHECK(alone.err.find("polarscope: muon is compared with adamw\n") == 0);
  CHECK(alone.out.find("not decided: 2 seeds, 3 are needed") != std::string::npos);
  CHECK(alone.out.find("not tuned") == std::string::npos);
  // Muon trains the matrices of a network, another recipe the rest, at a rate that nobody has chosen
  const Outcome routes =
      program({"compare", "muon", "adamw", "--scene", "networks/digits", "--steps", "100", "--seeds", "2"});
  INFO(routes.out << routes.err);
  CHECK(routes.out.find("the scene's own runs, routes, schedules and numbers are not used: ") == 0);
  CHECK(routes.out.find("not tuned: rest.lr of muon, 0.0003, ") != std::string::npos);
  CHECK(routes.out.find("not tuned: lr of ") == std::string::npos);
  CHECK(routes.out.find("radial update") == std::string::npos); // a network has many parameters
  CHECK(routes.out.find("accuracy") != std::string::npos);
  CHECK(routes.out.find("angular update (°/step)") != std::string::npos);
  // and one that may choose that rate has the others as they are
  const Outcome rest =
      program({"compare", "muon", "--scene", "networks/digits", "--sweep", "rest.lr", "--steps", "20", "--seeds", "1"});
  INFO(rest.out << rest.err);
  CHECK(rest.out.find("not tuned: rest.lr of muon") == std::string::npos);
  CHECK(rest.out.find("not tuned: lr of muon, 0.02, the only one that was tried\n"
                      "not tuned: lr of adamw, 0.001, the only one that was tried\n") != std::string::npos);
}
