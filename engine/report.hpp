// What a run leaves behind, as table, JSON and sentences; and whether what a scene expects came true.
#pragma once

#include "engine/frame.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

// A parameter at the end of a run, or all of them together as one vector. NaN: not recorded.
struct ParameterReport {
  std::string name;
  double start_norm = 0, norm = 0; // Frobenius; of a diverged run the last finite one
  double angular_update = 0;       // by the last step, radians
  double angle_travelled = 0;      // radians; not of all together
  std::string optimizer = {};      // that it went through: the run's own or a route's; not of all together
  std::string hparam_prefix = {};  // of that one's hyperparameters: "" or "vector."
};

struct RunReport {
  std::string label, optimizer;
  int member = 0; // position among the runs of the scene
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, double>> hparams;
  bool diverged = false;
  std::string reason; // why it diverged, where the program knows: "the recorded gradient is not finite at step 32 (…)"
  long step = 0;      // last step made
  std::uint64_t state_hash = 0;
  std::vector<std::pair<std::string, double>> final; // every column's last recorded value
  double loss = 0;                                   // the last finite one
  std::vector<ParameterReport> parameters;
  ParameterReport together;
  std::vector<InvariantStatus> invariants;
  double steps_per_second = 0;

  double value(std::string_view column) const;  // NaN when there is none
  double hparam(const std::string& name) const; // NaN when there is none
  bool by_routes() const;                       // some parameters go through a route's optimizer
};

struct ExpectReport {
  std::string what;    // "loss of 'norm 1' at step 600 below 0.1"
  bool reached = true; // false: the run was asked to end before this step; then neither held nor failed
  bool held = false;
  double value = 0;
  std::string not_judged = {}; // why it says nothing of this run: "changed by --set"

  bool judged() const { return reached && not_judged.empty(); }
};

struct Report {
  std::string scene;
  std::uint64_t seed = 0;
  std::string device, precision;
  std::uint64_t state_hash = 0;
  std::vector<RunReport> runs;
  std::vector<ExpectReport> expect;
  bool interrupted = false;
  long steps = 0, steps_wanted = 0; // of every run that did not diverge

  // No expectation failed, no invariant broke. An invariant counts until its run diverged.
  bool good() const;
};

// Norms of a part of a vector before and after a step, and the angle by which it turned, radians.
struct Turn {
  double before, after, angle;
};
// The angle by which the whole of the parts turned, radians; NaN where one is not known or the whole is 0.
double joint_turn(std::span<const Turn> parts);

// `device` as --device takes it; `seconds` of computing, for steps per second.
Report make_report(const Frame& frame, const std::string& device, double seconds);

// What a run with this label must keep the exact values of for the scene's expectations, none recorded yet.
std::vector<KeptValue> expected_values(const Scene& scene, const StepProgram& program, const std::string& label);

// Runs that expectations were not written for, by label, and why.
using NotJudged = std::map<std::string, std::string>;
// The runs of `scene` that are other experiments than those of the same label in `original`, with `why`.
NotJudged changed_runs(const Scene& original, const Scene& scene, const std::string& why);

// What the expectations of a scene were written for, where the scene has been changed since.
struct WrittenScene {
  Scene scene;
  std::string why; // runs that it lacks, or has as other experiments, are not judged: "changed by --set or --seed"
};

// Checks before running that every expectation names a metric that its runs record at that step; one program per run.
Result<void> check_expectations(const Scene& scene, const std::vector<std::shared_ptr<const StepProgram>>& programs,
                                const NotJudged& not_judged = {});
// `scene.expect` against the frame's series. Steps beyond frame.head are not reached unless the run diverged.
std::vector<ExpectReport> evaluate_expectations(const Frame& frame, const Scene& scene,
                                                const NotJudged& not_judged = {});

// Of every run, and of every parameter where a run has several or the only one has a name of its own.
std::string report_table(const Report& report);
std::string report_json(const Report& report); // interface.md, "run --json"; ends with a line break

// Plain sentences for a screen reader; a step without records is an error.
Result<std::string> report_sentences(const Frame& frame, std::optional<long> step);

// "1 of 2 runs diverged: sgd at step 4"; "" when none did.
std::string divergence_text(const Report& report);

// A number for reading: four significant digits.
std::string short_number(double value);
double degrees(double radians);
// The number of this name; NaN when there is none.
double named_number(const std::vector<std::pair<std::string, double>>& numbers, std::string_view name);
std::string hash_text(std::uint64_t hash); // 16 hexadecimal digits

// Columns that a text takes on a terminal: code points.
std::size_t text_width(std::string_view text);
// Rows of equal length as aligned columns; the first row is the heading.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

} // namespace polarscope
