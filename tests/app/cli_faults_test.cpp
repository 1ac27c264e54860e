// What goes wrong below the command line while it computes: an error of its own kind, and no result beside it.
#include "app/cli_scene.hpp"
#include "engine/backend_cuda.hpp"
#include "engine/trace.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/emulated_cuda.hpp"
#include "tests/app/program.hpp"
#include "tests/support/tensors.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

// A trace of one square parameter.
std::string trace_of(long steps, long side) {
  const auto count = static_cast<std::size_t>(side * side);
  std::vector<double> gradient(static_cast<std::size_t>(steps) * count), weight(count);
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = std::sin(0.7 * static_cast<double>(i));
  for (std::size_t i = 0; i < count; ++i) weight[i] = 1 + std::cos(static_cast<double>(i));
  return tensor_file(
      {{"gradient/W", {"F32", {steps, side, side}, gradient}}, {"weight/W", {"F32", {side, side}, weight}}});
}

} // namespace

TEST_CASE("gradients that can no longer be read are an error with the file's name", "[cli][replay]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.safetensors", trace_of(50, 8));
  const auto scene = trace_scene(path, "", "sgd");
  REQUIRE(scene.ok());
  SessionOptions options;
  options.device = "cpu";
  auto session = Session::open(*scene, options);
  REQUIRE(session.ok());
  CHECK_FALSE((*session)->fault());
  std::filesystem::resize_file(path, 1000); // as when another program writes it anew
  const auto computing = compute_to_end(**session);
  REQUIRE_FALSE(computing.ok());
  CHECK(computing.error().kind == ErrorKind::bad_input);
  CHECK(computing.error().text().find(path) == 0);
  REQUIRE((*session)->fault());
  CHECK((*session)->fault()->text() == computing.error().text());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // fibres

TEST_CASE("more threads than the system gives are refused in one line", "[cli]") {
  // Each takes eight megabytes of address space for its stack.
  const Outcome outcome = run_process({"/bin/sh", "-c",
                                       std::string("ulimit -s 8192; ulimit -v 3000000; exec ") + POLARSCOPE_PROGRAM +
                                           " run first_look --device cpu --steps 3 --threads 1024"});
  INFO(outcome.err);
  CHECK(outcome.exit_code == 3);
  CHECK(lines_of(outcome.err) == 1);
  CHECK(outcome.err.find("polarscope: only ") == 0);
  CHECK(outcome.err.find(" of 1024 threads could be started") != std::string::npos);
}

TEST_CASE("a device that fails is an error of the machine", "[cli]") {
  SessionOptions options;
  options.make_backend = [] { return make_cuda_backend(emulated_cuda(), "emulated"); };
  const auto scene = load_scene("first_look");
  REQUIRE(scene.ok());
  auto session = Session::open(*scene, options);
  REQUIRE(session.ok());
  emulated_cuda_fails_after(20);
  const auto computing = compute_to_end(**session);
  emulated_cuda_fails_after(-1);
  REQUIRE_FALSE(computing.ok());
  CHECK(computing.error().kind == ErrorKind::machine_lacks);
}

#endif

TEST_CASE("a replay that finds the disk full leaves older results as they are", "[cli][replay]") {
  const TemporaryFolder folder;
  const std::string trace = folder.write("x.safetensors", trace_of(200, 64)), csv = folder.write("kept.csv", "old"),
                    out = folder.write("kept.safetensors", "old");
  // A limit on the size of files stands for a full disk: a few steps' weights.
  const Outcome outcome =
      run_process({"/bin/sh", "-c",
                   std::string("trap '' XFSZ; ulimit -f 128; exec ") + POLARSCOPE_PROGRAM + " replay " + trace +
                       " --optimizer sgd --device cpu --csv " + csv + " --out " + out});
  INFO(outcome.err);
  CHECK(outcome.exit_code == 3);
  CHECK(lines_of(outcome.err) == 1);
  CHECK(outcome.out.empty());
  CHECK(read_text(csv) == "old");
  CHECK(read_text(out) == "old");
  CHECK(folder.names() == std::vector<std::string>{"kept.csv", "kept.safetensors", "x.safetensors"});
}

TEST_CASE("a trace with names that a program cannot hold is one line and exit 2", "[cli][replay]") {
  const TemporaryFolder folder;
  const Tensor gradient = {"F32", {2, 3}, {1, 2, 3, 4, 5, 6}}, weight = {"F32", {3}, {1, 2, 3}};
  const std::string path =
      folder.write("x.safetensors", tensor_file({{"gradient/metrics", gradient}, {"weight/metrics", weight}}));
  const Outcome outcome = program({"replay", path, "--optimizer", "sgd"});
  INFO(outcome.err);
  CHECK(outcome.exit_code == 2);
  CHECK(lines_of(outcome.err) == 1);
  CHECK(outcome.err.find("parameter 'metrics'") != std::string::npos);
}

TEST_CASE("a recording with numbers set is no file to load again", "[cli][replay]") {
  const TemporaryFolder folder;
  SceneArguments arguments;
  arguments.scene = folder.write("x.safetensors", trace_of(5, 4));
  const auto plain = open_scene(arguments);
  REQUIRE(plain.ok());
  CHECK(plain->path.empty());
  arguments.sets = {"lr=0.25"};
  const auto set = open_scene(arguments);
  REQUIRE(set.ok());
  CHECK(set->path.empty());
  CHECK(set->runs[0].hparams.at("lr") == 0.25);
}
