#include "engine/events.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {

std::string change_text(const std::string& name, double before, double after) {
  for (const int digits : {3, 5, 8}) {
    const std::string from = fmt::format("{:.{}g}", before, digits), to = fmt::format("{:.{}g}", after, digits);
    if (from != to) return fmt::format("{} {} → {}", name, from, to);
  }
  return name + " changed";
}

RunWatch::RunWatch(std::shared_ptr<const StepProgram> program, RunId run, const OptimizerSpec& optimizer, long steps,
                   std::optional<double> target, std::vector<KeptValue> kept)
    : program_(std::move(program)), run_(run), target_(target), loss_column_(program_->find_metric("loss")),
      kept_(std::move(kept)) {
  for (const ParamInfo& p : program_->parameters())
    if (const int column = program_->find_metric(p.name + ".frobenius_norm"); column >= 0)
      norms_.push_back({column, p.name, 0, false});
  for (const auto& [name, schedule] : optimizer.schedules) {
    const double length = schedule.warmup >= 1 ? schedule.warmup : schedule.warmup * static_cast<double>(steps);
    if (const long step = std::lround(length); step > 0) warmups_.push_back({name, step, false});
  }
  for (const InvariantColumn& i : program_->invariants()) {
    InvariantStatus s;
    if (i.parameter >= 0 && program_->parameters().size() > 1)
      s.name = program_->parameters()[static_cast<std::size_t>(i.parameter)].name + ": ";
    s.name += i.name;
    s.meaning = i.meaning;
    s.tolerance = i.tolerance;
    invariants_.push_back(std::move(s));
  }
}

void RunWatch::reset() {
  events_.clear();
  target_reached_ = false;
  for (Norm& n : norms_) n.start = 0, n.doubled = false;
  for (Warmup& w : warmups_) w.seen = false;
  for (InvariantStatus& s : invariants_) s.worst = 0, s.worst_step = 0, s.broken_at = -1;
  for (KeptValue& k : kept_) k.value.reset();
}

void RunWatch::see(long first_step, std::span<const std::byte> records, const MemberState& after) {
  const auto count = static_cast<long>(records.size() / (program_->record_size() * program_->scalar_bytes()));
  if (program_->precision() == Precision::f32)
    see_records(first_step, reinterpret_cast<const float*>(records.data()), count, after);
  else see_records(first_step, reinterpret_cast<const double*>(records.data()), count, after);
}

template <class R> void RunWatch::see_records(long first_step, const R* records, long count, const MemberState& after) {
  const auto diverged_at = static_cast<long>(after.diverged_at);
  for (KeptValue& k : kept_)
    if (k.step >= first_step && k.step < first_step + count)
      k.value = static_cast<double>(records[static_cast<std::size_t>(k.step - first_step) * program_->record_size() +
                                            static_cast<std::size_t>(k.column)]);
  for (long i = 0; i < count; ++i) {
    // The record of the step that was not finite promises nothing.
    if (after.diverged && first_step + i == diverged_at) {
      events_.push_back({EventKind::diverged, diverged_at, run_, "diverged"});
      return;
    }
    see_record(first_step + i, records + static_cast<std::size_t>(i) * program_->record_size());
  }
}

template <class R> void RunWatch::see_record(long step, const R* record) {
  for (Warmup& w : warmups_)
    if (!w.seen && step >= w.step) {
      w.seen = true;
      events_.push_back({EventKind::warmup_ended, w.step, run_, w.name + " warmup ended"});
    }
  for (Norm& n : norms_) {
    const auto value = static_cast<double>(record[n.column]);
    if (step == 0) n.start = value;
    if (n.doubled || !(n.start > 0) || !(value >= 2 * n.start)) continue;
    n.doubled = true;
    events_.push_back(
        {EventKind::norm_doubled, step, run_, norms_.size() == 1 ? "norm doubled" : "norm of " + n.name + " doubled"});
  }
  if (target_ && !target_reached_ && loss_column_ >= 0 && static_cast<double>(record[loss_column_]) <= *target_) {
    target_reached_ = true;
    events_.push_back({EventKind::target_reached, step, run_, "target reached"});
  }
  for (std::size_t i = 0; i < invariants_.size(); ++i)
    see_invariant(i, step, static_cast<double>(record[program_->invariants()[i].column]));
}

void RunWatch::see_invariant(std::size_t index, long step, double value) {
  InvariantStatus& s = invariants_[index];
  if (std::isnan(value)) return; // not measured at this step
  if (value > s.worst) {
    s.worst = value;
    s.worst_step = step;
  }
  if (value > s.tolerance && s.broken_at < 0) s.broken_at = step;
}

} // namespace polarscope
