// Several threads that step one member together give the bits that one thread gives: in every body, in products and sums of
// every size, and however late one of them is.
#include "tests/support/catch.hpp"

#include "engine/conform_cases.hpp"
#include "kernels/cpu/execute.hpp"
#include "kernels/cpu/lanes.hpp"
#include "kernels/cpu/team.hpp"

#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <vector>

using namespace polarscope;
using namespace polarscope::kernels;

namespace {

std::int64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// f(place) on every lane, each a thread of its own.
void together(int lanes, std::size_t terms, void* scratch, const std::function<void(CpuPlace)>& f) {
  CpuLanes shared(lanes, terms, nanoseconds);
  std::vector<std::thread> threads;
  for (int lane = 1; lane < lanes; ++lane) threads.emplace_back([&, lane] { f({scratch, shared, lane}); });
  f({scratch, shared, 0});
  for (std::thread& t : threads) t.join();
}

std::size_t terms_of(const StepProgram& p) { return p.block_bytes() / p.scalar_bytes() + p.view().scratch_size; }

bool same_block(HostMember& a, HostMember& b) {
  return std::memcmp(a.block(), b.block(), a.program().block_bytes()) == 0;
}

void check_ops(const ConformCase& c, Precision precision, const CpuExecutor& executor, HostMember& m, bool starting) {
  const StepProgram& program = *c.program(precision);
  const auto& ops = starting ? program.start_ops() : program.step_ops();
  const auto got = c.member(precision);
  for (std::uint32_t k = 0; k < ops.size(); ++k) {
    const OpRange range{k, k + 1, k == 0, starting};
    std::vector<std::byte> before(m.block(), m.block() + program.block_bytes());
    executor.run_ops(program.view(), m.member(), range, m.scratch());
    for (const int lanes : {2, 3}) {
      std::memcpy(got->block(), before.data(), before.size());
      got->member().step = m.member().step;
      together(lanes, terms_of(program), got->scratch(),
               [&](CpuPlace place) { executor.run_ops(program.view(), got->member(), range, place); });
      INFO(c.name << ", op " << op_name(ops[k].code) << ", " << lanes << " lanes, " << executor.isa << ", "
                  << (precision == Precision::f32 ? "f32" : "f64"));
      REQUIRE(same_block(m, *got));
    }
  }
}

std::vector<float> numbers(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& v : x) v = normal(random);
  return x;
}

struct Reductions {
  double sum, squares;
  float top;
  bool operator==(const Reductions&) const = default;
};
// As a body in an executor: one piece of code for any number of lanes.
__attribute__((noinline)) Reductions reductions(CpuTeam<float>& t, const float* x, int n) {
  const double sum = t.sum(n, [=](int i) { return x[i]; });
  const auto both = t.sums(n, [=](int i) { return Numbers<float, 2>{{x[i], x[i] * x[i]}}; });
  return {sum, both.of[1], t.max(n, [=](int i) { return x[i]; })};
}

// Rows of whole cache lines, zero beyond the columns.
struct Padded {
  Padded(int rows, int cols, unsigned seed) : ld((cols + 15) / 16 * 16), memory(numbers(rows * ld + 16, seed)) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    view = {memory.data() + (64 - address % 64) % 64 / sizeof(float), rows, cols, ld};
    for (int i = 0; i < rows; ++i)
      for (int j = cols; j < ld; ++j) view(i, j) = 0;
  }
  Padded(const Padded&) = delete;
  Padded& operator=(const Padded&) = delete;
  int ld;
  std::vector<float> memory;
  Mat<float> view;
};

void check_product(int m, int n, int k, int form) {
  MatmulArgs<float> args;
  args.transpose_a = form & 1;
  args.transpose_b = form & 2;
  args.relu = form & 4;
  args.symmetric = form & 8;
  args.alpha = 0.75f;
  args.beta = form & 16 ? -1.5f : 0.0f;
  Padded a(args.transpose_a ? k : m, args.transpose_a ? m : k, 1),
      b(args.transpose_b ? n : k, args.transpose_b ? k : n, 2);
  Padded want(m, n, 3), d(m, n, 4);
  if (args.symmetric) {
    args.transpose_b = !args.transpose_a;
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < i; ++j) d.view(i, j) = d.view(j, i);
  }
  args.d = d.view.p;
  const Mat<float> right = args.symmetric ? a.view : b.view;
  gemm::multiply(want.view, a.view, right, args);
  for (const int lanes : {2, 3, 4}) {
    Padded got(m, n, 5);
    // In any order: lanes write apart from each other and read nothing that another writes.
    for (int lane = lanes - 1; lane >= 0; --lane) gemm::multiply_share(got.view, a.view, right, args, lane, lanes);
    INFO(m << " × " << n << " × " << k << ", form " << form << ", " << lanes << " lanes");
    REQUIRE(std::memcmp(want.view.p, got.view.p, sizeof(float) * static_cast<std::size_t>(m * want.ld)) == 0);
  }
}

} // namespace

TEST_CASE("Every op gives the same bits on one thread and on several together") {
  for (const char* isa : {"v2", "v3", "v4", "base"}) {
    const CpuExecutors* executors = cpu_executors(isa);
    if (!executors) continue;
    for (const ConformCase& c : conform_cases())
      for (const Precision precision : {Precision::f32, Precision::f64}) {
        const CpuExecutor& executor = precision == Precision::f32 ? executors->f32 : executors->f64;
        const auto m = c.member(precision);
        check_ops(c, precision, executor, *m, true);
        executor.advance(m->program().view(), m->member(), 2, m->scratch()); // states that are no longer zero
        check_ops(c, precision, executor, *m, false);
      }
  }
}

TEST_CASE("A product is the same whoever makes which part of it") {
  for (const auto& [m, n, k] : std::vector<std::array<int, 3>>{
           {256, 256, 128}, {128, 256, 256}, {130, 70, 600}, {97, 33, 65}, {1, 300, 400}, {3, 1000, 130}, {500, 5, 90}})
    for (const int form : {0, 1, 2, 3, 4, 16, 19, 23}) check_product(m, n, k, form);
  for (const int n : {65, 128, 200, 256, 300})
    for (const int form : {8, 9, 24, 25}) check_product(n, n, 128, form);
}

TEST_CASE("Sums, maxima and loops are shared out whole, and the same for any number of lanes") {
  for (const int n : {1, 5, 8, 16, 17, 300, 1024, 1025, 5000, 100000}) {
    const auto x = numbers(n, static_cast<unsigned>(n));
    CpuTeam<float> one(nullptr, 0);
    const Reductions want = reductions(one, x.data(), n);
    for (const int lanes : {2, 3, 5}) {
      std::vector<int> seen(static_cast<std::size_t>(n)), rows(static_cast<std::size_t>(n));
      std::vector<int> right(static_cast<std::size_t>(lanes));
      together(lanes, static_cast<std::size_t>(n), nullptr, [&](CpuPlace place) {
        CpuTeam<float> t(nullptr, 0, place.lanes, place.lane);
        t.for_each(n, [&](int i) { ++seen[static_cast<std::size_t>(i)]; });
        t.rows(n, [&](auto& row, int i) { row.single([&] { ++rows[static_cast<std::size_t>(i)]; }); });
        bool same = true;
        for (int again = 0; again < 20; ++again) same = same && reductions(t, x.data(), n) == want;
        right[static_cast<std::size_t>(place.lane)] = same;
      });
      INFO(n << ", " << lanes << " lanes");
      CHECK(std::count(right.begin(), right.end(), 1) == lanes);
      CHECK(std::count(seen.begin(), seen.end(), 1) == n);
      CHECK(std::count(rows.begin(), rows.end(), 1) == n);
    }
  }
}

TEST_CASE("A lane that comes late is waited for") {
  std::vector<int> seen(3, 0);
  bool ordered = true;
  together(3, 16, nullptr, [&](CpuPlace place) {
    CpuTeam<float> t(nullptr, 0, place.lanes, place.lane);
    for (int round = 1; round <= 6; ++round) {
      if (round % 3 == place.lane) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      seen[static_cast<std::size_t>(place.lane)] = round;
      t.sync();
      t.single([&] { ordered = ordered && seen == std::vector<int>(3, round); });
      t.sync();
    }
  });
  CHECK(ordered);
}
