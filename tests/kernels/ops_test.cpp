// What holds for every operation of ops.def.
#include "tests/support/catch.hpp"

#include "engine/conform_cases.hpp"
#include "kernels/cpu/execute.hpp"

#include <string>
#include <vector>

using namespace polarscope;

TEST_CASE("The conformance programs run every op of ops.def") {
  std::vector<bool> run(kOpCount);
  for (const ConformCase& c : conform_cases()) {
    for (const Op& op : c.f64->start_ops()) run[static_cast<std::size_t>(op.code)] = true;
    for (const Op& op : c.f64->step_ops()) run[static_cast<std::size_t>(op.code)] = true;
  }
  std::string missing;
  for (std::size_t k = 0; k < kOpCount; ++k)
    if (!run[k]) missing += std::string(" ") + op_name(static_cast<OpCode>(k));
  CHECK(missing == "");
}

namespace {

// Runs a list op by op and returns the name of the first that leaves something in the padding.
std::string first_that_dirties(HostMember& m, const kernels::CpuExecutor& executor, bool starting) {
  const auto& ops = starting ? m.program().start_ops() : m.program().step_ops();
  for (std::uint32_t k = 0; k < ops.size(); ++k) {
    kernels::OpRange range;
    range.first = k;
    range.last = k + 1;
    range.fresh = k == 0;
    range.starting = starting;
    executor.run_ops(m.program().view(), m.member(), range, m.scratch());
    const SlotId slot = m.dirty_padding();
    if (slot != kNone) return std::string(op_name(ops[k].code)) + " in " + m.program().slots()[slot].name;
  }
  return "";
}

} // namespace

TEST_CASE("Padding is zero after every op, on every instruction set and in both precisions") {
  for (const char* isa : {"v2", "v3", "v4", "base"}) {
    const auto* executors = kernels::cpu_executors(isa);
    if (!executors) continue;
    for (const ConformCase& c : conform_cases())
      for (const Precision precision : {Precision::f32, Precision::f64}) {
        const auto m = c.member(precision);
        const auto& executor = precision == Precision::f32 ? executors->f32 : executors->f64;
        INFO(isa << ", " << c.name);
        CHECK(first_that_dirties(*m, executor, true) == "");
        CHECK(first_that_dirties(*m, executor, false) == "");
        ++m->member().step;
        CHECK(first_that_dirties(*m, executor, false) == "");
      }
  }
}
