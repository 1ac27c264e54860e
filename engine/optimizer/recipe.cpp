#include "engine/optimizer/recipe.hpp"

#include "engine/optimizer/route.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/optimizer/theory_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

namespace polarscope {

namespace {

// Writes one parameter's part of the step: the hooks of its stages in the order start, enter, emit, leave.
class ParameterWriter {
public:
  ParameterWriter(ProgramBuilder& build, int parameter, const OptimizerSpec& spec, HparamId lr, bool states_theory)
      : build_(build), spec_(spec), links_(stage_links(spec)), parameter_(parameter), lr_(lr),
        states_theory_(states_theory) {
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
    for (const StageLink& link : links_) call(link, &Stage::start, phase_of(link.part));
    build_.set_starting(false);

    const ParamInfo p = build_.parameter(parameter_);
    build_.set_phase(Phase::gradient);
    build_.emit(make_op(OpCode::copy, {p.weight, p.previous}), "W₋ ← W");
    // What reparametrises comes first, so that decay and direction see the inner weight.
    call_all(Part::magnitude, &Stage::enter, Phase::gradient);
    call_all(Part::decay, &Stage::enter, Phase::clip);
    write_direction();
    for (const Part part : {Part::geometry, Part::magnitude, Part::decay}) call_all(part, &Stage::emit, phase_of(part));
    const SlotId trained = weight_;
    // What was entered last is left first.
    for (auto link = links_.rbegin(); link != links_.rend(); ++link) call(*link, &Stage::leave, Phase::retract);

    UpdateInfo info;
    info.lr = lr_;
    info.update = update_;
    info.trained = trained == p.weight ? kNone : trained;
    if (states_theory_)
      for (TheoryLine& line : theory_lines(p, motion(), constant_rate(spec_))) build_.theory(std::move(line));
    info.own_size =
        std::any_of(links_.begin(), links_.end(), [](const StageLink& link) { return link.stage->own_size; });
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

  StageContext context_of(const StageLink& link, Phase phase) {
    return {build_, parameter_, rows_,      cols_,      weight_, gradient_,          update_,
            lr_,    spec_,      *link.spec, link.stage, phase,   shared_[link.stage]};
  }

  // What is stated of single stages need not hold of a chain of them: then nothing is stated.
  Motion motion() {
    Motion m;
    for (const StageLink& link : links_) {
      if (spec_.chain(link.part).size() > 1) return {};
      if (link.stage->motion) link.stage->motion(context_of(link, phase_of(link.part)), m);
    }
    return m;
  }

  using Hook = void (*Stage::*)(StageContext&);

  void call_all(Part part, Hook hook, Phase phase) {
    for (const StageLink& link : links_)
      if (link.part == part) call(link, hook, phase);
  }

  // The first link reads the gradient, each further one what the link before wrote; the last writes the update.
  void write_direction() {
    const SlotId gradient = gradient_, update = update_;
    for (const StageLink& link : links_) {
      if (link.part != Part::direction) continue;
      const bool last = link.index + 1 == spec_.chain(Part::direction).size();
      update_ = last ? update
                     : build_.slot(fmt::format("{}.{}_output", build_.parameter(parameter_).name, link.stage->kind),
                                   Role::scratch, rows_, cols_, "what the stage hands to the next one of the direction",
                                   parameter_);
      call(link, &Stage::emit, Phase::direction);
      gradient_ = update_;
    }
    gradient_ = gradient;
  }

  void call(const StageLink& link, Hook hook, Phase phase) {
    if (!(link.stage->*hook)) return;
    build_.set_phase(phase);
    StageContext context = context_of(link, phase);
    (link.stage->*hook)(context);
    weight_ = context.weight;
    gradient_ = context.gradient;
    update_ = context.update;
    shared_[link.stage] = std::move(context.shared);
  }

  ProgramBuilder& build_;
  const OptimizerSpec& spec_;
  const std::vector<StageLink> links_;
  int parameter_;
  HparamId lr_;
  bool states_theory_; // closed forms are written in the run's own hyperparameters
  std::uint32_t rows_, cols_;
  SlotId weight_, gradient_, update_;
  std::map<const Stage*, std::map<std::string, SlotId>> shared_; // each stage's own, from hook to hook
};

} // namespace

HparamId write_schedules(ProgramBuilder& build, const OptimizerSpec& spec, long steps) {
  build.set_phase(Phase::schedule);
  HparamId lr = kNone;
  for (const StageLink& link : stage_links(spec))
    for (const Setting& setting : link.stage->hparams) {
      const bool is_rate = setting.name == "lr";
      const auto schedule = spec.schedules.find(setting.name);
      if (!is_rate && schedule == spec.schedules.end()) continue;
      if (is_rate && lr != kNone) continue;
      const HparamId column = build.hparam(setting, part_name(link.part));
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

namespace {

std::string prefix_of(const RouteSpec* route) { return route ? route->target + "." : ""; }

// A route's recipe with the schedules that hold for it: its own, those that the run gives it by their full names, and for
// its rate that of the run's.
OptimizerSpec scheduled(const OptimizerSpec& spec, const RouteSpec& route) {
  OptimizerSpec recipe = *route.recipe;
  if (const auto rate = spec.schedules.find("lr"); rate != spec.schedules.end()) recipe.schedules.insert(*rate);
  const std::string prefix = prefix_of(&route);
  for (const auto& [name, schedule] : spec.schedules)
    if (name.starts_with(prefix)) recipe.schedules[name.substr(prefix.size())] = schedule;
  return recipe;
}

} // namespace

std::vector<UpdateInfo> write_updates(ProgramBuilder& build, const OptimizerSpec& spec, HparamId lr, long steps) {
  const int count = static_cast<int>(build.parameters().size());
  struct Used {
    OptimizerSpec recipe;
    HparamId lr;
  };
  std::map<const RouteSpec*, Used> used;
  build.set_parameter(-1);
  for (int p = 0; p < count; ++p) {
    const RouteSpec* route = route_of(spec, build.parameter(p));
    if (!route || used.count(route)) continue;
    build.set_hparam_prefix(prefix_of(route));
    OptimizerSpec recipe = scheduled(spec, *route);
    const HparamId rate = write_schedules(build, recipe, steps);
    used.emplace(route, Used{std::move(recipe), rate});
  }
  std::vector<UpdateInfo> updates;
  for (int p = 0; p < count; ++p) {
    const RouteSpec* route = route_of(spec, build.parameter(p));
    build.set_hparam_prefix(prefix_of(route));
    const OptimizerSpec& recipe = route ? used.at(route).recipe : spec;
    updates.push_back(ParameterWriter(build, p, recipe, route ? used.at(route).lr : lr, !route).write());
  }
  build.set_hparam_prefix("");
  build.set_parameter(-1);
  return updates;
}

void write_finite_checks(ProgramBuilder& build) {
  build.set_phase(Phase::metric);
  for (int p = 0; p < static_cast<int>(build.parameters().size()); ++p) {
    build.set_parameter(p);
    build.emit(make_op(OpCode::check_finite, {build.parameter(p).weight}, {}, 0, build.loss_column()),
               "stop when the loss or ‖W‖ is not finite");
  }
  build.set_parameter(-1);
}

std::shared_ptr<const StepProgram> recipe_program(const OptimizerSpec& spec, std::uint32_t rows, std::uint32_t cols,
                                                  Precision precision, long steps, Invariance invariance) {
  ProgramBuilder build(precision);
  const HparamId lr = write_schedules(build, spec, steps);
  build.set_phase(Phase::gradient);
  build.metric("loss", -1, ProgramBuilder::kScalar, 1);
  // There is no loss: 0 in every metric column that nothing else writes.
  build.emit(make_op(OpCode::fill, {build.metric_slot()}, {}, build.constants({0})), "L = 0");
  build.parameter("W", rows, cols, invariance);
  write_updates(build, spec, lr, steps);
  write_finite_checks(build);
  return build.finish();
}

} // namespace polarscope
