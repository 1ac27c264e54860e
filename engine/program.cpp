#include "engine/program.hpp"

#include "kernels/small.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace polarscope {

namespace {

constexpr std::size_t kLineBytes = 64;

// FNV-1a over bytes: equal programs get equal fingerprints on every machine of one byte order.
class Fingerprint {
public:
  void add(const void* data, std::size_t size) {
    const auto* p = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) value_ = (value_ ^ p[i]) * 0x100000001B3ull;
  }
  void add(const std::string& text) {
    const std::size_t size = text.size();
    add(&size, sizeof size);
    add(text.data(), size);
  }
  template <class T> void add_items(const std::vector<T>& items) {
    const std::size_t size = items.size();
    add(&size, sizeof size);
    if (size) add(items.data(), size * sizeof(T));
  }
  std::uint64_t value() const { return value_; }

private:
  std::uint64_t value_ = 0xCBF29CE484222325ull;
};

// Scalars of team scratch that one op takes, from the shape of its slots; rows of `line` scalars.
std::size_t scratch_of(const Op& op, const std::vector<kernels::Slot>& layout, std::size_t line) {
  const auto padded = [&](std::size_t cols) { return (cols + line - 1) / line * line; };
  const auto shape = [&](std::uint16_t slot) {
    const kernels::Slot& s = layout[slot];
    return std::pair<std::size_t, std::size_t>(std::minmax(s.rows, s.cols));
  };
  switch (op.code) {
  case OpCode::newton_schulz: { // two copies, two squares of the smaller side
    const std::size_t small = shape(op.slot[0]).first;
    return 2 * (layout[op.slot[0]].rows * padded(layout[op.slot[0]].cols) + small * padded(small));
  }
  case OpCode::polar_factor:
  case OpCode::isometry_violation: { // two copies, two squares of the smaller side, two rows of it
    const auto [small, large] = shape(op.slot[0]);
    return 2 * (small * padded(large) + (small + 1) * padded(small));
  }
  case OpCode::dual_polar:
  case OpCode::stiefel_dual:
  case OpCode::tangent_stiefel: { // four copies, three squares of the smaller side, two rows of it
    const auto [small, large] = shape(op.slot[0]);
    return 4 * small * padded(large) + (3 * small + 2) * padded(small);
  }
  case OpCode::top_singular: { // a copy, a square of the smaller side, two rows of it
    const auto [small, large] = shape(op.slot[0]);
    return small * padded(large) + (small + 2) * padded(small);
  }
  case OpCode::factor_power:
  case OpCode::basis_violation: // two squares, two rows
    return (2 * std::size_t{layout[op.slot[0]].rows} + 2) * padded(layout[op.slot[0]].rows);
  case OpCode::refresh_basis: { // two squares, three rows, a copy of the moment
    const std::size_t side = layout[op.slot[0]].rows;
    const kernels::Slot& moment = layout[op.slot[2]];
    return (2 * side + 3) * padded(side) + moment.rows * padded(moment.cols);
  }
  case OpCode::gumbel_labels: // a copy
    return layout[op.slot[0]].rows * padded(layout[op.slot[0]].cols);
  case OpCode::project_radial: // two numbers per row
    return 2 * padded(layout[op.slot[0]].rows);
  case OpCode::two_sided: return layout[op.slot[0]].rows * padded(layout[op.slot[0]].cols);
  case OpCode::spectrum: {
    const auto [small, large] = shape(op.slot[0]);
    const auto steps = std::min<std::size_t>(small, kernels::kMostLanczosSteps);
    return (steps + 1) * padded(small) + padded(large) + 4 * padded(steps);
  }
  default: { // a few numbers per row or column
    std::size_t most = 0;
    for (const std::uint16_t slot : op.slot)
      if (slot != kNone) most = std::max(most, padded(layout[slot].rows) + padded(layout[slot].cols));
    return most;
  }
  }
}

template <class List> auto find_named(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.name == name; });
}

} // namespace

SlotId StepProgram::find_slot(std::string_view name) const {
  const auto it = find_named(slots_, name);
  return it == slots_.end() ? kNone : static_cast<SlotId>(it - slots_.begin());
}

int StepProgram::find_metric(std::string_view name) const {
  const auto it = find_named(metrics_, name);
  return it == metrics_.end() ? -1 : static_cast<int>(it - metrics_.begin());
}

int StepProgram::find_hparam(std::string_view name) const {
  for (std::size_t i = 0; i < hparams_.size(); ++i)
    if (hparams_[i].setting.name == name) return static_cast<int>(i);
  return -1;
}

ProgramBuilder::ProgramBuilder(Precision precision) : precision_(precision) {
  slot("hparams", Role::hparam, 1, 1, "current hyperparameters, after schedules");
  metric_slot_ = slot("metrics", Role::metric, 1, 1, "what is recorded after each step");
}

SlotId ProgramBuilder::find_slot(std::string_view name) const {
  const auto it = find_named(slots_, name);
  return it == slots_.end() ? kNone : static_cast<SlotId>(it - slots_.begin());
}

std::uint32_t ProgramBuilder::loss_column() const {
  return !metrics_.empty() && metrics_.front().metric == "loss" ? 0 : kernels::kNoLoss;
}

bool ProgramBuilder::has_slot(std::string_view name) const { return find_named(slots_, name) != slots_.end(); }

SlotId ProgramBuilder::slot(std::string name, Role role, std::uint32_t rows, std::uint32_t cols, std::string meaning,
                            int parameter) {
  assert(!has_slot(name) && "slot names are unique");
  assert(slots_.size() < kNone);
  slots_.push_back({std::move(name), role, rows, cols, std::move(meaning), parameter});
  return static_cast<SlotId>(slots_.size() - 1);
}

SlotId ProgramBuilder::rows_of(SlotId whole, std::uint32_t first, std::uint32_t rows) {
  const SlotInfo viewed = slots_[whole];
  assert(viewed.view_of == kNone && first + rows <= viewed.rows);
  const std::string name = viewed.name + ".rows_" + std::to_string(first) + "_" + std::to_string(first + rows);
  if (const SlotId made = find_slot(name); made != kNone) return made;
  const SlotId view = slot(name, Role::scratch, rows, viewed.cols, "rows of " + viewed.name, viewed.parameter);
  slots_[view].view_of = whole;
  slots_[view].first_row = first;
  return view;
}

int ProgramBuilder::parameter(std::string name, std::uint32_t rows, std::uint32_t cols, Invariance invariance,
                              bool vector) {
  const int index = static_cast<int>(parameters_.size());
  ParamInfo p;
  p.name = name;
  p.rows = rows;
  p.cols = cols;
  p.vector = vector;
  p.invariance = invariance;
  p.weight = slot(name, Role::param, rows, cols, "weight", index);
  p.previous = slot(name + ".previous", Role::scratch, rows, cols, "weight before the step", index);
  p.gradient = slot(name + ".gradient", Role::grad, rows, cols, "loss gradient, noise included", index);
  parameters_.push_back(std::move(p));
  return index;
}

HparamId ProgramBuilder::hparam(const Setting& setting, std::string part) {
  Setting named = setting;
  named.name = hparam_prefix_ + setting.name;
  for (std::size_t i = 0; i < hparams_.size(); ++i)
    if (hparams_[i].setting.name == named.name) return static_cast<HparamId>(i);
  hparams_.push_back({std::move(named), std::move(part)});
  return static_cast<HparamId>(hparams_.size() - 1);
}

std::uint32_t ProgramBuilder::constants(const std::vector<double>& values) {
  const auto first = static_cast<std::uint32_t>(constants_.size());
  constants_.insert(constants_.end(), values.begin(), values.end());
  return first;
}

void ProgramBuilder::emit(Op op, std::string text) {
  (starting_ ? start_ : step_).push_back(op);
  (starting_ ? start_text_ : step_text_).push_back({phase_, current_, std::move(text)});
}

void ProgramBuilder::begin_loss() {
  assert(!starting_);
  loss_begin_ = step_.size();
}

void ProgramBuilder::end_loss() { loss_end_ = step_.size(); }

int ProgramBuilder::metric(std::string metric, int parameter, int indexed, int every, bool hidden) {
  const int first = static_cast<int>(metrics_.size());
  const std::string prefix =
      parameter < 0 ? metric : parameters_[static_cast<std::size_t>(parameter)].name + "." + metric;
  for (int i = 0; i < std::max(1, indexed); ++i) {
    MetricColumn c;
    c.name = indexed > 0 ? prefix + "[" + std::to_string(i) + "]" : prefix;
    c.metric = metric;
    c.parameter = parameter;
    c.index = indexed > 0 ? i : -1;
    c.every = every;
    c.hidden = hidden;
    metrics_.push_back(std::move(c));
  }
  return first;
}

// A copy into scratch that nothing else mentions is made for nobody, as of the weight before the step where no metric
// compares the two. Copies that the loss is computed with stay: they may be of its range's ends.
void ProgramBuilder::drop_dead_copies() {
  std::vector<int> mentions(slots_.size(), 0);
  const auto mention = [&](SlotId slot) {
    if (slot != kNone) ++mentions[slots_[slot].view_of == kNone ? slot : slots_[slot].view_of];
  };
  for (const std::vector<Op>* list : {&start_, &step_})
    for (const Op& op : *list)
      for (const SlotId slot : op.slot) mention(slot);
  std::size_t kept = 0;
  for (std::size_t k = 0; k < step_.size(); ++k) {
    const Op& op = step_[k];
    const bool dead = k >= loss_end_ && op.code == OpCode::copy && slots_[op.slot[1]].role == Role::scratch &&
                      mentions[op.slot[1]] == 1;
    if (dead) {
      slots_[op.slot[1]].meaning += "; not kept here, as nothing reads it";
      for (ParamInfo& p : parameters_)
        if (p.previous == op.slot[1]) p.previous = kNone;
      continue;
    }
    step_[kept] = op;
    std::swap(step_text_[kept], step_text_[k]);
    ++kept;
  }
  step_.resize(kept);
  step_text_.resize(kept);
}

// Layout: by role in the order of the enumeration, declaration order inside a role; every row starts a cache line.
void ProgramBuilder::lay_out(StepProgram& p) const {
  const std::size_t line = kLineBytes / p.scalar_bytes();
  const auto padded = [&](std::uint32_t cols) { return (cols + line - 1) / line * line; };
  p.layout_.resize(slots_.size());
  std::size_t end = 0;
  for (int role = 0; role <= static_cast<int>(Role::metric); ++role) {
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      const SlotInfo& info = slots_[s];
      if (static_cast<int>(info.role) != role || info.view_of != kNone) continue;
      const std::size_t ld = padded(info.cols);
      p.layout_[s] = {static_cast<std::uint32_t>(end), info.rows, info.cols, static_cast<std::uint32_t>(ld)};
      end += ld * info.rows;
    }
    if (role == static_cast<int>(Role::state)) p.persistent_bytes_ = end * p.scalar_bytes();
  }
  p.block_bytes_ = end * p.scalar_bytes();
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    const SlotInfo& info = slots_[s];
    if (info.view_of == kNone) continue;
    const kernels::Slot& whole = p.layout_[info.view_of];
    p.layout_[s] = {whole.offset + info.first_row * whole.ld, info.rows, info.cols, whole.ld};
  }
}

// A record: the metrics, then the weights and gradients that are kept. Returns its scalars.
std::size_t ProgramBuilder::choose_record(StepProgram& p, const RecordOptions& record) const {
  std::size_t record_size = slots_[metric_slot_].cols;
  const auto record_slots = [&](SlotId ParamInfo::*which, bool wanted, std::vector<long>& offsets) {
    for (const ParamInfo& q : parameters_) {
      const std::size_t elements = std::size_t{q.rows} * q.cols;
      const bool keep = wanted && elements <= record.weight_limit;
      offsets.push_back(keep ? static_cast<long>(record_size) : -1);
      if (!keep) continue;
      p.recorded_.push_back(q.*which);
      record_size += elements;
    }
  };
  record_slots(&ParamInfo::weight, true, p.weight_offset_);
  record_slots(&ParamInfo::gradient, record.gradients, p.gradient_offset_);
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const std::size_t elements = std::size_t{parameters_[k].rows} * parameters_[k].cols;
    const bool kept = p.weight_offset_[k] >= 0 && elements <= record.kept_limit;
    p.kept_offset_.push_back(kept ? static_cast<long>(p.kept_size_) : -1);
    if (kept) p.kept_size_ += elements;
  }
  p.view_.recorded_every = 1;
  while (p.kept_size_ / p.view_.recorded_every > record.kept_per_step) p.view_.recorded_every *= 4;
  return record_size;
}

std::shared_ptr<const StepProgram> ProgramBuilder::finish(RecordOptions record) {
  auto program = std::make_shared<StepProgram>();
  StepProgram& p = *program;
  p.precision_ = precision_;
  drop_dead_copies();
  slots_[0].cols = static_cast<std::uint32_t>(std::max<std::size_t>(1, hparams_.size()));
  slots_[metric_slot_].cols = static_cast<std::uint32_t>(std::max<std::size_t>(1, metrics_.size()));
  lay_out(p);
  const std::size_t record_size = choose_record(p, record);

  for (std::vector<Op>* list : {&start_, &step_})
    for (Op& op : *list) op.small = kernels::is_small(op, p.layout_.data());
  p.start_ = std::move(start_);
  p.step_ = std::move(step_);
  p.start_text_ = std::move(start_text_);
  p.step_text_ = std::move(step_text_);
  p.slots_ = std::move(slots_);
  p.constants_ = std::move(constants_);
  p.parameters_ = std::move(parameters_);
  p.hparams_ = std::move(hparams_);
  p.metrics_ = std::move(metrics_);
  p.invariants_ = std::move(invariants_);
  p.theory_ = std::move(theory_);
  p.feeds_ = std::move(feeds_);
  p.loss_begin_ = loss_begin_;
  p.loss_end_ = loss_end_;
  fill_view(p, record_size);
  p.fingerprint_ = fingerprint_of(p);
  return program;
}

// What the kernels see of the program: pointers into its arrays, which move no more.
void ProgramBuilder::fill_view(StepProgram& p, std::size_t record_size) const {
  const std::size_t line = kLineBytes / p.scalar_bytes();
  kernels::Program& v = p.view_;
  v.start = p.start_.data();
  v.start_count = static_cast<std::uint32_t>(p.start_.size());
  v.step = p.step_.data();
  v.step_count = static_cast<std::uint32_t>(p.step_.size());
  v.slots = p.layout_.data();
  v.slot_count = static_cast<std::uint32_t>(p.layout_.size());
  v.constants = p.constants_.data();
  v.constant_count = static_cast<std::uint32_t>(p.constants_.size());
  v.hparam_count = static_cast<std::uint32_t>(p.hparams_.size());
  v.metric_slot = metric_slot_;
  v.recorded = p.recorded_.data();
  v.recorded_count = static_cast<std::uint32_t>(p.recorded_.size());
  v.record_size = static_cast<std::uint32_t>(record_size);
  std::size_t scratch = line;
  for (const std::vector<Op>* list : {&p.start_, &p.step_})
    for (const Op& op : *list) scratch = std::max(scratch, scratch_of(op, p.layout_, line));
  v.scratch_size = static_cast<std::uint32_t>(scratch);
}

// Of everything that the steps and the records depend on; numbers of the runs are not among it.
std::uint64_t ProgramBuilder::fingerprint_of(const StepProgram& p) {
  Fingerprint f;
  f.add(&p.precision_, sizeof p.precision_);
  f.add_items(p.start_);
  f.add_items(p.step_);
  f.add_items(p.layout_);
  f.add_items(p.constants_);
  f.add_items(p.recorded_);
  f.add(&p.view_.recorded_every, sizeof p.view_.recorded_every);
  for (const SlotInfo& s : p.slots_) f.add(s.name);
  for (const MetricColumn& m : p.metrics_) f.add(m.name);
  for (const HparamInfo& h : p.hparams_) f.add(h.setting.name);
  return f.value();
}

Op make_op(OpCode code, std::initializer_list<SlotId> slots, std::initializer_list<HparamId> hparams,
           std::uint32_t constant, std::uint32_t word) {
  assert(slots.size() <= 6 && hparams.size() <= 4);
  Op op;
  op.code = code;
  std::copy(slots.begin(), slots.end(), op.slot);
  std::copy(hparams.begin(), hparams.end(), op.hparam);
  op.constant = constant;
  op.word = word;
  return op;
}

} // namespace polarscope
