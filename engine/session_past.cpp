// Looking at a past step without waiting for it: a member of its own is restored and replayed in slices.
#include "engine/session_impl.hpp"

#include <algorithm>
#include <cassert>

namespace polarscope {

namespace {

constexpr long kNear = 8;                                  // states kept between two keyframes while replaying
constexpr std::size_t kNearBytes = std::size_t{128} << 20; // of all of them

} // namespace

void Session::Impl::forget_past() {
  if (past) past->group->members->remove(past->member);
  past.reset();
}

// Puts the member at the latest known state before `step`: at 0, or a step earlier at least, as gradient and scratch of
// a step are made by making it.
void Session::Impl::stand_before(Run& run, long step) {
  const long least = std::max(0l, step - 1);
  const auto later = [least](const Keyframe& k) { return k.step > least; };
  const Keyframe* from = &run.timeline.before(least);
  const auto near = std::find_if(past->near.rbegin(), past->near.rend(), [&](const auto& k) { return !later(k); });
  if (near != past->near.rend() && near->step > from->step) from = &*near;
  if (past->step >= from->step && past->step <= least) return;
  MemberGroup& members = run.members();
  members.restore(past->member, from->block);
  members.set_state(past->member, from->state);
  members.set_hparams(past->member, run.start_hparams);
  past->step = from->step;
}

// The next look is most likely at a step nearby, before this one.
void Session::Impl::keep_near(Run& run, long spacing) {
  std::vector<Keyframe>& near = past->near;
  const std::size_t bytes = run.program().persistent_bytes();
  if (past->step % spacing != 0 || run.timeline.at(past->step) || (near.size() + 1) * bytes > kNearBytes) return;
  if (near.size() >= 4 * kNear || (!near.empty() && near.back().step >= past->step)) return;
  Keyframe k{past->step, run.members().state(past->member), std::vector<std::byte>(bytes)};
  run.members().save(past->member, k.block);
  near.push_back(std::move(k));
}

bool Session::Impl::replay_past(Run& run, long step, double seconds) {
  const TimeLimit limit(seconds);
  const long first = run.timeline.before(std::max(0l, step - 1)).step;
  const long spacing = std::max(1l, (step - first) / kNear);
  // Where the cursor went far away nothing of the last look helps.
  std::erase_if(past->near, [&](const Keyframe& k) { return k.step < first || k.step > step; });
  for (long wished = 1; past->step < step;) {
    const double before = limit.left();
    const long most = std::min({wished, step - past->step, spacing - past->step % spacing});
    const long steps = make_again(run, past->member, past->fed, past->step, most);
    if (device_failed()) return false;
    past->step += steps;
    keep_near(run, spacing);
    if (past->step < step && limit.over()) return false;
    wished = 8 * steps;
    if (seconds == kNoLimit) continue;
    const double each = std::max(1e-9, before - limit.left()) / static_cast<double>(steps);
    wished = std::clamp(static_cast<long>(std::min(limit.left() / each, 1e6)), 1l, wished);
  }
  return true;
}

Result<std::shared_ptr<const StateView>> Session::Impl::look_back(Run& run, long step, double seconds) {
  step = std::clamp(step, 0l, run.step);
  if (step == run.step && run.fresh) return read_state(run, run.member, step);
  if (past && past->path != run.path) forget_past();
  if (!past) {
    const auto member = run.members().add(run.seed);
    if (!member) return member.error();
    past = Past{run.group, run.path, *member, -1, -1, {}};
    for (const auto& [slot, values] : run.initial.slots)
      if (run.program().slots()[slot].role == Role::data) run.members().write_slot(past->member, slot, values);
  }
  if (past->step != step || step == 0) stand_before(run, step);
  if (!replay_past(run, step, seconds)) return std::shared_ptr<const StateView>{};
  if (const Keyframe* truth = run.timeline.at(step)) check_replay(run, past->member, step, truth->block);
  return read_state(run, past->member, step);
}

Result<std::shared_ptr<const StateView>> Session::look_at(RunId run, long step, double seconds) {
  auto r = impl_->find_run(run);
  if (!r) return r.error();
  return impl_->look_back(**r, step, seconds);
}

} // namespace polarscope
