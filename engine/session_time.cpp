// Other steps than the head: restore a keyframe, replay the edits and steps after it, look, and go back.
#include "engine/optimizer/composition.hpp"
#include "engine/session_impl.hpp"
#include "engine/state_hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <numbers>

namespace polarscope {

namespace {

constexpr std::size_t kShownElements = 4096;                      // of a slot; larger ones are listed without values
constexpr std::size_t kHashedWhilePlaying = std::size_t{1} << 16; // scalars of all runs together

double norm_of(const std::vector<double>& v) {
  double square = 0;
  for (const double x : v) square += x * x;
  return std::sqrt(square);
}

std::size_t persistent_scalars(const StepProgram& p) { return p.persistent_bytes() / p.scalar_bytes(); }

// Most runs were never given another recipe: they have the very one that they were opened with.
bool has_other_recipe(const Run& run) {
  return run.optimizer != run.opened_optimizer && !same_composition(*run.optimizer, *run.opened_optimizer);
}

} // namespace

const SlotValues* StateView::find(std::string_view name) const {
  for (const SlotValues& s : slots)
    if (s.name == name) return &s;
  return nullptr;
}

const RunFrame* Frame::find(RunId run) const {
  for (const RunFrame& r : runs)
    if (r.id == run) return &r;
  return nullptr;
}

long Session::Impl::make_again(Run& run, int member, long& fed, long step, long most) {
  long steps = std::min(most, longest_burst(run.program()));
  for (const Edit& e : run.edits)
    if (e.step > step) steps = std::min(steps, e.step - step);
  run.members().set_hparams(member, edited_row(run.start_hparams, run.edits, step));
  steps = std::min(steps, feed(run, member, fed, step));
  const int one[] = {member};
  run.members().advance(one, static_cast<std::uint64_t>(steps), records);
  return steps;
}

void Session::Impl::replay(Run& run, long from, long to) {
  for (long step = from; step < to;) step += make_again(run, run.member, run.fed, step, to - step);
}

// Replaying must give the bits that were there before: the numbers contract. If not, it is said and stays said.
void Session::Impl::check_replay(Run& run, int member, long step, std::span<const std::byte> truth) {
  std::vector<std::byte> made(truth.size());
  run.members().save(member, made);
  if (device_failed()) return;
  const bool same = std::equal(truth.begin(), truth.end(), made.begin());
  if (!same)
    fault = Error{ErrorKind::expectation,
                  {},
                  fmt::format("replaying {} to step {} gave another state than before: please report this bug",
                              run.spec.label, step)};
}

void Session::Impl::at_step(Run& run, long step, bool whole, const std::function<void()>& f) {
  step = std::clamp(step, 0l, run.step);
  if ((step == run.step && (run.fresh || !whole)) || device_failed()) return f(); // what has failed reads as NaN
  MemberGroup& members = run.members();
  std::vector<std::byte> now(run.program().persistent_bytes());
  members.save(run.member, now);
  const MemberState state = members.state(run.member);

  // Gradient and scratch of a step are made by making that step.
  const Keyframe& k = run.timeline.before(whole ? std::max(0l, step - 1) : step);
  members.restore(run.member, k.block);
  members.set_state(run.member, k.state);
  if (step == 0) members.set_hparams(run.member, run.start_hparams);
  replay(run, k.step, step);
  if (const Keyframe* truth = run.timeline.at(step)) check_replay(run, run.member, step, truth->block);
  else if (step == run.step) check_replay(run, run.member, step, now);
  f();

  members.restore(run.member, now);
  members.set_state(run.member, state);
  members.set_hparams(run.member, run.hparams);
  run.fresh = false;
}

// Of a member whose whole block is that of `step`.
std::shared_ptr<const StateView> Session::Impl::read_state(Run& run, int member, long step) {
  auto view = std::make_shared<StateView>();
  view->run = run.id;
  view->step = step;
  const StepProgram& p = run.program();
  for (std::size_t i = 0; i < p.slots().size(); ++i) {
    const SlotInfo& slot = p.slots()[i];
    // Before the first step there is no gradient and no update, only what the start left behind.
    const bool of_a_step = slot.role == Role::grad || slot.role == Role::scratch;
    if (slot.role == Role::metric || (of_a_step && step == 0)) continue;
    SlotValues s{static_cast<SlotId>(i), slot.name, slot.meaning, slot.role, slot.rows, slot.cols, {}};
    if (std::size_t{slot.rows} * slot.cols <= kShownElements) {
      s.values.resize(std::size_t{slot.rows} * slot.cols);
      run.members().read_slot(member, s.slot, s.values);
    }
    view->slots.push_back(std::move(s));
  }
  return view;
}

std::uint64_t Session::Impl::hash_of(Run& run) {
  if (!run.hash) run.hash = hash_member(run.program(), run.members(), run.member);
  return *run.hash;
}

Result<std::shared_ptr<const StateView>> Session::state_at(RunId run, long step) {
  auto r = impl_->find_run(run);
  if (!r) return r.error();
  if (step < 0 || step > impl_->head)
    return bad_input(fmt::format("step {} is not computed; the head is at {}", step, impl_->head));
  std::shared_ptr<const StateView> view;
  step = std::min(step, (*r)->step);
  impl_->at_step(**r, step, true, [&] { view = impl_->read_state(**r, (*r)->member, step); });
  return view;
}

std::uint64_t Session::state_hash_at(RunId run, long step) {
  Run* r = impl_->find(run);
  assert(r);
  std::uint64_t hash = 0;
  impl_->at_step(*r, step, false, [&] { hash = hash_member(r->program(), r->members(), r->member); });
  return hash;
}

std::uint64_t Session::state_hash(RunId run) const {
  Run* r = impl_->find(run);
  assert(r);
  return impl_->hash_of(*r);
}

std::uint64_t Session::state_hash() const {
  std::vector<std::uint64_t> hashes;
  for (const auto& r : impl_->runs) hashes.push_back(impl_->hash_of(*r));
  return hash_of_hashes(hashes);
}

std::vector<double> Session::slot_values(RunId run, SlotId slot) {
  Run* r = impl_->find(run);
  assert(r);
  const SlotInfo& info = r->program().slots()[slot];
  std::vector<double> values(std::size_t{info.rows} * info.cols);
  r->members().read_slot(r->member, slot, values);
  return values;
}

std::vector<double> Session::plane_loss(RunId run, int parameter, const std::vector<double>& e1,
                                        const std::vector<double>& e2, int samples) {
  Run* r = impl_->find(run);
  const auto& parameters = r ? r->program().parameters() : std::vector<ParamInfo>{};
  if (!r || parameter < 0 || parameter >= static_cast<int>(parameters.size()) || samples < 1) return {};
  const ParamInfo& p = parameters[static_cast<std::size_t>(parameter)];
  const std::size_t elements = std::size_t{p.rows} * p.cols;
  if (e1.size() != elements || e2.size() != elements) return {};
  if (const auto [first, last] = r->program().loss_ops(); first == last) return {};

  // A plane of one row leaves the other rows where they stand: a row of zeros would have no direction and no loss.
  std::vector<bool> turned(elements);
  bool all_rows = true;
  for (std::uint32_t row = 0; row < p.rows; ++row) {
    bool any = false;
    for (std::size_t i = std::size_t{row} * p.cols; i < (std::size_t{row} + 1) * p.cols; ++i)
      any |= e1[i] != 0 || e2[i] != 0;
    for (std::size_t i = std::size_t{row} * p.cols; i < (std::size_t{row} + 1) * p.cols; ++i) turned[i] = any;
    all_rows &= any;
  }

  std::vector<double> losses;
  const auto evaluate = [&](int member) {
    // The circle has the weight's own norm: where the loss is not scale-invariant that is the one it means.
    std::vector<double> w(elements);
    r->members().read_slot(member, p.weight, w);
    double square = 0;
    for (std::size_t i = 0; i < elements; ++i) square += turned[i] ? w[i] * w[i] : 0.0;
    const double norm = square > 0 && std::isfinite(square) ? std::sqrt(square) : 1.0;
    std::vector<double> points(elements * static_cast<std::size_t>(samples));
    for (int k = 0; k < samples; ++k) {
      const double angle = 2 * std::numbers::pi * k / samples;
      const double a = norm * std::cos(angle), b = norm * std::sin(angle);
      double* point = points.data() + elements * static_cast<std::size_t>(k);
      for (std::size_t i = 0; i < elements; ++i) point[i] = turned[i] ? a * e1[i] + b * e2[i] : w[i];
    }
    losses = r->members().evaluate_loss(member, parameter, points);
  };
  // Alone and scale-invariant, a parameter's loss on a plane does not depend on where it stands.
  const bool anywhere = parameters.size() == 1 && p.invariance != Invariance::none && all_rows;
  const long step = anywhere ? r->step : std::min(impl_->cursor, r->step);
  if (impl_->past_stands_at(*r, step)) evaluate(impl_->past->member);
  else impl_->at_step(*r, step, false, [&] { evaluate(r->member); });
  return losses;
}

// ---- frames --------------------------------------------------------------------------------------------------------

void Session::Impl::fill_run(RunFrame& f, Run& run, bool with_hash, bool playing) {
  update_expected(run, !playing);
  f.id = run.id;
  f.label = run.spec.label;
  f.group = run.spec.group;
  f.optimizer_name = run.spec.optimizer.name;
  f.style = run.style;
  f.optimizer = run.optimizer;
  f.opened_optimizer = run.opened_optimizer;
  f.recipe_changed = has_other_recipe(run);
  f.program = run.group->program;
  f.hparams = run.hparams;
  f.start_hparams = run.start_hparams;
  f.opened_hparams = run.opened_hparams;
  f.seed = run.seed;
  f.diverged = run.diverged;
  f.diverged_at = run.diverged_at;
  f.series = run.series.view();
  f.ghost = run.ghost.path;
  f.ghost_program = run.ghost.program;
  f.start = run.start;
  f.reference = run.reference;
  f.invariants = run.watch.invariants();
  f.kept = run.watch.kept();
  f.expected = run.expected;
  f.state_hash = with_hash ? hash_of(run) : 0;
  f.step_seconds = run.members().step_seconds();
  f.stages = stage_clock.of(run.program());
}

// What differs at step 0 from what was opened: edits from step 0, moved starts.
void Session::Impl::add_start_events(Run& run, bool other_recipe, std::vector<Event>& events) const {
  const StepProgram& program = run.program();
  for (std::size_t i = 0; i < run.start_hparams.size(); ++i)
    if (run.start_hparams[i] != run.opened_hparams[i])
      events.push_back({EventKind::edit, 0, run.id,
                        change_text(program.hparams()[i].setting.name, run.opened_hparams[i], run.start_hparams[i])});
  if (other_recipe)
    for (const PartChange& change : changed_parts(*run.optimizer, *run.opened_optimizer))
      events.push_back({EventKind::edit, 0, run.id,
                        fmt::format("{}{}{} → {}", change.route, change.route.empty() ? "" : " ",
                                    part_name(change.part), chain_text(*change.now))});
  if (run.start == run.opened_start) return; // the usual case, at every frame
  if (*run.start == *run.opened_start) {
    run.start = run.opened_start;
    return;
  }
  for (std::size_t p = 0; p < run.start->size(); ++p) {
    const std::vector<double>&was = (*run.opened_start)[p], &now = (*run.start)[p];
    if (was == now) continue;
    const std::string name = run.start->size() == 1 ? "start" : "start of " + program.parameters()[p].name;
    const double before = norm_of(was), after = norm_of(now);
    const bool only_turned = std::abs(after - before) <= 1e-3 * before;
    events.push_back(
        {EventKind::edit, 0, run.id, only_turned ? name + " turned" : change_text(name + " norm", before, after)});
  }
}

namespace {

// Members of a sweep beyond what eight colours tell apart have the colour of the run they repeat.
void style_by_group(Frame& frame) {
  constexpr std::size_t kColours = 8;
  std::vector<std::string> groups;
  for (const RunFrame& run : frame.runs)
    if (!run.group.empty() && std::find(groups.begin(), groups.end(), run.group) == groups.end())
      groups.push_back(run.group);
  if (frame.runs.size() <= kColours || groups.size() < 2) return;
  for (RunFrame& run : frame.runs)
    if (!run.group.empty())
      run.style = static_cast<int>(std::find(groups.begin(), groups.end(), run.group) - groups.begin());
}

} // namespace

void Session::Impl::fill(Frame& frame) {
  std::size_t scalars = 0;
  for (const auto& r : runs) scalars += persistent_scalars(r->program());
  const bool with_hash = !frame.playing || scalars <= kHashedWhilePlaying;

  frame.scene = scene;
  frame.head = head;
  frame.cursor = cursor;
  frame.steps = scene->steps;
  frame.computing = std::any_of(runs.begin(), runs.end(), [this](const auto& r) { return behind(*r); });
  frame.runs.resize(runs.size());
  frame.events.clear();
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Run& r = *runs[i];
    fill_run(frame.runs[i], r, with_hash, frame.playing);
    frame.runs[i].order = static_cast<int>(i);
    hashes.push_back(frame.runs[i].state_hash);
    frame.events.insert(frame.events.end(), r.watch.events().begin(), r.watch.events().end());
    for (const auto& [column, event] : r.edit_events) frame.events.push_back(event);
    if (!r.dragging) add_start_events(r, frame.runs[i].recipe_changed, frame.events);
  }
  style_by_group(frame);
  std::stable_sort(frame.events.begin(), frame.events.end(),
                   [](const Event& a, const Event& b) { return a.step < b.step; });
  frame.selected = selected;
  frame.refused = refused;
  frame.device = backend->description();
  frame.device_note = device_note;
  frame.threads = backend->threads();
  frame.state_hash = with_hash ? hash_of_hashes(hashes) : 0;
  frame.memory_bytes = memory_bytes();
  if (fault) {
    frame.notice = fault->text();
    frame.notice_is_error = true;
  }
}

void Session::fill(Frame& frame) { impl_->fill(frame); }

} // namespace polarscope
