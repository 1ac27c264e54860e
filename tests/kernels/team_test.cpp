// The CPU's team: accuracy of sums, independence of addresses, scratch, and the handling of tiny numbers.
#include "tests/support/catch.hpp"

#include "kernels/cpu/flush.hpp"
#include "kernels/cpu/team.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace polarscope::kernels;

namespace {

std::vector<float> random_numbers(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& v : x) v = uniform(random);
  return x;
}

} // namespace

TEST_CASE("Sums keep float's accuracy whatever their length") {
  CpuTeam<float> team(nullptr, 0);
  for (const int n : {1, 2, 7, 8, 9, 16, 63, 64, 1000, 1024, 1025, 100000, 3000000}) {
    const auto x = random_numbers(n, static_cast<unsigned>(n));
    double want = 0;
    for (const float v : x) want += v;
    const double got = team.sum(n, [&](int i) { return x[static_cast<std::size_t>(i)]; });
    INFO(n);
    CHECK(std::fabs(got - want) <= 4e-6 * want);
  }
  CHECK(team.sum(0, [](int) { return 1.0f; }) == 0.0);
}

TEST_CASE("Several sums of one pass are what each is by itself") {
  CpuTeam<float> team(nullptr, 0);
  for (const int n : {1, 7, 8, 63, 1024, 1025, 5000}) {
    const auto x = random_numbers(n, 1), y = random_numbers(n, 2);
    const float *p = x.data(), *q = y.data();
    const auto three = team.sums(n, [=](int i) { return Numbers<float, 3>{{p[i], p[i] * q[i], q[i]}}; });
    INFO(n);
    CHECK(three.of[0] == team.sum(n, [=](int i) { return p[i]; }));
    CHECK(three.of[1] == team.sum(n, [=](int i) { return p[i] * q[i]; }));
    CHECK(three.of[2] == team.sum(n, [=](int i) { return q[i]; }));
  }
}

TEST_CASE("Sums do not depend on where the numbers lie") {
  CpuTeam<float> team(nullptr, 0);
  const auto x = random_numbers(777, 3);
  std::vector<float> memory(900);
  std::vector<double> sums;
  for (std::size_t shift = 0; shift < 16; ++shift) {
    std::copy(x.begin(), x.end(), memory.begin() + static_cast<long>(shift));
    const float* p = memory.data() + shift;
    sums.push_back(team.sum(777, [=](int i) { return p[i] * p[i]; }));
  }
  for (const double s : sums) CHECK(s == sums[0]);
}

TEST_CASE("The greatest of n numbers") {
  CpuTeam<float> team(nullptr, 0);
  for (const int n : {1, 2, 5, 16, 17, 100}) {
    auto x = random_numbers(n, 9);
    for (int at = 0; at < n; ++at) {
      auto y = x;
      y[static_cast<std::size_t>(at)] = 7;
      CHECK(team.max(n, [&](int i) { return y[static_cast<std::size_t>(i)]; }) == 7.0f);
    }
  }
  CHECK(team.max(0, [](int) { return 1.0f; }) == 0.0f);
}

TEST_CASE("Scratch has zero padding, whole lines to a row, and is given back at the end of an op") {
  alignas(64) float arena[512];
  for (float& v : arena) v = 5;
  CpuTeam<float> team(arena, 512);
  const Mat<float> a = team.scratch(3, 5), b = team.scratch(2, 16);
  CHECK(a.ld == 16);
  CHECK(b.p == arena + 48);
  for (int i = 0; i < 3; ++i)
    for (int j = 5; j < 16; ++j) CHECK(a(i, j) == 0.0f);
  team.release_scratch();
  CHECK(team.scratch(1, 1).p == arena);
}

TEST_CASE("Numbers below the normal range are zero while an executor runs, and only then") {
  volatile float small = std::numeric_limits<float>::min(), half = 0.5f;
  {
    const FlushDenormals flush;
    volatile float product = small * half;
    CHECK(product == 0.0f);
  }
  volatile float product = small * half;
  CHECK(product > 0.0f);
}
