// What commands say of runs that were changed, diverged, were stopped or came from a recording.
#include "tests/support/catch.hpp"
#include "tests/app/program.hpp"
#include "tests/support/tensors.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <sstream>
#include <string>
#include <vector>

#include <csignal>

using namespace polarscope::test;
using Json = nlohmann::json;

namespace {

std::string last_line(const std::string& text) {
  const std::string whole = text.substr(0, text.find_last_not_of('\n') + 1);
  return whole.substr(whole.rfind('\n') + 1);
}

// The words of the table's row that begins with `name`.
std::vector<std::string> row(const std::string& table, const std::string& name) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + "  ")) continue;
    std::istringstream in(line.substr(name.size()));
    std::vector<std::string> out;
    for (std::string word; in >> word;) out.push_back(word);
    return out;
  }
  return {};
}

// Both runs would fail: the loss is never above 100.
const std::string kScene = R"([scene]
steps = 20
[problem]
kind = "circle"
[[run]]
label = "a"
optimizer = "sgd"
[[run]]
label = "b"
optimizer = "momentum"
[expect]
loss = { above = 100.0 }
)";

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Two parameters over two steps: plain descent with rate 1 subtracts the gradients.
const std::vector<std::pair<std::string, Tensor>> kTrace = {
    {"weight/first", {"F64", {1, 2}, {3, 0}}},
    {"weight/second", {"F64", {2}, {0, 4}}},
    {"gradient/first", {"F64", {2, 1, 2}, {0, 0, 0, -3}}}, // ends at (3, 3)
    {"gradient/second", {"F64", {2, 2}, {0, 2, 0, 0}}}};   // ends at (0, 2)

} // namespace

TEST_CASE("expectations of a run that was changed are not judged", "[cli][expect]") {
  const TemporaryFolder folder;
  const std::string scene = folder.write("s.toml", kScene);
  const auto judged = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"run", scene, "--device", "cpu", "--json", "-"});
    const Outcome outcome = program(more);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code < 2);
    const Json json = Json::parse(outcome.out);
    CHECK(outcome.exit_code == (json.at("expect").empty() ? 0 : 1));
    CHECK(json.at("expect").size() + json.at("not_judged").size() == 2);
    for (const Json& e : json.at("not_judged"))
      CHECK(says(outcome.err, "not judged: " + e.at("why").get<std::string>()));
    return json.at("expect").size();
  };
  CHECK(judged({}) == 2);
  CHECK(judged({"--set", "lr=0.01"}) == 0);
  CHECK(judged({"--set", "a:lr=0.01"}) == 1);
  CHECK(judged({"--set", "momentum=0.5"}) == 1); // only b has it
  CHECK(judged({"--set", "problem.noise=0.3"}) == 0);
  CHECK(judged({"--set", "scene.steps=10"}) == 0);
  CHECK(judged({"--set", "optimizer=adam"}) == 0);
  CHECK(judged({"--seed", "9"}) == 0);
  // what changes nothing
  CHECK(judged({"--set", "lr=0.1"}) == 2); // as it is
  CHECK(judged({"--set", "scene.speed=3"}) == 2);
  CHECK(judged({"--set", "view.layout=show"}) == 2);
  CHECK(judged({"--seed", "0"}) == 2);
  CHECK(judged({"--threads", "1"}) == 2);
  CHECK(judged({"--steps", "30"}) == 2); // judged at the file's step
  const Outcome table = program({"run", scene, "--device", "cpu", "--set", "a:lr=0.01"});
  CHECK(table.exit_code == 1);
  CHECK(says(table.out, "not judged: changed by --set: loss of 'a' at step 20 above 100"));
  CHECK(says(table.out, "FAILED: loss of 'b' at step 20 above 100"));
  // members of a sweep
  const std::string swept = folder.write("swept.toml", kScene + "[sweep]\nseeds = 2\n");
  const auto not_judged = [&](const std::string& set) {
    return Json::parse(program({"run", swept, "--device", "cpu", "--json", "-", "--set", set}).out)
        .at("not_judged")
        .size();
  };
  CHECK(not_judged("view.layout=show") == 0);
  CHECK(not_judged("a:lr=0.01") == 2);
  // a metric that only the unchanged problem has
  const std::string named = folder.write("named.toml", kScene + "W.angle = { run = \"a\", above = 100 }\n");
  CHECK(program({"run", named, "--device", "cpu", "--set", "metrics.angle.every=0"}).exit_code == 2);
}

TEST_CASE("the last line on stderr names the runs that diverged", "[cli]") {
  const Outcome outcome = program({"run", "control/quadratic", "--device", "cpu", "--set", "sgd:lr=1e6"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK(last_line(outcome.err) == "polarscope: 1 of 3 runs diverged: sgd at step 4");
  const std::vector<std::string> sgd = row(outcome.out, "sgd");
  REQUIRE(sgd.size() == 9);
  CHECK(sgd[5] == "diverged");
  CHECK(sgd[8] == "4");
  CHECK(std::isfinite(std::stod(sgd[3]))); // the norm: the last finite one
  CHECK(std::stod(sgd[3]) > 1e10);
  const Json json =
      Json::parse(program({"run", "control/quadratic", "--device", "cpu", "--set", "sgd:lr=1e6", "--json", "-"}).out);
  CHECK(json.at("runs").at(0).at("final").at("W.frobenius_norm") == "inf"); // what it was when it stopped
}

TEST_CASE("angles are degrees for people and radians in files", "[cli]") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/x.json";
  const Outcome table = program({"run", "first_look", "--device", "cpu", "--json", path});
  const Json final = Json::parse(read_text(path)).at("runs").at(0).at("final");
  const double turned = final.at("W.angular_update").get<double>() * 180 / std::numbers::pi,
               travelled = final.at("W.angle_travelled").get<double>() * 180 / std::numbers::pi;
  CHECK(says(table.out, "angular update (°/step)"));
  REQUIRE(row(table.out, "norm 1").size() == 6);
  CHECK(std::stod(row(table.out, "norm 1")[4]) == Approx(turned).epsilon(1e-3));
  const std::string report = program({"run", "first_look", "--device", "cpu", "--report"}).out;
  const auto after = [&](const std::string& name) { return report.substr(report.find(name) + name.size()); };
  CHECK(std::stod(after("angular update ")) == Approx(turned).epsilon(1e-3));
  CHECK(says(after("angular update ").substr(0, 20), "° per step, "));
  CHECK(std::stod(after("angle travelled ")) == Approx(travelled).epsilon(1e-3));
  CHECK(says(after("angle travelled ").substr(0, 10), "°."));
}

TEST_CASE("being stopped by a signal is said everywhere", "[cli]") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder folder;
    ProcessOptions options;
    const auto start = std::chrono::steady_clock::now();
    options.signal = signal;
    options.signal_when = [start] {
      return std::chrono::steady_clock::now() - start > std::chrono::milliseconds(1500);
    };
    const std::string json = folder.path() + "/out.json";
    const Outcome outcome = program({"run", "first_look", "--device", "cpu", "--steps", "1000000000", "--json", json,
                                     "--csv", folder.path() + "/out.csv"},
                                    options);
    INFO(signal << ": " << outcome.err);
    CHECK(outcome.exit_code == 128 + signal);
    CHECK(says(outcome.out, "interrupted at step "));
    CHECK(says(outcome.out, " of 1000000000\n"));
    CHECK(folder.names() == std::vector<std::string>{"out.csv", "out.json"});
    const Json report = Json::parse(read_text(json));
    CHECK(report.at("interrupted") == true);
    CHECK(report.at("steps_wanted") == 1000000000);
    CHECK(report.at("runs").at(0).at("step").get<long>() < 1000000000);
  }
  const Json whole = Json::parse(program({"run", "first_look", "--device", "cpu", "--json", "-"}).out);
  CHECK(whole.at("interrupted") == false);
  CHECK(whole.at("steps_wanted") == 600);
}

TEST_CASE("rows that CSV thinned are named on stderr", "[cli][csv]") {
  const TemporaryFolder folder;
  constexpr long kSteps = 400'000;
  const std::string trace = folder.write(
      "t.safetensors", tensor_file({{"weight/W", {"F32", {2}, {1, 1}}},
                                    {"gradient/W", {"F32", {kSteps, 2}, std::vector<double>(2 * kSteps, 1e-6)}}}));
  const std::string path = folder.path() + "/x.csv";
  const Outcome outcome = program({"replay", trace, "--optimizer", "sgd", "--device", "cpu", "--csv", path});
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.err.starts_with("polarscope: CSV: rows thinned, kept only of run sgd: every "));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  const std::string csv = read_text(path); // which says the same
  CHECK(csv.starts_with("# kept only, " + outcome.err.substr(outcome.err.find("of run"))));
}

TEST_CASE("a replay has a row for every tensor and one for all", "[cli][replay]") {
  const TemporaryFolder folder;
  const std::string trace = folder.write("t.safetensors", tensor_file(kTrace));
  const Outcome outcome =
      program({"replay", trace, "--optimizer", "sgd", "--set", "lr=1", "--precision", "f64", "--device", "cpu"});
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
  CHECK(says(outcome.out, "angle travelled (°)"));
  CHECK(row(outcome.out, "first") == std::vector<std::string>{"4.243", "3", "45", "45"});
  CHECK(row(outcome.out, "second") == std::vector<std::string>{"2", "4", "0", "0"});
  const std::vector<std::string> all = row(outcome.out, "all 2");
  REQUIRE(all.size() == 4);
  CHECK(std::stod(all[0]) == Approx(std::sqrt(9 + 9 + 4)).epsilon(1e-3));
  CHECK(std::stod(all[1]) == Approx(5).epsilon(1e-3));
  // from (3, 0, 0, 2) to (3, 3, 0, 2)
  const double angle = std::acos(13 / (std::sqrt(13.0) * std::sqrt(22.0))) * 180 / std::numbers::pi;
  CHECK(std::stod(all[2]) == Approx(angle).epsilon(1e-3));
  CHECK(all[3] == "–");
  CHECK(row(outcome.out, "sgd")[3] == all[0]); // the run's row is of all of them
}

TEST_CASE("a replay names the recorded tensor that is not finite", "[cli][replay]") {
  const TemporaryFolder folder;
  const auto said = [&](int step, double third, const std::string& optimizer) {
    const std::string trace = folder.write(
        "t.safetensors", tensor_file({{"weight/W", {"F32", {1, 2}, {1, 1}}},
                                      {"gradient/W", {"F32", {4, 1, 2}, {1, 1, 1, 1, 1, third, 1, kNan}}}}));
    const Outcome outcome = program({"replay", trace, "--optimizer", optimizer, "--device", "cpu"});
    INFO(optimizer << outcome.err << outcome.out);
    CHECK(outcome.exit_code == 0);
    CHECK(
        last_line(outcome.err) ==
        fmt::format("polarscope: 1 of 1 run diverged: {0} at step {1}: the recorded gradient is not finite at step {1} "
                    "(gradient/W)",
                    optimizer, step));
    CHECK(lines_of(outcome.err) == 1);
    CHECK(says(outcome.out, fmt::format("diverged at step {}", step)));
  };
  // signs, guarded divisions and projections make a finite step of it
  for (const char* optimizer : {"sgd", "adamw", "signsgd", "lion", "adamh", "md_adam", "muown", "normalized_sgd"}) {
    said(3, kNan, optimizer);
    said(4, 1, optimizer);
    said(3, std::numeric_limits<double>::infinity(), optimizer);
  }
  const std::string trace =
      folder.write("s.safetensors",
                   tensor_file({{"weight/W", {"F32", {1, 2}, {kNan, 1}}}, {"gradient/W", {"F32", {1, 1, 2}, {1, 1}}}}));
  const Outcome start = program({"replay", trace, "--optimizer", "sgd", "--device", "cpu"});
  CHECK(start.exit_code == 2);
  CHECK(says(start.err, "the start weight W is not finite"));
}

TEST_CASE("a run over recorded gradients says in its JSON why it stopped", "[cli][replay]") {
  const TemporaryFolder folder;
  folder.write("t.safetensors", tensor_file({{"weight/W", {"F32", {1, 2}, {1, 1}}},
                                             {"gradient/W", {"F32", {3, 1, 2}, {1, 1, 1, kNan, 1, 1}}}}));
  const std::string scene =
      folder.write("s.toml", "[problem]\nkind = \"trace\"\nfile = \"t.safetensors\"\n[[run]]\noptimizer = \"adamw\"\n");
  const Outcome outcome = program({"run", scene, "--device", "cpu", "--json", "-"});
  INFO(outcome.err);
  CHECK(outcome.exit_code == 0);
  const Json run = Json::parse(outcome.out).at("runs").at(0);
  CHECK(run.at("status") == "diverged");
  CHECK(run.at("step") == 2);
  CHECK(run.at("reason") == "the recorded gradient is not finite at step 2 (gradient/W)");
}

TEST_CASE("a replay sends vectors by their role and dotted names by routes of their own", "[cli][replay]") {
  const TemporaryFolder folder;
  std::vector<double> numbers(2 * 6);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(1 + static_cast<double>(i));
  const auto part = [&](long count) { return std::vector<double>(numbers.begin(), numbers.begin() + count); };
  const std::string trace =
      folder.write("t.safetensors", tensor_file({{"weight/0.weight", {"F32", {2, 3}, part(6)}},
                                                 {"weight/2.weight", {"F32", {3}, part(3)}},
                                                 {"gradient/0.weight", {"F32", {2, 2, 3}, numbers}},
                                                 {"gradient/2.weight", {"F32", {2, 3}, part(6)}}}));
  const auto through = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"replay", trace, "--device", "cpu", "--optimizer"});
    const Outcome outcome = program(more);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    std::map<std::string, std::string> out;
    for (const char* name : {"0.weight", "2.weight"}) {
      const auto words = row(outcome.out, name);
      out[name] = words.size() == 6 ? words[4] + " " + words[5] : "";
    }
    out["run"] = row(outcome.out, more[5])[0] + " " + row(outcome.out, more[5])[1];
    return out;
  };
  using Through = std::map<std::string, std::string>;
  const Through plain = {{"0.weight", "muon 0.02"}, {"2.weight", "adamw* 0.0003"}, {"run", "muon 0.02"}};
  CHECK(through({"muon"}) == plain);
  Through other = plain;
  other["2.weight"] = "adam 0.5";
  for (const char* name : {"2.weight", "\"2.weight\"", "'2.weight'"})
    CHECK(through({"muon", "--set", fmt::format("route.{}=adam", name), "--set", fmt::format("{}.lr=0.5", name)}) ==
          other);
  CHECK(through({"muon", "--set", "route.2.weight.base=adam", "--set", "hparam.2.weight.lr=0.5"}) == other);
  other["0.weight"] = "adam 0.001";
  other["run"] = "adam –"; // nothing goes through Muon any more
  CHECK(through({"muon", "--set", "route.matrix=adam", "--set", "route.vector=adam", "--set", "vector.lr=0.5"}) ==
        other);
  other["2.weight"] = "adam 0.001";
  other["run"] = "adam 0.001";
  CHECK(through({"muon", "--set", "route.*.weight=adam"}) == other);
  const Outcome long_run = program({"replay", trace, "--optimizer", "adamw", "--steps", "100"});
  CHECK(long_run.exit_code == 2);
  CHECK(long_run.err == "polarscope: --steps 100: the trace has 2 steps\n");
  const Outcome set = program({"replay", trace, "--optimizer", "adamw", "--set", "scene.steps=100"});
  CHECK(set.exit_code == 2);
  CHECK(says(set.err, "scene.steps is 100, the trace has 2 steps"));
}

TEST_CASE("check says which parameter goes by which route, and only numbers that are used", "[cli]") {
  const Outcome outcome = program({"check", "networks/digits"});
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  CHECK(says(outcome.out, "(matrix)"));
  CHECK(says(outcome.out, " → muon\n"));
  CHECK(says(outcome.out, "(head)"));
  CHECK(says(outcome.out, " → adamw* (route.rest)\n"));
  CHECK(says(outcome.out, " rest.lr="));
  const Outcome plain = program({"check", "interference/layer"}); // one matrix: no route has a parameter
  INFO(plain.out);
  REQUIRE(plain.exit_code == 0);
  CHECK(says(plain.out, "W (matrix) → muon\n"));
  CHECK_FALSE(says(plain.out, "rest."));
}

TEST_CASE("numbers that a scene keeps under another optimizer are named", "[cli]") {
  const TemporaryFolder folder;
  const std::string mine = folder.write("mine.toml", "base = \"muon\"\nhparam.lr = 0.5\n");
  const auto said = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"run", "first_look", "--device", "cpu", "--steps", "2"});
    return program(more).err;
  };
  const std::string kept = "mine runs with the scene's lr = 0.1 instead of 0.5; --set changes it";
  CHECK(says(said({"--set", "optimizer=" + mine}), kept));
  CHECK(says(said({"--set", "norm 4:optimizer=" + mine}), kept));
  CHECK_FALSE(says(said({"--set", "optimizer=" + mine, "--set", "lr=0.5"}), "scene's"));
  CHECK_FALSE(says(said({"--set", "lr=0.2"}), "scene's"));
}

TEST_CASE("a recording of several runs names them, and --run chooses", "[cli][replay]") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/r.safetensors";
  REQUIRE(program({"run", "first_look", "--device", "cpu", "--steps", "20", "--record", path}).exit_code == 0);
  const Outcome none = program({"replay", path, "--optimizer", "muon"});
  CHECK(none.exit_code == 2);
  CHECK(says(none.err, "holds several runs, norm 1, norm 4: choose one by --run"));
  CHECK(program({"replay", path, "--optimizer", "adamw", "--run", "norm 4"}).exit_code == 0);
  // the window takes the same options: a word that is wrong is refused before any window opens
  const Outcome window = program({path, "--run", "norm 5"});
  CHECK(window.exit_code == 2);
  CHECK(says(window.err, "has no run 'norm 5'; it holds norm 1, norm 4"));
  CHECK(says(program({path, "--set", "lrr=1"}).err, "no run has the key 'lrr'"));
  CHECK(says(program({"first_look", "--run", "norm 1"}).err, "--run belongs to a .safetensors recording"));
  const Outcome misplaced = program({"--set", "lr=1", "run", "first_look"});
  CHECK(misplaced.exit_code == 2);
  CHECK(says(misplaced.err, "--set goes after 'run'"));
}

TEST_CASE("an optimizer where a scene is wanted is recognised", "[cli]") {
  const TemporaryFolder folder;
  const std::string mine = folder.write("mine.toml", "title = \"Mine\"\nbase = \"muon\"\nhparam.lr = 0.5\n");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{mine}, {"run", mine}, {"docs", "--program", mine}}) {
    const Outcome outcome = program(command);
    INFO(outcome.err);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.err ==
          "polarscope: " + mine + ": is an optimizer, not a scene; a scene can use it: --set optimizer=" + mine + "\n");
  }
  // as it says
  const Outcome used = program({"run", "first_look", "--device", "cpu", "--steps", "9", "--set", "optimizer=" + mine});
  INFO(used.err);
  CHECK(used.exit_code == 0);
  CHECK(says(used.out, "  mine "));
  const Outcome nothing = program({"check", "nope.toml"});
  CHECK(nothing.exit_code == 2);
  CHECK(says(nothing.err, "no file, scene, optimizer or lesson 'nope.toml'"));
  CHECK(says(program({"check", "muom"}).err, "did you mean 'muon'?"));
}

TEST_CASE("check prints every option, those that nobody wrote down as defaults", "[cli]") {
  const TemporaryFolder folder;
  const std::string mine = folder.write("mine.toml", "direction = \"momentum\"\ngeometry = { kind = \"orthogonalise\", "
                                                     "ns_steps = 3 }\nhparam.momentum = 0.5\n");
  const Outcome outcome = program({"check", mine});
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const Json stages = Json::parse(program({"list", "stages", "--json", "-"}).out).at("stages");
  for (const Json& stage : stages)
    if (stage.at("kind") == "momentum" || stage.at("kind") == "orthogonalise")
      for (const Json& option : stage.at("options"))
        CHECK(says(outcome.out, " " + option.at("name").get<std::string>() + "="));
  CHECK(says(outcome.out, "direction momentum  by default: "));
  CHECK(says(outcome.out, "orthogonalise  ns_steps=3  by default: "));
  CHECK(says(outcome.out, "numbers   momentum=0.5  by default: lr="));
}

TEST_CASE("list stages names allowed words and ranges, one stage a line in a pipe", "[cli]") {
  const Outcome outcome = program({"list", "stages"});
  const std::size_t stages = Json::parse(program({"list", "stages", "--json", "-"}).out).at("stages").size();
  CHECK(static_cast<std::size_t>(std::count(outcome.out.begin(), outcome.out.end(), '\n')) == stages + 1);
  CHECK(says(outcome.out, "momentum_form=heavy_ball {heavy_ball, ema}"));
  CHECK(says(outcome.out, "momentum=0.9 {0 to "));
}

TEST_CASE("inspect takes a recording as the weights of its last step", "[cli][inspect]") {
  const TemporaryFolder folder;
  const auto recorded = [&](const char* name, std::vector<std::string> more) {
    const std::string path = folder.path() + "/" + name;
    more.insert(more.begin(), {"run", "interference/layer", "--device", "cpu", "--record", path});
    const Outcome outcome = program(more);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    return path;
  };
  const std::string early = recorded("early.safetensors", {"--steps", "10"}),
                    late = recorded("late.safetensors", {"--steps", "40", "--record-every", "20"});
  const Outcome outcome = program({"inspect", early, late, "--json", "-"});
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const Json report = Json::parse(outcome.out);
  CHECK(report.at("files").at(0).at("recorded_step") == 10);
  CHECK(report.at("files").at(1).at("recorded_step") == 40);
  REQUIRE(report.at("changes").size() == 4);
  CHECK(report.at("only_in_first").empty());
  // labels as they are in the file for programs, as they were written for people
  CHECK(report.at("changes").at(2).at("name") == "MD%20Muon/W");
  const Outcome people = program({"inspect", early, late});
  CHECK(says(people.out, "\nMD Muon/W "));
  CHECK_FALSE(says(people.out, "%20"));
  // against the recorded numbers themselves
  const auto last = [](const std::string& path) {
    const Tensor w = read_tensors(path).tensors.at("weight/Muon/W");
    const auto size = static_cast<std::ptrdiff_t>(w.shape[1] * w.shape[2]);
    return std::vector<double>(w.values.end() - size, w.values.end());
  };
  const std::vector<double> a = last(early), b = last(late);
  double aa = 0, bb = 0, dd = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    dd += (b[i] - a[i]) * (b[i] - a[i]);
  }
  const auto& changes = report.at("changes");
  const auto muon =
      std::find_if(changes.begin(), changes.end(), [](const Json& c) { return c.at("name") == "Muon/W"; });
  REQUIRE(muon != changes.end());
  CHECK(muon->at("rows") == 16);
  CHECK(muon->at("norm_ratio").get<double>() == Approx(std::sqrt(bb / aa)).epsilon(1e-12));
  CHECK(muon->at("relative_change").get<double>() == Approx(std::sqrt(dd / aa)).epsilon(1e-12));
  const std::string table = program({"inspect", early, late}).out;
  CHECK(says(table, "early.safetensors: a recording, its weights after step 10\n"));
  CHECK(says(table, "angle (°)"));
  CHECK_FALSE(says(table, "gradient/"));
}
