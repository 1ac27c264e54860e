// How small members of one program are stepped side by side, one to a vector lane (kernels/small.hpp).
#pragma once

#include "engine/program.hpp"
#include "kernels/small.hpp"

#include <memory>

namespace polarscope {

class PackPlan {
public:
  // Null where the program does not run in packs. Bits do not depend on it.
  static std::unique_ptr<PackPlan> make(std::shared_ptr<const StepProgram> program, const char* isa);
  PackPlan(const PackPlan&) = delete;
  PackPlan& operator=(const PackPlan&) = delete;

  const kernels::SmallExecutor& executor() const { return *executor_; }
  const kernels::PackProgram& view() const { return view_; }
  std::size_t memory_bytes() const { return executor_->pack_bytes(view_); }

private:
  explicit PackPlan(std::shared_ptr<const StepProgram> program) : program_(std::move(program)) {}

  std::shared_ptr<const StepProgram> program_;
  const kernels::SmallExecutor* executor_ = nullptr;
  std::vector<kernels::Slot> slots_;
  std::vector<std::uint32_t> elements_;
  kernels::PackProgram view_;
};

} // namespace polarscope
