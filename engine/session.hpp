// The façade over a running experiment: runs grouped into ensembles, series, keyframes, edits. Single-threaded and
// deterministic: the same commands at the same steps give the same state, whatever the bursts between them.
#pragma once

#include "engine/command.hpp"
#include "engine/frame.hpp"
#include "engine/result.hpp"
#include "engine/scene.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace polarscope {

class Backend;

struct SessionOptions {
  std::string device = "auto";                        // cpu | cuda | auto
  int threads = 0;                                    // 0 = one per core
  std::string isa = {};                               // "" = by rule
  std::size_t memory_budget = std::size_t{512} << 20; // series and keyframes of all runs, those added later too, bytes
  RecordOptions record = {};
  // Receives every record as it is made (run --record): `records` holds whole records of program.record_size()
  // scalars, the first of them of step `first_step`. Called between bursts, runs in scene order. A recomputed
  // path begins again at step 0.
  std::function<void(RunId run, const StepProgram& program, long first_step, std::span<const std::byte> records)> sink =
      {};
  std::function<std::unique_ptr<Backend>()> make_backend = {}; // instead of opening `device`
  // Frames say why a GPU is not used (the window). Looking for one starts its driver, which takes a while.
  bool looks_for_gpu = false;
  double memory_in_use = 0; // bytes that another session keeps meanwhile
  // Frames say what the stages of a step take (the window): a step is timed apart now and then while runs are computed.
  bool times_stages = false;
};

class Session {
public:
  // A scene with [sweep] becomes one with a run for every member.
  static Result<std::unique_ptr<Session>> open(Scene scene, SessionOptions options = {});
  ~Session();

  const Scene& scene() const;
  long head() const;
  long cursor() const;
  bool at_end() const; // head = scene.steps
  RunId selected() const;
  // Why the device makes no more steps, once it has failed; what was computed before stays.
  std::optional<Error> failure() const;
  // Why what was computed cannot be relied on to its end: that failure, recorded gradients that cannot be read (the runs'
  // weights are NaN from there on), or a past that did not come out the same again, which is a bug.
  const std::optional<Error>& fault() const;
  // Whether the command has something computed: such a command is refused once the device has failed.
  bool computes(const Command& command) const;

  // Computes up to `steps` more steps of every run that has not diverged, in bursts, and stops after about `seconds`; the
  // cursor follows when it was at the head. Returns the steps made.
  long advance(long steps, double seconds = std::numeric_limits<double>::infinity());
  // Applies everything but playing: transport commands move cursor and head at once. The result is the sentence for
  // the status bar.
  Result<std::string> apply(const Command& command);
  // Work left by the last command (a run catching up): does a slice of about `seconds`; false when none is left.
  bool continue_work(double seconds);

  // The state of one run at any recorded step: restores the nearest keyframe and replays.
  Result<std::shared_ptr<const StateView>> state_at(RunId run, long step);
  // The same in slices of about `seconds`, for who must not wait: null while there is more to do. The run itself stays
  // where it is; another run or step gives the last one up.
  Result<std::shared_ptr<const StateView>> look_at(RunId run, long step, double seconds);
  // Hash of one run's persistent state at any step, by restore and replay; `state_hash` is at the head.
  std::uint64_t state_hash_at(RunId run, long step);
  std::uint64_t state_hash() const;
  std::uint64_t state_hash(RunId run) const;

  // Logical elements of one slot as it stands at the head, row-major.
  std::vector<double> slot_values(RunId run, SlotId slot);

  // Loss as a function of the angle in a plane through the origin of one parameter's space, other parameters as at the
  // cursor: value k at angle 2πk/samples from e1 towards e2 (unit, orthogonal, rows·cols numbers each).
  // Rows that are zero in both keep their weight. Empty where the gradients do not come from a loss.
  std::vector<double> plane_loss(RunId run, int parameter, const std::vector<double>& e1, const std::vector<double>& e2,
                                 int samples);

  // What the runs and their past take now.
  std::size_t memory_bytes() const;

  // Fills everything of a frame that the session knows (not playing, speed, number).
  void fill(Frame& frame);

private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  Result<std::string> carry_out(const Command& command);
  std::unique_ptr<Impl> impl_;
};

} // namespace polarscope
