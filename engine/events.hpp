// What happened in a run, found step by step from its records: events on the time axis and broken invariants.
#pragma once

#include "engine/backend.hpp"
#include "engine/frame.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

// "lr 0.1 → 0.25": both values, with as many digits as tell them apart.
std::string change_text(const std::string& name, double before, double after);

class RunWatch {
public:
  // `target`: loss that counts as reached. Warm-ups are taken from the run's schedules; `steps` is their T. `kept`:
  // columns and steps whose values are kept, whatever the series forgets.
  RunWatch(std::shared_ptr<const StepProgram> program, RunId run, const OptimizerSpec& optimizer, long steps,
           std::optional<double> target, std::vector<KeptValue> kept = {});

  // Forgets all, for a path that begins again at step 0.
  void reset();
  // Consecutive records, the first of them of `first_step`; `after`: where the member stands after the last.
  void see(long first_step, std::span<const std::byte> records, const MemberState& after);

  const std::vector<Event>& events() const { return events_; } // by step
  const std::vector<InvariantStatus>& invariants() const { return invariants_; }
  const std::vector<KeptValue>& kept() const { return kept_; }

private:
  struct Norm {
    int column;
    std::string name; // of the parameter
    double start;
    bool doubled;
  };
  struct Warmup {
    std::string name;
    long step;
    bool seen;
  };
  template <class R> void see_records(long first_step, const R* records, long count, const MemberState& after);
  template <class R> void see_record(long step, const R* record);
  void see_invariant(std::size_t index, long step, double value);

  std::shared_ptr<const StepProgram> program_;
  RunId run_;
  std::optional<double> target_;
  int loss_column_;
  bool target_reached_ = false;
  std::vector<Norm> norms_;
  std::vector<Warmup> warmups_;
  std::vector<Event> events_;
  std::vector<InvariantStatus> invariants_;
  std::vector<KeptValue> kept_;
};

} // namespace polarscope
