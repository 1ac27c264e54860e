#include "engine/backend_cpu.hpp"

#include "engine/op_cost.hpp"
#include "engine/pack_plan.hpp"
#include "engine/thread_pool.hpp"
#include "kernels/cpu/execute.hpp"
#include "kernels/cpu/lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <numeric>
#include <tuple>

namespace polarscope {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::align_val_t kLine{64};
constexpr double kRecent = 0.5;         // seconds of a thread's work over which a step's time is averaged
constexpr std::int64_t kTimed = 20'000; // ns: shorter steps are timed several times
constexpr std::size_t kMostTimed = std::size_t{64} << 20; // bytes of a block that is copied to be timed

std::int64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// Zeroed memory that starts a cache line.
class AlignedBytes {
public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size)
      : data_(static_cast<std::byte*>(::operator new(std::max<std::size_t>(size, 64), kLine))) {
    std::memset(data_.get(), 0, std::max<std::size_t>(size, 64));
  }
  std::byte* get() const { return data_.get(); }
  explicit operator bool() const { return data_ != nullptr; }

private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, kLine); }
  };
  std::unique_ptr<std::byte, Free> data_;
};

struct CpuMember {
  AlignedBytes block;
  std::vector<double> hparams;
  kernels::Member view;
};

class CpuGroup;

// One member's burst, or its start.
struct Item {
  CpuGroup* group;
  int member;
  std::vector<std::byte>* record;
  std::size_t place;
  const std::function<void(std::size_t place)>* made; // as in GroupJob
};

class CpuGroup final : public MemberGroup {
public:
  CpuGroup(std::shared_ptr<const StepProgram> program, const kernels::CpuExecutor& executor,
           std::unique_ptr<PackPlan> packs, std::shared_ptr<ThreadPool> pool)
      : program_(std::move(program)), executor_(executor), pool_(std::move(pool)),
        most_lanes_(polarscope::most_lanes(*program_)), scratch_(static_cast<std::size_t>(pool_->threads())),
        packs_(std::move(packs)), pack_memory_(static_cast<std::size_t>(pool_->threads())) {}

  int count() const override { return static_cast<int>(members_.size()); }

  Result<int> add(std::uint64_t seed) override {
    auto m = std::make_unique<CpuMember>();
    m->block = AlignedBytes(program_->block_bytes());
    for (const HparamInfo& h : program_->hparams()) m->hparams.push_back(std::get<double>(h.setting.value));
    m->view.block = m->block.get();
    m->view.hparams = m->hparams.data();
    m->view.seed = seed;
    if (!removed_.empty()) {
      const int number = removed_.back();
      removed_.pop_back();
      members_[static_cast<std::size_t>(number)] = std::move(m);
      return number;
    }
    members_.push_back(std::move(m));
    return count() - 1;
  }

  void remove(int member) override {
    members_[static_cast<std::size_t>(member)] = nullptr;
    removed_.push_back(member);
  }

  MemberState state(int member) const override {
    const kernels::Member& v = at(member).view;
    return {v.step, v.status == kernels::MemberStatus::diverged, v.diverged_at};
  }

  void set_state(int member, const MemberState& state) override {
    kernels::Member& v = at(member).view;
    v.step = state.step;
    v.status = state.diverged ? kernels::MemberStatus::diverged : kernels::MemberStatus::ok;
    v.diverged_at = state.diverged_at;
  }

  void set_hparams(int member, std::span<const double> row) override {
    assert(row.size() == at(member).hparams.size());
    std::copy(row.begin(), row.end(), at(member).hparams.begin());
  }

  void write_slot(int member, SlotId slot, std::span<const double> values) override {
    each_element(at(member).block.get(), slot, values.size(),
                 [&](auto& x, std::size_t i) { x = static_cast<std::remove_reference_t<decltype(x)>>(values[i]); });
  }

  void read_slot(int member, SlotId slot, std::span<double> values) const override {
    each_element(at(member).block.get(), slot, values.size(),
                 [&](auto& x, std::size_t i) { values[i] = static_cast<double>(x); });
  }

  void save(int member, std::span<std::byte> out) const override {
    assert(out.size() == program_->persistent_bytes());
    if (!out.empty()) std::memcpy(out.data(), at(member).block.get(), out.size());
  }

  void restore(int member, std::span<const std::byte> in) override {
    assert(in.size() == program_->persistent_bytes());
    if (!in.empty()) std::memcpy(at(member).block.get(), in.data(), in.size());
  }

  void start(std::span<const int> members, std::vector<std::vector<std::byte>>& records) override;
  void advance(std::span<const int> members, std::uint64_t steps,
               std::vector<std::vector<std::byte>>& records) override;

  const kernels::CpuExecutor& executor() const { return executor_; }
  const kernels::Program& view() const { return program_->view(); }
  kernels::Member& member(int number) { return at(number).view; }

  // What comes before and after a burst of a member, or its rest: room for `steps` records, and no more than it has made.
  kernels::Member& begin(const Item& item, std::uint64_t steps) {
    item.record->resize(steps * record_bytes());
    return resume(item, 0);
  }
  kernels::Member& resume(const Item& item, std::uint64_t made) {
    kernels::Member& m = member(item.member);
    m.records = item.record->data() + made * record_bytes();
    return m;
  }
  void end(const Item& item, std::uint64_t made) {
    member(item.member).records = nullptr;
    item.record->resize(made * record_bytes());
    if (*item.made) (*item.made)(item.place);
  }

  const PackPlan* packs() const { return packs_.get(); }
  // Memory for a pack, of one thread.
  void* pack_memory(int thread) {
    AlignedBytes& m = pack_memory_[static_cast<std::size_t>(thread)];
    if (!m) m = AlignedBytes(packs_->memory_bytes());
    return m.get();
  }

  // Does `work`, a thread's share of a burst, and remembers how long it took; it returns the steps made.
  template <class F> std::uint64_t timed(F work) {
    const std::int64_t begin = nanoseconds();
    const std::uint64_t made = work();
    work_ns_.fetch_add(nanoseconds() - begin, std::memory_order_relaxed);
    return made;
  }
  void count_steps(std::uint64_t made) { work_steps_.fetch_add(made, std::memory_order_relaxed); }
  // After a burst: older ones count the less the longer ago they are.
  void end_burst() {
    const auto ns = static_cast<double>(work_ns_.exchange(0));
    const double kept = std::exp(-1e-9 * ns / kRecent);
    recent_seconds_ = kept * recent_seconds_ + 1e-9 * ns;
    recent_steps_ = kept * recent_steps_ + static_cast<double>(work_steps_.exchange(0));
  }
  double step_seconds() const override { return recent_steps_ > 0 ? recent_seconds_ / recent_steps_ : 0; }

  std::vector<double> time_step(int member, std::span<const std::uint32_t> bounds) override;

  // The place of a thread that works alone, number `thread` of the pool.
  kernels::CpuPlace place(int thread) { return scratch(thread); }
  // The place of a lane of a crew, the threads that step one member together; make_crews comes first.
  kernels::CpuPlace place(int crew, int lane) { return {scratch(crew), *crews_[static_cast<std::size_t>(crew)], lane}; }
  // How many threads to a member are worth it now. Where other work takes the cores, crews pause, longer each time.
  int lanes_now() const { return most_lanes_ == 1 || Clock::now() < no_crews_before_ ? 1 : most_lanes_; }
  void crews_were_hindered(bool hindered) {
    constexpr std::chrono::milliseconds kShortest(20), kLongest(2000);
    pause_ = !hindered ? Clock::duration::zero() : std::clamp<Clock::duration>(2 * pause_, kShortest, kLongest);
    no_crews_before_ = Clock::now() + pause_;
  }
  void make_crews(int count, int lanes) {
    const std::size_t terms = program_->block_bytes() / program_->scalar_bytes() + view().scratch_size;
    if (!crews_.empty() && crews_.front()->count != lanes) crews_.clear();
    while (crews_.size() < static_cast<std::size_t>(count))
      crews_.push_back(std::make_unique<kernels::CpuLanes>(lanes, terms, nanoseconds));
    for (int crew = 0; crew < count; ++crew) (void)scratch(crew);
  }

  std::vector<double> evaluate_loss(int member, int parameter, std::span<const double> weights) override {
    const ParamInfo& p = program_->parameters()[static_cast<std::size_t>(parameter)];
    const std::size_t elements = std::size_t{p.rows} * p.cols;
    assert(elements > 0 && weights.size() % elements == 0);
    const std::size_t count = weights.size() / elements;
    std::vector<double> losses(count);
    const CpuMember& source = at(member);
    // Few large pieces: each copies the block once.
    const std::size_t pieces = std::min<std::size_t>(count, static_cast<std::size_t>(pool_->threads()) * 4);
    pool_->run(static_cast<int>(pieces), [&](int piece, int thread) {
      AlignedBytes block;
      kernels::Member m = copy_of(source, block);
      const std::size_t first = count * static_cast<std::size_t>(piece) / pieces;
      const std::size_t last = count * (static_cast<std::size_t>(piece) + 1) / pieces;
      for (std::size_t i = first; i < last; ++i)
        losses[i] = loss_at(m, p, weights.subspan(i * elements, elements), scratch(thread));
    });
    return losses;
  }

private:
  CpuMember& at(int member) const { return *members_[static_cast<std::size_t>(member)]; }

  // A member of the same contents in a block of its own, without records.
  kernels::Member copy_of(const CpuMember& source, AlignedBytes& block) const {
    block = AlignedBytes(program_->block_bytes());
    std::memcpy(block.get(), source.block.get(), program_->block_bytes());
    kernels::Member m = source.view;
    m.block = block.get();
    m.records = nullptr;
    return m;
  }

  // Scratch of one thread, private to it, made at first use.
  void* scratch(int thread) {
    AlignedBytes& s = scratch_[static_cast<std::size_t>(thread)];
    if (!s) s = AlignedBytes(program_->view().scratch_size * program_->scalar_bytes());
    return s.get();
  }

  // f(element, index) over a slot's logical elements, row-major.
  template <class F> void each_element(std::byte* block, SlotId slot, std::size_t size, F f) const {
    const kernels::Slot& s = program_->layout()[slot];
    assert(size == std::size_t{s.rows} * s.cols);
    (void)size;
    const auto walk = [&](auto* base) {
      for (std::size_t i = 0; i < s.rows; ++i)
        for (std::size_t j = 0; j < s.cols; ++j) f(base[s.offset + i * s.ld + j], i * s.cols + j);
    };
    if (program_->precision() == Precision::f32) walk(reinterpret_cast<float*>(block));
    else walk(reinterpret_cast<double*>(block));
  }

  std::size_t record_bytes() const { return program_->record_size() * program_->scalar_bytes(); }

  double loss_at(kernels::Member& m, const ParamInfo& p, std::span<const double> weight, void* thread_scratch) const {
    auto* block = static_cast<std::byte*>(m.block);
    each_element(block, p.weight, weight.size(),
                 [&](auto& x, std::size_t i) { x = static_cast<std::remove_reference_t<decltype(x)>>(weight[i]); });
    const auto [first, last] = program_->loss_ops();
    executor_.run_range(program_->view(), m, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last),
                        thread_scratch);
    double loss = 0;
    const kernels::Slot& s = program_->layout()[program_->view().metric_slot];
    const int column = program_->find_metric("loss");
    assert(column >= 0);
    const std::size_t at_element = s.offset + static_cast<std::size_t>(column);
    if (program_->precision() == Precision::f32) loss = reinterpret_cast<float*>(block)[at_element];
    else loss = reinterpret_cast<double*>(block)[at_element];
    return loss;
  }

  std::shared_ptr<const StepProgram> program_;
  const kernels::CpuExecutor& executor_;
  std::shared_ptr<ThreadPool> pool_;
  int most_lanes_;
  std::vector<AlignedBytes> scratch_;
  std::unique_ptr<PackPlan> packs_; // null where the program does not run in packs
  std::vector<AlignedBytes> pack_memory_;
  std::vector<std::unique_ptr<kernels::CpuLanes>> crews_;
  Clock::time_point no_crews_before_{};
  Clock::duration pause_{};
  std::vector<std::unique_ptr<CpuMember>> members_; // null where a member was removed
  std::vector<int> removed_;
  std::atomic<std::int64_t> work_ns_{0}; // of all threads in the burst under way
  std::atomic<std::uint64_t> work_steps_{0};
  double recent_seconds_ = 0, recent_steps_ = 0;
};

std::vector<double> CpuGroup::time_step(int number, std::span<const std::uint32_t> bounds) {
  if (program_->block_bytes() > kMostTimed || bounds.size() < 2) return {};
  AlignedBytes block;
  kernels::Member m = copy_of(at(number), block);
  std::vector<std::int64_t> ns(bounds.size() - 1);
  const auto step = [&] {
    std::int64_t before = nanoseconds();
    for (std::size_t i = 0; i < ns.size(); ++i) {
      executor_.run_ops(view(), m, {bounds[i], bounds[i + 1], i == 0, false}, scratch(0));
      const std::int64_t now = nanoseconds();
      ns[i] += now - before;
      before = now;
    }
    ++m.step;
  };
  step();                      // brings block and code into the caches
  std::int64_t clock = kTimed; // what looking at the clock takes
  for (int i = 0; i < 16; ++i) {
    const std::int64_t before = nanoseconds();
    clock = std::min(clock, nanoseconds() - before);
  }
  ns.assign(ns.size(), 0);
  int steps = 0;
  for (const std::int64_t begin = nanoseconds(); steps == 0 || nanoseconds() - begin < kTimed; ++steps) step();
  std::vector<double> seconds;
  for (const std::int64_t sum : ns)
    seconds.push_back(1e-9 * std::max(0.0, static_cast<double>(sum) / steps - static_cast<double>(clock)));
  return seconds;
}

// Does run(group, member's view, steps, place) → steps made for each item: one thread to an item.
template <class F> void do_alone(ThreadPool& pool, std::span<const Item> items, std::uint64_t steps, F run) {
  pool.run(static_cast<int>(items.size()), [&](int k, int thread) {
    const Item& item = items[static_cast<std::size_t>(k)];
    CpuGroup& g = *item.group;
    kernels::Member& m = g.begin(item, steps);
    const std::uint64_t made = g.timed([&] { return run(g, m, steps, g.place(thread)); });
    g.count_steps(made);
    g.end(item, made);
  });
}

// The same with `lanes` threads to an item. Those that are hindered go on alone for as long as crews pause, then together
// again.
template <class F>
void do_together(ThreadPool& pool, std::span<const Item> items, int lanes, std::uint64_t steps, F run) {
  const int crews = static_cast<int>(items.size());
  for (const Item& item : items) {
    item.group->begin(item, steps);
    item.group->make_crews(crews, lanes);
  }
  std::vector<std::uint64_t> made(items.size());
  std::vector<std::size_t> going(items.size());
  std::iota(going.begin(), going.end(), std::size_t{0});
  while (!going.empty()) {
    for (const std::size_t k : going) items[k].group->resume(items[k], made[k]);
    std::vector<std::uint64_t> by_crew(going.size());
    // A thread stays with its lane until the others of the crew have come: threads are enough for all lanes.
    pool.run(static_cast<int>(going.size()) * lanes, [&](int i, int) {
      const int crew = i / lanes, lane = i % lanes;
      const std::size_t k = going[static_cast<std::size_t>(crew)];
      CpuGroup& g = *items[k].group;
      const auto by_lane =
          g.timed([&] { return run(g, g.member(items[k].member), steps - made[k], g.place(crew, lane)); });
      if (lane == 0) by_crew[static_cast<std::size_t>(crew)] = by_lane;
    });
    for (std::size_t c = 0; c < going.size(); ++c) made[going[c]] += by_crew[c];
    const auto done = [&](std::size_t k) {
      return made[k] == steps || items[k].group->state(items[k].member).diverged;
    };
    for (const std::size_t k : going) items[k].group->crews_were_hindered(!done(k));
    std::erase_if(going, done);
    pool.run(static_cast<int>(going.size()), [&](int i, int thread) {
      const std::size_t k = going[static_cast<std::size_t>(i)];
      CpuGroup& g = *items[k].group;
      for (std::uint64_t some = 1; !done(k) && g.lanes_now() == 1; some *= 2) {
        kernels::Member& m = g.resume(items[k], made[k]);
        made[k] += g.timed([&] { return run(g, m, std::min(some, steps - made[k]), g.place(thread)); });
      }
    });
    std::erase_if(going, done);
  }
  pool.run(crews, [&](int k, int) {
    const auto i = static_cast<std::size_t>(k);
    items[i].group->count_steps(made[i]);
    items[i].group->end(items[i], made[i]);
  });
}

// Every item by all threads of the pool: a thread to an item, and where the last items are fewer than the threads, several to
// each of those that are large enough.
template <class F> void share_out(ThreadPool& pool, std::vector<Item> items, std::uint64_t steps, F run) {
  const int threads = pool.threads(), rest = static_cast<int>(items.size()) % threads;
  int lanes = rest > 0 ? threads / rest : 1;
  const auto wide =
      std::stable_partition(items.begin(), items.end(), [](const Item& i) { return i.group->lanes_now() == 1; });
  const int crews = lanes > 1 ? std::min(rest, static_cast<int>(items.end() - wide)) : 0;
  do_alone(pool, {items.begin(), items.end() - crews}, steps, run);
  if (crews == 0) return;
  const std::span<const Item> together(items.end() - crews, items.end());
  for (const Item& item : together) lanes = std::min(lanes, item.group->lanes_now());
  do_together(pool, together, lanes, steps, run);
}

void start_items(ThreadPool& pool, std::vector<Item> items) {
  share_out(pool, std::move(items), 1,
            [](CpuGroup& g, kernels::Member& m, std::uint64_t, kernels::CpuPlace place) -> std::uint64_t {
              assert(m.step == 0);
              g.executor().start(g.view(), m, place);
              return 1;
            });
}

// Steps members of one program that are at the same step, as many to a pack as it takes, and returns the others: with fewer
// than a handful the pack would take longer than its members by themselves.
std::vector<Item> advance_packs(ThreadPool& pool, std::vector<Item> items, std::uint64_t steps) {
  constexpr std::size_t kFewest = 3;
  const auto key = [](const Item& i) {
    const MemberState s = i.group->state(i.member);
    return std::tuple(i.group, s.diverged, s.step);
  };
  const auto before = [&](const Item& a, const Item& b) { return key(a) < key(b); };
  if (!std::is_sorted(items.begin(), items.end(), before)) std::stable_sort(items.begin(), items.end(), before);
  std::vector<std::span<const Item>> packs;
  std::vector<Item> others;
  for (std::size_t first = 0, last; first < items.size(); first = last) {
    const CpuGroup& g = *items[first].group;
    const bool packed = g.packs() && !g.state(items[first].member).diverged;
    const auto most = first + static_cast<std::size_t>(packed ? g.packs()->executor().members : 1);
    for (last = first + 1; last < std::min(most, items.size()); ++last)
      if (key(items[last]) != key(items[first])) break;
    const std::span<const Item> pack(&items[first], last - first);
    if (pack.size() >= kFewest) packs.push_back(pack);
    else others.insert(others.end(), pack.begin(), pack.end());
  }
  pool.run(static_cast<int>(packs.size()), [&](int k, int thread) {
    const std::span<const Item> pack = packs[static_cast<std::size_t>(k)];
    CpuGroup& g = *pack[0].group;
    std::array<kernels::Member*, kernels::kMostMembers> members;
    std::array<std::uint64_t, kernels::kMostMembers> made;
    for (std::size_t i = 0; i < pack.size(); ++i) members[i] = &g.begin(pack[i], steps);
    g.count_steps(g.timed([&] {
      g.packs()->executor().advance(g.packs()->view(), members.data(), static_cast<int>(pack.size()), steps,
                                    g.pack_memory(thread), made.data());
      return std::accumulate(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(pack.size()), std::uint64_t{0});
    }));
    for (std::size_t i = 0; i < pack.size(); ++i) g.end(pack[i], made[i]);
  });
  return others;
}

void advance_items(ThreadPool& pool, std::vector<Item> items, std::uint64_t steps) {
  share_out(pool, advance_packs(pool, std::move(items), steps), steps,
            [](CpuGroup& g, kernels::Member& m, std::uint64_t n, kernels::CpuPlace place) {
              return g.executor().advance(g.view(), m, n, place);
            });
}

std::vector<Item> items_of(std::span<const GroupJob> jobs) {
  std::vector<Item> items;
  for (const GroupJob& job : jobs) {
    auto& group = static_cast<CpuGroup&>(*job.group);
    job.records->resize(job.members.size());
    for (std::size_t i = 0; i < job.members.size(); ++i)
      items.push_back({&group, job.members[i], &(*job.records)[i], i, &job.made});
  }
  return items;
}

void advance_jobs(ThreadPool& pool, std::span<const GroupJob> jobs, std::uint64_t steps) {
  advance_items(pool, items_of(jobs), steps);
  for (const GroupJob& job : jobs) static_cast<CpuGroup&>(*job.group).end_burst();
}

void CpuGroup::start(std::span<const int> members, std::vector<std::vector<std::byte>>& records) {
  const GroupJob job{this, members, &records};
  start_items(*pool_, items_of({&job, 1}));
  work_ns_ = 0, work_steps_ = 0; // no step of training
}

void CpuGroup::advance(std::span<const int> members, std::uint64_t steps,
                       std::vector<std::vector<std::byte>>& records) {
  const GroupJob job{this, members, &records};
  advance_jobs(*pool_, {&job, 1}, steps);
}

// The longest row of any slot: what the fixed rule for the instruction set looks at.
std::uint32_t widest_row(const StepProgram& program) {
  std::uint32_t widest = 0;
  for (const SlotInfo& s : program.slots())
    if (s.role == Role::param || s.role == Role::data) widest = std::max(widest, s.cols);
  return widest;
}

class CpuBackend final : public Backend {
public:
  CpuBackend(std::shared_ptr<ThreadPool> pool, std::string isa) : pool_(std::move(pool)), isa_(std::move(isa)) {}

  std::string name() const override { return "cpu"; }

  std::string description() const override {
    const int n = pool_->threads();
    return fmt::format("{}, {} thread{}", cpu_description(), n, n == 1 ? "" : "s");
  }

  Result<std::unique_ptr<MemberGroup>> open(std::shared_ptr<const StepProgram> program) override {
    const char* isa = isa_.empty() ? kernels::choose_isa(widest_row(*program)) : isa_.c_str();
    const kernels::CpuExecutors* executors = kernels::cpu_executors(isa);
    if (!executors) return machine_lacks(fmt::format("this machine lacks the instruction set {}", isa));
    const kernels::CpuExecutor& e = program->precision() == Precision::f32 ? executors->f32 : executors->f64;
    auto packs = PackPlan::make(program, isa_.empty() ? kernels::choose_isa(UINT32_MAX) : isa);
    return std::unique_ptr<MemberGroup>(std::make_unique<CpuGroup>(std::move(program), e, std::move(packs), pool_));
  }

  void advance(std::span<const GroupJob> jobs, std::uint64_t steps) override { advance_jobs(*pool_, jobs, steps); }

  int threads() const override { return pool_->threads(); }

  double probe_flops(Precision precision) const override {
    const kernels::CpuExecutors* e =
        kernels::cpu_executors(isa_.empty() ? kernels::choose_isa(UINT32_MAX) : isa_.c_str());
    const bool single = precision == Precision::f32;
    const auto probe = single ? e->probes.multiply_add_f32 : e->probes.multiply_add_f64;
    const long flops = single ? e->probes.flops_f32 : e->probes.flops_f64;
    constexpr long kRounds = 500;
    double best = 0, sum = 0; // the sum keeps the probe from being left out
    for (int k = 0; k < 5; ++k) {
      const std::int64_t begin = nanoseconds();
      sum += probe(kRounds);
      const auto ns = static_cast<double>(std::max<std::int64_t>(1, nanoseconds() - begin));
      best = std::max(best, 1e9 * static_cast<double>(flops * kRounds) / ns);
    }
    return std::isnan(sum) ? 0 : best;
  }

private:
  std::shared_ptr<ThreadPool> pool_;
  std::string isa_;
};

} // namespace

int most_lanes(const StepProgram& program) {
  constexpr double kFlopsPerLane = 8e6; // about 80 µs of one core; a step has dozens of barriers
  constexpr double kMost = 16;
  double flops = 0;
  for (const Op& op : program.step_ops()) flops += op_flops(program, op).count / std::max<int>(1, op.every);
  return static_cast<int>(std::lround(std::clamp(flops / kFlopsPerLane, 1.0, kMost)));
}

std::string cpu_description() {
  if (kernels::cpu_executors("v4")) return "CPU, AVX-512";
  if (kernels::cpu_executors("v3")) return "CPU, AVX2";
  return kernels::cpu_executors("v2") ? "CPU, SSE4" : "CPU";
}

Result<std::unique_ptr<Backend>> open_cpu_backend(int threads, const std::string& isa) {
  if (!isa.empty() && !kernels::cpu_executors(isa.c_str()))
    return machine_lacks(fmt::format("this machine lacks the instruction set {}", isa));
  auto pool = std::make_shared<ThreadPool>(threads);
  if (pool->threads() < threads) // who asked for one per core works with what there is
    return machine_lacks(fmt::format("only {} of {} threads could be started", pool->threads(), threads));
  return std::unique_ptr<Backend>(std::make_unique<CpuBackend>(std::move(pool), isa));
}

} // namespace polarscope
