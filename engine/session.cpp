// Opening a scene, stepping its runs, keeping what they record.
#include "engine/session.hpp"

#include "engine/machine_memory.hpp"
#include "engine/report.hpp"
#include "engine/session_impl.hpp"
#include "engine/state_hash.hpp"
#include "engine/sweep.hpp"
#include "engine/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace polarscope {

namespace {

constexpr long kLongestBurst = 4096;
constexpr std::size_t kSharesAtLeast = 8; // of the memory budget

std::vector<double>* contents_of(InitialContents& contents, SlotId slot) {
  for (auto& [id, values] : contents.slots)
    if (id == slot) return &values;
  return nullptr;
}

// What a run remembers of the steps it has made. Runs do this at the same time: nothing but the run is touched.
void keep(Run& run, long first_step, std::span<const std::byte> made) {
  const MemberState state = run.members().state(run.member);
  run.step = static_cast<long>(state.step);
  run.diverged = state.diverged;
  run.diverged_at = static_cast<long>(state.diverged_at);
  run.fresh = true;
  run.hash.reset();
  run.series.append(made);
  run.watch.see(first_step, made, state);
}

void save_keyframe(Run& run) {
  Keyframe k;
  k.step = run.step;
  k.state = run.members().state(run.member);
  k.block.resize(run.program().persistent_bytes());
  run.members().save(run.member, k.block);
  run.timeline.add(std::move(k));
}

} // namespace

// ---- making runs ---------------------------------------------------------------------------------------------------

Run* Session::Impl::find(RunId id) const {
  for (const auto& r : runs)
    if (r->id == id) return r.get();
  return nullptr;
}

int Session::Impl::free_style() const {
  int style = 0;
  while (std::any_of(runs.begin(), runs.end(), [&](const auto& r) { return r->style == style; })) ++style;
  return style;
}

std::string Session::Impl::free_label(const std::string& base) const {
  const auto taken = [&](const std::string& label) {
    return std::any_of(runs.begin(), runs.end(), [&](const auto& r) { return r->spec.label == label; });
  };
  std::string label = base;
  for (int n = 2; taken(label); ++n) label = fmt::format("{} {}", base, n);
  return label;
}

// The part of the memory budget that the run in this place may keep its past in. It depends on the place alone, so that
// runs that come and go change nothing for the others: the places of the opening share three quarters, each later
// doubling of their number half of what is left. A run takes the first free place.
double Session::Impl::share_of(int place) const {
  const auto opening = static_cast<double>(shares);
  if (place < static_cast<int>(shares)) return 0.75 / opening;
  const double doubling = std::floor(std::log2(place / opening)) + 1; // 1 for places S … 2S − 1, 2 up to 4S − 1, …
  return 0.5 / (opening * std::exp2(2 * doubling));
}
std::size_t Session::Impl::series_budget(int place) const {
  return static_cast<std::size_t>(0.7 * share_of(place) * static_cast<double>(options.memory_budget));
}
std::size_t Session::Impl::keyframe_budget(int place) const {
  return static_cast<std::size_t>(0.3 * share_of(place) * static_cast<double>(options.memory_budget));
}

std::size_t Session::Impl::memory_bytes() const {
  std::size_t total = 0;
  for (const auto& r : runs)
    total += r->series.bytes() + r->ghost.path.bytes() + r->timeline.bytes() + r->program().block_bytes();
  if (past) {
    total += past->group->program->block_bytes();
    for (const Keyframe& k : past->near) total += k.block.size();
  }
  return total;
}

Result<Group*> Session::Impl::group_for(std::shared_ptr<const StepProgram> program) {
  for (const auto& g : groups)
    if (g->program->fingerprint() == program->fingerprint()) return g.get();
  auto members = backend->open(program);
  if (!members) return members.error();
  auto group = std::make_unique<Group>();
  group->program = std::move(program);
  group->members = std::move(*members);
  groups.push_back(std::move(group));
  return groups.back().get();
}

Result<void> Session::Impl::check_memory(const std::vector<std::shared_ptr<const StepProgram>>& programs) const {
  const double needed = memory_estimate(programs, scene->steps, options.threads);
  const double limit = std::max(0.0, kUsableMemory * machine_memory() - options.memory_in_use);
  if (needed <= limit) return {};
  return machine_lacks(fmt::format("{} runs need {:.1f} GB of memory, this machine can give {:.1f} GB", programs.size(),
                                   needed / 1e9, limit / 1e9));
}

Result<std::unique_ptr<Run>> Session::Impl::build_run(RunSpec spec, RunId id, int place) {
  auto compiled = compile(*scene, spec, {options.record});
  if (!compiled) return compiled.error();
  std::vector<std::shared_ptr<const StepProgram>> programs = {*compiled};
  for (const auto& r : runs) programs.push_back(r->group->program);
  if (auto fits = check_memory(programs); !fits) return fits.error();
  return build_compiled(std::move(spec), id, place, *compiled);
}

Result<std::unique_ptr<Run>> Session::Impl::build_compiled(RunSpec spec, RunId id, int place,
                                                           const std::shared_ptr<const StepProgram>& compiled) {
  auto contents = initial_contents(*scene, spec, *compiled);
  if (!contents) return contents.error();
  auto group = group_for(compiled);
  if (!group) return group.error();

  const std::shared_ptr<const StepProgram>& program = (*group)->program;
  RunWatch watch(program, id, spec.optimizer, scene->schedule_length(), scene->view.target,
                 expected_values(*scene, *program, spec.label));
  auto run = std::make_unique<Run>(id, std::move(spec), *group, RunSeries(program, series_budget(place)),
                                   Timeline(program->persistent_bytes(), keyframe_budget(place)), std::move(watch));
  run->optimizer = run->opened_optimizer = std::make_shared<const OptimizerSpec>(run->spec.optimizer);
  run->initial = std::move(*contents);
  run->start_hparams = hparam_row(*program, run->spec);
  run->seed = run->spec.seed.value_or(scene->seed);
  run->style = place;
  const auto member = run->members().add(run->seed);
  if (!member) return member.error();
  run->member = *member;
  read_constant_weights(*run);
  begin(*run);
  if (device_failed()) return *backend->failure();
  run->opened_hparams = run->start_hparams;
  for (std::size_t i = 0; i < run->start_hparams.size(); ++i)
    run->opened_numbers[program->hparams()[i].setting.name] = run->start_hparams[i];
  run->opened_start = run->start;
  return run;
}

Result<Run*> Session::Impl::make_run(RunSpec spec) {
  auto run = build_run(std::move(spec), next_id, free_style());
  if (!run) return run.error();
  ++next_id;
  runs.push_back(std::move(*run));
  return runs.back().get();
}

// Data slots are written once: nothing in a program changes them.
void Session::Impl::read_constant_weights(Run& run) {
  Weights reference;
  for (const ParamInfo& p : run.program().parameters()) {
    const std::vector<double>* values = p.reference == kNone ? nullptr : contents_of(run.initial, p.reference);
    reference.push_back(values ? *values : std::vector<double>{});
  }
  run.reference = std::make_shared<const Weights>(std::move(reference));
  for (const auto& [slot, values] : run.initial.slots)
    if (run.program().slots()[slot].role == Role::data) run.members().write_slot(run.member, slot, values);
}

void Session::Impl::begin(Run& run) {
  MemberGroup& members = run.members();
  const std::vector<std::byte> zeros(run.program().persistent_bytes());
  members.restore(run.member, zeros);
  for (const auto& [slot, values] : run.initial.slots)
    if (run.program().slots()[slot].role != Role::data) members.write_slot(run.member, slot, values);
  members.set_state(run.member, {});
  members.set_hparams(run.member, run.start_hparams);
  const int one[] = {run.member};
  members.start(one, records);
  Weights start;
  for (const ParamInfo& p : run.program().parameters()) {
    start.emplace_back(std::size_t{p.rows} * p.cols);
    members.read_slot(run.member, p.weight, start.back());
  }
  if (device_failed()) return;
  run.start = std::make_shared<const Weights>(std::move(start));
  run.hparams = edited_row(run.start_hparams, run.edits, std::numeric_limits<long>::max());
  run.series = RunSeries(run.group->program, series_budget(run.style));
  run.timeline.clear();
  run.watch.reset();
  run.predicted_known = false;
  run.step = 0;
  run.path = ++paths;
  run.diverged = false;
  keep(run, 0, records[0]);
  save_keyframe(run);
  if (options.sink) options.sink(run.id, run.program(), 0, records[0]);
}

Result<void> Session::Impl::open() {
  if (options.make_backend) {
    backend = options.make_backend();
  } else {
    auto device = open_backend(options.device, options.threads, options.isa);
    if (!device) return device.error();
    backend = std::move(*device);
  }
  if (options.looks_for_gpu)
    for (const DeviceInfo& d : devices())
      if (!d.available) device_note = d.why_not;
  if (scene->runs.empty()) return bad_input("the scene has no runs", {scene->path, 0, 0});
  shares = std::max(scene->runs.size(), kSharesAtLeast);
  std::vector<std::shared_ptr<const StepProgram>> programs;
  for (std::size_t i = 0; i < scene->runs.size(); ++i) {
    const RunSpec& spec = scene->runs[i];
    if (i > 0 && !spec.group.empty() && spec.group == scene->runs[i - 1].group) {
      programs.push_back(programs.back()); // members of a sweep differ in numbers only
      continue;
    }
    auto compiled = compile(*scene, spec, {options.record});
    if (!compiled) return compiled.error();
    programs.push_back(std::move(*compiled));
  }
  if (auto fits = check_memory(programs); !fits) return fits.error();
  const std::shared_ptr<const Scene> opened = scene; // runs are made from it while the list grows
  for (std::size_t i = 0; i < programs.size(); ++i) {
    auto run = build_compiled(opened->runs[i], next_id, free_style(), programs[i]);
    if (!run) return run.error();
    ++next_id;
    runs.push_back(std::move(*run));
  }
  selected = runs.front()->id;
  return {};
}

void Session::Impl::update_scene() {
  auto fresh = std::make_shared<Scene>(*scene);
  fresh->runs.clear();
  for (const auto& r : runs) fresh->runs.push_back(r->spec);
  scene = std::move(fresh);
}

bool Session::Impl::device_failed() {
  const auto error = backend->failure();
  if (error) fault = error;
  return error.has_value();
}

// ---- stepping ------------------------------------------------------------------------------------------------------

long Session::Impl::feed(Run& run, int member, long& fed, long step) {
  long left = std::numeric_limits<long>::max();
  for (const FeedInfo& f : run.program().feeds()) {
    const Trace& trace = *scene->problem_values.trace;
    const long window = f.steps, first = step / window * window;
    left = std::min(left, first + window - step);
    if (fed == first / window) continue;
    const SlotInfo& slot = run.program().slots()[f.slot];
    std::vector<double> values(std::size_t{slot.rows} * slot.cols);
    auto read = trace.gradients(static_cast<std::size_t>(f.parameter), first, std::min(window, trace.steps() - first));
    if (read) std::copy(read->begin(), read->end(), values.begin());
    else
      std::fill(values.begin(), values.end(),
                std::numeric_limits<double>::quiet_NaN()); // the run stops, and it is said why
    if (!read && !fault) fault = read.error();
    run.members().write_slot(member, f.slot, values);
  }
  fed = run.program().feeds().empty() ? -1 : step / static_cast<long>(run.program().feeds().front().steps);
  return left;
}

// A few at first and then by what they took, so that an expensive program does not keep the commands waiting.
long Session::Impl::steps_within(std::span<Run* const> some, double seconds) const {
  if (seconds == kNoLimit) return kLongestBurst;
  double step_seconds = 0;
  for (const Run* r : some) {
    if (r->group->step_seconds == 0) return 1;
    step_seconds += r->group->step_seconds;
  }
  return std::max(1l, static_cast<long>(std::min(seconds / step_seconds, 8.0 * static_cast<double>(last_burst))));
}

long Session::Impl::burst(std::span<Run* const> some, long target, double seconds) {
  const long step = some.front()->step;
  long steps = std::min({target - step, kLongestBurst, steps_within(some, seconds)});
  for (const auto& g : groups) {
    g->going.clear();
    g->going_runs.clear();
  }
  for (Run* r : some) {
    assert(r->step == step && !r->diverged);
    r->place = r->group->going.size();
    r->group->going.push_back(r->member);
    r->group->going_runs.push_back(r);
    steps = std::min({steps, r->timeline.next(step) - step, longest_burst(r->program())});
    for (const Edit& e : r->edits)
      if (e.step > step) steps = std::min(steps, e.step - step);
    r->members().set_hparams(r->member, edited_row(r->start_hparams, r->edits, step));
    steps = std::min(steps, feed(*r, r->member, r->fed, step));
  }
  std::vector<GroupJob> jobs;
  for (const auto& g : groups)
    if (!g->going.empty())
      jobs.push_back({g->members.get(), g->going, &g->records, [&group = *g, step](std::size_t i) {
                        Run& r = *group.going_runs[i];
                        keep(r, step + 1, group.records[i]);
                        if (!r.diverged && r.timeline.wants(r.step)) save_keyframe(r);
                      }});
  const auto begin = Clock::now();
  backend->advance(jobs, static_cast<std::uint64_t>(steps));
  if (device_failed()) return 0;
  const double took = std::max(1e-9, std::chrono::duration<double>(Clock::now() - begin).count());
  for (const auto& g : groups)
    if (!g->going.empty()) g->step_seconds = took / static_cast<double>(steps) / static_cast<double>(some.size());
  last_burst = steps;
  if (options.sink)
    for (const Run* r : some) options.sink(r->id, r->program(), step + 1, r->group->records[r->place]);
  return steps;
}

bool Session::Impl::catch_up(double seconds) {
  const TimeLimit limit(seconds);
  const auto next = [this]() -> Run* {
    if (Run* first = find(first_to_catch_up); first && behind(*first)) return first;
    for (const auto& r : runs)
      if (behind(*r)) return r.get();
    return nullptr;
  };
  for (Run* r; (r = next());) {
    if (burst({&r, 1}, head, limit.left()) == 0) return false;
    if (limit.over()) return next() != nullptr;
  }
  return false;
}

long Session::Impl::advance(long steps, double seconds) {
  const TimeLimit limit(seconds);
  if (catch_up(seconds)) return 0;
  if (device_failed()) return 0; // a run may have stayed behind
  const bool follow = cursor == head;
  const long first = head, target = head + std::clamp(steps, 0l, std::max(0l, scene->steps - head));
  while (head < target) {
    std::vector<Run*> going;
    for (const auto& r : runs)
      if (!r->diverged) going.push_back(r.get());
    const long made = going.empty() ? target - head : burst(going, target, limit.left());
    head += made;
    if (made == 0 || limit.over()) break;
  }
  if (follow) cursor = head;
  if (options.times_stages) look_at_stages();
  return head - first;
}

// Programs that were never looked at come first, and do not wait.
void Session::Impl::look_at_stages() {
  const TimeLimit limit(0.001);
  for (std::size_t i = 0; i < groups.size() && !limit.over() && !backend->failure(); ++i) {
    const Group* next = groups[stages_looked_at++ % groups.size()].get();
    if (stage_clock.of(*next->program) && !stage_clock.due()) continue;
    const auto run = std::find_if(runs.begin(), runs.end(),
                                  [next](const auto& r) { return r->group == next && !r->diverged && r->step > 0; });
    if (run != runs.end()) stage_clock.look((*run)->program(), (*run)->members(), (*run)->member, *backend);
  }
}

// ---- the façade ----------------------------------------------------------------------------------------------------

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(Scene scene, SessionOptions options) {
  if (scene.sweep) {
    auto members = expanded(scene);
    if (!members) return members.error();
    scene = std::move(*members);
  }
  auto impl = std::make_unique<Impl>();
  impl->scene = std::make_shared<const Scene>(std::move(scene));
  impl->options = std::move(options);
  if (auto opened = impl->open(); !opened) return opened.error();
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

const Scene& Session::scene() const { return *impl_->scene; }
long Session::head() const { return impl_->head; }
long Session::cursor() const { return impl_->cursor; }
std::optional<Error> Session::failure() const { return impl_->backend->failure(); }
RunId Session::selected() const { return impl_->selected; }
const std::optional<Error>& Session::fault() const { return impl_->fault; }
std::size_t Session::memory_bytes() const { return impl_->memory_bytes(); }
bool Session::at_end() const { return impl_->head >= impl_->scene->steps; }
long Session::advance(long steps, double seconds) { return impl_->advance(steps, seconds); }

bool Session::continue_work(double seconds) { return impl_->catch_up(seconds); }

} // namespace polarscope
