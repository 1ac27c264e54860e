#include "engine/conform_cases.hpp"

#include "engine/metric/metric.hpp"
#include "engine/problem/problem.hpp"

#include <map>

namespace polarscope {

namespace {

// A problem with noise and every metric, under plain descent.
std::shared_ptr<const StepProgram> plain_descent(const Problem& problem, const ProblemValues& values,
                                                 Precision precision) {
  ProgramBuilder build(precision);
  const HparamId lr = build.hparam(log_number("lr", 0.05, 0, 1e6, "Learning rate."), 0.05, "direction");
  problem.emit(values, build);
  std::vector<UpdateInfo> updates;
  for (std::size_t k = 0; k < build.parameters().size(); ++k) {
    const ParamInfo p = build.parameters()[k];
    build.set_phase(Phase::apply);
    build.set_parameter(static_cast<int>(k));
    build.emit(make_op(OpCode::copy, {p.weight, p.previous}), "W₋ ← W");
    build.emit(make_op(OpCode::apply_update, {p.weight, p.gradient}, {lr}), "W ← W − η G");
    updates.push_back({lr, p.gradient, kNone, false});
  }
  std::map<std::string, int> every; // also those that are off by default
  for (const Metric& m : metrics()) every[m.name] = 1;
  emit_metrics(build, every, updates);
  for (const ParamInfo& p : build.parameters())
    build.emit(make_op(OpCode::check_finite, {p.weight}), "stop when the loss or W is not finite");
  return build.finish();
}

// At its defaults, or as another case of the same problem: the last of each list of words, and a tall odd shape.
ConformCase plain_descent_case(const Problem& problem, bool other) {
  const std::map<std::string, long> other_shape = {{"rows", 19}, {"cols", 5}, {"samples", 33}, {"dim", 7}};
  ProblemValues values;
  for (const Setting& key : problem.keys) {
    SettingValue& value = values.values[key.name];
    value = key.name == "noise" ? SettingValue(0.05) : key.value;
    if (!other) continue;
    if (key.kind == SettingKind::word) value = key.words.back().word;
    if (const auto it = other_shape.find(key.name); it != other_shape.end()) value = it->second;
  }
  ConformCase c;
  c.name = problem.kind + (other ? ", other words and shape, plain descent" : ", plain descent");
  c.f32 = plain_descent(problem, values, Precision::f32);
  c.f64 = plain_descent(problem, values, Precision::f64);
  c.hparams = {0.05};
  const auto add = [&](const std::map<std::string, SlotContents>& named) {
    for (const auto& [name, contents] : named) c.contents.emplace_back(c.f64->find_slot(name), contents);
  };
  if (problem.data) add(problem.data(values, c.seed));
  add(problem.start(values, c.seed));
  return c;
}

} // namespace

std::unique_ptr<HostMember> ConformCase::member(Precision precision) const {
  auto m = std::make_unique<HostMember>(program(precision), hparams, seed);
  for (const auto& [slot, values] : contents) m->write(slot, values);
  return m;
}

std::vector<ConformCase> conform_cases() {
  std::vector<ConformCase> cases;
  for (const Problem& problem : problems())
    for (const bool other : {false, true}) cases.push_back(plain_descent_case(problem, other));
  return cases;
}

const char* op_name(OpCode code) {
  static constexpr const char* kNames[] = {
#define POLARSCOPE_OP(name, slots, doc) #name,
#include "kernels/ops.def"
#undef POLARSCOPE_OP
  };
  return kNames[static_cast<std::size_t>(code)];
}

} // namespace polarscope
