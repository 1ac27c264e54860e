// A scene: the parsed and validated description of an experiment. Knows files and words, not devices or windows.
#pragma once

#include "engine/optimizer/spec.hpp"
#include "engine/problem/problem.hpp"
#include "engine/program.hpp"
#include "engine/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace polarscope {

// How a run's parameters start; at most one of the forms is set per parameter.
struct StartSpec {
  std::optional<double> norm;                  // the problem's own start scaled to this Frobenius norm
  std::vector<double> point;                   // row-major elements
  std::string file;                            // .safetensors with weight/<P>
  std::map<std::string, double> keys;          // the problem's own keys, such as radius and angle
  std::map<std::string, StartSpec> parameters; // start.<P> = {…} when there are several
  Place place;
};

struct RunSpec {
  std::string label; // unique in the scene
  OptimizerSpec optimizer;
  std::map<std::string, double> hparams; // hparam.<name> of the run
  std::map<std::string, Place> hparam_places;
  StartSpec start;
  std::optional<std::uint64_t> seed; // the scene's seed when absent
  std::string group;                 // of a member of a sweep: label of the run it repeats; "" otherwise
  Place place;
};

// One number that [sweep] varies.
struct SweepAxis {
  std::string hparam;
  enum class Form { log, linear, values } form = Form::values;
  std::vector<double> values;     // as written, or rising; all different
  std::vector<std::string> texts; // of the values in labels, all different
  std::vector<bool> of_run;       // by position in Scene::runs: the run has the number and is repeated for each value
  Place place;
};

// [sweep]: every run is repeated for each combination of these values and for each seed (engine/sweep.hpp). The words
// of a sweep (optimizers, options) have made runs of their own when a scene is read.
struct SweepSpec {
  std::vector<SweepAxis> hparams;
  long seeds = 1;      // from the run's seed upwards
  std::string written; // the [[run]] and [sweep] tables as TOML where words made several runs of one; "" otherwise
  Place place;
};

struct ViewSpec {
  std::string layout = "study"; // study | show | bench
  std::string parameter;        // "" = the first
  std::string plane;            // start-current | start-reference | weight-update | rows
  int row_i = -1, row_j = -1;   // of `parameter`
  std::optional<double> target; // loss target line
  Place parameter_place, rows_place;
};

struct ExpectSpec {
  std::string metric;
  std::string run; // label; "" = every run
  std::optional<long> step;
  enum class Test { above, below, near } test = Test::below;
  double value = 0, within = 0;
  Place place;
};

inline constexpr long kMostSteps = 1'000'000'000;

struct Scene {
  std::string path; // as opened, "" when made in memory
  std::string title, description;
  std::uint64_t seed = 0;
  long steps = 1000;                  // where runs end
  std::optional<long> schedule_steps; // T of schedules when runs end elsewhere (--steps); else `steps`
  double speed = 50;                  // steps per second when played; 0 = as fast as possible
  Precision precision = Precision::f32;
  std::string problem;
  ProblemValues problem_values;
  std::vector<RunSpec> runs;
  std::optional<SweepSpec> sweep;          // whose members are the runs many times over
  std::map<std::string, int> metric_every; // [metrics]: cadence overrides
  ViewSpec view;
  std::vector<ExpectSpec> expect;

  long schedule_length() const { return schedule_steps.value_or(steps); }
};

// One `--set` argument: [LABEL:]key=value.
struct SetArgument {
  std::string label, key, value;
};
Result<SetArgument> parse_set(const std::string& text);

// Reads and validates a scene. `name` is a path with or without .toml, looked up from the working folder, then from
// the installed scenes. Nothing is allocated in proportion to what the file asks for before it is checked.
Result<Scene> load_scene(const std::string& name, const std::vector<SetArgument>& sets = {});
Result<Scene> parse_scene(const std::string& text, const std::string& file, const std::vector<SetArgument>& sets = {});

// The scene as TOML that reads back to an equal scene.
std::string to_toml(const Scene& scene);

// A preset by name, or an optimizer TOML file by path, with its inheritance resolved.
Result<OptimizerSpec> load_optimizer(const std::string& name_or_file);
std::vector<std::string> preset_names(); // sorted

struct SceneEntry {
  std::string name; // path under scenes/ without .toml
  std::string title, description;
};
std::vector<SceneEntry> installed_scenes(); // sorted by folder and name, optimizers and lessons left out

} // namespace polarscope
