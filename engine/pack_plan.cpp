#include "engine/pack_plan.hpp"

#include <algorithm>

namespace polarscope {

namespace {

constexpr std::size_t kMostElements = 192; // of a member: a pack of 16 stays in the first-level cache

bool fits(const StepProgram& p) {
  std::size_t elements = 0;
  for (const SlotInfo& s : p.slots()) {
    elements += std::size_t{s.rows} * s.cols;
    if (s.view_of != kNone) return false;
  }
  return p.precision() == Precision::f32 && elements <= kMostElements &&
         std::all_of(p.step_ops().begin(), p.step_ops().end(), [](const Op& op) { return op.small; });
}

} // namespace

std::unique_ptr<PackPlan> PackPlan::make(std::shared_ptr<const StepProgram> program, const char* isa) {
  const kernels::SmallExecutor* executor = kernels::small_executor(isa);
  if (executor->members == 0 || !fits(*program)) return nullptr;
  std::unique_ptr<PackPlan> plan(new PackPlan(std::move(program)));
  plan->executor_ = executor;
  for (const kernels::Slot& s : plan->program_->layout()) {
    plan->slots_.push_back({static_cast<std::uint32_t>(plan->elements_.size()), s.rows, s.cols, s.cols});
    for (std::uint32_t i = 0; i < s.rows; ++i)
      for (std::uint32_t j = 0; j < s.cols; ++j) plan->elements_.push_back(s.offset + i * s.ld + j);
  }
  plan->view_.program = plan->program_->view();
  plan->view_.program.slots = plan->slots_.data();
  plan->view_.elements = plan->elements_.data();
  plan->view_.element_count = static_cast<std::uint32_t>(plan->elements_.size());
  return plan;
}

} // namespace polarscope
