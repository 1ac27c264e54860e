#include "engine/optimizer/given_gradients.hpp"

#include "engine/compile.hpp"
#include "engine/optimizer/recipe.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/problem/random.hpp"
#include "kernels/cpu/execute.hpp"

#include <utility>

namespace polarscope {

namespace {

const kernels::CpuExecutor& executor_of(const StepProgram& program) {
  const kernels::CpuExecutors& all = *kernels::cpu_executors(kernels::choose_isa(program.parameters()[0].cols));
  return program.precision() == Precision::f32 ? all.f32 : all.f64;
}

OptimizerSpec changed(OptimizerSpec spec, const std::map<std::string, double>& changes) {
  for (const Setting& setting : hparam_settings(spec))
    if (const auto it = changes.find(setting.name); it != changes.end()) spec.hparams[setting.name] = it->second;
  return spec;
}

std::vector<double> base_row(const StepProgram& program, const OptimizerSpec& spec) {
  RunSpec run;
  run.optimizer = spec;
  return hparam_row(program, run);
}

HostMember member_of(const OptimizerSpec& spec, Precision precision, std::uint32_t rows, std::uint32_t cols) {
  auto program = recipe_program(spec, rows, cols, precision);
  std::vector<double> row = base_row(*program, spec);
  return HostMember(std::move(program), std::move(row), 1);
}

} // namespace

GivenMatrix random_matrix(std::uint64_t seed, std::uint32_t rows, std::uint32_t cols) {
  return {rows, cols, normal_numbers(seed, Stream::start, std::size_t{rows} * cols)};
}

GivenGradients::GivenGradients(const OptimizerSpec& spec, Precision precision, const GivenMatrix& weight,
                               const std::map<std::string, double>& changes)
    : member_(member_of(changed(spec, changes), precision, weight.rows, weight.cols)) {
  const ParamInfo& p = program().parameters()[0];
  weight_ = p.weight;
  gradient_ = p.gradient;
  member_.write(weight_, weight.values);
  executor_of(program()).start(program().view(), member_.member(), member_.scratch());
}

bool GivenGradients::step(const GivenMatrix& gradient) {
  member_.write(gradient_, gradient.values);
  const auto made = executor_of(program()).advance(program().view(), member_.member(), 1, member_.scratch());
  return made == 1 && member_.member().status == kernels::MemberStatus::ok;
}

GivenMatrix GivenGradients::weight() const {
  const ParamInfo& p = program().parameters()[0];
  return {p.rows, p.cols, member_.read(weight_)};
}

double GivenGradients::violation(std::size_t k) const {
  const auto slab = member_.read(static_cast<SlotId>(program().view().metric_slot));
  return slab.at(static_cast<std::size_t>(program().invariants().at(k).column));
}

} // namespace polarscope
