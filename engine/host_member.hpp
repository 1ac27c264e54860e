// One member's memory on the host, in the layout of its program: what tests and conform put ops to work on without a
// backend around them.
#pragma once

#include "engine/program.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace polarscope {

class HostMember {
public:
  // Zeroed, at step 0. `hparams`: base row in column order.
  HostMember(std::shared_ptr<const StepProgram> program, std::vector<double> hparams, std::uint64_t seed);
  HostMember(const HostMember&) = delete;
  HostMember& operator=(const HostMember&) = delete;

  const StepProgram& program() const { return *program_; }
  kernels::Member& member() { return member_; }
  const kernels::Member& member() const { return member_; }
  const std::vector<double>& base_hparams() const { return hparams_; }
  void* scratch() { return scratch_; }
  std::byte* block() { return block_; }

  // Logical elements, row-major, without padding.
  std::vector<double> read(SlotId slot) const;
  void write(SlotId slot, std::span<const double> values);
  void set_hparam(std::size_t column, double value) { hparams_[column] = value; }
  // Every slot and the step from a member of the same program, in either precision.
  void copy(const HostMember& other);
  // The first slot with a padding element that is not zero; kNone when all are.
  SlotId dirty_padding() const;

private:
  double element(std::size_t index) const;
  void set_element(std::size_t index, double value);

  std::shared_ptr<const StepProgram> program_;
  std::vector<double> hparams_;
  std::vector<std::byte> block_memory_, scratch_memory_;
  std::byte* block_;
  std::byte* scratch_;
  kernels::Member member_;
};

} // namespace polarscope
