// A part of a recipe may be a chain of stages: how it is written, changed and run.
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_rig.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

constexpr const char* kScene = R"([scene]
steps = 10
[problem]
kind = "circle"
[[run]]
optimizer = { name = "chained", direction = [{ kind = "momentum", nesterov = true }, "adam"], geometry = [{ kind = "sign" }, { kind = "normalize", granularity = "row" }] }
)";

Scene read(const std::string& text, const std::vector<std::string>& sets = {}) {
  std::vector<SetArgument> arguments;
  for (const std::string& set : sets) arguments.push_back(*parse_set(set));
  const auto scene = parse_scene(text, "chain.toml", arguments);
  INFO((scene.ok() ? std::string() : scene.error().text()));
  REQUIRE(scene.ok());
  return *scene;
}

std::string refused(const std::string& optimizer) {
  const auto scene =
      parse_scene("[problem]\nkind = \"circle\"\n[[run]]\noptimizer = " + optimizer + "\n", "chain.toml", {});
  return scene.ok() ? std::string() : scene.error().text();
}

std::vector<std::string> kinds(const OptimizerSpec& spec, Part part) {
  std::vector<std::string> out;
  for (const PartSpec& link : spec.chain(part)) out.push_back(link.kind);
  return out;
}

OptimizerSpec chained() {
  OptimizerSpec spec;
  spec.chain(Part::direction) = {{"momentum", {{"nesterov", true}}}, {"adam", {}}};
  spec.chain(Part::geometry) = {{"sign", {}}, {"normalize", {{"granularity", std::string("row")}}}};
  spec.hparams = {{"lr", 0.25}, {"momentum", 0.5}, {"beta1", 0.75}, {"beta2", 0.875}, {"eps", 0.125}};
  return spec;
}

} // namespace

TEST_CASE("a chain is written as a list, kept by a round trip, and changed by --set", "[chain][scene]") {
  const Scene scene = read(kScene);
  const OptimizerSpec& spec = scene.runs[0].optimizer;
  CHECK(kinds(spec, Part::direction) == std::vector<std::string>{"momentum", "adam"});
  CHECK(kinds(spec, Part::geometry) == std::vector<std::string>{"sign", "normalize"});
  const Scene again = read(to_toml(scene));
  for (const Part part : kRecipeParts) CHECK(again.runs[0].optimizer.chain(part) == spec.chain(part));

  for (const char* set :
       {"granularity=column", "geometry.granularity=column", "optimizer.geometry.granularity=column"}) {
    INFO(set);
    const OptimizerSpec changed = read(kScene, {set}).runs[0].optimizer;
    REQUIRE(kinds(changed, Part::geometry) == std::vector<std::string>{"sign", "normalize"});
    CHECK(changed.chain(Part::geometry)[1].options.at("granularity") == SettingValue(std::string("column")));
  }
  const OptimizerSpec plain = read(kScene, {"nesterov=false", "geometry=identity"}).runs[0].optimizer;
  CHECK(plain.part(Part::direction).options.at("nesterov") == SettingValue(false));
  CHECK(kinds(plain, Part::geometry) == std::vector<std::string>{"identity"});
}

TEST_CASE("chains that make no sense are refused", "[chain][scene]") {
  CHECK(refused("{ geometry = [] }").find("needs a stage") != std::string::npos);
  CHECK(refused("{ geometry = [\"sign\", \"sgin\"] }").find("'sign'") != std::string::npos);
  CHECK(refused("{ geometry = [\"sign\", \"sign\"] }").find("twice") != std::string::npos);
  CHECK(refused("{ geometry = [\"sign\", 3] }").find("list of these") != std::string::npos);
  CHECK(refused("{ decay = [\"none\", \"coupled\"] }").find("one stage") != std::string::npos);
}

TEST_CASE("a chain's stages run one after the other", "[chain]") {
  const OptimizerSpec spec = chained();
  REQUIRE(check_optimizer(spec).ok());
  const std::uint32_t rows = 3, cols = 4;
  const auto program = program_for(spec, rows, cols);
  ProgramRig rig(program, hparams_of(*program, spec));
  std::mt19937 engine(5);
  std::normal_distribution<double> normal;
  const std::size_t n = rows * cols;
  std::vector<double> w(n), buffer(n), first(n), second(n);
  for (double& v : w) v = normal(engine);
  rig.write("W", w);
  rig.start();
  for (int t = 1; t <= 5; ++t) {
    std::vector<double> g(n), u(n);
    for (double& v : g) v = normal(engine);
    for (std::size_t i = 0; i < n; ++i) {
      buffer[i] = 0.5 * buffer[i] + g[i];
      const double d = g[i] + 0.5 * buffer[i]; // Nesterov, then Adam of that, of which the sign
      first[i] = 0.75 * first[i] + 0.25 * d;
      second[i] = 0.875 * second[i] + 0.125 * d * d;
      const double ratio =
          first[i] / (1 - std::pow(0.75, t)) / (std::sqrt(second[i] / (1 - std::pow(0.875, t))) + 0.125);
      u[i] = (ratio > 0) - (ratio < 0);
    }
    for (std::size_t i = 0; i < n; ++i) w[i] -= 0.25 * u[i] / std::sqrt(double(cols)); // no entry is zero
    REQUIRE(rig.step(g));
    const auto found = rig.read("W");
    for (std::size_t i = 0; i < n; ++i) CHECK(found[i] == Approx(w[i]).epsilon(1e-13));
    CHECK(rig.read("W.gradient") == g);
  }
}

TEST_CASE("nested magnitudes are left in the reverse of the order in which they were entered", "[chain]") {
  OptimizerSpec spec;
  spec.chain(Part::magnitude) = {{"hyperball", {}}, {"md", {{"gains", std::string("row")}}}};
  spec.hparams = {{"lr", 0.1}};
  REQUIRE(check_optimizer(spec).ok());
  const auto program = program_for(spec, 3, 4);
  ProgramRig rig(program, hparams_of(*program, spec));
  std::vector<double> w(12), g(12);
  for (std::size_t i = 0; i < 12; ++i) w[i] = 1.0 + double(i % 5), g[i] = std::sin(double(i));
  rig.write("W", w);
  rig.start();
  REQUIRE(rig.step(g));
  // md has put W = γ Ŵ together before hyperball brings it to its norm
  double norm = 0;
  for (const double v : rig.read("W")) norm += v * v;
  CHECK(std::sqrt(norm) == Approx(rig.read("W.radius")[0]).epsilon(1e-13));
}
