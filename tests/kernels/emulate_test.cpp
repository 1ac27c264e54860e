// Every op body on an emulated thread block: lanes in forward, reverse and shuffled order must give what the CPU's team
// gives. And the block itself: it must catch what it is there to catch.
#include "tests/support/catch.hpp"

#include "engine/conform_cases.hpp"
#include "engine/conform_inputs.hpp"
#include "kernels/cpu/execute.hpp"
#include "kernels/emulate/execute.hpp"
#include "kernels/emulate/team.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>

using namespace polarscope;
using kernels::BlockShape;
using kernels::LaneOrder;
using kernels::OpRange;

// Fibres switch stacks behind the sanitizers' backs.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

const std::vector<BlockShape> kShapes = {{1, 1, LaneOrder::forward, 1},   {7, 7, LaneOrder::forward, 1},
                                         {7, 3, LaneOrder::reverse, 1},   {7, 3, LaneOrder::shuffled, 2},
                                         {32, 8, LaneOrder::forward, 1},  {32, 8, LaneOrder::reverse, 1},
                                         {32, 8, LaneOrder::shuffled, 3}, {32, 32, LaneOrder::shuffled, 4}};

const kernels::CpuExecutor& reference() {
  const auto* all = kernels::cpu_executors("v2");
  return (all ? all : kernels::cpu_executors("base"))->f64;
}

// Largest difference of a slot's elements, relative to the greatest of them; infinite when NaN meets a number.
double difference(const std::vector<double>& a, const std::vector<double>& b, double least_size) {
  double size = std::max(1e-12, least_size), worst = 0;
  for (const double x : a)
    if (std::isfinite(x)) size = std::max(size, std::fabs(x));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double d = std::fabs(a[i] - b[i]) / size;
    worst = std::max(worst, std::isfinite(d) ? d : HUGE_VAL);
  }
  return worst;
}

// Names the first slot in which two members differ by more than rounding; "" when none does. The CPU adds in double
// with other trees, hence the tolerance.
std::string first_difference(const HostMember& a, const HostMember& b, double least_size = 0,
                             bool weights_only = false) {
  constexpr double kTolerance = 1e-10;
  for (std::size_t s = 0; s < a.program().slots().size(); ++s) {
    if (weights_only && a.program().slots()[s].role != Role::param) continue;
    const double d = difference(a.read(static_cast<SlotId>(s)), b.read(static_cast<SlotId>(s)), least_size);
    if (d > kTolerance) return a.program().slots()[s].name + " by " + std::to_string(d);
  }
  return "";
}

void check_op(const ConformCase& c, HostMember& before, const Op& op, OpRange range) {
  HostMember want(c.f64, c.hparams, c.seed), got(c.f64, c.hparams, c.seed);
  want.copy(before);
  want.member().step = op.every * 3u - 1u; // a step whose number the op's cadence divides
  reference().run_ops(c.f64->view(), want.member(), range, want.scratch());
  for (const BlockShape& shape : kShapes) {
    got.copy(before);
    got.member().step = want.member().step;
    const auto outcome = kernels::kEmulatedF64.run_ops(shape, c.f64->view(), got.member(), range, got.scratch());
    INFO(c.name << ", op " << op_name(op.code) << ", " << shape.lanes << " lanes in warps of " << shape.warp
                << ", order " << static_cast<int>(shape.order));
    REQUIRE(std::string(outcome.message) == "");
    REQUIRE(first_difference(want, got, cancelled_size(op, before)) == "");
    REQUIRE(got.dirty_padding() == kNone);
  }
}

void check_ops(const ConformCase& c, HostMember& m, bool starting) {
  const auto& ops = starting ? c.f64->start_ops() : c.f64->step_ops();
  for (std::uint32_t k = 0; k < ops.size(); ++k) {
    OpRange range;
    range.first = k;
    range.last = k + 1;
    range.fresh = k == 0;
    range.starting = starting;
    check_op(c, m, ops[k], range);
    reference().run_ops(c.f64->view(), m.member(), range, m.scratch());
  }
}

void check_whole_steps(const ConformCase& c) {
  const auto want = c.member(Precision::f64);
  reference().start(c.f64->view(), want->member(), want->scratch());
  make_well_conditioned(*want);
  reference().advance(c.f64->view(), want->member(), 3, want->scratch());
  for (const BlockShape& shape : {kShapes[2], kShapes[6]}) {
    const auto got = c.member(Precision::f64);
    const auto first = kernels::kEmulatedF64.start(shape, c.f64->view(), got->member(), got->scratch());
    make_well_conditioned(*got);
    const auto rest = kernels::kEmulatedF64.advance(shape, c.f64->view(), got->member(), 3, got->scratch());
    INFO(c.name << ", " << shape.lanes << " lanes, three steps");
    REQUIRE(std::string(first.message) == "");
    REQUIRE(std::string(rest.message) == "");
    REQUIRE(got->member().step == want->member().step);
    REQUIRE(first_difference(*want, *got, 0, true) == ""); // moments of what cancels are rounding and nothing else
  }
}

} // namespace

TEST_CASE("Every op gives the same on an emulated block as on the CPU, in every lane order") {
  for (const ConformCase& c : conform_cases()) {
    const auto m = c.member(Precision::f64);
    check_ops(c, *m, true);
    reference().advance(c.f64->view(), m->member(), 2, m->scratch()); // states that are no longer zero
    check_ops(c, *m, false);
    check_whole_steps(c);
  }
}

namespace {

constexpr int kCount = 50;

// y ← x, then every lane reads its right neighbour's part: needs a barrier in between.
struct Shift {
  bool with_barrier;
  void operator()(kernels::EmuTeam<double>& t) const {
    t.for_each(kCount, [&](int i) { y[i] = i; });
    if (with_barrier) t.sync();
    t.for_each(kCount, [&](int i) { z[i] = y[(i + 1) % kCount]; });
  }
  double* y;
  double* z;
};

bool shifts_rightly(const BlockShape& shape, bool with_barrier) {
  double y[kCount] = {}, z[kCount] = {}, arena[1];
  const auto outcome = kernels::run_block<double>(shape, arena, 1, Shift{with_barrier, y, z});
  bool right = outcome.ok;
  for (int i = 0; i < kCount; ++i) right = right && z[i] == (i + 1) % kCount;
  return right;
}

} // namespace

TEST_CASE("A body that forgets a barrier is caught by some lane order") {
  bool caught = false;
  for (const BlockShape& shape : kShapes) {
    INFO(shape.lanes << " lanes, order " << static_cast<int>(shape.order));
    CHECK(shifts_rightly(shape, true));
    caught = caught || !shifts_rightly(shape, false);
  }
  CHECK(caught);
  CHECK_FALSE(shifts_rightly({32, 8, LaneOrder::shuffled, 1}, false));
  CHECK_FALSE(shifts_rightly({32, 8, LaneOrder::forward, 1}, false));
}

TEST_CASE("A barrier that not every lane comes by is reported, not waited for") {
  double arena[1];
  const auto divergent = kernels::run_block<double>({8, 4, LaneOrder::shuffled, 1}, arena, 1, [](auto& t) {
    t.sync();
    t.single([&] { t.sync(); });
  });
  CHECK_FALSE(divergent.ok);
  CHECK(std::string(divergent.message) ==
        "divergent barriers: lane 0 waits for the block after 1 barriers, lane 1 has ended after 1");

  // A block barrier inside rows: the warps of a partial round never come.
  const auto in_rows = kernels::run_block<double>({8, 4, LaneOrder::forward, 1}, arena, 1,
                                                  [](auto& t) { t.rows(3, [&](auto&, int) { t.sync(); }); });
  CHECK_FALSE(in_rows.ok);
  const auto fine = kernels::run_block<double>({8, 4, LaneOrder::forward, 1}, arena, 1,
                                               [](auto& t) { t.rows(3, [&](auto& sub, int) { sub.sync(); }); });
  CHECK(fine.ok);
}

TEST_CASE("Reductions of the emulated block agree in every lane, also back to back and inside rows") {
  for (const BlockShape& shape : kShapes) {
    double arena[1], rows[5] = {};
    bool equal = true;
    const auto outcome = kernels::run_block<double>(shape, arena, 1, [&](auto& t) {
      const double a = t.sum(100, [](int i) { return double(i); });
      const double b = t.max(100, [](int i) { return double((i * 37) % 100); });
      t.rows(5, [&](auto& sub, int r) {
        const double s = sub.sum(10, [=](int i) { return double(i + r); });
        const double m = sub.max(10, [=](int i) { return double(i * r); });
        sub.single([&] { rows[r] = s + m; });
      });
      const double c = t.sum(3, [](int) { return 1.0; });
      equal = equal && a == 4950 && b == 99 && c == 3;
    });
    CHECK(outcome.ok);
    CHECK(equal);
    for (int r = 0; r < 5; ++r) CHECK(rows[r] == 45 + 10 * r + 9 * r);
  }
}

TEST_CASE("Scratch of the emulated block is NaN until it is written, with zero padding") {
  alignas(64) double arena[64];
  double seen[8];
  kernels::run_block<double>({4, 2, LaneOrder::shuffled, 1}, arena, 64, [&](auto& t) {
    const auto m = t.scratch(1, 3);
    t.for_each(m.ld, [&](int j) { seen[j] = m(0, j); });
  });
  for (int j = 0; j < 8; ++j) CHECK((j < 3 ? std::isnan(seen[j]) : seen[j] == 0.0));
}

#endif
