// What a sweep found: each setting's loss over its seeds, each run at its best, and which differences are decided.
//
// A *setting* is one run with one value of each swept number. Its loss is the mean over its seeds of the members' final
// losses, a final loss being the mean over the last steps of the run (SweepReport::tail). A run's best setting is the one
// of least loss among those of which no seed diverged. Runs are compared at their bests, seed by seed; a difference of
// less than needed_errors standard errors, or from fewer than kFewestPairs seeds, is not decided; each is judged by itself.
#pragma once

#include "engine/json_number.hpp"
#include "engine/scene.hpp"
#include "engine/statistics.hpp"
#include "engine/sweep_run.hpp"

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

struct SettingReport {
  std::size_t run = 0;                                 // position in the scene
  std::vector<std::pair<std::string, double>> hparams; // the swept ones
  std::string text;                                    // "lr 0.01 momentum 0.9", "" where no number is swept
  std::vector<const MemberResult*> members;            // that are finished, by seed
  std::size_t planned = 0;                             // seeds in all
  std::size_t diverged = 0;
  Estimate loss;            // over those that did not diverge
  std::vector<double> band; // mean loss per stretch of steps over those, and its standard error
  std::vector<double> band_se;

  // Every seed is there and none diverged.
  bool sound() const { return members.size() == planned && diverged == 0 && planned > 0; }
  double mean_of(std::string_view column) const; // of a final metric, over members that did not diverge
};

struct EdgeWarning {
  std::string hparam;
  double value;
  bool largest;                                // else the smallest
  std::optional<double> beyond = std::nullopt; // a value that was tried out there all the same, far from it
};

struct BestReport {
  std::size_t run = 0;
  std::string label, optimizer;
  std::optional<std::size_t> setting; // none: a seed diverged, or is missing, in each
  std::vector<EdgeWarning> edges;
  double seconds_per_step = 0; // mean over the steps of all of its members (MemberResult::step_seconds)
  double state_bytes = 0;
  double norm_ratio = 0; // final by start norm of all parameters together, mean over the seeds of the best
};

// A learning rate, the run's own or a route's, that all of a run's members have alike.
struct UntunedRate {
  std::string run, hparam;
  double value;
};

struct Difference {
  std::size_t a = 0, b = 0; // positions in `best`
  Estimate loss;            // of a − b over the seeds that both have
  bool decided() const { return polarscope::decided(loss); }
};

struct SweepReport {
  std::string scene, device, precision;
  std::uint64_t seed = 0;
  long steps = 0, tail = 0;     // final losses are means over the last `tail` steps
  std::size_t members = 0;      // in all, finished or not
  std::uint64_t state_hash = 0; // of all members in order; 0 while some are missing
  double seconds = 0; // sum of MemberResult::seconds over `results`, those that an earlier command computed included
  std::vector<const MemberResult*> results; // finished, in the order of the members
  std::vector<std::size_t> numbers;         // of these members
  std::vector<std::string> swept;           // names of the swept numbers
  std::vector<SettingReport> settings;
  std::vector<BestReport> best;        // one per run of the scene
  std::vector<UntunedRate> not_tuned;  // of runs with a finished member
  std::vector<Difference> differences; // of every two runs that have a best

  bool complete() const { return results.size() == members; }
  std::size_t diverged() const;
  std::pair<std::size_t, std::string> not_judged() const; // how many members, and why: MemberResult::not_judged
  bool good() const;                                      // no invariant broke, no expectation failed
};

// Of two settings, over the seeds that both have finished.
Estimate difference_of(const SettingReport& a, const SettingReport& b);

// Whether a value stands at the largest (true) or the smallest (false) of those that were tried; none between them, and where
// what is allowed ends there as well: then there is nothing beyond to try.
std::optional<bool> at_largest(const Setting& setting, double value, std::span<const double> tried);

// `results` must outlive the report.
SweepReport make_sweep_report(const Scene& scene, const KnownResults& results, double tail, const std::string& device);

std::string sweep_members_table(const SweepReport& report);
std::string sweep_summary(const SweepReport& report); // settings, bests, warnings, differences
std::string sweep_csv(const SweepReport& report);     // a row per member
std::string sweep_json(const SweepReport& report);

// Parts of the summary, for other tables of the same report.
std::string best_table(const SweepReport& report);
std::string untuned_lines(const SweepReport& report); // what "best" leaves out
std::string warning_lines(const SweepReport& report);
std::string difference_lines(const SweepReport& report);
std::string estimate_text(const Estimate& estimate); // "0.1234 ± 0.0012"
// { "mean", "se", "seeds" }, as every JSON of a sweep has it.
template <class Json> Json estimate_json(const Estimate& e) {
  return {{"mean", json_number<Json>(e.mean)}, {"se", json_number<Json>(e.se)}, {"seeds", e.count}};
}
std::string verdict(const Estimate& difference, const std::string& a,
                    const std::string& b); // "a is lower", "not decided: …"

} // namespace polarscope
