// What a Session is made of; private to engine/session*.cpp.
#pragma once

#include "engine/backend.hpp"
#include "engine/compile.hpp"
#include "engine/events.hpp"
#include "engine/session.hpp"
#include "engine/stage_clock.hpp"
#include "engine/timeline.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <span>

namespace polarscope {

struct Run;

// The members of one distinct program; runs with equal programs share it.
struct Group {
  std::shared_ptr<const StepProgram> program;
  std::unique_ptr<MemberGroup> members;
  // Of the burst under way: which members take part, whose they are, and what they recorded. Kept for their memory.
  std::vector<int> going;
  std::vector<Run*> going_runs;
  std::vector<std::vector<std::byte>> records;
  double step_seconds = 0; // that a step of one member has lately taken of a burst; 0: not known yet
};

// A path that an edit from step 0 replaced, and the program that recorded it.
struct Ghost {
  SeriesView path;
  std::shared_ptr<const StepProgram> program;
};

// What a run was before the first preview of a drag, to be put back when the drag is given up.
struct BeforeDrag {
  std::vector<double> start_hparams;
  std::vector<Edit> edits;
  InitialContents initial;
  Ghost ghost;
};

struct Run {
  Run(RunId id_, RunSpec spec_, Group* group_, RunSeries series_, Timeline timeline_, RunWatch watch_)
      : id(id_), spec(std::move(spec_)), group(group_), series(std::move(series_)), timeline(std::move(timeline_)),
        watch(std::move(watch_)) {}

  RunId id;
  RunSpec spec; // with what edits from step 0 made of it
  Group* group; // owned by the session
  RunSeries series;
  Ghost ghost; // the path before the last edit from step 0
  Timeline timeline;
  RunWatch watch;
  int member = -1;
  std::size_t place = 0; // in the group's burst under way
  int style = 0;
  std::uint64_t seed = 0;
  std::shared_ptr<const OptimizerSpec> optimizer, opened_optimizer; // now; before its parts were changed
  InitialContents initial;
  std::shared_ptr<const Weights> start = std::make_shared<Weights>(), reference = start;
  std::vector<double> start_hparams, hparams;   // at step 0; now, all edits included
  std::vector<double> opened_hparams;           // at step 0, before any edit
  std::map<std::string, double> opened_numbers; // the same by name, with those of stages that were swapped away
  std::shared_ptr<const Weights> opened_start;
  std::vector<Edit> edits;                        // by step
  std::vector<std::pair<int, Event>> edit_events; // by hyperparameter's column
  long step = 0;                                  // completed; behind the head while catching up or when diverged
  bool diverged = false;
  long diverged_at = 0;
  std::uint64_t path = 0; // a number that no other run's path has, nor this one's before the last begin()
  long fed = -1;          // window of fed slots that the block holds
  bool fresh = false;     // the whole block, not only its persistent head, is that of `step`
  bool dragging = false;  // previews since the last committed edit
  std::optional<double> value_before_drag; // the edited hyperparameter's
  std::optional<BeforeDrag> before_drag;
  std::optional<std::uint64_t> hash;   // of the state at `step`
  std::vector<ExpectedLine> predicted; // over the whole scene; valid while `predicted_known`
  bool predicted_known = false;
  std::vector<std::shared_ptr<const ExpectedLine>> expected; // up to step `expected_until`
  long expected_until = -1;

  const StepProgram& program() const { return *group->program; }
  MemberGroup& members() { return *group->members; }
};

// A member beside a run's own, which stands at a past step: looking back takes turns with everything else and leaves the
// run where it is.
struct Past {
  Group* group = nullptr;
  std::uint64_t path = 0; // of the run, which may have begun anew since
  int member = -1;
  long step = -1; // where it stands; −1: not restored yet
  long fed = -1;
  std::vector<Keyframe> near; // between the timeline's, from the last look; by step
};

using Clock = std::chrono::steady_clock;

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// Seconds that a piece of work may take, from now on.
class TimeLimit {
public:
  explicit TimeLimit(double seconds) : seconds_(seconds) {}
  double left() const { // 0 when they are over
    return std::max(0.0, seconds_ - std::chrono::duration<double>(Clock::now() - begin_).count());
  }
  bool over() const { return !(left() > 0); }

private:
  double seconds_;
  Clock::time_point begin_ = Clock::now();
};

struct Session::Impl {
  std::shared_ptr<const Scene> scene;
  SessionOptions options;
  std::unique_ptr<Backend> backend;
  std::string device_note;
  std::vector<std::unique_ptr<Group>> groups;
  std::vector<std::unique_ptr<Run>> runs; // in scene order
  std::size_t shares = 1;                 // that most of the memory budget is divided into
  long head = 0, cursor = 0;
  RunId next_id = 1, selected = 0, first_to_catch_up = 0;
  std::optional<Error> fault; // see Session::fault(); shown until the scene is closed
  std::optional<Refusal> refused;
  std::vector<std::vector<std::byte>> records; // of starts and replays, kept for their memory
  std::optional<Past> past;
  std::uint64_t paths = 0; // numbers given to them
  long last_burst = 1;     // steps
  StageClock stage_clock;
  std::size_t stages_looked_at = 0; // groups so far

  // session.cpp: making and stepping runs
  Result<void> open();
  Result<void> check_memory(const std::vector<std::shared_ptr<const StepProgram>>& programs) const;
  Result<Run*> make_run(RunSpec spec);
  Result<std::unique_ptr<Run>> build_run(RunSpec spec, RunId id, int place); // begun, in no list yet
  Result<std::unique_ptr<Run>> build_compiled(RunSpec spec, RunId id, int place,
                                              const std::shared_ptr<const StepProgram>& compiled);
  Result<Group*> group_for(std::shared_ptr<const StepProgram> program);
  void read_constant_weights(Run& run);
  void begin(Run& run);             // to step 0; where the device fails, what was computed stays
  double share_of(int place) const; // place: Run::style
  std::size_t series_budget(int place) const;
  std::size_t keyframe_budget(int place) const;
  std::size_t memory_bytes() const;
  Run* find(RunId id) const;
  int free_style() const;
  std::string free_label(const std::string& base) const;
  // One burst of runs that stand at the same step, not beyond `target` and of about `seconds`; edits take effect at their
  // steps. Returns the steps made: 0 when the device has failed.
  long burst(std::span<Run* const> some, long target, double seconds = kNoLimit);
  long steps_within(std::span<Run* const> some, double seconds) const;
  // Fills a member's slots that are fed from outside for steps from `step` on; returns how many steps they last. `fed`:
  // the window that it holds.
  long feed(Run& run, int member, long& fed, long step);
  // The head, and can catch up.
  bool behind(const Run& run) const { return run.step < head && !run.diverged && !backend->failure(); }
  bool catch_up(double seconds); // false when nothing is left
  long advance(long steps, double seconds);
  bool device_failed();  // and says so
  void look_at_stages(); // of the next groups, where it is time
  void update_scene();   // the scene's runs follow the session's

  // session_edit.cpp: commands
  Result<Run*> find_run(RunId id) const;
  std::string back_to_head();
  std::string move_cursor(long step);
  Result<std::string> set_hparam(const command::SetHparam& c);
  std::string set_from_here(Run& run, int column, const command::SetHparam& c);
  long drag_began(const Run& run, int column) const;
  std::string set_from_start(Run& run, int column, const command::SetHparam& c);
  Result<std::string> move_start(const command::MoveStart& c);
  std::string cancel_preview(Run& run);
  void recompute(Run& run);
  void catch_up_at_once(Run& run);
  Result<std::string> add_run(RunSpec spec, std::vector<Edit> edits, const std::string& like);
  Result<std::string> add_preset(const command::AddRun& c);
  Result<std::string> duplicate(const command::DuplicateRun& c);
  Result<std::string> remove_run(const command::RemoveRun& c);
  void forget_empty_groups(); // with their scratch and threads
  Result<std::string> rename_run(const command::RenameRun& c);
  std::string restart();
  void relabel(Run& run, const std::string& label); // expectations of it follow

  // session_recipe.cpp: commands that change what a run is made of
  Result<std::string> set_part(const command::SetPart& c);
  Result<std::string> set_schedule(const command::SetSchedule& c);
  Result<std::string> reset_recipe(const command::ResetRecipe& c);
  Result<std::string> change_recipe(Run& run, Part part, const std::string& route, OptimizerSpec wanted,
                                    const std::string& change);
  Result<RunSpec> with_recipe(const Run& run, OptimizerSpec wanted) const;
  std::string label_for(const Run& run, const OptimizerSpec& wanted) const;

  // session_expected.cpp: closed forms
  void evaluate_expected(Run& run);
  void update_expected(Run& run, bool exactly);

  // session_time.cpp: other steps than the head
  // Calls f() while the run's block is that of `step`, recomputed from a keyframe; the run then stands as before.
  // `whole`: gradient and scratch are needed too, not only the persistent head.
  void at_step(Run& run, long step, bool whole, const std::function<void()>& f);
  void replay(Run& run, long from, long to);
  // Makes the next of a run's steps on a member that stands at `step`, `most` or as many as one burst holds: under the edits
  // of then and fed. Returns how many.
  long make_again(Run& run, int member, long& fed, long step, long most);
  void check_replay(Run& run, int member, long step, std::span<const std::byte> truth);
  std::shared_ptr<const StateView> read_state(Run& run, int member, long step);
  std::uint64_t hash_of(Run& run);

  // session_past.cpp: the same in slices, on a member of its own
  // The state at `step`, or null when `seconds` were too few: then the next call goes on.
  Result<std::shared_ptr<const StateView>> look_back(Run& run, long step, double seconds);
  void stand_before(Run& run, long step);
  bool replay_past(Run& run, long step, double seconds);
  void keep_near(Run& run, long spacing);
  void forget_past();
  bool past_stands_at(const Run& run, long step) const { return past && past->path == run.path && past->step == step; }

  void fill(Frame& frame);
  void add_start_events(Run& run, bool other_recipe, std::vector<Event>& events) const;
  void fill_run(RunFrame& f, Run& run, bool with_hash, bool playing);
};

} // namespace polarscope
