// What a run leaves behind, as table, JSON and sentences; and whether what a scene expects came true.
#pragma once

#include "engine/frame.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

struct RunReport {
  std::string label, optimizer;
  int member = 0; // position among the runs of the scene
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, double>> hparams;
  bool diverged = false;
  long step = 0; // last step made
  std::uint64_t state_hash = 0;
  std::vector<std::pair<std::string, double>> final; // every column's last recorded value
  std::vector<double> last_finite;                   // of the same columns: differs where the run diverged
  std::vector<InvariantStatus> invariants;
  double steps_per_second = 0;

  double value(std::string_view column) const; // NaN when there is none
};

struct ExpectReport {
  std::string what;    // "loss of 'norm 1' at step 600 below 0.1"
  bool reached = true; // false: the run was asked to end before this step; then neither held nor failed
  bool held = false;
  double value = 0;
};

struct Report {
  std::string scene;
  std::uint64_t seed = 0;
  std::string device, precision;
  std::uint64_t state_hash = 0;
  std::vector<RunReport> runs;
  std::vector<ExpectReport> expect;

  // No expectation failed, no invariant broke. An invariant counts until its run diverged.
  bool good() const;
};

// `device` as --device takes it; `seconds` of computing, for steps per second.
Report make_report(const Frame& frame, const std::string& device, double seconds);

// What a run with this label must keep the exact values of for the scene's expectations, none recorded yet.
std::vector<KeptValue> expected_values(const Scene& scene, const StepProgram& program, const std::string& label);

// Checks before running that every expectation names a metric that its runs record at that step; one program per run.
Result<void> check_expectations(const Scene& scene, const std::vector<std::shared_ptr<const StepProgram>>& programs);
// `scene.expect` against the frame's series. Steps beyond frame.head are not reached unless the run diverged.
std::vector<ExpectReport> evaluate_expectations(const Frame& frame, const Scene& scene);

std::string report_table(const Report& report);
std::string report_json(const Report& report); // interface.md, "run --json"; ends with a line break

// Plain sentences for a screen reader; a step without records is an error.
Result<std::string> report_sentences(const Frame& frame, std::optional<long> step);

// A number for reading: four significant digits.
std::string short_number(double value);
std::string hash_text(std::uint64_t hash); // 16 hexadecimal digits

// Rows of equal length as aligned columns; the first row is the heading.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

} // namespace polarscope
