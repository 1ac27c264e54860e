// Routes: which recipe acts on which parameter, how its numbers are called, and what is refused.
#include "engine/compile.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hand_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

// A network with every role that mlp has: embedding, g1, A1, B1, g_head, head.
std::string scene_text(const std::string& run, const std::string& precision = "f64") {
  return fmt::format("[scene]\ntitle = \"t\"\nseed = 2\nsteps = 50\nprecision = \"{}\"\n[problem]\nkind = \"mlp\"\n"
                     "layers = 1\nwidth = 6\nexpansion = 2\nnorm_gains = true\nembedding = true\ninputs = 4\nhead = "
                     "true\noutputs = 3\nbatch = 8\nbatches = 2\n[[run]]\n{}\n",
                     precision, run);
}

std::string refusal(const std::string& run) {
  const auto scene = parse_scene(scene_text(run), "s.toml");
  if (!scene) return scene.error().text();
  const auto program = compile(*scene, scene->runs[0]);
  return program ? "" : program.error().text();
}

std::set<std::string> hparam_names(const StepProgram& program) {
  std::set<std::string> names;
  for (const HparamInfo& h : program.hparams()) names.insert(h.setting.name);
  return names;
}

double value_of(const HandRun& run, const std::string& name) {
  const int column = run.program().find_hparam(name);
  REQUIRE(column >= 0);
  return run.hparams()[static_cast<std::size_t>(column)];
}

bool has_state(const StepProgram& program, const std::string& slot) { return program.find_slot(slot) != kNone; }

ParamInfo parameter(const std::string& name, ParamRole role) {
  ParamInfo p;
  p.name = name;
  p.role = role;
  return p;
}

} // namespace

TEST_CASE("route: the most special target counts", "[route]") {
  OptimizerSpec spec;
  const auto recipe = std::make_shared<const OptimizerSpec>();
  for (const char* target : {"rest", "head", "h*", "he*", "head2", "?1", "matrix"}) set_route(spec, {target, recipe});
  set_route(spec, {"A1", nullptr});
  const auto target_of = [&](const char* name, ParamRole role) {
    const RouteSpec* route = route_of(spec, parameter(name, role));
    return route ? route->target : std::string("own");
  };
  CHECK(target_of("head2", ParamRole::head) == "head2");
  CHECK(target_of("head", ParamRole::head) == "head"); // its own name, which is also a role
  CHECK(target_of("header", ParamRole::head) == "he*");
  CHECK(target_of("hidden", ParamRole::matrix) == "h*");
  CHECK(target_of("output", ParamRole::head) == "head");
  CHECK(target_of("gain", ParamRole::vector) == "rest");
  CHECK(target_of("B1", ParamRole::matrix) == "?1");
  CHECK(target_of("B12", ParamRole::matrix) == "matrix");
  CHECK(target_of("A1", ParamRole::vector) == "own"); // "same"
  spec.routes.clear();
  CHECK(target_of("head", ParamRole::head) == "own");
}

TEST_CASE("route: patterns with stars and question marks", "[route]") {
  const auto recipe = std::make_shared<const OptimizerSpec>();
  const auto matches = [&](const char* pattern, const std::string& name) {
    OptimizerSpec spec;
    set_route(spec, {pattern, recipe});
    return route_of(spec, parameter(name, ParamRole::matrix)) != nullptr;
  };
  for (const auto& [pattern, name] :
       std::vector<std::pair<const char*, const char*>>{{"*", ""},
                                                        {"*", "W1"},
                                                        {"**", "W"},
                                                        {"W*", "W"},
                                                        {"*1", "W11"},
                                                        {"*ab*", "aab"},
                                                        {"a*b*c", "abbbcbc"},
                                                        {"a*?c", "abc"},
                                                        {"*a?", "aaab"},
                                                        {"?*?", "ab"},
                                                        {"*.weight", "a.weight.weight"}}) {
    INFO(pattern << " " << name);
    CHECK(matches(pattern, name));
  }
  for (const auto& [pattern, name] : std::vector<std::pair<const char*, const char*>>{{"?", ""},
                                                                                      {"W?", "W"},
                                                                                      {"W*", "V"},
                                                                                      {"*1", "W12"},
                                                                                      {"a*b*c", "abbbcb"},
                                                                                      {"a*?c", "ac"},
                                                                                      {"?*?", "a"},
                                                                                      {"*ab", "abb"}}) {
    INFO(pattern << " " << name);
    CHECK_FALSE(matches(pattern, name));
  }
  const auto before = std::chrono::steady_clock::now();
  CHECK_FALSE(matches("*a*a*a*a*a*a*b", std::string(90, 'a')));
  CHECK_FALSE(matches("*a*a*a*a*a*a*b", std::string(900, 'a') + "c"));
  CHECK(matches("*a*a*a*a*a*a*b", std::string(900, 'a') + "b"));
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(1));
}

TEST_CASE("route: a preset's own routes serve what its source leaves to others", "[route]") {
  HandRun run(scene_text("optimizer = \"muon\"\nhparam.lr = 0.05"));
  const StepProgram& p = run.program();
  CHECK(has_state(p, "A1.momentum"));
  CHECK_FALSE(has_state(p, "A1.second_moment"));
  for (const char* other : {"embedding", "g1", "g_head", "head"}) {
    CHECK(has_state(p, fmt::format("{}.second_moment", other)));
    CHECK_FALSE(has_state(p, fmt::format("{}.momentum", other)));
  }
  CHECK(p.hparams()[0].setting.name == "lr");
  CHECK(value_of(run, "lr") == 0.05);
  CHECK(value_of(run, "rest.lr") == 3e-4);
  CHECK(value_of(run, "rest.beta2") == 0.95);
  CHECK(value_of(run, "rest.weight_decay") == 0);
  // and a toy problem, which has a matrix only, knows nothing of it
  const auto toy = parse_scene("[scene]\n[problem]\nkind = \"rows\"\n[[run]]\noptimizer = \"muon\"\n", "s.toml");
  REQUIRE(toy.ok());
  const auto program = compile(*toy, toy->runs[0]);
  REQUIRE(program.ok());
  for (const std::string& name : hparam_names(**program)) CHECK(name.find('.') == std::string::npos);
}

TEST_CASE("route: each parameter moves exactly as under its recipe alone", "[route]") {
  // one step: no parameter has felt another one's yet
  HandRun mixed(
      scene_text("optimizer = \"muon\"\nroute.rest = \"same\"\nroute.embedding = \"sgd\"\nroute.\"B*\" = { base "
                 "= \"adamw\", hparam = { lr = 0.01 } }\nroute.g1 = \"signsgd\""));
  HandRun muon(scene_text("optimizer = \"muon\"\nroute.rest = \"same\"")), sgd(scene_text("optimizer = \"sgd\"")),
      adamw(scene_text("optimizer = \"adamw\"\nhparam.lr = 0.01")), sign(scene_text("optimizer = \"signsgd\""));
  for (HandRun* run : {&mixed, &muon, &sgd, &adamw, &sign}) REQUIRE(run->step());
  CHECK(mixed.read("embedding") == sgd.read("embedding"));
  CHECK(mixed.read("B1") == adamw.read("B1"));
  CHECK(mixed.read("g1") == sign.read("g1"));
  for (const char* name : {"A1", "g_head", "head"}) CHECK(mixed.read(name) == muon.read(name));
  CHECK(mixed.read("embedding") != muon.read("embedding"));
  CHECK(hparam_names(mixed.program()).count("B*.lr") == 1);
}

TEST_CASE("route: numbers of a route are set by scene and --set, and the run's schedule moves its rate", "[route]") {
  const std::string base = "optimizer = \"muon\"\nroute.head = \"sgd\"\nhparam.head.lr = 0.5\nhparam.rest.beta1 = 0.8\n"
                           "schedule.lr = { kind = \"linear\" }\nschedule.rest.lr = { kind = \"constant\" }";
  HandRun run(scene_text(base));
  CHECK(value_of(run, "head.lr") == 0.5);
  CHECK(value_of(run, "rest.beta1") == 0.8);
  REQUIRE(run.step(26));
  const std::vector<double> now = run.read("hparams");
  const auto at = [&](const char* name) { return now[static_cast<std::size_t>(run.program().find_hparam(name))]; };
  CHECK(at("lr") == Approx(0.02 / 2));
  CHECK(at("head.lr") == Approx(0.5 / 2));
  CHECK(at("rest.lr") == Approx(3e-4));
  double square = 0;
  for (const double x : run.read("head.previous")) square += x * x;
  CHECK(run.metric("head.effective_lr") == Approx(0.25 / square));

  for (const char* key : {"head.lr", "hparam.head.lr"}) {
    const auto scene = parse_scene(scene_text(base), "s.toml", {{"", key, "0.25"}});
    REQUIRE(scene.ok());
    CHECK(scene->runs[0].hparams.at("head.lr") == 0.25);
  }
  const auto routed = parse_scene(scene_text(base), "s.toml", {{"", "route.head", "adam"}, {"", "head.beta1", "0.5"}});
  REQUIRE(routed.ok());
  CHECK(routed->runs[0].hparams.at("head.beta1") == 0.5);
}

TEST_CASE("route: a scene is written as it is read", "[route]") {
  const std::string text = scene_text(
      "label = \"x\"\noptimizer = \"muon\"\nroute.head = { base = \"adamw\", hparam = { lr = 0.5 } }\nroute.\"B*\" = "
      "\"sgd\"\nroute.g1 = \"same\"\nhparam.head.beta1 = 0.7\nschedule.head.lr = { kind = \"cosine\" }");
  const auto scene = parse_scene(text, "s.toml");
  REQUIRE(scene.ok());
  const std::string written = to_toml(*scene);
  INFO(written);
  const auto again = parse_scene(written, "s.toml");
  REQUIRE(again.ok());
  CHECK(to_toml(*again) == written);
  const auto a = compile(*scene, scene->runs[0]), b = compile(*again, again->runs[0]);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK((*a)->fingerprint() == (*b)->fingerprint());
  CHECK(hparam_row(**a, scene->runs[0]) == hparam_row(**b, again->runs[0]));
  CHECK(written.find("route.rest") == std::string::npos); // muon's own
}

TEST_CASE("route: what cannot be is refused with place and nearest word", "[route]") {
  CHECK(refusal("optimizer = \"sgd\"\nroute.head = \"adam\"") == "");
  CHECK(refusal("optimizer = \"sgd\"\nroute.haed = \"adam\"").find("route.haed matches no parameter") !=
        std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nroute.haed = \"adam\"").find("did you mean 'head'") != std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nroute.router = \"adam\"").find("matches no parameter") != std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nroute.head = \"adma\"").find("s.toml:20:14: unknown optimizer 'adma'") == 0);
  CHECK(refusal("optimizer = \"sgd\"\nroute.head = 3").find("must be an optimizer's name or a table") !=
        std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nroute = 3").find("route") != std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nroute.head = \"adam\"\nhparam.head.momentun = 1").find("momentun") !=
        std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nhparam.head.lr = 1").find("head") != std::string::npos);
  CHECK(refusal("optimizer = \"sgd\"\nroute.\"a.b\" = \"adam\"").find("route.a.b matches no parameter") !=
        std::string::npos);
  for (const char* value : {"\"adam\"", "{ base = \"adam\" }"}) {
    const std::string unquoted = refusal(std::string("optimizer = \"sgd\"\nroute.a.b = ") + value);
    INFO(unquoted);
    CHECK(unquoted.find("a parameter's name with dots stands in quotes: route.\"a.b\" = …") != std::string::npos);
  }
  // a slip in a recipe's own table stays one
  CHECK(refusal("optimizer = \"sgd\"\nroute.head.geometri = \"sign\"").find("did you mean 'geometry'") !=
        std::string::npos);
  // a word that is spelt well is not taken for another one
  const std::string word = refusal("optimizer = \"sgd\"\nroute.router = \"adam\"");
  CHECK(word.find("did you mean") == std::string::npos);
}
