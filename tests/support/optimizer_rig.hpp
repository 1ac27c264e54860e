// Drives one compiled program on the CPU's executor by hand, and makes programs whose gradients are given: no scene,
// no session. For tests of optimizers.
#pragma once

#include "engine/compile.hpp"
#include "engine/host_member.hpp"
#include "engine/optimizer/spec.hpp"
#include "engine/program.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polarscope::test {

// A preset as installed; fails the test when it does not load.
OptimizerSpec preset_spec(const std::string& name);

// The program of one parameter W whose gradient slot is left as the test writes it.
std::shared_ptr<const StepProgram> program_for(const OptimizerSpec& spec, std::uint32_t rows, std::uint32_t cols,
                                               Precision precision = Precision::f64, long steps = 1000,
                                               Invariance invariance = Invariance::none);
// Base hyperparameters of a recipe for that program.
std::vector<double> hparams_of(const StepProgram& program, const OptimizerSpec& spec);

class ProgramRig {
public:
  ProgramRig(std::shared_ptr<const StepProgram> program, std::vector<double> hparams, std::uint64_t seed = 1);

  const StepProgram& program() const { return member_->program(); }
  std::vector<double> read(const std::string& slot) const; // row-major, without padding
  void write(const std::string& slot, const std::vector<double>& values);
  void load(const InitialContents& contents);
  void set_hparam(const std::string& name, double value);
  void set_step(std::uint64_t completed) { member_->member().step = completed; }
  double hparam(const std::string& name) const; // current value, after schedules

  void start();
  bool step(); // false when the run has diverged
  // One step with this gradient of W.
  bool step(const std::vector<double>& gradient);
  double metric(const std::string& column) const;
  bool padding_is_zero() const { return member_->dirty_padding() == kNone; }
  // The worst violation of each exact promise since the start, over its tolerance: ≤ 1 while kept.
  double worst_promise() const { return worst_promise_; }

private:
  SlotId slot(const std::string& name) const; // fails the test when there is none
  void watch();

  std::unique_ptr<HostMember> member_;
  double worst_promise_ = 0;
};

} // namespace polarscope::test
