#include "engine/stage_clock.hpp"

#include "engine/program_cost.hpp"

#include <algorithm>

namespace polarscope {

namespace {

constexpr int kTimesBetween = 200;  // a look is due again after so many times what the last one took
constexpr double kNewWeight = 0.25; // of the latest look in the average

} // namespace

double StageTimes::step() const {
  double sum = 0;
  for (const auto& [stage, seconds] : stages) sum += seconds;
  return sum;
}

double StageTimes::of(Phase stage) const {
  for (const auto& [one, seconds] : stages)
    if (one == stage) return seconds;
  return 0;
}

double StageTimes::share(Phase stage) const {
  const double sum = step();
  return sum > 0 ? of(stage) / sum : 0;
}

bool StageClock::due() const { return Clock::now() - done_ >= kTimesBetween * took_; }

void StageClock::look(const StepProgram& program, MemberGroup& members, int member, const Backend& backend) {
  const auto begin = Clock::now();
  const std::vector<StageRange> ranges = stage_ranges(program);
  std::vector<std::uint32_t> bounds = {0};
  for (const StageRange& range : ranges) bounds.push_back(range.last);
  const std::vector<double> seconds = members.time_step(member, bounds);
  if (seconds.size() == ranges.size()) {
    double& peak = peak_[static_cast<std::size_t>(program.precision())];
    peak = std::max(peak, backend.probe_flops(program.precision()));
    auto times = std::make_shared<StageTimes>();
    times->peak_flops = peak;
    std::map<Phase, double> sums;
    for (std::size_t i = 0; i < ranges.size(); ++i) sums[ranges[i].stage] += seconds[i];
    const std::shared_ptr<const StageTimes> before = of(program);
    for (const auto& [stage, now] : sums)
      times->stages.emplace_back(stage, before ? before->of(stage) + kNewWeight * (now - before->of(stage)) : now);
    times_[program.fingerprint()] = std::move(times);
  }
  done_ = Clock::now();
  took_ = done_ - begin;
}

std::shared_ptr<const StageTimes> StageClock::of(const StepProgram& program) const {
  const auto found = times_.find(program.fingerprint());
  return found == times_.end() ? nullptr : found->second;
}

} // namespace polarscope
