#include "engine/optimizer/recipe.hpp"

#include "engine/optimizer/stage.hpp"
#include "engine/optimizer/theory_lines.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace polarscope {

namespace {

// Writes one parameter's part of the step: the hooks of its stages in the order start, enter, emit, leave.
class ParameterWriter {
public:
  ParameterWriter(ProgramBuilder& build, int parameter, const OptimizerSpec& spec, HparamId lr)
      : build_(build), spec_(spec), parameter_(parameter), lr_(lr) {
    const ParamInfo p = build.parameter(parameter);
    rows_ = p.rows;
    cols_ = p.cols;
    weight_ = p.weight;
    gradient_ = p.gradient;
    build.set_parameter(parameter);
    update_ = build.slot(p.name + ".update", Role::scratch, p.rows, p.cols, "update U of W ← W − η U", parameter);
  }

  UpdateInfo write() {
    build_.set_starting(true);
    for (const Part part : kRecipeParts) call(part, &Stage::start, phase_of(part));
    build_.set_starting(false);

    const ParamInfo p = build_.parameter(parameter_);
    build_.set_phase(Phase::gradient);
    build_.emit(make_op(OpCode::copy, {p.weight, p.previous}), "W₋ ← W");
    // What reparametrises comes first, so that decay and direction see the inner weight.
    call(Part::magnitude, &Stage::enter, Phase::gradient);
    call(Part::decay, &Stage::enter, Phase::clip);
    for (const Part part : kRecipeParts) call(part, &Stage::emit, phase_of(part));
    const SlotId trained = weight_;
    for (const Part part : {Part::decay, Part::magnitude}) call(part, &Stage::leave, Phase::retract);

    UpdateInfo info;
    info.lr = lr_;
    info.update = update_;
    info.trained = trained == p.weight ? kNone : trained;
    for (TheoryLine& line : theory_lines(p, motion(), constant_rate(spec_))) build_.theory(std::move(line));
    info.own_size = std::any_of(kRecipeParts.begin(), kRecipeParts.end(),
                                [&](Part part) { return stage_of(spec_, part).own_size; });
    return info;
  }

private:
  static Phase phase_of(Part part) {
    switch (part) {
    case Part::direction: return Phase::direction;
    case Part::geometry: return Phase::geometry;
    case Part::magnitude: return Phase::magnitude;
    case Part::decay: return Phase::apply;
    case Part::schedule: return Phase::schedule;
    }
    return Phase::direction;
  }

  StageContext context_of(Part part) {
    return {build_, parameter_, rows_, cols_, weight_, gradient_, update_, lr_, spec_, spec_.part(part), &stage_of(spec_, part), shared_};
  }

  Motion motion() {
    Motion m;
    for (const Part part : kRecipeParts)
      if (const Stage& stage = stage_of(spec_, part); stage.motion) stage.motion(context_of(part), m);
    return m;
  }

  void call(Part part, void (*Stage::*hook)(StageContext&), Phase phase) {
    const Stage& stage = stage_of(spec_, part);
    if (!(stage.*hook)) return;
    build_.set_phase(phase);
    StageContext context = context_of(part);
    (stage.*hook)(context);
    weight_ = context.weight;
    gradient_ = context.gradient;
    update_ = context.update;
    shared_ = std::move(context.shared);
  }

  ProgramBuilder& build_;
  const OptimizerSpec& spec_;
  int parameter_;
  HparamId lr_;
  std::uint32_t rows_, cols_;
  SlotId weight_, gradient_, update_;
  std::map<std::string, SlotId> shared_;
};

} // namespace

HparamId write_schedules(ProgramBuilder& build, const OptimizerSpec& spec, long steps) {
  build.set_phase(Phase::schedule);
  HparamId lr = kNone;
  for (const Part part : kRecipeParts)
    for (const Setting& setting : stage_of(spec, part).hparams) {
      const bool is_rate = setting.name == "lr";
      const auto schedule = spec.schedules.find(setting.name);
      if (!is_rate && schedule == spec.schedules.end()) continue;
      const HparamId column = build.hparam(setting, part_name(part));
      if (is_rate) lr = column;
      if (schedule == spec.schedules.end()) continue;
      for (const bool starting : {true, false}) {
        build.set_starting(starting);
        emit_schedule(build, column, setting.name, schedule->second, steps);
      }
      build.set_starting(false);
    }
  return lr;
}

std::vector<UpdateInfo> write_updates(ProgramBuilder& build, const OptimizerSpec& spec, HparamId lr) {
  std::vector<UpdateInfo> updates;
  for (int p = 0; p < static_cast<int>(build.parameters().size()); ++p)
    updates.push_back(ParameterWriter(build, p, spec, lr).write());
  build.set_parameter(-1);
  return updates;
}

void write_finite_checks(ProgramBuilder& build) {
  build.set_phase(Phase::metric);
  for (int p = 0; p < static_cast<int>(build.parameters().size()); ++p) {
    build.set_parameter(p);
    build.emit(make_op(OpCode::check_finite, {build.parameter(p).weight}), "stop when the loss or ‖W‖ is not finite");
  }
  build.set_parameter(-1);
}

} // namespace polarscope
