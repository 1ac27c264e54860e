#include "tests/support/hand_run.hpp"

#include "engine/compile.hpp"
#include "kernels/cpu/execute.hpp"

#include <cstdio>
#include <cstdlib>

namespace polarscope::test {

namespace {

template <class T> T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().text().c_str());
    std::abort();
  }
  return std::move(*result);
}

const kernels::CpuExecutor& executor(Precision precision) {
  const kernels::CpuExecutors* all = kernels::cpu_executors(kernels::choose_isa(8));
  return precision == Precision::f32 ? all->f32 : all->f64;
}

} // namespace

HandRun::HandRun(const std::string& toml, std::size_t run) {
  const Scene scene = must(parse_scene(toml, "scene.toml"));
  const RunSpec& spec = scene.runs.at(run);
  program_ = must(compile(scene, spec));
  hparams_ = hparam_row(*program_, spec);
  member_ = std::make_unique<HostMember>(program_, hparams_, spec.seed.value_or(scene.seed));
  for (const auto& [slot, values] : must(initial_contents(scene, spec, *program_)).slots) member_->write(slot, values);
  executor(program_->precision()).start(program_->view(), member_->member(), member_->scratch());
}

bool HandRun::step(long n) {
  const auto wanted = static_cast<std::uint64_t>(n);
  return executor(program_->precision()).advance(program_->view(), member_->member(), wanted, member_->scratch()) ==
             wanted &&
         member_->member().status == kernels::MemberStatus::ok;
}

double HandRun::metric(const std::string& column) const {
  return member_->read(static_cast<SlotId>(program_->view().metric_slot))
      .at(static_cast<std::size_t>(program_->find_metric(column)));
}

std::vector<double> HandRun::read(const std::string& slot) const { return member_->read(program_->find_slot(slot)); }

} // namespace polarscope::test
