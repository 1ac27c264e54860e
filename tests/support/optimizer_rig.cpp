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

std::byte* aligned(std::vector<std::byte>& memory, std::size_t bytes) {
  memory.assign(bytes + 64, std::byte{0});
  void* p = memory.data();
  std::size_t room = memory.size();
  return static_cast<std::byte*>(std::align(64, bytes, p, room));
}

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
  ProgramBuilder build(precision);
  const HparamId lr = write_schedules(build, spec, steps);
  build.metric("loss", -1, ProgramBuilder::kScalar, 1);
  // There is no loss: 0 in every metric column that nothing else writes.
  build.emit(make_op(OpCode::fill, {build.metric_slot()}, {}, build.constants({0})), "L = 0");
  build.parameter("W", rows, cols, invariance);
  const auto updates = write_updates(build, spec, lr);
  build.set_phase(Phase::metric);
  write_finite_checks(build);
  return build.finish();
}

std::vector<double> hparams_of(const StepProgram& program, const OptimizerSpec& spec) {
  RunSpec run;
  run.optimizer = spec;
  return hparam_row(program, run);
}

ProgramRig::ProgramRig(std::shared_ptr<const StepProgram> program, std::vector<double> hparams, std::uint64_t seed)
    : program_(std::move(program)), hparams_(std::move(hparams)) {
  block_ = aligned(memory_, program_->block_bytes());
  scratch_ = aligned(scratch_memory_, program_->view().scratch_size * program_->scalar_bytes());
  member_.block = block_;
  member_.hparams = hparams_.data();
  member_.seed = seed;
}

double ProgramRig::element(std::size_t index) const {
  return program_->precision() == Precision::f32 ? static_cast<double>(reinterpret_cast<const float*>(block_)[index])
                                                 : reinterpret_cast<const double*>(block_)[index];
}

void ProgramRig::set_element(std::size_t index, double value) {
  if (program_->precision() == Precision::f32)
    reinterpret_cast<float*>(block_)[index] = static_cast<float>(value);
  else
    reinterpret_cast<double*>(block_)[index] = value;
}

std::vector<double> ProgramRig::read(const std::string& name) const {
  const SlotId id = program_->find_slot(name);
  CAPTURE(name);
  REQUIRE(id != kNone);
  const kernels::Slot& s = program_->layout()[id];
  std::vector<double> out;
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) out.push_back(element(s.offset + i * s.ld + j));
  return out;
}

void ProgramRig::write(const std::string& name, const std::vector<double>& values) {
  const SlotId id = program_->find_slot(name);
  CAPTURE(name);
  REQUIRE(id != kNone);
  const kernels::Slot& s = program_->layout()[id];
  REQUIRE(values.size() == std::size_t{s.rows} * s.cols);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) set_element(s.offset + i * s.ld + j, values[i * s.cols + j]);
}

void ProgramRig::load(const InitialContents& contents) {
  for (const auto& [slot, values] : contents.slots) write(program_->slots()[slot].name, values);
}

void ProgramRig::set_hparam(const std::string& name, double value) {
  const int column = program_->find_hparam(name);
  CAPTURE(name);
  REQUIRE(column >= 0);
  hparams_[static_cast<std::size_t>(column)] = value;
}

double ProgramRig::hparam(const std::string& name) const {
  const int column = program_->find_hparam(name);
  CAPTURE(name);
  REQUIRE(column >= 0);
  return element(program_->layout()[0].offset + static_cast<std::size_t>(column));
}

void ProgramRig::start() { executor(program_->precision()).start(program_->view(), member_, scratch_); }

bool ProgramRig::step() {
  const auto made = executor(program_->precision()).advance(program_->view(), member_, 1, scratch_);
  watch();
  return made == 1 && member_.status == kernels::MemberStatus::ok;
}

bool ProgramRig::step(const std::vector<double>& gradient) {
  write("W.gradient", gradient);
  return step();
}

void ProgramRig::watch() {
  for (const InvariantColumn& promise : program_->invariants()) {
    const double violation = element(program_->layout()[program_->view().metric_slot].offset + static_cast<std::size_t>(promise.column));
    if (!std::isnan(violation)) worst_promise_ = std::max(worst_promise_, violation / promise.tolerance);
  }
}

double ProgramRig::metric(const std::string& column) const {
  const int index = program_->find_metric(column);
  CAPTURE(column);
  REQUIRE(index >= 0);
  return element(program_->layout()[program_->view().metric_slot].offset + static_cast<std::size_t>(index));
}

bool ProgramRig::padding_is_zero() const {
  for (const kernels::Slot& s : program_->layout())
    for (std::size_t i = 0; i < s.rows; ++i)
      for (std::size_t j = s.cols; j < s.ld; ++j)
        if (element(s.offset + i * s.ld + j) != 0) return false;
  return true;
}

} // namespace polarscope::test
