// Going through the members of a sweep, however many: a batch of them at a time in a session of its own, of which a few
// numbers per member stay. What a member leaves is the same in any batch, and the same as of a run alone.
#pragma once

#include "engine/frame.hpp"
#include "engine/report.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"
#include "engine/session.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

inline constexpr std::size_t kCurvePoints = 50; // stretches of equal length that a member's loss is averaged over

struct MemberResult {
  std::string label, group, optimizer; // group: the run that it repeats
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, double>> hparams;
  bool diverged = false;
  long step = 0; // last step made
  std::uint64_t state_hash = 0;
  // Mean over the last steps (tail_steps); NaN when diverged.
  double final_loss = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::pair<std::string, double>> final; // metrics with one value, at `step`
  // Of all parameters as one vector: Frobenius norms, and the angle by which the last step turned it, radians.
  double start_norm = 0, norm = 0, angular_update = 0;
  std::vector<double> curve; // mean loss per stretch, NaN where there is none
  std::vector<InvariantStatus> invariants;
  std::vector<std::string> failed; // expectations, in words
  std::size_t expected = 0;        // expectations that were reached and judged
  std::string not_judged;  // why no expectation says anything of it: "changed by --set or --seed"; "" where they do
  double seconds = 0;      // its share of the batch, opening and reporting included
  double step_seconds = 0; // of one thread for a step of it; where the device has no such number its share of the batch
  double state_bytes = 0;  // of the optimizer, beside the weights

  // No expectation failed, and no invariant broke before it diverged.
  bool good() const;
  bool broke(const InvariantStatus& invariant) const;
  double value(std::string_view column) const; // at the end; NaN when there is none
};

struct SweepProgress {
  std::size_t done = 0, members = 0; // of all, those that were known before included
  double steps = 0, all_steps = 0;   // of the members that were computed now
  double seconds = 0;
};

struct SweepRunOptions {
  SessionOptions session = {};
  double tail = 0.1;                        // of the steps, that the final loss is the mean of
  std::optional<WrittenScene> written = {}; // none: every member is judged
  double long_batch = 10;          // seconds: one that would take longer is made smaller, for a kill to lose less
  std::function<bool()> stop = {}; // asked between bursts; members of the batch under way are lost
  std::function<void(const SweepProgress&)> progress = {};
  std::function<Result<void>(const std::vector<MemberResult>&)> finished = {}; // receives every batch
};

// How many steps the final loss is the mean of: `tail` of them, at least one.
long tail_steps(long steps, double tail);

using KnownResults = std::map<std::string, MemberResult>; // by label

// Computes every member that is not known yet and adds it. True when all are, false when it was stopped.
Result<bool> run_members(const Scene& scene, const SweepRunOptions& options, KnownResults& known);

} // namespace polarscope
