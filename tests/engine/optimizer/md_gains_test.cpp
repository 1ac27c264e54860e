// Magnitude–direction's low-rank gains, and its spheres of the three blocks of fused queries, keys and values.
#include "engine/optimizer/stage.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_oracle.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

constexpr int kRows = 5, kCols = 7, kRank = 3;

ProgramRig started(const OptimizerSpec& spec, int rows, int cols, const std::vector<double>& w,
                   std::uint64_t seed = 1) {
  const auto program = program_for(spec, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(cols));
  ProgramRig rig(program, hparams_of(*program, spec), seed);
  rig.write("W", w);
  rig.start();
  return rig;
}

OptimizerSpec low_rank(const std::string& map = "offset", long rank = kRank) {
  OptimizerSpec spec = preset_spec("md_low_rank");
  spec.part(Part::magnitude).options["gain_map"] = map;
  spec.part(Part::magnitude).options["rank"] = rank;
  return spec;
}

// The gain of one element with (A B)_ij = x, and its place where x is 0: a gain of 1.
double gain(const std::string& map, double x) {
  if (map == "softplus") return softplus(softplus_inverse(1) + x);
  return map == "exp" ? std::exp(x) : 1 + x;
}

Matrix gains(const std::string& map, const Matrix& a, const Matrix& b, double floor) {
  return Matrix(a * b).unaryExpr([&](double x) { return std::max(gain(map, x), floor); });
}

double least(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }

} // namespace

TEST_CASE("low-rank gains: all 1 at the start, A by the seed, B zero, the rank at most the smaller side", "[md]") {
  Dice dice(1);
  const auto w = dice.normals(kRows * kCols);
  ProgramRig rig = started(low_rank(), kRows, kCols, w), again = started(low_rank(), kRows, kCols, w),
             other = started(low_rank(), kRows, kCols, w, 2);
  CHECK(norm(minus(rig.read("W"), scaled(w, std::sqrt(double(kCols)) / norm(w)))) <= 1e-14);
  CHECK(rig.read("W.left_gain").size() == kRows * kRank);
  CHECK(rig.read("W.right_gain") == std::vector<double>(kRank * kCols, 0.0));
  CHECK(rig.read("W.left_gain") == again.read("W.left_gain"));
  CHECK(rig.read("W.left_gain") != other.read("W.left_gain"));
  for (const double x : rig.read("W.gain_value")) CHECK(x == 1);
  CHECK(started(low_rank("offset", 100), kRows, kCols, w).read("W.right_gain").size() == kRows * kCols);

  // N(0, 1/rank): 4096 numbers have their mean within 4/64 of a standard deviation, their variance within 4 √2/64 of it.
  const std::vector<double> many = started(low_rank("offset", 16), 256, 16, dice.normals(4096)).read("W.left_gain");
  double mean = 0, square = 0;
  for (const double x : many) mean += x / 4096, square += x * x / 4096;
  CHECK(std::abs(mean) <= 0.0625 * 0.25);
  CHECK(square == Approx(1.0 / 16).epsilon(0.09));
}

TEST_CASE("low-rank gains: the gradients are those of the loss in A, B and the direction part", "[md]") {
  Dice dice(2);
  constexpr double kFloor = 0.3;
  for (const std::string map : {"offset", "direct", "softplus", "exp"}) {
    OptimizerSpec spec = low_rank(map);
    spec.hparams["gain_min"] = kFloor;
    ProgramRig rig = started(spec, kRows, kCols, dice.normals(kRows * kCols));
    const Matrix a = matrix(dice.normals(kRows * kRank), kRows, kRank),
                 b = 0.7 * matrix(dice.normals(kRank * kCols), kRank, kCols),
                 g = matrix(dice.normals(kRows * kCols), kRows, kCols),
                 hat = matrix(dice.normals(kRows * kCols), kRows, kCols);
    const Matrix gamma = gains(map, a, b, kFloor);
    const long floored = (gamma.array() == kFloor).count();
    CAPTURE(map, floored);
    REQUIRE((floored > 0 && floored < kRows * kCols));
    rig.write("W.left_gain", values(a));
    rig.write("W.right_gain", values(b));
    rig.write("W", values(gamma.cwiseProduct(hat)));
    REQUIRE(rig.step(values(g)));

    const auto loss = [&](const Matrix& left, const Matrix& right, const Matrix& direction) {
      return g.cwiseProduct(gains(map, left, right, kFloor)).cwiseProduct(direction).sum();
    };
    const auto check = [&](const char* slot, const Matrix& at, auto value) {
      const Numbers expected = finite_difference(value, values(at));
      CAPTURE(slot);
      CHECK(norm(minus(rig.read(slot), expected)) <= 1e-7 * norm(expected));
    };
    check("W.left_gain_gradient", a, [&](const Numbers& x) { return loss(matrix(x, kRows, kRank), b, hat); });
    check("W.right_gain_gradient", b, [&](const Numbers& x) { return loss(a, matrix(x, kRank, kCols), hat); });
    check("W.direction_gradient", hat, [&](const Numbers& x) { return loss(a, b, matrix(x, kRows, kCols)); });
  }
}

TEST_CASE("low-rank gains: the floor is reached and holds, and without one gains pass through zero", "[md]") {
  Dice dice(3);
  OptimizerSpec spec = low_rank();
  spec.hparams["gain_lr"] = 0.3;
  for (const double floor : {0.25, 0.0}) {
    spec.hparams["gain_min"] = floor;
    ProgramRig rig = started(spec, kRows, kCols, dice.normals(kRows * kCols));
    double smallest = 1;
    for (int t = 0; t < 20; ++t) {
      REQUIRE(rig.step(dice.normals(kRows * kCols)));
      smallest = std::min(smallest, least(rig.read("W.gain_value")));
      const Matrix fused =
          matrix(rig.read("W.gain_value"), kRows, kCols).cwiseProduct(matrix(rig.read("W.direction"), kRows, kCols));
      CHECK((fused - matrix(rig.read("W"), kRows, kCols)).norm() <= 1e-14 * fused.norm());
    }
    CAPTURE(floor);
    if (floor > 0) CHECK(smallest == floor);
    else CHECK(smallest < 0);
    CHECK(rig.worst_promise() <= 1);
    CHECK(rig.padding_is_zero());
  }
}

TEST_CASE("split queries, keys and values: each block has its own sphere, update and tangent", "[md]") {
  Dice dice(4);
  constexpr int kSide = 4;
  const auto w = dice.normals(3 * kSide * kSide);
  const auto block_of = [&](const ProgramRig& rig, const char* slot, int k) {
    return Matrix(matrix(rig.read(slot), 3 * kSide, kSide).middleRows(kSide * k, kSide));
  };
  OptimizerSpec spec = preset_spec("md_qkv");
  auto& options = spec.part(Part::magnitude).options;
  options["tangent"] = true;
  ProgramRig rig = started(spec, 3 * kSide, kSide, w);
  REQUIRE(rig.program().invariants().size() >= 3);
  for (int t = 0; t < 10; ++t) {
    REQUIRE(rig.step(dice.normals(w.size())));
    for (int k = 0; k < 3; ++k) CHECK(block_of(rig, "W.direction", k).norm() == Approx(2).epsilon(1e-14));
  }
  CHECK(rig.worst_promise() <= 1);
  // Each block has a promise of its own.
  std::vector<std::string> names;
  for (const InvariantColumn& i : rig.program().invariants()) names.push_back(i.name);
  for (const char* name : {"query norms fixed", "key norms fixed", "value norms fixed"})
    CHECK(std::count(names.begin(), names.end(), name) == 1);

  // The gradient that the first step takes is tangent to each block.
  ProgramRig first = started(spec, 3 * kSide, kSide, w);
  std::vector<Matrix> starts;
  for (int k = 0; k < 3; ++k) starts.push_back(block_of(first, "W.direction", k));
  REQUIRE(first.step(dice.normals(w.size())));
  for (int k = 0; k < 3; ++k)
    CHECK(
        std::abs(starts[static_cast<std::size_t>(k)].cwiseProduct(block_of(first, "W.direction_gradient", k)).sum()) <=
        1e-13);

  for (const char* sphere : {"matrix", "row", "column", "rowcol", "balanced"})
    for (const char* target : {"initial", "sqrt_max"}) {
      CAPTURE(sphere, target);
      options = {{"split", std::string("qkv")},
                 {"sphere", std::string(sphere)},
                 {"target", std::string(target)},
                 {"hypersphere_update", true}};
      ProgramRig all = started(spec, 3 * kSide, kSide, w);
      // Each block is as a matrix of its own: start, update and step.
      OptimizerSpec one = spec;
      one.part(Part::magnitude).options["gains"] = std::string("none");
      ProgramRig three = started(one, 3 * kSide, kSide, w);
      const auto g = dice.normals(w.size());
      REQUIRE((three.step(g) && all.step(g)));
      CHECK(all.worst_promise() <= 1);
      for (int k = 0; k < 3; ++k) {
        const Matrix block = matrix(w, 3 * kSide, kSide).middleRows(kSide * k, kSide),
                     gradient = matrix(g, 3 * kSide, kSide).middleRows(kSide * k, kSide);
        ProgramRig alone = started(one, kSide, kSide, values(block));
        REQUIRE(alone.step(values(gradient)));
        CHECK((block_of(three, "W", k) - matrix(alone.read("W"), kSide, kSide)).norm() <= 1e-13 * block.norm());
      }
    }

  // Other shapes are treated as a whole.
  const auto g = dice.normals(w.size());
  ProgramRig one = started(preset_spec("md_qkv"), 6, 8, w), other = started(preset_spec("md_muon"), 6, 8, w);
  REQUIRE((one.step(g) && other.step(g)));
  CHECK(one.read("W") == other.read("W"));
}
