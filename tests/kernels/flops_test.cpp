// The flops that ops.def states beside every operation, against what its body computes when each operation on a number is
// counted.
#include "engine/op_cost.hpp"

#include "engine/conform_cases.hpp"
#include "engine/optimizer/recipe.hpp"
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/counted.hpp"
#include "tests/support/optimizer_rig.hpp"
#include "tests/support/oracle.hpp"

#include "kernels/interpret.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace polarscope;
using test::Counted;

namespace {

constexpr int kSteps = 11; // one more than the longest period between refreshes

// Operations of one call; the member is changed as by any other team.
long count(HostMember& m, const Op& op, bool starting) {
  const kernels::Program& program = m.program().view();
  kernels::CountingTeam team(program.scratch_size);
  kernels::Context<kernels::CountingTeam> c{
      team,    program, static_cast<Counted*>(m.member().block), m.member().hparams, m.member().seed, m.member().step,
      starting};
  Counted::operations = 0;
  kernels::run_op(c, op);
  return Counted::operations;
}

void begin_step(HostMember& m, bool starting) {
  const kernels::Program& program = m.program().view();
  kernels::CountingTeam team(program.scratch_size);
  kernels::Context<kernels::CountingTeam> c{
      team,    program, static_cast<Counted*>(m.member().block), m.member().hparams, m.member().seed, m.member().step,
      starting};
  kernels::begin_step(c);
}

// What a line may leave out: work in proportion to rows and columns, and to one.
double lower_order(const StepProgram& program, const Op& op) {
  double sides = 0;
  for (const SlotId slot : op.slot)
    if (slot != kNone) sides = std::max(sides, double(program.layout()[slot].rows) + program.layout()[slot].cols);
  return 8 * sides + 80;
}

// Bodies may go over the padding of rows.
double padding(const StepProgram& program, const Op& op) {
  double most = 1;
  for (const SlotId slot : op.slot)
    if (slot != kNone) most = std::max(most, double(program.layout()[slot].ld) / program.layout()[slot].cols);
  return most;
}

struct Counts {
  long first = 0, most = 0;
  double later = 0; // mean of the calls after the first step
};

// Runs the program for some steps, counting every op of every step.
std::vector<Counts> counts_of(HostMember& m, const test::Dice* gradients) {
  begin_step(m, true);
  for (const Op& op : m.program().start_ops()) count(m, op, true);
  const auto& ops = m.program().step_ops();
  std::vector<Counts> all(ops.size());
  test::Dice dice = gradients ? *gradients : test::Dice(1);
  for (int t = 1; t <= kSteps; ++t, ++m.member().step) {
    if (gradients) {
      const ParamInfo& p = m.program().parameters()[0];
      m.write(p.gradient, dice.normals(std::size_t{p.rows} * p.cols));
    }
    begin_step(m, false);
    for (std::size_t k = 0; k < ops.size(); ++k) {
      if (t % ops[k].every != 0) continue;
      const long n = count(m, ops[k], false);
      if (t == 1) all[k].first = n;
      else all[k].later += double(n) * ops[k].every / (kSteps - 1);
      all[k].most = std::max(all[k].most, n);
    }
  }
  return all;
}

// `share`: how far the leading term may be off.
void check(const StepProgram& program, const std::vector<Counts>& counts, double share) {
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const Op& op = program.step_ops()[k];
    if (op.every > kSteps) continue; // its turn does not come
    const Flops stated = op_flops(program, op);
    const double most = static_cast<double>(counts[k].most), rest = lower_order(program, op);
    const double upper = (1 + share) * padding(program, op) * stated.count + rest;
    CAPTURE(op_name(op.code), program.step_text()[k].text, op.word, stated.count, counts[k].most, counts[k].later);
    if (stated.kind == Flops::Kind::about) {
      CHECK(counts[k].later <= 2 * stated.count + rest);
      CHECK(counts[k].later >= stated.count / 2 - rest);
    } else {
      CHECK(most <= upper);
      if (stated.kind == Flops::Kind::exact) CHECK(most >= (1 - share) * stated.count - rest);
    }
  }
}

} // namespace

TEST_CASE("the flops of every op are what its body computes, for matrices of every preset", "[flops]") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const OptimizerSpec spec = test::preset_spec(name);
    const auto program = recipe_program(spec, 24, 40, Precision::f64);
    HostMember m(program, test::hparams_of(*program, spec), 1);
    test::Dice dice(3);
    m.write(program->parameters()[0].weight, dice.normals(24 * 40));
    check(*program, counts_of(m, &dice), 0.1);
  }
}

TEST_CASE("the flops of every op are what its body computes, on problems with every metric", "[flops]") {
  std::vector<bool> seen(kOpCount);
  for (const ConformCase& c : conform_cases()) {
    INFO(c.name);
    const auto m = c.member(Precision::f64);
    check(m->program(), counts_of(*m, nullptr), 0.3);
    for (const auto* ops : {&m->program().start_ops(), &m->program().step_ops()})
      for (const Op& op : *ops) seen[static_cast<std::size_t>(op.code)] = true;
  }
  CHECK(std::count(seen.begin(), seen.end(), false) == 0);
}

TEST_CASE("an op that computes says so", "[flops]") {
  // Copies, constants, signs and bounds: nothing but moves and comparisons.
  const std::vector<OpCode> free = {OpCode::fed_rows, OpCode::copy,          OpCode::sign,
                                    OpCode::fill,     OpCode::bound_lengths, OpCode::gain_floor};
  for (const ConformCase& c : conform_cases())
    for (const auto* ops : {&c.f64->start_ops(), &c.f64->step_ops()})
      for (const Op& op : *ops) {
        CAPTURE(op_name(op.code), op.word);
        const double flops = op_flops(*c.f64, op).count;
        const bool given = op.code == OpCode::ball_violation; // of a norm that was found before
        if (std::find(free.begin(), free.end(), op.code) != free.end()) CHECK(flops == 0);
        else if (!given) CHECK(flops > 0);
      }
}

TEST_CASE("the spectrum of a matrix of low rank takes about as many rounds as its rank", "[flops]") {
  constexpr std::uint32_t kRows = 96, kCols = 128;
  ProgramBuilder build(Precision::f64);
  const int column = build.metric("spectral_norm", -1, ProgramBuilder::kScalar, 1);
  const SlotId w = build.parameter(build.parameter("W", kRows, kCols, Invariance::none)).weight;
  const SlotId vector = build.slot("W.vector", Role::state, 1, kRows);
  build.emit(make_op(OpCode::spectrum, {w, vector}, {}, build.constants({double(column), -1})), "measure");
  const auto program = build.finish();
  const Op& op = program->step_ops()[0];
  const double round = 4.0 * kRows * kCols; // there and back; Gram–Schmidt adds to it
  for (const int rank : {0, 1, 2, 5, 12}) {
    test::Dice dice(static_cast<unsigned long long>(rank) + 1);
    std::vector<double> values(kRows * kCols);
    for (int k = 0; k < rank; ++k) {
      const auto left = dice.normals(kRows), right = dice.normals(kCols);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += left[i / kCols] * right[i % kCols];
    }
    HostMember m(program, {}, 1);
    m.write(w, values);
    begin_step(m, false);
    for (int t = 0; t < 4; ++t, ++m.member().step) { // from nothing, then from the vector found before
      const double rounds = static_cast<double>(count(m, op, t == 0)) / round;
      CAPTURE(rank, t, rounds);
      CHECK(rounds <= 1.5 * (rank + 2) + 1);
    }
  }
}
