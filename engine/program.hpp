// A step program: what one step of one run does, as a flat list of small operations over named slots.
//
// StepProgram owns the list and the layout of a member's block; ProgramBuilder is what problems, optimizer stages
// and metrics write into. Nothing here knows devices, windows or optimizers' names. The order of slots in a block is
// by role, persistent roles first, so that a keyframe is one copy of the block's head.
#pragma once

#include "engine/setting.hpp"
#include "kernels/op.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace polarscope {

using kernels::Op;
using kernels::OpCode;
using SlotId = std::uint16_t;
using HparamId = std::uint16_t;
inline constexpr std::uint16_t kNone = kernels::kNone;

enum class Precision { f32, f64 };

// Persistent: hparam, param, state (they make up a keyframe and the state hash). The rest is recomputed each step
// (grad, scratch, metric) or never changes after the start (data).
enum class Role : std::uint8_t { hparam, param, state, data, grad, scratch, metric };

// Where in the step an operation stands (design.md §4); also the columns of the microscope.
enum class Phase : std::uint8_t { schedule, gradient, clip, direction, geometry, magnitude, apply, retract, metric };

// In what a parameter is scale-invariant: nothing, the whole matrix, or each row on its own.
enum class Invariance : std::uint8_t { none, matrix, row };

// What a parameter is in its network: what a recipe's routes go by.
enum class ParamRole : std::uint8_t { matrix, vector, embedding, head, router };

struct SlotInfo {
  std::string name; // "W", "W.momentum"
  Role role;
  std::uint32_t rows, cols;
  std::string meaning;         // shown by the inspector
  int parameter = -1;          // index into parameters, or −1
  SlotId view_of = kNone;      // the slot whose rows these are: it has no memory of its own
  std::uint32_t first_row = 0; // of the slot viewed
  std::uint32_t batches = 1;   // of data: this many batches below each other, one to a step
};

struct ParamInfo {
  std::string name; // "W"
  std::uint32_t rows, cols;
  bool vector = false; // declared as a vector of cols numbers; files give it shape (cols,)
  Invariance invariance = Invariance::none;
  SlotId weight = kNone;    // W after the step
  SlotId previous = kNone;  // W before the step; none in a finished program that does not keep it
  SlotId gradient = kNone;  // loss gradient at the previous weight, noise included
  SlotId reference = kNone; // data: direction that angles are measured to, same shape; none: the start
  ParamRole role = ParamRole::matrix;
  int layer = -1; // of the network, from 0; −1: belongs to none
};

// A data slot that the host fills again and again: rows [k·rows(P), (k+1)·rows(P)) belong to the step whose number of
// completed steps is k modulo `steps`.
struct FeedInfo {
  SlotId slot;
  std::uint32_t steps; // of one window
  int parameter;       // whose gradient it is
};

struct HparamInfo {
  Setting setting;
  std::string part; // direction, geometry, magnitude, decay, schedule: whose setting it is
};

struct MetricColumn {
  std::string name;   // "loss", "W.row_norm[3]"
  std::string metric; // registry key: "loss", "row_norm"
  int parameter = -1;
  int index = -1;      // of the row or column, −1 for scalars
  int every = 1;       // recorded when the step is a multiple of this
  bool hidden = false; // engine's own (invariants), not shown as a curve
};

struct InvariantColumn {
  std::string name;    // "row norms fixed"
  std::string meaning; // one sentence
  int column;          // metric column that holds the violation, a non-negative number
  double tolerance;    // kept while violation ≤ tolerance (depends on the precision)
  int parameter = -1;
  bool exact = true; // false: holds only to the stated tolerance by design, such as a polynomial's band
};

struct OpText {
  Phase phase;
  int parameter;
  std::string text; // "M ← μM + G", as printed by docs --program and the recipe panel
};

struct TheoryLine {      // a closed form that this composition declares for one metric
  std::string metric;    // column name, "W.frobenius_norm"
  std::string kind;      // registry key of engine/theory: which closed form, evaluated by the engine
  std::string condition; // words: when it holds
  std::string formula;
  std::vector<double> numbers = {}; // what the closed form needs besides hyperparameters, by kind (engine/theory)
};

class StepProgram {
public:
  Precision precision() const { return precision_; }
  std::size_t scalar_bytes() const { return precision_ == Precision::f32 ? 4 : 8; }

  const std::vector<Op>& start_ops() const { return start_; }
  const std::vector<Op>& step_ops() const { return step_; }
  const std::vector<OpText>& start_text() const { return start_text_; }
  const std::vector<OpText>& step_text() const { return step_text_; }
  const std::vector<SlotInfo>& slots() const { return slots_; }
  const std::vector<kernels::Slot>& layout() const { return layout_; }
  const std::vector<double>& constants() const { return constants_; }
  const std::vector<ParamInfo>& parameters() const { return parameters_; }
  const std::vector<HparamInfo>& hparams() const { return hparams_; }
  const std::vector<MetricColumn>& metrics() const { return metrics_; }
  const std::vector<InvariantColumn>& invariants() const { return invariants_; }
  const std::vector<TheoryLine>& theory() const { return theory_; }
  const std::vector<FeedInfo>& feeds() const { return feeds_; }
  // Range [first, second) of step ops that compute the noise-free loss from the weight: gradient phase, loss ops only.
  // Empty when gradients come from elsewhere.
  std::pair<std::size_t, std::size_t> loss_ops() const { return {loss_begin_, loss_end_}; }

  SlotId find_slot(std::string_view name) const; // kNone when absent
  int find_metric(std::string_view name) const;  // −1 when absent
  int find_hparam(std::string_view name) const;  // −1 when absent

  std::size_t block_bytes() const { return block_bytes_; }
  std::size_t persistent_bytes() const { return persistent_bytes_; } // head of the block that a keyframe keeps
  std::size_t record_size() const { return view_.record_size; }      // scalars per recorded step
  // Offset in a record of a parameter's recorded weight (rows × cols scalars, no padding); −1: not recorded.
  long record_offset_of_weight(int parameter) const { return weight_offset_[static_cast<std::size_t>(parameter)]; }
  long record_offset_of_gradient(int parameter) const { return gradient_offset_[static_cast<std::size_t>(parameter)]; }
  // Of the recorded weights some stay in the run's series, one after the other: where among them, −1: this one does not.
  long kept_offset_of_weight(int parameter) const { return kept_offset_[static_cast<std::size_t>(parameter)]; }
  std::size_t kept_size() const { return kept_size_; } // scalars of all that are kept
  // Steps between records that hold weights and gradients, a power of 4.
  long recorded_every() const { return static_cast<long>(view_.recorded_every); }
  const kernels::Program& view() const { return view_; }
  std::uint64_t fingerprint() const { return fingerprint_; } // equal for equal programs: they share an ensemble

private:
  friend class ProgramBuilder;
  Precision precision_ = Precision::f32;
  std::vector<Op> start_, step_;
  std::vector<OpText> start_text_, step_text_;
  std::vector<SlotInfo> slots_;
  std::vector<kernels::Slot> layout_;
  std::vector<double> constants_;
  std::vector<ParamInfo> parameters_;
  std::vector<HparamInfo> hparams_;
  std::vector<MetricColumn> metrics_;
  std::vector<InvariantColumn> invariants_;
  std::vector<TheoryLine> theory_;
  std::vector<FeedInfo> feeds_;
  std::vector<std::uint16_t> recorded_;
  std::vector<long> weight_offset_, gradient_offset_, kept_offset_;
  std::size_t kept_size_ = 0;
  std::size_t loss_begin_ = 0, loss_end_ = 0;
  std::size_t block_bytes_ = 0, persistent_bytes_ = 0;
  std::uint64_t fingerprint_ = 0;
  kernels::Program view_;
};

// What a record holds besides the metrics.
struct RecordOptions {
  std::uint32_t weight_limit = 4096; // parameters of at most this many elements have their weight recorded each step
  bool gradients = false;            // and their gradient (run --record)
  std::uint32_t kept_limit = 4096;   // weights of at most this many also stay in the run's series; larger ones pass by
  // Where the kept weights of a run have more elements than this together, they are recorded at every 4th, 16th … step, so
  // that on average no more come to a step: copying them would cost more than the steps of a small network.
  std::uint32_t kept_per_step = 4096;
};

// Collects slots and operations, then lays the block out. One builder makes one program.
class ProgramBuilder {
public:
  explicit ProgramBuilder(Precision precision);

  Precision precision() const { return precision_; }

  // A new slot; `name` must be new. Shapes are logical; padding is added by finish().
  SlotId slot(std::string name, Role role, std::uint32_t rows, std::uint32_t cols, std::string meaning = {},
              int parameter = -1);
  // Rows [first, first + rows) of a slot as a slot of their own, for operations on a block of a matrix.
  SlotId rows_of(SlotId whole, std::uint32_t first, std::uint32_t rows);
  // Declares a trained parameter with its weight, previous-weight and gradient slots.
  int parameter(std::string name, std::uint32_t rows, std::uint32_t cols, Invariance invariance, bool vector = false);
  ParamInfo& parameter(int index) { return parameters_[static_cast<std::size_t>(index)]; }
  const std::vector<ParamInfo>& parameters() const { return parameters_; }
  const SlotInfo& info(SlotId id) const { return slots_[id]; }
  // Says that a data slot holds several batches below each other.
  void set_batches(SlotId data, std::uint32_t batches) { slots_[data].batches = batches; }
  SlotId find_slot(std::string_view name) const; // kNone when there is none yet
  bool has_slot(std::string_view name) const;

  // What is put before the names of hyperparameters from here on: "embedding." of a route's recipe.
  void set_hparam_prefix(std::string prefix) { hparam_prefix_ = std::move(prefix); }
  // The column of a hyperparameter, declared on first use; later uses of the same name share it.
  HparamId hparam(const Setting& setting, std::string part);
  // Appends constants and returns the index of the first, for Op::constant.
  std::uint32_t constants(const std::vector<double>& values);

  // Emission goes to the step list, or to the start list while `starting` is set.
  void set_starting(bool starting) { starting_ = starting; }
  void set_phase(Phase phase) { phase_ = phase; }
  void set_parameter(int parameter) { current_ = parameter; }
  void emit(Op op, std::string text);
  std::size_t step_size() const { return step_.size(); } // step ops so far
  // The gradient ops emitted between these two compute the noise-free loss of the current weight.
  void begin_loss();
  void end_loss();

  // One metric: a scalar, or `indexed` columns named metric[0], metric[1] … Returns the first column's index; ops write
  // columns through metric_slot() at [0, column].
  int metric(std::string metric, int parameter, int indexed, int every, bool hidden = false);
  static constexpr int kScalar = 0;
  SlotId metric_slot() const { return metric_slot_; }
  // The column of the loss, which is the first where there is a loss; else kernels::kNoLoss.
  std::uint32_t loss_column() const;
  void invariant(InvariantColumn invariant) { invariants_.push_back(std::move(invariant)); }
  void theory(TheoryLine line) { theory_.push_back(std::move(line)); }
  void feed(FeedInfo feed) { feeds_.push_back(feed); }

  // Lays the block out and closes the program. Scratch is what the op that takes most of it needs.
  std::shared_ptr<const StepProgram> finish(RecordOptions record = {});

private:
  void drop_dead_copies();
  void lay_out(StepProgram& p) const;
  std::size_t choose_record(StepProgram& p, const RecordOptions& record) const;
  void fill_view(StepProgram& p, std::size_t record_size) const;
  static std::uint64_t fingerprint_of(const StepProgram& p);

  Precision precision_;
  std::string hparam_prefix_;
  bool starting_ = false;
  Phase phase_ = Phase::gradient;
  int current_ = -1;
  SlotId metric_slot_ = kNone;
  std::vector<Op> start_, step_;
  std::vector<OpText> start_text_, step_text_;
  std::vector<SlotInfo> slots_;
  std::vector<double> constants_;
  std::vector<ParamInfo> parameters_;
  std::vector<HparamInfo> hparams_;
  std::vector<MetricColumn> metrics_;
  std::vector<InvariantColumn> invariants_;
  std::vector<TheoryLine> theory_;
  std::vector<FeedInfo> feeds_;
  std::size_t loss_begin_ = 0, loss_end_ = 0;
};

// Builders of operations: slots and columns by position, so that emission reads like the formula.
Op make_op(OpCode code, std::initializer_list<SlotId> slots, std::initializer_list<HparamId> hparams = {},
           std::uint32_t constant = 0, std::uint32_t word = 0);

} // namespace polarscope
