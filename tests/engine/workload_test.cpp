// The workload that other programs are compared by: read from a file, and stepped as a scene of the same network is.
#include "engine/workload.hpp"
#include "engine/safetensors.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hand_run.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::string path_of(const char* name) { return (std::filesystem::temp_directory_path() / name).string(); }

struct Piece {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::vector<double> values;
};

void write(const std::string& path, const std::vector<Piece>& parts, const std::map<std::string, std::string>& metadata,
           const std::string& dtype = "F32") {
  std::vector<TensorInfo> tensors;
  for (const Piece& p : parts) tensors.push_back({p.name, dtype, p.shape, 0, 0});
  std::ofstream out(path, std::ios::binary);
  out << safetensors_header(tensors, metadata);
  for (const Piece& p : parts)
    for (const double x : p.values) {
      const auto single = static_cast<float>(x);
      char bytes[8] = {};
      std::memcpy(bytes, &single, sizeof single);
      out.write(bytes, static_cast<std::streamsize>(dtype_bytes(dtype)));
    }
}

std::vector<Piece> parts_of(HandRun& run, std::uint64_t runs, std::uint64_t w = 16, std::uint64_t batch = 32) {
  std::vector<Piece> parts;
  for (int k = 1; k <= 3; ++k) {
    const auto one = run.read("W" + std::to_string(k));
    Piece p{fmt::format("weight/{}", k), {runs, w, w}, {}};
    for (std::uint64_t r = 0; r < runs; ++r) p.values.insert(p.values.end(), one.begin(), one.end());
    parts.push_back(std::move(p));
  }
  parts.push_back({"inputs", {16, batch, w}, run.read("inputs")});
  parts.push_back({"targets", {16, batch, w}, run.read("targets")});
  return parts;
}

std::string scene_of_workload(const std::string& optimizer) {
  const std::string numbers = optimizer == "adam" ? "hparam.beta2 = 0.95\n" : "";
  return fmt::format("[scene]\ntitle = \"w\"\nseed = 4\nsteps = 200\n[problem]\nkind = \"mlp\"\n[[run]]\noptimizer = "
                     "\"{}\"\n{}",
                     optimizer, numbers);
}

} // namespace

TEST_CASE("a workload's losses are those of a scene with its weights and data", "[workload]") {
  const std::string path = path_of("polarscope_workload.safetensors");
  for (const std::string optimizer : {"sgd", "adam", "muon", "rmnp"})
    for (const std::uint64_t runs : {1u, 8u}) {
      HandRun scene(scene_of_workload(optimizer));
      write(path, parts_of(scene, runs), {{"optimizer", optimizer}, {"steps", "40"}});
      const auto workload = read_workload(path);
      REQUIRE(workload.ok());
      WorkloadOptions options;
      options.threads = 2;
      auto members = WorkloadRuns::open(*workload, options);
      REQUIRE(members.ok());
      members->advance(workload->steps);
      const auto losses = members->losses();
      REQUIRE(losses.size() == 40);
      CAPTURE(optimizer, runs);
      const std::size_t same = runs == 1 ? 0 : 4; // the base rate times 2⁰
      for (const auto& row : losses) {
        REQUIRE(row.size() == runs);
        REQUIRE(scene.step());
        CHECK(row[same] == Approx(scene.metric("loss")).epsilon(1e-5)); // rmnp averages here and sums there
      }
      if (runs == 8) CHECK(losses.back()[0] != losses.back()[7]);
    }
  std::filesystem::remove(path);
}

TEST_CASE("a workload file that says something else is refused with what it lacks", "[workload]") {
  const std::string path = path_of("polarscope_workload_bad.safetensors");
  HandRun scene(scene_of_workload("sgd"));
  const std::vector<Piece> good = parts_of(scene, 2);
  const auto refused = [&](const std::vector<Piece>& parts, const std::map<std::string, std::string>& metadata,
                           const std::string& word, const std::string& dtype = "F32") {
    write(path, parts, metadata, dtype);
    const auto read = read_workload(path);
    REQUIRE_FALSE(read.ok());
    INFO(read.error().text());
    CHECK(read.error().kind == ErrorKind::bad_input);
    CHECK(read.error().text().find(word) != std::string::npos);
  };
  const std::map<std::string, std::string> said = {{"optimizer", "sgd"}, {"steps", "5"}};
  refused(good, {{"steps", "5"}}, "'optimizer'");
  refused(good, {{"optimizer", "sgd"}}, "'steps'");
  refused(good, {{"optimizer", "adma"}, {"steps", "5"}}, "adam");
  for (const char* steps : {"0", "-3", "5x", "", "1e3", "99999999999999999999"})
    refused(good, {{"optimizer", "sgd"}, {"steps", steps}}, "steps");
  for (std::size_t k = 0; k < good.size(); ++k) {
    std::vector<Piece> fewer = good;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(k));
    refused(fewer, said, good[k].name);
    std::vector<Piece> flat = good;
    flat[k].shape = {flat[k].values.size()};
    refused(flat, said, good[k].name);
  }
  refused(good, said, "F32", "F64");
  std::vector<Piece> narrow = good;
  for (Piece& piece : narrow) {
    piece.shape.back() = 1;
    if (piece.name.starts_with("weight")) piece.shape[1] = 1;
    std::size_t count = 1;
    for (const auto n : piece.shape) count *= n;
    piece.values.resize(count);
  }
  refused(narrow, said, "width");
  REQUIRE_FALSE(read_workload(path_of("polarscope_no_such_file")).ok());
  std::filesystem::remove(path);
}

TEST_CASE("a workload whose losses no memory could hold is refused before it is begun", "[workload]") {
  Workload w = random_workload("sgd", 2, 1, 1 << 16, 1);
  w.steps = kMostSteps;
  const auto runs = WorkloadRuns::open(w, {});
  REQUIRE_FALSE(runs.ok());
  CHECK(runs.error().kind == ErrorKind::machine_lacks);
  CHECK(runs.error().text().find("1000000000 steps of 65536 runs") != std::string::npos);
}
