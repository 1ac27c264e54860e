#include "tests/support/optimizer_rig.hpp"

#include "engine/optimizer/recipe.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/scene.hpp"
#include "kernels/cpu/execute.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <memory>

namespace polarscope::test {

namespace {

const kernels::CpuExecutor& executor(Precision precision) {
  const kernels::CpuExecutors* all = kernels::cpu_executors("v3");
  if (!all) all = kernels::cpu_executors("v2");
  if (!all) all = kernels::cpu_executors("base");
  assert(all);
  return precision == Precision::f32 ? all->f32 : all->f64;
}

} // namespace

OptimizerSpec preset_spec(const std::string& name) {
  const auto spec = load_optimizer(name);
  INFO((spec.ok() ? name : spec.error().text()));
  REQUIRE(spec.ok());
  return *spec;
}

std::shared_ptr<const StepProgram> program_for(const OptimizerSpec& spec, std::uint32_t rows, std::uint32_t cols,
                                               Precision precision, long steps, Invariance invariance) {
  const auto checked = check_optimizer(spec);
  INFO((checked.ok() ? "" : checked.error().text()));
  REQUIRE(checked.ok());
  return recipe_program(spec, rows, cols, precision, steps, invariance);
}

std::vector<double> hparams_of(const StepProgram& program, const OptimizerSpec& spec) {
  RunSpec run;
  run.optimizer = spec;
  return hparam_row(program, run);
}

ProgramRig::ProgramRig(std::shared_ptr<const StepProgram> program, std::vector<double> hparams, std::uint64_t seed)
    : member_(std::make_unique<HostMember>(std::move(program), std::move(hparams), seed)) {}

SlotId ProgramRig::slot(const std::string& name) const {
  const SlotId id = program().find_slot(name);
  CAPTURE(name);
  REQUIRE(id != kNone);
  return id;
}

std::vector<double> ProgramRig::read(const std::string& name) const { return member_->read(slot(name)); }

void ProgramRig::write(const std::string& name, const std::vector<double>& values) {
  const SlotInfo& s = program().slots()[slot(name)];
  REQUIRE(values.size() == std::size_t{s.rows} * s.cols);
  member_->write(slot(name), values);
}

void ProgramRig::load(const InitialContents& contents) {
  for (const auto& [slot, values] : contents.slots) write(program().slots()[slot].name, values);
}

void ProgramRig::set_hparam(const std::string& name, double value) {
  const int column = program().find_hparam(name);
  CAPTURE(name);
  REQUIRE(column >= 0);
  member_->set_hparam(static_cast<std::size_t>(column), value);
}

double ProgramRig::hparam(const std::string& name) const {
  const int column = program().find_hparam(name);
  CAPTURE(name);
  REQUIRE(column >= 0);
  return member_->read(0).at(static_cast<std::size_t>(column));
}

void ProgramRig::start() {
  executor(program().precision()).start(program().view(), member_->member(), member_->scratch());
}

bool ProgramRig::step() {
  const auto made = executor(program().precision()).advance(program().view(), member_->member(), 1, member_->scratch());
  watch();
  return made == 1 && member_->member().status == kernels::MemberStatus::ok;
}

bool ProgramRig::step(const std::vector<double>& gradient) {
  write("W.gradient", gradient);
  return step();
}

void ProgramRig::watch() {
  const std::vector<double> slab = member_->read(static_cast<SlotId>(program().view().metric_slot));
  for (const InvariantColumn& promise : program().invariants())
    if (const double violation = slab.at(static_cast<std::size_t>(promise.column)); !std::isnan(violation))
      worst_promise_ = std::max(worst_promise_, violation / promise.tolerance);
}

double ProgramRig::metric(const std::string& column) const {
  const int index = program().find_metric(column);
  CAPTURE(column);
  REQUIRE(index >= 0);
  return member_->read(static_cast<SlotId>(program().view().metric_slot)).at(static_cast<std::size_t>(index));
}

} // namespace polarscope::test
