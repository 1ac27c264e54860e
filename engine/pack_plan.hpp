// How tiny members of one program are stepped side by side, one to a vector lane (kernels/cpu/execute_packs.hpp).
#pragma once

#include "engine/program.hpp"
#include "kernels/cpu/execute_packs.hpp"

#include <memory>

namespace polarscope {

class PackPlan {
public:
  // Null where the program does not run in packs: a fixed rule on its shape and the instruction set, whatever the number of
  // members, since results differ in the last bits.
  static std::unique_ptr<PackPlan> make(std::shared_ptr<const StepProgram> program, const char* isa);
  PackPlan(const PackPlan&) = delete;
  PackPlan& operator=(const PackPlan&) = delete;

  const kernels::PackExecutor& executor() const { return *executor_; }
  const kernels::PackProgram& view() const { return view_; }
  std::size_t memory_bytes() const { return executor_->memory_bytes(view_); }

private:
  explicit PackPlan(std::shared_ptr<const StepProgram> program) : program_(std::move(program)) {}

  std::shared_ptr<const StepProgram> program_;
  const kernels::PackExecutor* executor_ = nullptr;
  std::vector<kernels::Slot> slots_;
  std::vector<std::uint32_t> elements_;
  kernels::PackProgram view_;
};

} // namespace polarscope
