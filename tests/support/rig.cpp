#include "tests/support/rig.hpp"

#include "kernels/cpu/execute.hpp"

#include <cassert>
#include <cmath>

namespace polarscope::test {

namespace {

std::byte* aligned(std::vector<std::byte>& memory, std::size_t bytes) {
  memory.assign(bytes + 64, std::byte{0});
  void* p = memory.data();
  std::size_t room = memory.size();
  return static_cast<std::byte*>(std::align(64, bytes, p, room));
}

const kernels::CpuExecutor& executor(Precision precision) {
  const kernels::CpuExecutors* all = kernels::cpu_executors("v2");
  if (!all) all = kernels::cpu_executors("base");
  assert(all);
  return precision == Precision::f32 ? all->f32 : all->f64;
}

} // namespace

ProblemValues problem_values(const Problem& problem, const std::map<std::string, SettingValue>& values) {
  ProblemValues out;
  for (const Setting& key : problem.keys) out.values[key.name] = key.value;
  for (const auto& [key, value] : values) {
    assert(out.values.count(key));
    out.values[key] = value;
  }
  return out;
}

Rig::Rig(const std::string& kind, const std::map<std::string, SettingValue>& values, std::uint64_t seed,
         const RigOptions& options) {
  const Problem* problem = find_problem(kind);
  assert(problem);
  const ProblemValues resolved = problem_values(*problem, values);
  ProgramBuilder build(options.precision);
  const HparamId lr = build.hparam(log_number("lr", 0.1, 0, 1e6, "Learning rate."), options.lr, "direction");
  problem->emit(resolved, build);
  const std::size_t gradient_ops = build.step_size();
  std::vector<UpdateInfo> updates;
  for (std::size_t k = 0; k < build.parameters().size(); ++k) {
    const ParamInfo p = build.parameters()[k];
    build.set_phase(Phase::apply);
    build.set_parameter(static_cast<int>(k));
    build.emit(make_op(OpCode::copy, {p.weight, p.previous}), "W₋ ← W");
    build.emit(make_op(OpCode::apply_update, {p.weight, p.gradient}, {lr}), "W ← W − η G");
    updates.push_back({lr, p.gradient, kNone, options.own_size});
  }
  emit_metrics(build, options.every, updates);
  for (const ParamInfo& p : build.parameters())
    build.emit(make_op(OpCode::check_finite, {p.weight}), "stop when the loss or W is not finite");
  program_ = build.finish();
  gradient_end_ = gradient_ops;

  hparams_ = {options.lr};
  block_ = aligned(memory_, program_->block_bytes());
  scratch_ = aligned(scratch_memory_, program_->view().scratch_size * program_->scalar_bytes());
  member_.block = block_;
  member_.hparams = hparams_.data();
  member_.seed = seed;
  if (problem->data)
    for (const auto& [slot, contents] : problem->data(resolved, seed)) write(slot, contents);
  for (const auto& [parameter, contents] : problem->start(resolved, seed)) write(parameter, contents);
}

double Rig::element(std::size_t index) const {
  return program_->precision() == Precision::f32 ? static_cast<double>(reinterpret_cast<const float*>(block_)[index])
                                                 : reinterpret_cast<const double*>(block_)[index];
}

std::vector<double> Rig::read(const std::string& name) const {
  const SlotId id = program_->find_slot(name);
  assert(id != kNone);
  const kernels::Slot& s = program_->layout()[id];
  std::vector<double> out;
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) out.push_back(element(s.offset + i * s.ld + j));
  return out;
}

void Rig::write(const std::string& name, const std::vector<double>& values) {
  const SlotId id = program_->find_slot(name);
  assert(id != kNone);
  const kernels::Slot& s = program_->layout()[id];
  assert(values.size() == std::size_t{s.rows} * s.cols);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) {
      const std::size_t at = s.offset + i * s.ld + j;
      if (program_->precision() == Precision::f32)
        reinterpret_cast<float*>(block_)[at] = static_cast<float>(values[i * s.cols + j]);
      else
        reinterpret_cast<double*>(block_)[at] = values[i * s.cols + j];
    }
}

void Rig::start() { executor(program_->precision()).start(program_->view(), member_, scratch_); }

bool Rig::step(long n) {
  const auto made = executor(program_->precision())
                        .advance(program_->view(), member_, static_cast<std::uint64_t>(n), scratch_);
  return made == static_cast<std::uint64_t>(n) && !diverged();
}

void Rig::run_range(std::size_t first, std::size_t last) {
  executor(program_->precision())
      .run_range(program_->view(), member_, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last), scratch_);
}

void Rig::gradient() { run_range(0, gradient_end_); }

double Rig::loss() {
  const auto [first, last] = program_->loss_ops();
  run_range(first, last);
  return metric("loss");
}

double Rig::metric(const std::string& column) const {
  const int index = program_->find_metric(column);
  assert(index >= 0);
  return element(program_->layout()[program_->view().metric_slot].offset + static_cast<std::size_t>(index));
}

bool Rig::padding_is_zero() const {
  for (const kernels::Slot& s : program_->layout())
    for (std::size_t i = 0; i < s.rows; ++i)
      for (std::size_t j = s.cols; j < s.ld; ++j)
        if (element(s.offset + i * s.ld + j) != 0) return false;
  return true;
}

} // namespace polarscope::test
