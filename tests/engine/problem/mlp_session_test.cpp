// Networks in sessions: equal bits whatever the threads, metrics of every parameter, and sizes that are refused.
#include "engine/compile.hpp"
#include "engine/session.hpp"
#include "engine/state_hash.hpp"
#include "tests/support/scenes.hpp"

#include <algorithm>
#include <map>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::string scene_text(const std::string& problem, const std::vector<std::string>& optimizers, long steps = 100) {
  std::string text =
      fmt::format("[scene]\ntitle = \"t\"\nseed = 3\nsteps = {}\n[problem]\nkind = \"mlp\"\n{}\n", steps, problem);
  for (std::size_t k = 0; k < optimizers.size(); ++k)
    text += fmt::format("[[run]]\nlabel = \"{}\"\noptimizer = \"{}\"\nseed = {}\n", k, optimizers[k], k);
  return text;
}

std::unique_ptr<Session> open_text(const std::string& text, int threads) {
  auto scene = parse_scene(text, "test.toml");
  if (!scene) FAIL(scene.error().text());
  SessionOptions options;
  options.device = "cpu";
  options.threads = threads;
  return open_session(std::move(*scene), options);
}

std::string refusal(const std::string& problem) {
  auto scene = parse_scene(scene_text(problem, {"adamw"}), "test.toml");
  if (!scene) return scene.error().text();
  SessionOptions options;
  options.device = "cpu";
  auto session = Session::open(std::move(*scene), options);
  return session ? "" : session.error().text();
}

} // namespace

TEST_CASE("mlp: a network's run has the same bits for any threads, bursts and neighbours", "[mlp]") {
  const std::string model =
      "width = 24\nexpansion = 2\nlayers = 2\nnorm = \"sandwich\"\nnorm_gains = true\nactivation = "
      "\"gelu\"\nresidual = \"mean\"\nembedding = true\nhead = true\nloss = \"cross_entropy\"";
  for (const char* precision : {"", "precision = \"f64\"\n"}) {
    const auto text = [&](const std::vector<std::string>& optimizers) {
      std::string t = scene_text(model, optimizers);
      return t.insert(t.find("steps"), precision);
    };
    std::map<std::string, std::uint64_t> first; // by label
    for (const std::vector<std::string>& optimizers :
         {std::vector<std::string>{"adamw", "muon", "rmnp", "adamw"}, std::vector<std::string>{"adamw"}})
      for (const int threads : {1, 2, 4})
        for (const long burst : {1l, 7l, 100l}) {
          auto s = open_text(text(optimizers), threads);
          while (!s->at_end()) s->advance(burst);
          for (const RunFrame& r : frame_of(*s).runs) {
            CAPTURE(precision, optimizers.size(), threads, burst, r.label);
            REQUIRE(r.state_hash == first.try_emplace(r.label, r.state_hash).first->second);
          }
        }
    REQUIRE(first.size() == 4);
    REQUIRE(first["0"] != first["3"]); // another seed
  }
}

TEST_CASE("mlp: every metric is there for every parameter and every row", "[mlp]") {
  auto s = open_text(scene_text("width = 8\nlayers = 2\nexpansion = 2\nhead = true\noutputs = 3", {"adamw"}, 20), 1);
  s->advance(20);
  const Frame f = frame_of(*s);
  const StepProgram& program = *f.runs[0].program;
  REQUIRE(program.parameters().size() == 5);
  for (const ParamInfo& p : program.parameters()) {
    for (const char* metric : {"frobenius_norm", "spectral_norm", "angular_update", "relative_update", "effective_lr"})
      CHECK(program.find_metric(p.name + "." + metric) >= 0);
    for (std::uint32_t i = 0; i < p.rows; ++i)
      CHECK(program.find_metric(fmt::format("{}.row_norm[{}]", p.name, i)) >= 0);
    CHECK(program.find_metric(fmt::format("{}.row_norm[{}]", p.name, p.rows)) < 0);
  }
}

TEST_CASE("mlp: absurd sizes are refused before anything is allocated", "[mlp]") {
  CHECK(refusal("width = 4096\nexpansion = 16").find("too large") != std::string::npos);
  CHECK(refusal("batch = 4096\nbatches = 4096\nwidth = 4096").find("too large") != std::string::npos);
  CHECK(refusal("width = 100000").find("out of range") != std::string::npos);
  CHECK(refusal("layers = 64\nwidth = 4096").find("one run would need") != std::string::npos);
  CHECK(refusal("layers = 64\nwidth = 2048\nexpansion = 4").find("the most is") != std::string::npos);
  CHECK(refusal("width = 64\nlayers = 3") == "");
}

TEST_CASE("mlp: what overflows in a network reaches its loss through every activation", "[mlp]") {
  for (const char* activation : {"relu", "relu2", "gelu", "silu"}) {
    CAPTURE(activation);
    auto s =
        open_text(fmt::format("[scene]\ntitle = \"t\"\nsteps = 20\n[problem]\nkind = \"mlp\"\nlayers = 4\nwidth = "
                              "64\nnorm = \"none\"\nactivation = \"{}\"\n[[run]]\noptimizer = \"signsgd\"\nstart = {{ "
                              "norm = 1e16 }}\n",
                              activation),
                  1);
    s->advance(20);
    CHECK(frame_of(*s).runs[0].diverged);
  }
}
