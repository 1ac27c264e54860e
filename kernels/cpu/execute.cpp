// Compiled once per instruction set (POLARSCOPE_ISA).
#include "kernels/cpu/execute.hpp"

#include "kernels/cpu/flush.hpp"
#include "kernels/cpu/probe.hpp"
#include "kernels/cpu/team.hpp"
#include "kernels/interpret.hpp"

POLARSCOPE_KERNELS_BEGIN

template <class R> Context<CpuTeam<R>> context(CpuTeam<R>& team, const Program& p, const Member& m, bool starting) {
  return {team, p, static_cast<R*>(m.block), m.hparams, m.seed, m.step, starting, false};
}

template <class R> void start_member(const Program& p, Member& m, void* scratch) {
  const FlushDenormals flush;
  CpuTeam<R> team(static_cast<R*>(scratch), p.scratch_size);
  auto c = context<R>(team, p, m, true);
  begin_step(c);
  run_list(c, p.start, p.start_count);
  if (m.records) write_record(c, static_cast<R*>(m.records));
}

template <class R> std::uint64_t advance_member(const Program& p, Member& m, std::uint64_t steps, void* scratch) {
  const FlushDenormals flush;
  CpuTeam<R> team(static_cast<R*>(scratch), p.scratch_size);
  R* record = static_cast<R*>(m.records);
  for (std::uint64_t k = 0; k < steps; ++k) {
    if (m.status != MemberStatus::ok) return k;
    auto c = context<R>(team, p, m, false);
    begin_step(c);
    run_list(c, p.step, p.step_count);
    if (record) {
      write_record(c, record);
      record += p.record_size;
    }
    ++m.step;
    if (c.stopped) {
      m.status = MemberStatus::diverged;
      m.diverged_at = m.step;
    }
  }
  return steps;
}

template <class R>
void run_member_range(const Program& p, Member& m, std::uint32_t first, std::uint32_t last, void* scratch) {
  const FlushDenormals flush;
  CpuTeam<R> team(static_cast<R*>(scratch), p.scratch_size);
  auto c = context<R>(team, p, m, false);
  begin_step(c);
  run_list(c, p.step + first, last - first);
}

extern const CpuExecutors kExecutors;
#define POLARSCOPE_TEXT_(x) #x
#define POLARSCOPE_TEXT(x) POLARSCOPE_TEXT_(x)
const CpuExecutors kExecutors = {
    {POLARSCOPE_TEXT(POLARSCOPE_ISA), start_member<float>, advance_member<float>, run_member_range<float>},
    {POLARSCOPE_TEXT(POLARSCOPE_ISA), start_member<double>, advance_member<double>, run_member_range<double>},
    probe::kProbes};

POLARSCOPE_KERNELS_END
