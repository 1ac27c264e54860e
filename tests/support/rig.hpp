// A step program of one problem with all of its metrics under plain gradient descent, driven on the CPU's executor by
// hand: no scene, no optimizer, no session. For tests of problems and metrics.
#pragma once

#include "engine/host_member.hpp"
#include "engine/metric/metric.hpp"
#include "engine/problem/problem.hpp"
#include "engine/program.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace polarscope::test {

struct RigOptions {
  Precision precision = Precision::f64;
  double lr = 0.1;
  bool own_size = false;                 // declared to the metrics; U is the gradient either way
  std::map<std::string, int> every = {}; // metric cadences
};

// The problem's values: its defaults with these put over them.
ProblemValues problem_values(const Problem& problem, const std::map<std::string, SettingValue>& values = {});

class Rig {
public:
  Rig(const std::string& problem, const std::map<std::string, SettingValue>& values = {}, std::uint64_t seed = 1,
      const RigOptions& options = {});

  const StepProgram& program() const { return *program_; }
  std::vector<double> read(const std::string& slot) const; // row-major, without padding
  void write(const std::string& slot, const std::vector<double>& values);

  void start();                                   // runs the start list: row 0
  bool step(long n = 1);                          // false once the run has diverged
  void gradient();                                // runs the gradient phase only: gradient with noise, invariants, loss
  double loss();                                  // runs the loss ops only, at the present weight
  void run_op(OpCode code);                       // runs the step list's ops of this kind, without starting a new row
  double metric(const std::string& column) const; // of the last row or gradient(); NaN when not recorded
  bool diverged() const { return member_->member().status != kernels::MemberStatus::ok; }
  std::uint64_t steps() const { return member_->member().step; }
  bool padding_is_zero() const { return member_->dirty_padding() == kNone; }

private:
  std::shared_ptr<const StepProgram> program_;
  std::unique_ptr<HostMember> member_;
  std::size_t gradient_end_ = 0;
};

} // namespace polarscope::test
