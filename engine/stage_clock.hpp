// What the stages of a step take of the machine: now and then one step of a member is made again piece by piece, on a copy of
// its block, and timed. Results of runs do not depend on it.
#pragma once

#include "engine/backend.hpp"
#include "engine/program.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace polarscope {

struct StageTimes {
  std::vector<std::pair<Phase, double>> stages; // seconds of one thread per step, in the order of Phase
  double peak_flops = 0; // flops per second that one thread reaches in the machine's probe; 0: none is known

  double step() const;             // their sum
  double of(Phase stage) const;    // 0 where the step has no such stage
  double share(Phase stage) const; // of the sum
};

class StageClock {
public:
  using Clock = std::chrono::steady_clock;

  // Is there time for another look? They take a two-hundredth of it at most.
  bool due() const;
  // Times one step of a member that stands at a step of its path.
  void look(const StepProgram& program, MemberGroup& members, int member, const Backend& backend);
  // Null: never looked at.
  std::shared_ptr<const StageTimes> of(const StepProgram& program) const;

private:
  std::map<std::uint64_t, std::shared_ptr<const StageTimes>> times_; // by the program's fingerprint
  Clock::time_point done_{};
  Clock::duration took_{};
  double peak_[2] = {0, 0}; // best so far, by precision
};

} // namespace polarscope
