// The command line, by running the built program: exit codes, what goes to which stream, and the files.
#include "tests/support/catch.hpp"
#include "tests/app/program.hpp"
#include "tests/support/tensors.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <sys/stat.h>

using namespace polarscope::test;
using Json = nlohmann::json;

namespace {

// A result's file stands under another name from before the computing until its end: the program listens to interrupts.
bool is_computing(const TemporaryFolder& folder) {
  const std::vector<std::string> names = folder.names();
  return std::any_of(names.begin(), names.end(), [](const std::string& name) { return name.ends_with(".part"); });
}

const std::string kFailing = R"([scene]
steps = 20
[problem]
kind = "circle"
[[run]]
optimizer = "sgd"
[expect]
loss = { above = 100.0 }
)";

} // namespace

TEST_CASE("help and version go to stdout", "[cli]") {
  const Outcome help = program({"--help"});
  CHECK(help.exit_code == 0);
  CHECK(help.err.empty());
  for (const char* command :
       {"run", "sweep", "compare", "replay", "shot", "list", "check", "inspect", "docs", "conform", "bench"})
    CHECK(help.out.find(std::string("\n  ") + command) != std::string::npos);
  CHECK(help.out.find("verify") == std::string::npos);
  CHECK(program({"run", "--help"}).out.find("--record-every") != std::string::npos);
  const Outcome version = program({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out.find("polarscope ") == 0);
}

TEST_CASE("bad usage is one line on stderr and exit 2", "[cli]") {
  const TemporaryFolder folder;
  const std::string typo = folder.write("typo.toml", "[scene]\nstepz = 3\n");
  const std::string hash = "x.toml";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"run"}, "SCENE"},
      {{"run", "frist_look"}, "polarscope: no scene 'frist_look'; did you mean 'first_look'?"},
      {{"frist_look"}, "did you mean 'first_look'?"},
      {{"run", typo}, "polarscope: " + typo + ":2:1: unknown key 'stepz' in [scene]; did you mean 'steps'?"},
      {{"check", typo}, ":2:1: unknown key 'stepz'"},
      {{"run", folder.path()}, "is a folder"},
      {{"run", "first_look", "--steps", "0"}, "--steps"},
      {{"run", "first_look", "--steps", "1e99"}, "--steps: 1e99 is out of range; allowed: 1 to 1000000000"},
      {{"run", "first_look", "--steps", "2e9"}, "--steps: 2000000000 is out of range; allowed: 1 to 1000000000"},
      {{"run", "first_look", "--steps", "2.5"}, "--steps: '2.5' is not a whole number"},
      {{"run", "first_look", "--steps", "5x"}, "--steps: '5x' is not a whole number"},
      {{"run", "first_look", "--steps"}, "--steps needs a value"},
      {{"run", "first_look", "--steps", "3", "--steps", "4"}, "--steps is given more than once"},
      {{"run", "first_look", "--seed", "99999999999999999999"},
       "--seed: 99999999999999999999 is out of range; allowed: 0 to 9223372036854775807"},
      {{"run", "first_look", "--seed", "-1"}, "--seed: -1 is out of range"},
      {{"run", "first_look", "--device", "gpu"}, "--device: 'gpu' is not one of cpu, cuda, auto"},
      {{"run", "first_look", "--device", "cud"}, "did you mean 'cuda'?"},
      {{"run", "first_look", "--precision", "f16"}, "--precision: 'f16' is not one of f32, f64; did you mean 'f32'?"},
      {{"run", "first_look", "--nonsense"}, "polarscope: no option '--nonsense' of 'run'"},
      {{"run", "first_look", "--stesp", "4"}, "polarscope: no option '--stesp' of 'run'; did you mean '--steps'?"},
      {{"run", "--hlep"}, "polarscope: no option '--hlep' of 'run'; did you mean '--help'?"},
      {{"run", "first_look", "extra"}, "polarscope: 'run' takes no argument 'extra'"},
      {{"--versoin"}, "polarscope: no option '--versoin'; did you mean '--version'?"},
      {{"rnu", "first_look"}, "polarscope: no command 'rnu'; did you mean 'run'?"},
      {{"shot", "first_look", "--theme", "drak", "-o", "x.png"}, "did you mean 'dark'?"},
      {{"list", "optimzers"}, "did you mean 'optimizers'?"},
      {{"run", "first_look", "--set", "lrr=1"},
       "polarscope: --set lrr=1: no run has the key 'lrr'; did you mean 'lr'?"},
      {{"run", "first_look", "--step", "3"}, "--step belongs to --report"},
      {{"run", "first_look", "--report", "--step", "601"}, "--step 601 is beyond the last step, 600"},
      {{"run", "first_look", "--json", "-", "--csv", "-"}, "only one result can go to stdout"},
      {{"run", "first_look", "--csv", "/no/such/folder/x.csv"}, "polarscope: /no/such/folder/x.csv: cannot write: "},
      {{"run", "first_look", "--csv", folder.path()}, "Is a directory"},
      {{"list", "things"}, "things"},
      {{"check", "muom"}, "muom"},
      {{"check", "digits"}, "no file, scene, optimizer or lesson 'digits'; did you mean 'networks/digits'?"},
      {{"run", "digits"}, "no scene 'digits'; did you mean 'networks/digits'?"},
  };
  for (const auto& [arguments, expected] : cases) {
    std::ostringstream typed;
    for (const std::string& a : arguments) typed << a << ' ';
    INFO(typed.str());
    const Outcome outcome = program(arguments);
    INFO(outcome.err);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out.empty());
    CHECK(lines_of(outcome.err) == 1);
    CHECK(outcome.err.find("polarscope: ") == 0);
    CHECK(outcome.err.find(expected) != std::string::npos);
  }
  CHECK(folder.names() == std::vector<std::string>{"typo.toml"});
}

TEST_CASE("run prints a table and nothing else", "[cli]") {
  const Outcome outcome = program({"run", "first_look", "--device", "cpu"});
  INFO(outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out.find("norm 4") != std::string::npos);
  CHECK(outcome.out.find("state hash ") != std::string::npos);
}

TEST_CASE("a machine without a GPU is told of it only where one is asked for", "[cli]") {
  CHECK(program({"run", "first_look", "--steps", "3"}).err.empty());
  const Outcome asked = program({"run", "first_look", "--steps", "3", "--device", "cuda"});
  CHECK((asked.exit_code == 0 ||
         (asked.exit_code == 3 && asked.err.find("polarscope: no GPU: ") == 0 && lines_of(asked.err) == 1)));
  CHECK(program({"run", "first_look", "--steps", "1e1", "--device", "cpu"}).exit_code ==
        0); // as TOML reads whole numbers
}

TEST_CASE("a scene is found from any folder", "[cli]") {
  const TemporaryFolder folder;
  for (const char* name : {"first_look", "first_look.toml", "scenes/first_look.toml"}) {
    ProcessOptions options;
    options.folder = folder.path();
    CHECK(program({"run", name, "--steps", "3", "--device", "cpu"}, options).exit_code == 0);
  }
}

TEST_CASE("run --json has the documented shape", "[cli]") {
  const Outcome outcome =
      program({"run", "first_look", "--device", "cpu", "--json", "-", "--seed", "5", "--set", "norm 4:lr=1e-3"});
  REQUIRE(outcome.exit_code <= 1);
  const Json json = Json::parse(outcome.out);
  CHECK(json.at("version") == 1);
  CHECK(json.at("scene").is_string());
  CHECK(json.at("seed") == 5);
  CHECK(json.at("device") == "cpu");
  CHECK(json.at("precision") == "f32");
  CHECK(json.at("state_hash").get<std::string>().size() == 16);
  REQUIRE(json.at("runs").size() == 2);
  const Json& run = json.at("runs").at(1);
  CHECK(run.at("label") == "norm 4");
  CHECK(run.at("optimizer") == "sgd");
  CHECK(run.at("member") == 1);
  CHECK(run.at("seed") == 5);
  CHECK(run.at("hparams").at("lr") == 1e-3);
  CHECK(run.at("status") == "ok");
  CHECK(run.at("step") == 600);
  CHECK(run.at("state_hash").get<std::string>().size() == 16);
  CHECK(run.at("final").at("loss").is_number());
  CHECK(run.at("final").at("W.frobenius_norm").is_number());
  CHECK(run.at("invariants").is_array());
  CHECK(run.at("steps_per_second").is_number());
  CHECK(json.at("expect").is_array());
  // the same scene and seed give the same hash, whatever the number of threads
  const Json again = Json::parse(program({"run", "first_look", "--json", "-", "--seed", "5", "--set", "norm 4:lr=1e-3",
                                          "--threads", "2", "--device", "cpu"})
                                     .out);
  CHECK(again.at("state_hash") == json.at("state_hash"));
  const Json other = Json::parse(program({"run", "first_look", "--json", "-", "--seed", "6", "--device", "cpu"}).out);
  CHECK(other.at("state_hash") != json.at("state_hash"));
}

TEST_CASE("a failed expectation is exit 1 and says which", "[cli]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("failing.toml", kFailing);
  const Outcome outcome = program({"run", path, "--device", "cpu"});
  CHECK(outcome.exit_code == 1);
  CHECK(outcome.out.find("FAILED: loss of 'sgd' at step 20 above 100") != std::string::npos);
  const Outcome json = program({"run", path, "--device", "cpu", "--json", "-"});
  CHECK(json.exit_code == 1);
  CHECK(Json::parse(json.out).at("expect").at(0).at("held") == false);
  CHECK(json.err.find("expected loss of 'sgd'") != std::string::npos);
  // asked to end before, it is not reached and nothing has failed
  CHECK(program({"run", path, "--device", "cpu", "--steps", "5"}).exit_code == 0);
  const Outcome shorter = program({"run", "first_look", "--device", "cpu", "--set", "scene.steps=20"});
  CHECK(shorter.exit_code == 0);
  CHECK(shorter.out.find("not reached: loss of 'norm 1' at step 100 below 0.1") != std::string::npos);
  const std::string wrong = folder.write("wrong.toml", kFailing + "V.angle = { above = 0 }\n");
  const Outcome refused = program({"run", wrong, "--device", "cpu"});
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find(wrong + ":9:11: run 'sgd' records no 'V.angle'; did you mean 'W.angle'?") !=
        std::string::npos);
}

TEST_CASE("a diverged run stops alone, is recorded, and is no failure", "[cli]") {
  const Outcome outcome =
      program({"run", "control/quadratic", "--device", "cpu", "--steps", "300", "--set", "sgd:lr=1e6", "--json", "-"});
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const Json json = Json::parse(outcome.out);
  int diverged = 0;
  for (const Json& run : json.at("runs")) {
    const bool is_sgd = run.at("label") == "sgd";
    CHECK(run.at("status") == (is_sgd ? "diverged" : "ok"));
    if (is_sgd) CHECK(run.at("step").get<long>() < 300);
    else CHECK(run.at("step") == 300);
    diverged += is_sgd;
  }
  CHECK(diverged == 1);
  // The table shows what was finite last, and says so, as the window does.
  const Outcome table =
      program({"run", "control/quadratic", "--device", "cpu", "--steps", "300", "--set", "sgd:lr=1e6"});
  CHECK(table.out.find("inf") == std::string::npos);
}

TEST_CASE("outputs that cannot be written leave nothing behind", "[cli]") {
  const TemporaryFolder folder;
  for (const char* option : {"--csv", "--json", "--record"}) {
    const Outcome full = program({"run", "first_look", "--device", "cpu", option, "/dev/full"});
    INFO(option);
    INFO(full.err);
    CHECK(full.exit_code == 3);
    CHECK(lines_of(full.err) == 1);
    CHECK(full.err.find("/dev/full: cannot write: No space left on device") != std::string::npos);
    CHECK(program({"run", "first_look", "--device", "cpu", option, "/proc/x"}).exit_code == 2);
  }
  ProcessOptions full;
  full.out_file = "/dev/full";
  const Outcome table = program({"run", "first_look", "--device", "cpu"}, full);
  CHECK(table.exit_code == 3);
  CHECK(table.err.find("stdout: cannot write: No space left on device") != std::string::npos);
  // an existing file survives a run that fails to start
  const std::string kept = folder.write("kept.csv", "old");
  CHECK(program({"run", "first_look", "--device", "cpu", "--csv", kept, "--set", "x=1"}).exit_code == 2);
  CHECK(program({"run", "first_look", "--device", "cpu", "--csv", kept, "--json", "/no/where"}).exit_code == 2);
  CHECK(read_text(kept) == "old");
  CHECK(folder.names() == std::vector<std::string>{"kept.csv"});
}

TEST_CASE("a recording that finds the disk full ends the run at once", "[cli]") {
  const TemporaryFolder folder;
  // A limit on the size of files stands for a full disk; the run would take hours.
  const std::string command = std::string("trap '' XFSZ; ulimit -f 64; exec ") + POLARSCOPE_PROGRAM +
                              " run first_look --device cpu --steps 1000000000 --record " + folder.path() +
                              "/x.safetensors";
  ProcessOptions options;
  options.folder = POLARSCOPE_SOURCE_DIR;
  const Outcome outcome = run_process({"/bin/sh", "-c", command}, options);
  INFO(outcome.err);
  CHECK(outcome.exit_code == 3);
  CHECK(lines_of(outcome.err) == 1);
  CHECK(outcome.err.find("cannot write the recording") != std::string::npos);
  CHECK(folder.names().empty());
}

TEST_CASE("--steps ends a run elsewhere without changing what happens before", "[cli]") {
  const TemporaryFolder folder;
  const std::string scene =
      folder.write("s.toml", "[scene]\nsteps = 150\n[problem]\nkind = \"circle\"\n[[run]]\noptimizer = \"sgd\"\n"
                             "schedule.lr = { kind = \"wsd\", cooldown = 0.5 }\n");
  const auto row_100 = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"run", scene, "--device", "cpu", "--csv", "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = program(arguments);
    const auto at = outcome.out.find(",0,0,100,");
    REQUIRE(at != std::string::npos);
    return outcome.out.substr(at, outcome.out.find('\n', at) - at);
  };
  const std::string whole = row_100({});
  CHECK(row_100({"--steps", "100"}) == whole);
  CHECK(row_100({"--steps", "200"}) == whole);
  CHECK(row_100({"--set", "scene.steps=100"}) != whole);
}

TEST_CASE("an interrupt stops cleanly and keeps what was computed", "[cli]") {
  const TemporaryFolder folder;
  ProcessOptions options;
  options.ready = [&] { return is_computing(folder); };
  options.interrupt_after_ms = 1500;
  const std::string path = folder.path() + "/out.json";
  const Outcome outcome =
      program({"run", "first_look", "--device", "cpu", "--steps", "1000000000", "--json", path}, options);
  INFO(outcome.err);
  CHECK(outcome.exit_code == 130);
  CHECK(outcome.err.find("polarscope: interrupted at step ") == 0);
  const Json json = Json::parse(read_text(path));
  CHECK(json.at("runs").at(0).at("step").get<long>() > 0);
  CHECK(folder.names() == std::vector<std::string>{"out.json"});
}

TEST_CASE("a second interrupt ends a long step at once and leaves nothing behind", "[cli]") {
  const TemporaryFolder folder;
  // One step takes many seconds: a first interrupt can only be answered after it.
  const std::string scene =
      folder.write("s.toml", "[scene]\nsteps = 100\n[problem]\nkind = \"rows\"\nrows = 2048\ncols = 2048\n"
                             "[[run]]\noptimizer.base = \"muon\"\noptimizer.geometry.ns_steps = 100\n");
  ProcessOptions options;
  auto begin = std::chrono::steady_clock::now();
  options.ready = [&] {
    begin = std::chrono::steady_clock::now();
    return is_computing(folder);
  };
  options.interrupt_after_ms = 6000;
  options.interrupt_again_after_ms = 6200;
  const Outcome outcome = program({"run", scene, "--device", "cpu", "--csv", folder.path() + "/x.csv", "--record",
                                   folder.path() + "/r.safetensors"},
                                  options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  INFO(outcome.err << seconds << " s");
  CHECK(outcome.exit_code == 130);
  CHECK(seconds < 25); // a step takes longer
  CHECK(folder.names() == std::vector<std::string>{"s.toml"});
}

TEST_CASE("an interrupt is answered after one slow step, not after a burst of them", "[cli]") {
  const TemporaryFolder folder;
  const std::string scene = folder.write(
      "s.toml",
      "[scene]\nsteps = 1000\n[problem]\nkind = \"rows\"\nrows = 384\ncols = 384\n[[run]]\noptimizer = \"muon\"\n");
  const auto seconds_of = [&](const std::vector<std::string>& more, const ProcessOptions& options, int exit_code) {
    std::vector<std::string> arguments = {"run", scene, "--device", "cpu", "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = program(arguments, options);
    INFO(outcome.err);
    CHECK(outcome.exit_code == exit_code);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const double few_steps = seconds_of({"--steps", "16"}, {}, 0); // on this machine, as busy as it is
  ProcessOptions options;
  options.ready = [&] { return is_computing(folder); };
  options.interrupt_after_ms = 400;
  const double seconds = seconds_of({"--json", folder.path() + "/out.json"}, options, 130);
  INFO(few_steps << " s for 16 steps, " << seconds << " s until the interrupt was answered");
  CHECK(seconds < 1 + 10 * few_steps); // all of them would take sixty times as long
}

TEST_CASE("run --csv has one row per run and step", "[cli]") {
  const Outcome outcome = program({"run", "first_look", "--device", "cpu", "--steps", "10", "--csv", "-"});
  REQUIRE(outcome.exit_code == 0);
  CHECK(lines_of(outcome.out) == 1 + 2 * 11);
  std::istringstream in(outcome.out);
  std::string header, first, second;
  std::getline(in, header);
  std::getline(in, first);
  std::getline(in, second);
  CHECK(header.find("run,member,seed,step,loss,") == 0);
  CHECK(header.find(",W.frobenius_norm") != std::string::npos);
  CHECK(first.find("norm 1,0,11,0,,") == 0); // row 0 has no loss
  CHECK(second.find("norm 1,0,11,1,") == 0);
  CHECK(second.find("norm 1,0,11,1,,") == std::string::npos);
  CHECK(std::count(header.begin(), header.end(), ',') == std::count(first.begin(), first.end(), ','));
}

TEST_CASE("labels are quoted as CSV and reported as they are", "[cli]") {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "s.toml", "[scene]\nsteps=2\n[problem]\nkind='circle'\n[[run]]\nlabel='a, \"b\"'\noptimizer='sgd'\n");
  CHECK(program({"run", path, "--device", "cpu", "--csv", "-"}).out.find("\n\"a, \"\"b\"\"\",0,0,1,") !=
        std::string::npos);
  CHECK(Json::parse(program({"run", path, "--device", "cpu", "--json", "-"}).out).at("runs").at(0).at("label") ==
        "a, \"b\"");
}

TEST_CASE("run --report speaks in sentences", "[cli]") {
  const Outcome outcome = program({"run", "first_look", "--device", "cpu", "--report", "--step", "300"});
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out.find("Run norm 4, step 300: loss ") != std::string::npos);
  CHECK(outcome.out.find("frobenius norm ") != std::string::npos);
}

TEST_CASE("run --record holds the weights and gradients of every step", "[cli]") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/r.safetensors";
  const Outcome outcome =
      program({"run", "first_look", "--device", "cpu", "--steps", "50", "--record", path, "--precision", "f64"});
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const TensorFile file = read_tensors(path);
  CHECK(file.metadata.at("problem").find("circle noise=0.5") == 0);
  const Tensor& w = file.tensors.at("weight/norm%204/W");
  const Tensor& g = file.tensors.at("gradient/norm%204/W");
  CHECK(w.dtype == "F64");
  CHECK(w.shape == std::vector<long>{51, 2});
  CHECK(g.shape == std::vector<long>{50, 2});
  CHECK(w.values[0] == Approx(4 * std::cos(-2.35)).epsilon(1e-15));
  CHECK(w.values[1] == Approx(4 * std::sin(-2.35)).epsilon(1e-15));
  // plain SGD with lr 0.1: each row follows from the one before and its gradient
  for (std::size_t t = 0; t < 50; ++t)
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(w.values[2 * (t + 1) + i] == Approx(w.values[2 * t + i] - 0.1 * g.values[2 * t + i]).epsilon(1e-14));
  CHECK(file.tensors.count("step") == 0);

  REQUIRE(program({"run", "first_look", "--device", "cpu", "--steps", "50", "--record", path, "--record-every", "20",
                   "--precision", "f64"})
              .exit_code == 0);
  const TensorFile thin = read_tensors(path);
  CHECK(thin.tensors.at("step").values == std::vector<double>{0, 20, 40});
  CHECK(thin.tensors.at("weight/norm%204/W").shape == std::vector<long>{3, 2});
  CHECK(thin.tensors.at("gradient/norm%204/W").shape == std::vector<long>{2, 2});
  CHECK(thin.tensors.at("weight/norm%204/W").values[2] == w.values[40]);
  CHECK(thin.tensors.at("gradient/norm%204/W").values[0] == g.values[38]);
}

TEST_CASE("one run's recording names parameters only, and carries the data", "[cli]") {
  const TemporaryFolder folder;
  const std::string scene =
      folder.write("s.toml", "[scene]\nsteps=3\n[problem]\nkind='normalized_linear'\n[[run]]\noptimizer='muon'\n");
  const std::string path = folder.path() + "/r.safetensors";
  const Outcome outcome = program({"run", scene, "--device", "cpu", "--record", path});
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const TensorFile file = read_tensors(path);
  CHECK(file.tensors.at("weight/W").dtype == "F32");
  CHECK(file.tensors.at("weight/W").shape == std::vector<long>{4, 16, 32});
  CHECK(file.tensors.at("gradient/W").shape == std::vector<long>{3, 16, 32});
  bool data = false;
  for (const auto& [name, tensor] : file.tensors)
    data = data || (name.find("data/") == 0 && tensor.shape.size() == 3 && tensor.shape[0] == 1);
  CHECK(data);
}

TEST_CASE("list tells what there is, as text and as JSON", "[cli]") {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"optimizers", "muon"},      {"problems", "circle"},   {"metrics", "frobenius_norm"},
      {"stages", "orthogonalise"}, {"scenes", "first_look"}, {"devices", "cpu"}};
  for (const auto& [kind, word] : kinds) {
    INFO(kind);
    const Outcome text = program({"list", kind});
    CHECK(text.exit_code == 0);
    CHECK(text.out.find(word) != std::string::npos);
    const Outcome json = program({"list", kind, "--json", "-"});
    CHECK(json.exit_code == 0);
    CHECK(Json::parse(json.out).at(kind).size() >= 1);
  }
  CHECK(program({"list", "claims"}).out == "no claims yet\n");
  CHECK(program({"list", "stages"}).out.find("ns_steps=0 (the set's own length)") != std::string::npos);
  CHECK(program({"list", "optimizers"}).out.find("direction.nesterov=true") != std::string::npos);
}

TEST_CASE("check prints the resolved composition", "[cli]") {
  const TemporaryFolder folder;
  const std::string mine =
      folder.write("mine.toml", "title = \"Mine\"\nbase = \"muon\"\nmagnitude = \"hyperball\"\nhparam.lr = 0.5\n");
  const Outcome optimizer = program({"check", mine});
  INFO(optimizer.err);
  CHECK(optimizer.exit_code == 0);
  CHECK(optimizer.out.find("optimizer mine: Mine") == 0);
  CHECK(optimizer.out.find("hyperball") != std::string::npos);
  CHECK(optimizer.out.find("lr=0.5") != std::string::npos);
  CHECK(program({"check", "muon"}).exit_code == 0);
  const Outcome scene = program({"check", "first_look"});
  CHECK(scene.exit_code == 0);
  CHECK(scene.out.find("run norm 4: sgd") != std::string::npos);
}

TEST_CASE("check validates lessons, and list names them", "[cli]") {
  const TemporaryFolder folder;
  const Json lessons = Json::parse(program({"list", "lessons", "--json", "-"}).out).at("lessons");
  REQUIRE(lessons.size() >= 1);
  for (const Json& lesson : lessons) {
    const std::string name = lesson.at("name").get<std::string>();
    for (const std::string& spelling : {name, "scenes/" + name + ".toml"}) {
      const Outcome outcome = program({"check", spelling});
      INFO(spelling << ": " << outcome.err);
      CHECK(outcome.exit_code == 0);
      CHECK(outcome.out.find("lesson: " + lesson.at("title").get<std::string>()) == 0);
    }
  }
  const std::string head = "[lesson]\ntitle = \"t\"\nscene = \"first_look\"\n[[part]]\ntext = \"a\"\n";
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {head + "hihglight = \"x\"\n", ":6:1: unknown key 'hihglight' in [[part]]; did you mean 'highlight'?"},
      {head + "done = { start_run = \"norm 3\", start_below = 1.0 }\n", "has no run 'norm 3'"},
      {head + "scene = \"frist_look\"\n", "no scene 'frist_look'"},
      {head + "wait = 3\n", ":6:8: 'wait' must be true or false"},
      {"[[part]]\ntext = \"a\"\n", "a lesson needs a table [lesson]"},
      {"[lesson]\ntitle = \"t\"\nscene = \"first_look\"\n", "a lesson needs a [[part]]"}};
  for (const auto& [text, expected] : wrong) {
    const Outcome outcome = program({"check", folder.write("l.toml", text)});
    INFO(outcome.err);
    CHECK(outcome.exit_code == 2);
    CHECK(lines_of(outcome.err) == 1);
    CHECK(outcome.err.find(expected) != std::string::npos);
  }
}

TEST_CASE("docs prints a scene's program, and the committed pages are fresh", "[cli][docs]") {
  const Outcome printed = program({"docs", "--program", "first_look"});
  CHECK(printed.exit_code == 0);
  CHECK(printed.out.find("W ← W") != std::string::npos);
  const Outcome check = program({"docs", "--check"});
  INFO(check.err);
  CHECK(check.exit_code == 0);
  // a page that differs is noticed
  const TemporaryFolder folder;
  for (const char* page : {"optimizers.md", "stages.md", "problems.md", "metrics.md", "scenes-keys.md"})
    folder.write(std::string("assets/docs/") + page,
                 read_text(std::string(POLARSCOPE_SOURCE_DIR) + "/assets/docs/" + page) + (page[0] == 'm' ? "x" : ""));
  ProcessOptions options;
  options.folder = folder.path();
  const Outcome stale = program({"docs", "--check"}, options);
  CHECK(stale.exit_code == 1);
  CHECK(stale.err.find("metrics.md is stale") != std::string::npos);
  CHECK(lines_of(stale.err) == 1);
}

TEST_CASE("every installed scene ends and meets what it expects", "[cli][scenes]") {
  const Json scenes = Json::parse(program({"list", "scenes", "--json", "-"}).out).at("scenes");
  REQUIRE(scenes.size() >= 8);
  for (const Json& scene : scenes) {
    const std::string name = scene.at("name").get<std::string>();
    INFO(name);
    const Outcome outcome = program({"run", name, "--device", "cpu", "--json", "-"});
    INFO(outcome.err);
    CHECK(outcome.exit_code == 0);
    const Json json = Json::parse(outcome.out);
    CHECK(json.at("expect").size() >= 1);
    for (const Json& run : json.at("runs"))
      for (const Json& invariant : run.at("invariants")) {
        INFO(run.at("label") << ": " << invariant.dump());
        CHECK(invariant.at("held") == true);
      }
  }
}
