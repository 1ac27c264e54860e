#include "tests/support/rig.hpp"

#include "engine/trace.hpp"

#include "kernels/cpu/execute.hpp"

#include <cassert>
#include <utility>

namespace polarscope::test {

namespace {

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
  if (problem.from_trace) out.trace = example_trace();
  return out;
}

Rig::Rig(const std::string& kind, const std::map<std::string, SettingValue>& values, std::uint64_t seed,
         const RigOptions& options) {
  const Problem* problem = find_problem(kind);
  assert(problem);
  const ProblemValues resolved = problem_values(*problem, values);
  ProgramBuilder build(options.precision);
  const HparamId lr = build.hparam(log_number("lr", 0.1, 0, 1e6, "Learning rate."), "direction");
  problem->emit(resolved, build);
  gradient_end_ = build.step_size();
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
    build.emit(make_op(OpCode::check_finite, {p.weight}, {}, 0, build.loss_column()),
               "stop when the loss or W is not finite");
  program_ = build.finish();

  member_ = std::make_unique<HostMember>(program_, std::vector<double>{options.lr}, seed);
  if (problem->data)
    for (const auto& [slot, contents] : problem->data(resolved, seed)) write(slot, contents);
  for (const auto& [parameter, contents] : problem->start(resolved, seed)) write(parameter, contents);
}

std::vector<double> Rig::read(const std::string& slot) const {
  assert(program_->find_slot(slot) != kNone);
  return member_->read(program_->find_slot(slot));
}

void Rig::write(const std::string& slot, const std::vector<double>& values) {
  assert(program_->find_slot(slot) != kNone);
  member_->write(program_->find_slot(slot), values);
}

void Rig::start() { executor(program_->precision()).start(program_->view(), member_->member(), member_->scratch()); }

bool Rig::step(long n) {
  const auto wanted = static_cast<std::uint64_t>(n);
  return executor(program_->precision()).advance(program_->view(), member_->member(), wanted, member_->scratch()) ==
             wanted &&
         !diverged();
}

void Rig::gradient() {
  executor(program_->precision())
      .run_range(program_->view(), member_->member(), 0, static_cast<std::uint32_t>(gradient_end_), member_->scratch());
}

double Rig::loss() {
  const auto [first, last] = program_->loss_ops();
  executor(program_->precision())
      .run_range(program_->view(), member_->member(), static_cast<std::uint32_t>(first),
                 static_cast<std::uint32_t>(last), member_->scratch());
  return metric("loss");
}

void Rig::run_op(OpCode code) {
  const auto& ops = program_->step_ops();
  for (std::uint32_t k = 0; k < ops.size(); ++k) {
    if (ops[k].code != code) continue;
    kernels::OpRange range;
    range.first = k;
    range.last = k + 1;
    range.fresh = false;
    executor(program_->precision()).run_ops(program_->view(), member_->member(), range, member_->scratch());
  }
}

double Rig::metric(const std::string& column) const {
  const int index = program_->find_metric(column);
  assert(index >= 0);
  return member_->read(static_cast<SlotId>(program_->view().metric_slot))[static_cast<std::size_t>(index)];
}

} // namespace polarscope::test
