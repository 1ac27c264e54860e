#include "engine/conform_cases.hpp"

#include "engine/compile.hpp"
#include "engine/metric/metric.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/problem/problem.hpp"
#include "engine/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace polarscope {

namespace {

// A problem with noise and every metric, under plain descent.
std::shared_ptr<const StepProgram> plain_descent(const Problem& problem, const ProblemValues& values,
                                                 Precision precision) {
  ProgramBuilder build(precision);
  const HparamId lr = build.hparam(log_number("lr", 0.05, 0, 1e6, "Learning rate."), "direction");
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
    build.emit(make_op(OpCode::check_finite, {p.weight}, {}, 0, build.loss_column()),
               "stop when the loss or W is not finite");
  return build.finish();
}

// A way to set a problem's keys.
struct ProblemVariant {
  std::string name;
  ProblemValues values;
};

// The words and truth values of a setting.
std::vector<SettingValue> choices(const Setting& s) {
  std::vector<SettingValue> values;
  for (const SettingWord& w : s.words) values.emplace_back(w.word);
  if (s.kind == SettingKind::boolean) values = {SettingValue(false), SettingValue(true)};
  return values;
}

// At its defaults; at an odd shape with the last of all words and truth values; and so with each other choice of each key
// that no earlier problem has shown: networks share theirs.
std::vector<ProblemVariant> problem_variants(const Problem& problem, std::set<std::string>& shown) {
  const std::map<std::string, long> odd = {{"rows", 19},  {"cols", 5},  {"samples", 33}, {"dim", 7},    {"layers", 2},
                                           {"width", 11}, {"batch", 9}, {"batches", 3},  {"inputs", 7}, {"outputs", 5},
                                           {"hidden", 9}, {"rank", 3},  {"expansion", 2}};
  std::vector<ProblemVariant> all = {{"plain descent", {}}, {"other words and shape, plain descent", {}}};
  for (const Setting& key : problem.keys) {
    const SettingValue usual = key.name == "noise" ? SettingValue(0.05) : key.value;
    all[0].values.values[key.name] = usual;
    const std::vector<SettingValue> list = choices(key);
    const auto it = odd.find(key.name);
    all[1].values.values[key.name] = it != odd.end() ? SettingValue(it->second) : list.empty() ? usual : list.back();
  }
  for (const Setting& key : problem.keys)
    for (const SettingValue& choice : choices(key)) {
      if (choice == all[1].values.values.at(key.name)) continue;
      const std::string what = fmt::format("{} = {}", key.name, to_text(choice));
      if (!shown.insert(what).second) continue;
      ProblemVariant v{what + ", plain descent", all[1].values};
      v.values.values[key.name] = choice;
      all.push_back(std::move(v));
    }
  if (problem.from_trace)
    for (ProblemVariant& v : all) v.values.trace = example_trace();
  return all;
}

ConformCase plain_descent_case(const Problem& problem, const ProblemVariant& variant) {
  const ProblemValues& values = variant.values;
  ConformCase c;
  c.name = problem.kind + ", " + variant.name;
  c.f32 = plain_descent(problem, values, Precision::f32);
  c.f64 = plain_descent(problem, values, Precision::f64);
  c.hparams = {0.05};
  const auto add = [&](const std::map<std::string, SlotContents>& named) {
    for (const auto& [name, contents] : named) c.contents.emplace_back(c.f64->find_slot(name), contents);
  };
  if (problem.data) add(problem.data(values, c.seed));
  add(problem.start(values, c.seed));
  for (const FeedInfo& f : c.f64->feeds())
    c.contents.emplace_back(f.slot, *values.trace->gradients(static_cast<std::size_t>(f.parameter), 0, f.steps));
  return c;
}

bool has_key(const Problem& problem, const char* name) {
  return std::any_of(problem.keys.begin(), problem.keys.end(), [&](const Setting& s) { return s.name == name; });
}

// A scene of one run with noise, a schedule and every metric at every step.
std::string scene_text(const Problem& problem, const std::string& preset, const std::string& schedule) {
  std::string text =
      fmt::format("[scene]\ntitle = \"conform\"\nseed = 5\nsteps = 40\n[problem]\nkind = \"{}\"\n", problem.kind);
  if (has_key(problem, "noise")) text += "noise = 0.05\n";
  text += fmt::format("[[run]]\nlabel = \"run\"\noptimizer = \"{}\"\nschedule.lr = {}\n[metrics]\n", preset, schedule);
  for (const Metric& m : metrics())
    if (m.name != "loss") text += fmt::format("{} = {{ every = 1 }}\n", m.name);
  return text;
}

// A loss that does not see a length gives it a gradient of rounding, of which Adam or a sign makes whole steps: recipes
// that learn lengths are run where these count.
void use_sized_problem(Scene& scene, std::string& name) {
  const auto program = compile(scene, scene.runs[0]);
  if (!program) return;
  constexpr OpCode kLearnLengths[] = {OpCode::sign_step, OpCode::gain_adam, OpCode::row_magnitude_split};
  if (std::none_of(std::begin(kLearnLengths), std::end(kLearnLengths),
                   [&](OpCode code) { return has_op(**program, code); }))
    return;
  if ((*program)->parameters()[0].invariance == Invariance::none) return;
  const std::string before = scene.problem;
  scene.problem = before == "circle" ? "quadratic" : "scaled_linear";
  std::erase_if(scene.problem_values.values, // a shape stays
                [](const auto& entry) { return entry.first != "rows" && entry.first != "cols"; });
  name = scene.problem + name.substr(std::min(name.size(), before.size()));
}

// One recipe on one problem in both precisions; nothing when the two do not go together.
std::vector<ConformCase> compiled_case(Scene scene, std::string name) {
  use_sized_problem(scene, name);
  ConformCase c;
  c.name = std::move(name);
  c.seed = scene.seed;
  for (const Precision precision : {Precision::f32, Precision::f64}) {
    scene.precision = precision;
    auto program = compile(scene, scene.runs[0]);
    if (!program) return {};
    (precision == Precision::f32 ? c.f32 : c.f64) = *program;
  }
  c.hparams = hparam_row(*c.f64, scene.runs[0]);
  auto contents = initial_contents(scene, scene.runs[0], *c.f64);
  if (!contents) return {};
  c.contents = std::move(contents->slots);
  return {c};
}

// The recipe with every choice of every option of its stages that no earlier recipe has shown; and with a decay that
// decays.
void add_variants(const Scene& scene, const std::string& preset, std::set<std::string>& shown,
                  std::vector<ConformCase>& cases) {
  for (const StageLink& link : stage_links(scene.runs[0].optimizer)) {
    for (const Setting& option : link.stage->options)
      for (const SettingValue& value : choices(option)) {
        const std::string what = fmt::format("{} {} = {}", link.stage->kind, option.name, to_text(value));
        if (!shown.insert(what).second) continue;
        Scene variant = scene;
        variant.runs[0].optimizer.chain(link.part)[link.index].options[option.name] = value;
        if (option.name == "split") variant.problem_values.values = {{"rows", 12l}, {"cols", 4l}}; // there are blocks
        for (ConformCase& c : compiled_case(std::move(variant), fmt::format("rows, {} with {}", preset, what)))
          cases.push_back(std::move(c));
      }
  }
  for (const Stage& stage : stages()) {
    if (stage.part != Part::decay || !shown.insert("decay " + stage.kind).second) continue;
    Scene variant = scene;
    variant.runs[0].optimizer.chain(Part::decay) = {{stage.kind, {}, {}}};
    if (stage.kind != "none") variant.runs[0].hparams["weight_decay"] = 0.1;
    for (ConformCase& c : compiled_case(std::move(variant), fmt::format("rows, {} with decay {}", preset, stage.kind)))
      cases.push_back(std::move(c));
  }
}

} // namespace

std::unique_ptr<HostMember> ConformCase::member(Precision precision) const {
  auto m = std::make_unique<HostMember>(program(precision), hparams, seed);
  for (const auto& [slot, values] : contents) m->write(slot, values);
  return m;
}

std::vector<ConformCase> conform_cases() {
  static constexpr const char* kSchedules[] = {"{ kind = \"wsd\", warmup = 3, cooldown = 0.2 }",
                                               "{ kind = \"cosine\", warmup = 2 }", "{ kind = \"linear\" }",
                                               "{ kind = \"inverse_power\" }", "{ kind = \"constant\", warmup = 0.1 }"};
  std::vector<ConformCase> cases;
  std::set<std::string> keys_shown;
  for (const Problem& problem : problems())
    for (const ProblemVariant& variant : problem_variants(problem, keys_shown))
      cases.push_back(plain_descent_case(problem, variant));
  // Every preset on a vector and on a matrix, each with another schedule; every choice of every stage once, on the matrix.
  std::size_t k = 0;
  std::set<std::string> shown;
  for (const std::string& preset : preset_names())
    for (const char* kind : {"circle", "rows"}) {
      const Problem* problem = find_problem(kind);
      if (!problem) continue;
      const auto scene =
          parse_scene(scene_text(*problem, preset, kSchedules[k++ % std::size(kSchedules)]), "conform.toml");
      if (!scene) continue;
      for (ConformCase& c : compiled_case(*scene, fmt::format("{}, {}", kind, preset))) cases.push_back(std::move(c));
      if (problem->kind == "rows") add_variants(*scene, preset, shown, cases);
    }
  return cases;
}

double cancelled_size(const Op& op, const HostMember& before) {
  switch (op.code) {
  case OpCode::gain_gradients:
  case OpCode::row_magnitude_split:
  case OpCode::tangent:
  case OpCode::remove_along:
  case OpCode::project_radial:
  case OpCode::centre_slices: break;
  default: return 0;
  }
  double size = 0;
  for (const SlotId slot : op.slot)
    if (slot != kNone)
      for (const double x : before.read(slot)) size = std::max(size, std::isfinite(x) ? std::fabs(x) : 0.0);
  return size;
}

bool has_op(const StepProgram& program, OpCode code) {
  return std::any_of(program.step_ops().begin(), program.step_ops().end(),
                     [&](const Op& op) { return op.code == code; });
}

const char* op_name(OpCode code) {
  static constexpr const char* kNames[] = {
#define POLARSCOPE_OP(name, slots, flops, doc) #name,
#include "kernels/ops.def"
#undef POLARSCOPE_OP
  };
  return kNames[static_cast<std::size_t>(code)];
}

} // namespace polarscope
