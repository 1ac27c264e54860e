// The step programs that devices are held against each other with: together they run every operation of ops.def.
#pragma once

#include "engine/host_member.hpp"
#include "engine/program.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

struct ConformCase {
  std::string name;                                             // "rows, adamw"
  std::shared_ptr<const StepProgram> f32, f64;                  // the same program in both precisions
  std::vector<std::pair<SlotId, std::vector<double>>> contents; // data and weights at step 0
  std::vector<double> hparams;
  std::uint64_t seed = 1;

  const std::shared_ptr<const StepProgram>& program(Precision p) const { return p == Precision::f32 ? f32 : f64; }
  // A member at step 0 with its contents, start list not yet run.
  std::unique_ptr<HostMember> member(Precision precision) const;
};

// The same list in the same order each time.
std::vector<ConformCase> conform_cases();

const char* op_name(OpCode code);

// For ops whose results cancel (the gradient of a gain is zero but for rounding on a scale-invariant loss): the size of
// the numbers that cancelled, to hold a difference against. 0 for other ops.
double cancelled_size(const Op& op, const HostMember& before);
bool has_op(const StepProgram& program, OpCode code);
inline constexpr std::size_t kOpCount = static_cast<std::size_t>(OpCode::count_);

} // namespace polarscope
