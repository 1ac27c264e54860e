#include "engine/sweep_run.hpp"

#include "engine/compile.hpp"
#include "engine/program_cost.hpp"
#include "engine/report.hpp"
#include "engine/scene_read.hpp"
#include "engine/statistics.hpp"
#include "engine/sweep.hpp"
#include "engine/thread_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace polarscope {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSlice = 0.05;                // seconds of computing between two questions whether to stop
constexpr double kShortBatch = 1;              // seconds: a shorter one doubles the next
constexpr double kTrial = 0.02;                // of the longest time, after which a batch's is estimated
constexpr std::size_t kPerThread = 8;          // members of the first batch
constexpr std::size_t kPastBytes = 512 * 1024; // of one member's series and keyframes
constexpr long kLongestBurst = 1'000'000;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Of one member's records: the loss of every step.
class LossWatch {
public:
  LossWatch(long steps, long tail)
      : steps_(steps), first_of_tail_(steps - tail + 1), sums_(std::min(kCurvePoints, static_cast<std::size_t>(steps))),
        counts_(sums_.size()) {}

  void see(const StepProgram& program, long first_step, std::span<const std::byte> records) {
    if (program.precision() == Precision::f32)
      see_records(program, first_step, reinterpret_cast<const float*>(records.data()), records.size() / sizeof(float));
    else
      see_records(program, first_step, reinterpret_cast<const double*>(records.data()),
                  records.size() / sizeof(double));
  }

  double tail_mean() const { return tail_.mean(); }

  std::vector<double> curve() const {
    std::vector<double> out;
    for (std::size_t i = 0; i < sums_.size(); ++i)
      out.push_back(counts_[i] > 0 ? sums_[i] / static_cast<double>(counts_[i]) : NAN);
    return out;
  }

private:
  template <class R>
  void see_records(const StepProgram& program, long first_step, const R* records, std::size_t scalars) {
    const int column = program.find_metric("loss");
    const auto count = static_cast<long>(scalars / program.record_size());
    for (long i = 0; i < count; ++i) {
      const long step = first_step + i;
      const auto loss = static_cast<double>(
          records[static_cast<std::size_t>(i) * program.record_size() + static_cast<std::size_t>(column)]);
      if (step == 0 || !std::isfinite(loss)) continue; // no loss yet, or the step that diverged
      const auto at = static_cast<std::size_t>((step - 1) * static_cast<long>(sums_.size()) / steps_);
      sums_[at] += loss;
      ++counts_[at];
      if (step >= first_of_tail_) tail_.see(loss);
    }
  }

  long steps_, first_of_tail_;
  std::vector<double> sums_;
  std::vector<long> counts_;
  FiniteMean tail_;
};

struct BatchTime {
  double all, computing; // seconds: from opening to the last record, and without opening
};

enum class BatchEnd { finished, stopped, too_long };

class SweepRunner {
public:
  SweepRunner(const Scene& scene, const SweepRunOptions& options, KnownResults& known)
      : scene_(scene), options_(options), known_(known) {
    threads_ = static_cast<std::size_t>(options.session.threads > 0 ? options.session.threads : all_cores());
  }

  Result<bool> run() {
    if (auto ok = check_sweep_size(scene_); !ok) return ok.error();
    if (auto ok = check_member_labels(scene_); !ok) return ok.error();
    read_written();
    const auto members = static_cast<std::size_t>(sweep_size(scene_));
    progress_.members = members;
    std::vector<std::pair<std::size_t, std::size_t>> missing; // run and member
    for (std::size_t m = 0; m < members; ++m)
      if (!known_.contains(member_label(scene_, m))) missing.emplace_back(member_place(scene_, m).run, m);
    progress_.done = members - missing.size();
    progress_.all_steps = static_cast<double>(missing.size()) * static_cast<double>(scene_.steps);
    std::optional<std::size_t> before; // the last batch's run
    for (std::size_t from = 0; from < missing.size();) {
      // Members of one run: their time is that of one optimizer, and each run's batches grow from the same size.
      const std::size_t run = missing[from].first;
      if (run != before) batch_ = first_batch();
      before = run;
      const std::size_t most = std::min(batch_, fitting(run));
      std::size_t to = from;
      std::vector<std::size_t> chosen;
      for (; to < missing.size() && to - from < most && missing[to].first == run; ++to)
        chosen.push_back(missing[to].second);
      const auto end = run_batch(chosen);
      if (!end) return end.error();
      if (*end == BatchEnd::stopped) return false;
      if (*end == BatchEnd::too_long) batch_ = threads_; // the same members again, some of them
      else from = to;
    }
    return true;
  }

private:
  std::size_t first_batch() const { return kPerThread * threads_; }

  void read_written() {
    if (!options_.written || !check_sweep_size(options_.written->scene)) return;
    const Scene& written = options_.written->scene;
    for (std::size_t m = 0; m < static_cast<std::size_t>(sweep_size(written)); ++m)
      written_.emplace(member_label(written, m), m);
  }

  // Of the runs of a batch; the members of the written scene may be more than a session holds.
  NotJudged not_judged(const Scene& part) const {
    if (!options_.written || part.expect.empty()) return {};
    std::vector<std::size_t> members;
    for (const RunSpec& run : part.runs)
      if (const auto found = written_.find(run.label); found != written_.end()) members.push_back(found->second);
    return changed_runs(with_members(options_.written->scene, members), part, options_.written->why);
  }

  // How many members of this run the memory budget holds at once.
  std::size_t fitting(std::size_t run) const {
    const auto program = compile(scene_, scene_.runs[run], {RecordOptions{0, false}});
    if (!program) return 1; // the session says why
    const double one = memory_estimate({*program}, scene_.steps, 1) + static_cast<double>(kPastBytes);
    const double many = static_cast<double>(options_.session.memory_budget) / one;
    return static_cast<std::size_t>(std::clamp(many, 1.0, static_cast<double>(kMostRuns)));
  }

  Result<BatchEnd> run_batch(const std::vector<std::size_t>& chosen) {
    Scene part = with_members(scene_, chosen);
    std::vector<LossWatch> losses(chosen.size(), LossWatch(scene_.steps, tail_steps(scene_.steps, options_.tail)));
    SessionOptions session_options = options_.session;
    session_options.memory_budget = 2 * kPastBytes * std::max<std::size_t>(chosen.size(), 8);
    session_options.record.weight_limit = 0;
    session_options.sink = [&](RunId run, const StepProgram& program, long first, std::span<const std::byte> records) {
      losses[run - 1].see(program, first, records); // runs are numbered from 1 in scene order
    };
    const Clock::time_point start = Clock::now();
    auto session = Session::open(part, session_options);
    if (!session) return session.error();
    Frame frame;
    (*session)->fill(frame);
    const NotJudged changed = not_judged(part);
    if (auto ok = check(frame, part, changed); !ok) return ok.error();
    const Clock::time_point opened = Clock::now();
    // A device without threads takes about as long for fewer members.
    const bool may_shrink = chosen.size() > threads_ && frame.threads > 0;
    if (const BatchEnd end = compute(**session, chosen.size(), may_shrink); end != BatchEnd::finished) return end;
    const double computing = since(opened);
    if (const auto& fault = (*session)->fault()) return *fault;
    (*session)->fill(frame);
    const double seconds = since(start);
    progress_.seconds += seconds;
    progress_.steps += static_cast<double>(chosen.size()) * static_cast<double>(scene_.steps);
    progress_.done += chosen.size();
    if (auto kept = keep(frame, part, changed, losses, {seconds, computing}); !kept) return kept.error();
    if (options_.progress) options_.progress(progress_);
    if (seconds < kShortBatch) batch_ = std::min(2 * batch_, kMostRuns);
    if (seconds > options_.long_batch) batch_ = std::max(batch_ / 2, threads_);
    return BatchEnd::finished;
  }

  Result<void> check(const Frame& frame, const Scene& part, const NotJudged& changed) const {
    std::vector<std::shared_ptr<const StepProgram>> programs;
    for (const RunFrame& run : frame.runs) {
      if (run.program->find_metric("loss") < 0)
        return bad_input("a sweep compares losses, and this problem's gradients come from none", {scene_.path});
      programs.push_back(run.program);
    }
    return check_expectations(part, programs, changed);
  }

  // `may_shrink`: ends where the batch would take too long. Until that is known there is no progress to tell of.
  BatchEnd compute(Session& session, std::size_t members, bool may_shrink) {
    const Clock::time_point start = Clock::now();
    SweepProgress now = progress_;
    for (long burst = 1; !session.at_end();) {
      if (options_.stop && options_.stop()) return BatchEnd::stopped;
      const Clock::time_point slice = Clock::now();
      if (session.advance(burst) == 0) break; // the device failed, which the caller asks
      const double took = since(slice);
      if (took < kSlice / 2) burst = std::min(burst * 2, kLongestBurst);
      if (took > kSlice * 2) burst = std::max(burst / 2, 1L);
      if (may_shrink) {
        const double so_far = since(start);
        if (so_far < kTrial * options_.long_batch) continue;
        const auto left = static_cast<double>(scene_.steps - session.head());
        if (so_far / static_cast<double>(session.head()) * left > options_.long_batch) return BatchEnd::too_long;
        may_shrink = false;
      }
      now.seconds = progress_.seconds + since(start);
      now.steps = progress_.steps + static_cast<double>(members) * static_cast<double>(session.head());
      if (options_.progress) options_.progress(now);
    }
    return BatchEnd::finished;
  }

  Result<void> keep(const Frame& frame, const Scene& part, const NotJudged& changed,
                    const std::vector<LossWatch>& losses, const BatchTime& took) {
    const Report report = make_report(frame, "", took.all);
    double steps = 0;
    for (const RunReport& run : report.runs) steps += static_cast<double>(run.step);
    const std::vector<ExpectReport> expected = evaluate_expectations(frame, part, changed);
    std::vector<MemberResult> made;
    for (std::size_t i = 0; i < report.runs.size(); ++i) {
      const RunReport& run = report.runs[i];
      const RunFrame& shown = frame.runs[i];
      MemberResult r;
      r.label = run.label;
      r.group = shown.group.empty() ? run.label : shown.group;
      r.optimizer = run.optimizer;
      r.seed = run.seed;
      r.hparams = run.hparams;
      r.diverged = run.diverged;
      r.step = run.step;
      r.state_hash = run.state_hash;
      if (!run.diverged) r.final_loss = losses[i].tail_mean();
      r.curve = losses[i].curve();
      r.invariants = run.invariants;
      r.seconds = took.all / static_cast<double>(report.runs.size());
      r.step_seconds = shown.step_seconds > 0 ? shown.step_seconds : took.computing / std::max(1.0, steps);
      r.state_bytes = program_cost(*shown.program).state_bytes();
      for (const auto& [name, value] : run.final) {
        if (name.find('[') != std::string::npos) continue; // one per row or column: what a run alone is asked for
        r.final.emplace_back(name, value);
      }
      r.start_norm = run.together.start_norm;
      r.norm = run.together.norm;
      r.angular_update = run.together.angular_update;
      made.push_back(std::move(r));
    }
    // Expectations come in the order of the scene, each with its run's label in its words.
    std::size_t at = 0;
    for (const ExpectSpec& expect : part.expect)
      for (std::size_t i = 0; i < frame.runs.size(); ++i)
        if (expect.run.empty() || expect.run == frame.runs[i].label) {
          const ExpectReport& e = expected[at++];
          made[i].expected += e.judged();
          if (!e.not_judged.empty()) made[i].not_judged = e.not_judged;
          if (e.judged() && !e.held) made[i].failed.push_back(e.what + " (is " + short_number(e.value) + ")");
        }
    if (options_.finished)
      if (auto ok = options_.finished(made); !ok) return ok;
    for (MemberResult& r : made) {
      const std::string label = r.label;
      known_.emplace(label, std::move(r));
    }
    return {};
  }

  const Scene& scene_;
  const SweepRunOptions& options_;
  KnownResults& known_;
  std::map<std::string, std::size_t> written_; // label and number of the members of the written scene
  std::size_t threads_, batch_ = 0;
  SweepProgress progress_;
};

} // namespace

bool MemberResult::broke(const InvariantStatus& invariant) const {
  return !invariant.held() && !(diverged && invariant.broken_at >= step);
}

bool MemberResult::good() const {
  return failed.empty() &&
         std::none_of(invariants.begin(), invariants.end(), [this](const auto& i) { return broke(i); });
}

double MemberResult::value(std::string_view column) const { return named_number(final, column); }

long tail_steps(long steps, double tail) {
  return std::clamp(std::lround(tail * static_cast<double>(steps)), 1L, steps);
}

Result<bool> run_members(const Scene& scene, const SweepRunOptions& options, KnownResults& known) {
  return SweepRunner(scene, options, known).run();
}

} // namespace polarscope
