// Compiled once per instruction set (POLARSCOPE_ISA).
#include "kernels/cpu/execute.hpp"

#include "kernels/cpu/flush.hpp"
#include "kernels/cpu/probe.hpp"
#include "kernels/cpu/team.hpp"
#include "kernels/interpret.hpp"

#define POLARSCOPE_TEXT_(x) #x
#define POLARSCOPE_TEXT(x) POLARSCOPE_TEXT_(x)

POLARSCOPE_KERNELS_BEGIN

template <class R> POLARSCOPE_FN CpuTeam<R> team_at(const Program& p, const CpuPlace& place) {
  return {static_cast<R*>(place.scratch), p.scratch_size, place.lanes, place.lane,
          small_executor(POLARSCOPE_TEXT(POLARSCOPE_ISA))};
}

template <class R> void start_member(const Program& p, Member& m, CpuPlace place) {
  const FlushDenormals flush;
  auto team = team_at<R>(p, place);
  run_task(team, p, static_cast<R*>(m.block), m.hparams, m.seed, 0, start_task(p), static_cast<R*>(m.records));
}

// Lanes read the member before their first barrier; one writes it after the last.
template <class R> std::uint64_t advance_member(const Program& p, Member& m, std::uint64_t steps, CpuPlace place) {
  if (steps == 0 || m.status != MemberStatus::ok) return 0;
  const FlushDenormals flush;
  auto team = team_at<R>(p, place);
  const std::uint64_t begin = m.step, at_once = place.lanes ? 1 : steps;
  R* const records = static_cast<R*>(m.records);
  Burst burst{0, false};
  std::uint64_t made = 0;
  if (place.lanes) begin_steps(*place.lanes, place.lane);
  do {
    burst = run_task(team, p, static_cast<R*>(m.block), m.hparams, m.seed, begin + made, step_task(p, at_once),
                     records ? records + made * p.record_size : records);
    made += burst.made;
  } while (!burst.stopped && made < steps && !hindered(*place.lanes, place.lane));
  if (place.lane > 0) return made;
  m.step = begin + made;
  if (burst.stopped) {
    m.status = MemberStatus::diverged;
    m.diverged_at = m.step;
  }
  return made;
}

template <class R> void run_member_ops(const Program& p, const Member& m, const OpRange& range, CpuPlace place) {
  const FlushDenormals flush;
  auto team = team_at<R>(p, place);
  run_task(team, p, static_cast<R*>(m.block), m.hparams, m.seed, m.step, range_task(p, range),
           static_cast<R*>(nullptr));
}

template <class R>
void run_member_range(const Program& p, Member& m, std::uint32_t first, std::uint32_t last, CpuPlace place) {
  OpRange range;
  range.first = first;
  range.last = last;
  run_member_ops<R>(p, m, range, place);
}

template <class R> constexpr CpuExecutor executor(const char* isa) {
  return {isa, start_member<R>, advance_member<R>, run_member_range<R>, run_member_ops<R>};
}

extern const CpuExecutors kExecutors;
const CpuExecutors kExecutors = {executor<float>(POLARSCOPE_TEXT(POLARSCOPE_ISA)),
                                 executor<double>(POLARSCOPE_TEXT(POLARSCOPE_ISA)), probe::kProbes};

POLARSCOPE_KERNELS_END
