// `check` of optimizers: what it finds, how it fails, and where it says that a file is wrong.
#include "tests/support/catch.hpp"
#include "tests/app/program.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace polarscope::test;
using Json = nlohmann::json;

namespace {

Outcome check(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {POLARSCOPE_PROGRAM, "check"});
  ProcessOptions options;
  options.folder = POLARSCOPE_SOURCE_DIR;
  return run_process(arguments, options);
}

const Json& symmetry(const Json& report, const std::string& test) {
  for (const Json& s : report.at("symmetries"))
    if (s.at("test") == test) return s;
  throw std::runtime_error("no test " + test);
}

} // namespace

TEST_CASE("check tells an optimizer's state, cost, promises and symmetries", "[cli]") {
  const Outcome muonh = check({"muonh"});
  INFO(muonh.out << muonh.err);
  CHECK(muonh.exit_code == 0);
  for (const char* part : {"state     momentum (m × n), radius (1 × 1)", "memory    mn + 1 numbers", "cost      ",
                           "weight norm fixed", "12 × 12, rank 2", "promises kept", "T4 columns"})
    CHECK(says(muonh.out, part));

  const Outcome text = check({"adamw", "--json", "-"});
  CHECK(text.exit_code == 0);
  const Json adamw = Json::parse(text.out);
  CHECK(adamw.at("memory").at("bytes_per_weight") == 8);
  CHECK(adamw.at("state").size() == 2);
  CHECK(adamw.at("cost").at("flops_per_step") == 20 * 64 * 64); // Adam's 17 and a decayed step's 3
  CHECK(adamw.at("cost").at("counted") == "exactly");
  CHECK(symmetry(adamw, "T1").at("verdict") == "holds");
  CHECK(symmetry(adamw, "T3").at("verdict") == "holds");
  CHECK(symmetry(adamw, "T3").at("expected") == true);
  CHECK(symmetry(adamw, "T4 rows").at("verdict") == "no");
  CHECK(symmetry(adamw, "T5").at("deviation").get<double>() < 1e-12);
  const Json sgd = Json::parse(check({"sgd", "--json", "-"}).out);
  CHECK(symmetry(sgd, "T3").at("verdict") == "no");
  CHECK(symmetry(sgd, "T3").at("expected") == false);
  CHECK(symmetry(sgd, "T4 rows").at("verdict") == "holds");
  CHECK(sgd.at("memory").at("numbers") == "0");
}

TEST_CASE("a promise that breaks is an exit code of 1", "[cli]") {
  const TemporaryFolder folder;
  // Every step makes the weight a thousand million times larger, until single precision has no number for it.
  const Outcome lost =
      check({folder.write("lost.toml", "base = \"adamw\"\nhparam.lr = 1e9\nhparam.weight_decay = 1\n")});
  INFO(lost.out << lost.err);
  CHECK(lost.exit_code == 1);
  CHECK(says(lost.out, "BROKEN at 6 × 20: not finite after step"));
  const Outcome good =
      check({folder.write("good.toml", "base = \"muonh\"\nhparam.lr = 0.5\n"), "--json", folder.path() + "/out.json"});
  CHECK(good.exit_code == 0);
  CHECK(Json::parse(read_text(folder.path() + "/out.json")).at("optimizer") == "good");
  CHECK(check({"first_look", "--json", "-"}).exit_code == 2); // a scene has no such record
}

TEST_CASE("a malformed optimizer is refused with line, word and the nearest valid word", "[cli]") {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"direction = \"moment\"", ":1:13: unknown direction 'moment'; did you mean 'momentum'?"},
      {"title = \"x\"\ndirection = { kind = \"momentum\", nestrov = true }",
       ":2:34: unknown key 'nestrov' in direction 'momentum'; did you mean 'nesterov'?"},
      {"geometry = { kind = \"orthogonalise\", ns_coefficients = \"quintc\" }",
       ":1:56: 'ns_coefficients' has no value 'quintc'; did you mean 'quintic'?"},
      {"base = \"muonn\"", ":1:8: unknown optimizer 'muonn'; did you mean 'muon'?"},
      {"hparam.lrr = 0.1", ":1:8: unknown key 'lrr' in the hyperparameters of this optimizer; did you mean 'lr'?"},
      {"base = \"muon\"\nhparam.lr = -1", ":2:13: 'lr' = -1 is out of range; allowed: 0 to 1000000000"},
      {"hparam.lr = \"fast\"", ":1:13: 'lr' must be a number, not 'fast'"},
      {"schedule.lr = { kind = \"cosin\" }", ":1:24: 'kind' has no value 'cosin'; did you mean 'cosine'?"},
      {"direction = { kind = \"momentum\"", ":1:32: Error while parsing inline table"},
      {"magnitud = \"hyperball\"", ":1:1: unknown key 'magnitud' in the optimizer; did you mean 'magnitude'?"},
      {"decay = [\"none\", \"coupled\"]", ":1:9: decay takes one stage"},
      {"base = \"muown\"\ndecay = \"decoupled\"", "both have a hyperparameter weight_decay"},
      {"base = \"muon\"\nschedule.momentun = { kind = \"linear\" }",
       ":2:10: unknown key 'momentun' in schedule; did you mean 'momentum'?"},
      {"geometry = { kind = \"orthogonalise\", ns_steps = 3.5 }", ":1:49: 'ns_steps' must be a whole number, not 3.5"},
      {"direction = [\"adam\", \"adam\"]", ":1:13: direction has the stage 'adam' twice"},
      {"base = \"wrong.toml\"", ":1:8: circular base"},
      {"", "the file is empty"}};
  for (const auto& [toml, message] : cases) {
    CAPTURE(toml, message);
    const Outcome refused = check({folder.write("wrong.toml", toml + "\n")});
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 2);
    CHECK(refused.out.empty());
    CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
    CHECK(says(refused.err, "wrong.toml"));
    CHECK(says(refused.err, message));
  }
}
