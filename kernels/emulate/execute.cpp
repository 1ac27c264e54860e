#include "kernels/emulate/execute.hpp"

#include "kernels/cpu/flush.hpp"
#include "kernels/emulate/team.hpp"
#include "kernels/interpret.hpp"

namespace polarscope::kernels {

namespace {

template <class R> BlockOutcome start(const BlockShape& shape, const Program& p, Member& m, void* scratch) {
  const FlushDenormals flush;
  return run_block<R>(shape, static_cast<R*>(scratch), p.scratch_size, [&](EmuTeam<R>& team) {
    run_task(team, p, static_cast<R*>(m.block), m.hparams, m.seed, 0, start_task(p), static_cast<R*>(m.records));
  });
}

template <class R>
BlockOutcome advance(const BlockShape& shape, const Program& p, Member& m, std::uint64_t steps, void* scratch) {
  if (m.status != MemberStatus::ok) return {};
  const FlushDenormals flush;
  Burst burst{0, false};
  const BlockOutcome outcome = run_block<R>(shape, static_cast<R*>(scratch), p.scratch_size, [&](EmuTeam<R>& team) {
    const Burst of_lane = run_task(team, p, static_cast<R*>(m.block), m.hparams, m.seed, m.step, step_task(p, steps),
                                   static_cast<R*>(m.records));
    team.single([&] { burst = of_lane; });
  });
  m.step += burst.made;
  if (burst.stopped) {
    m.status = MemberStatus::diverged;
    m.diverged_at = m.step;
  }
  return outcome;
}

template <class R>
BlockOutcome range(const BlockShape& shape, const Program& p, const Member& m, const OpRange& ops, void* scratch) {
  const FlushDenormals flush;
  return run_block<R>(shape, static_cast<R*>(scratch), p.scratch_size, [&](EmuTeam<R>& team) {
    run_task(team, p, static_cast<R*>(m.block), m.hparams, m.seed, m.step, range_task(p, ops),
             static_cast<R*>(nullptr));
  });
}

} // namespace

const EmulatedExecutor kEmulatedF32 = {start<float>, advance<float>, range<float>};
const EmulatedExecutor kEmulatedF64 = {start<double>, advance<double>, range<double>};

} // namespace polarscope::kernels
