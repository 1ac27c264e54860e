// An immutable picture of a session at one moment: all that the window may know. Published by the engine thread,
// read by any other; everything large is behind a shared handle to constant data.
#pragma once

#include "engine/command.hpp"
#include "engine/program.hpp"
#include "engine/scene.hpp"
#include "engine/series.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace polarscope {

struct StageTimes; // engine/stage_clock.hpp

enum class EventKind { edit, diverged, norm_doubled, target_reached, warmup_ended };

struct Event {
  EventKind kind;
  long step;
  RunId run;
  std::string text; // two to four words: "lr 0.1 → 0.25", "norm doubled"
};

struct InvariantStatus {
  std::string name, meaning;
  double tolerance = 0;
  double worst = 0;
  long worst_step = 0;
  long broken_at = -1; // first step beyond the tolerance; −1 while kept
  bool held() const { return broken_at < 0; }
};

// Why the last change of a recipe was refused, to be shown at the part that it was made at.
struct Refusal {
  RunId run = 0;
  Part part = Part::direction;
  std::string text;       // one sentence, no full stop
  std::string route = {}; // target of the route whose recipe was to change; "": the run's own
};

// The exact value of one column at a step that the scene expects something of; the series may have thinned it away.
struct KeptValue {
  int column = -1;
  long step = 0;
  std::optional<double> value; // none: the run did not record that step
};

// Values of every small slot of one run at one step, for inspector and arrows. `gradient` slots hold the gradient
// that made this step, `previous` the weight before it.
struct SlotValues {
  SlotId slot;
  std::string name, meaning;
  Role role;
  std::uint32_t rows, cols;
  std::vector<double> values; // row-major; empty when the slot is too large to show
};
struct StateView {
  RunId run;
  long step;
  std::vector<SlotValues> slots;
  const SlotValues* find(std::string_view name) const;
};

// One expected curve: dotted, labelled "expected".
struct ExpectedLine {
  std::string metric;    // column name
  std::string condition; // when it holds, in words
  std::string formula;
  std::vector<Sample> points; // over the recorded steps, thinned to at most 2,000
};

// One array per parameter, row-major; shared, because a frame is published 60 times a second.
using Weights = std::vector<std::vector<double>>;

struct RunFrame {
  RunId id = 0;
  std::string label, optimizer_name;
  std::string group; // of a member of a sweep: label of the run it repeats; "" otherwise
  int order = 0;     // position in the list
  int style = 0;     // colour, marker and dash; stays with the run
  std::shared_ptr<const OptimizerSpec> optimizer;
  std::shared_ptr<const OptimizerSpec> opened_optimizer; // before its parts were changed
  bool recipe_changed = false;                           // other stages or schedules than opened with
  std::shared_ptr<const StepProgram> program;
  std::vector<double> hparams;        // base values now, in program order
  std::vector<double> start_hparams;  // at step 0
  std::vector<double> opened_hparams; // as the scene file, or the preset of an added run, has them
  std::uint64_t seed = 0;
  bool diverged = false;
  long diverged_at = 0;
  SeriesView series;
  SeriesView ghost;                                 // the path before the last from-step-0 edit, may be empty
  std::shared_ptr<const StepProgram> ghost_program; // whose columns the ghost has; null without a ghost
  std::shared_ptr<const Weights> start;             // weight per parameter at step 0; never null
  std::shared_ptr<const Weights> reference; // direction angles are measured to; an empty one: the start; never null
  std::vector<InvariantStatus> invariants;
  std::vector<KeptValue> kept;
  std::vector<std::shared_ptr<const ExpectedLine>> expected;
  std::uint64_t state_hash = 0; // at the head; 0: a large state is not hashed while it plays
  double step_seconds = 0;      // of one thread, that a step of a run of its program has lately taken; 0: not known
  std::shared_ptr<const StageTimes> stages; // what its stages take; null: not timed
};

struct Frame {
  std::uint64_t number = 0;
  std::shared_ptr<const Scene> scene;
  std::uint64_t scene_generation = 0; // changes when another scene is opened
  long head = 0, cursor = 0, steps = 0;
  bool playing = false, computing = false; // computing: a catch-up or redraw is under way
  double speed = 50;                       // asked for, steps per second; 0 = as fast as possible
  double achieved_speed = 0;
  std::vector<RunFrame> runs;
  std::vector<Event> events;
  RunId selected = 0;
  std::shared_ptr<const StateView> state; // of the selected run at the cursor
  std::string notice;                     // what was done last, for the status bar
  bool notice_is_error = false;
  std::optional<Refusal> refused;  // until the next change of a run
  std::string device, device_note; // "CPU"; "no GPU: driver absent"
  int threads = 0;                 // of the device, that step runs; 0: it has no such number
  std::uint64_t state_hash = 0;    // of all runs, at the head; 0 when one of theirs is
  std::size_t memory_bytes = 0;

  const RunFrame* find(RunId run) const;
};

} // namespace polarscope
