#include "engine/compile.hpp"

#include "engine/metric/metric.hpp"
#include "engine/optimizer/recipe.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/series.hpp"
#include "engine/start_file.hpp"
#include "engine/thread_pool.hpp"
#include "engine/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace polarscope {

namespace {

// Sizes beyond these are refused before anything is allocated. Offsets in a block are 32-bit element counts.
constexpr double kLongestSide = 1 << 20;
constexpr double kMostColumns = 1 << 20;
constexpr double kMostNumbers = 0xFFFFFFFF;

ProblemValues with_defaults(const Problem& problem, ProblemValues values) {
  for (const Setting& key : problem.keys) values.values.emplace(key.name, key.value);
  return values;
}

Result<const Problem*> problem_of(const Scene& scene) {
  if (const Problem* problem = find_problem(scene.problem)) return problem;
  std::vector<std::string> kinds;
  for (const Problem& p : problems()) kinds.push_back(p.kind);
  return bad_input(fmt::format("unknown problem '{}'{}", scene.problem, did_you_mean(scene.problem, kinds)));
}

// The recipe of a run with the run's own numbers in place of the preset's.
OptimizerSpec resolved(const RunSpec& run) {
  OptimizerSpec spec = run.optimizer;
  for (const auto& [name, value] : run.hparams) spec.hparams[name] = value;
  return spec;
}

Result<void> check_sizes(const Problem& problem, const ProblemValues& values) {
  const double elements = problem.elements ? problem.elements(values) : 0;
  if (!(elements <= kMostElements))
    return bad_input(fmt::format("the problem '{}' would need {:.3g} numbers in one matrix; the most is {:.3g}",
                                 problem.kind, elements, kMostElements));
  return {};
}

// After the problem has declared its parameters, before anything is made per row or column.
Result<void> check_shapes(const ProgramBuilder& build) {
  double columns = 0;
  for (const ParamInfo& p : build.parameters()) {
    if (p.rows > kLongestSide || p.cols > kLongestSide)
      return bad_input(
          fmt::format("parameter {} is {} × {}; the longest side is {:.3g}", p.name, p.rows, p.cols, kLongestSide));
    columns += double(p.rows) + p.cols;
  }
  if (columns > kMostColumns)
    return bad_input(fmt::format("the problem has {:.3g} rows and columns; the most is {:.3g}", columns, kMostColumns));
  return {};
}

// A view of the scene must show what the problem has.
Result<void> check_view(const ViewSpec& view, const ProgramBuilder& build) {
  const ParamInfo* shown = nullptr;
  std::vector<std::string> names;
  for (const ParamInfo& p : build.parameters()) {
    names.push_back(p.name);
    if (!shown && (view.parameter.empty() || view.parameter == p.name)) shown = &p;
  }
  if (!shown)
    return bad_input(
        fmt::format("[view]: the problem has no parameter '{}'; it has {}", view.parameter, fmt::join(names, ", ")),
        view.parameter_place);
  const long row = std::max(view.row_i, view.row_j);
  if (view.plane == "rows" && row >= static_cast<long>(shown->rows))
    return bad_input(fmt::format("[view]: {} has no row {}; rows are 0 to {}", shown->name, row, shown->rows - 1),
                     view.rows_place);
  return {};
}

// Guards in the stages, such as 0 for 0/0, would let a weight pass by a recorded gradient that is not finite. Nothing stays
// finite that met one: W ← W (1 + 0 G), to the bit W where G is finite.
void spread_not_finite(ProgramBuilder& build) {
  build.set_phase(Phase::apply);
  for (int k = 0; k < static_cast<int>(build.parameters().size()); ++k) {
    const ParamInfo p = build.parameter(k);
    build.set_parameter(k);
    const SlotId one = build.slot(p.name + ".finite", Role::scratch, p.rows, p.cols,
                                  "1, or NaN where the recorded gradient is not finite", k);
    build.emit(make_op(OpCode::fill, {one}, {}, build.constants({1})), "F ← 1");
    build.emit(make_op(OpCode::add_times, {one, p.gradient, one}, {}, build.constants({0})), "F ← F + 0 G");
    build.emit(make_op(OpCode::times, {p.weight, one, p.weight}), "W ← W ∘ F: not finite where G is not");
  }
  build.set_parameter(-1);
}

Result<std::shared_ptr<const StepProgram>> make_program(const Scene& scene, const OptimizerSpec& spec,
                                                        const RecordOptions& record) {
  const auto problem = problem_of(scene);
  if (!problem) return problem.error();
  if (auto ok = check_optimizer(spec); !ok) return ok.error();
  const ProblemValues values = with_defaults(**problem, scene.problem_values);
  if (auto ok = check_sizes(**problem, values); !ok) return ok.error();
  if (values.trace && scene.steps > values.trace->steps())
    return bad_input(fmt::format("scene.steps is {}, the trace has {} steps", scene.steps, values.trace->steps()));

  ProgramBuilder build(scene.precision);
  const HparamId lr = write_schedules(build, spec, scene.schedule_length());
  build.set_phase(Phase::gradient);
  (*problem)->emit(values, build);
  if (auto ok = check_shapes(build); !ok) return ok.error();
  if (auto ok = check_view(scene.view, build); !ok) return ok.error();
  if (auto ok = check_routes_used(spec, build.parameters()); !ok) return ok.error();

  const std::vector<UpdateInfo> updates = write_updates(build, spec, lr, scene.schedule_length());
  if ((*problem)->from_trace) spread_not_finite(build);
  emit_metrics(build, scene.metric_every, updates);
  write_finite_checks(build);
  auto program = build.finish(record);
  const double numbers = double(program->block_bytes()) / double(program->scalar_bytes());
  if (numbers > kMostNumbers)
    return bad_input(fmt::format("one run would need {:.3g} numbers; the most is {:.3g}", numbers, kMostNumbers));
  return program;
}

// Every other value that an option has, as far as there are few.
std::vector<SettingValue> other_values(const Setting& option) {
  std::vector<SettingValue> out;
  if (option.kind == SettingKind::boolean) out = {SettingValue(true), SettingValue(false)};
  for (const SettingWord& word : option.words) out.push_back(SettingValue(word.word));
  return out;
}

// The options that would make the recipe use a hyperparameter, by trying them: "magnitude.gains = rows or full".
std::string options_that_use(const std::string& hparam, const Scene& scene, const OptimizerSpec& spec) {
  std::vector<std::string> out;
  for (const StageLink& link : stage_links(spec)) {
    for (const Setting& option : link.stage->options) {
      std::vector<std::string> uses;
      for (const SettingValue& value : other_values(option)) {
        OptimizerSpec other = spec;
        other.chain(link.part)[link.index].options[option.name] = value;
        const auto program = make_program(scene, other, {});
        if (program && (*program)->find_hparam(hparam) >= 0) uses.push_back(to_text(value));
      }
      if (!uses.empty())
        out.push_back(fmt::format("{}.{} = {}", part_name(link.part), option.name, fmt::join(uses, " or ")));
    }
  }
  return fmt::format("{}", fmt::join(out, ", or "));
}

// A number that a run gives and its recipe does not use would change nothing, silently.
Result<void> check_hparams_used(const Scene& scene, const RunSpec& run, const OptimizerSpec& spec,
                                const StepProgram& program) {
  std::map<std::string, Place> given = run.optimizer.inline_hparams;
  for (const auto& [name, value] : run.hparams) {
    const auto place = run.hparam_places.find(name);
    given[name] = place == run.hparam_places.end() ? run.place : place->second;
  }
  for (const auto& [name, place] : given) {
    if (program.find_hparam(name) >= 0) continue;
    const std::string remedy = options_that_use(name, scene, spec);
    return bad_input(fmt::format("run '{}' does not use '{}'{}{}", run.label, name,
                                 remedy.empty() ? "" : "; it is used with ", remedy),
                     place);
  }
  return {};
}

} // namespace

Result<std::shared_ptr<const StepProgram>> compile(const Scene& scene, const RunSpec& run,
                                                   const CompileOptions& options) {
  const OptimizerSpec spec = resolved(run);
  auto program = make_program(scene, spec, options.record);
  if (!program) return program;
  if (auto ok = check_hparams_used(scene, run, spec, **program); !ok) return ok.error();
  return program;
}

bool uses_hparam(const Scene& scene, const RunSpec& run, std::string_view name) {
  const auto program = make_program(scene, resolved(run), {});
  return program && (*program)->find_hparam(name) >= 0;
}

std::vector<double> hparam_row(const StepProgram& program, const RunSpec& run) {
  std::vector<double> row;
  for (const HparamInfo& h : program.hparams()) {
    const auto own = run.hparams.find(h.setting.name);
    row.push_back(own != run.hparams.end() ? own->second : run.optimizer.value_of(h.setting));
  }
  return row;
}

namespace {

double frobenius(const SlotContents& values) {
  double largest = 0;
  for (const double v : values) largest = std::max(largest, std::abs(v));
  if (largest == 0) return 0;
  double sum = 0;
  for (const double v : values) sum += (v / largest) * (v / largest);
  return largest * std::sqrt(sum);
}

// One parameter's start: the problem's own weight, replaced or rescaled as the scene says.
Result<SlotContents> start_weight(const ParamInfo& p, const StartSpec& start, const Problem& problem,
                                  const ProblemValues& values, const std::string& scene_path, SlotContents weight) {
  const std::size_t elements = std::size_t{p.rows} * p.cols;
  if (!start.keys.empty()) {
    if (!problem.start_from_keys)
      return bad_input(fmt::format("the problem '{}' has no start key '{}'", problem.kind, start.keys.begin()->first),
                       start.place);
    auto made = problem.start_from_keys(values, start.keys);
    const auto it = made.find(p.name);
    if (it != made.end()) weight = std::move(it->second);
  }
  if (!start.point.empty()) {
    if (start.point.size() != elements)
      return bad_input(
          fmt::format("start.point has {} numbers; {} is {} × {}", start.point.size(), p.name, p.rows, p.cols),
          start.place);
    weight = start.point;
  }
  if (!start.file.empty()) {
    auto read = read_start_file(start.file, scene_path, p, start.place);
    if (!read) return read.error();
    weight = std::move(*read);
  }
  if (start.norm) {
    const double norm = frobenius(weight);
    if (norm == 0)
      return bad_input(fmt::format("start.norm: the start weight {} is zero and has no direction", p.name),
                       start.place);
    for (double& v : weight) v *= *start.norm / norm;
  }
  for (const double v : weight)
    if (!std::isfinite(v)) return bad_input(fmt::format("the start weight {} is not finite", p.name), start.place);
  return weight;
}

} // namespace

Result<InitialContents> initial_contents(const Scene& scene, const RunSpec& run, const StepProgram& program) {
  const auto found = problem_of(scene);
  if (!found) return found.error();
  const Problem& problem = **found;
  const ProblemValues values = with_defaults(problem, scene.problem_values);
  const std::uint64_t seed = run.seed.value_or(scene.seed);

  for (const auto& [name, spec] : run.start.parameters) {
    const auto& all = program.parameters();
    if (std::none_of(all.begin(), all.end(), [&name = name](const ParamInfo& p) { return p.name == name; })) // clang 14
      return bad_input(fmt::format("start: the problem '{}' has no parameter '{}'", problem.kind, name), spec.place);
  }
  InitialContents contents;
  if (problem.data)
    for (auto& [name, value] : problem.data(values, seed))
      if (const SlotId slot = program.find_slot(name); slot != kNone)
        contents.slots.emplace_back(slot, std::move(value));
  auto weights = problem.start(values, seed);
  for (const ParamInfo& p : program.parameters()) {
    const auto own = run.start.parameters.find(p.name);
    const StartSpec& start = own == run.start.parameters.end() ? run.start : own->second;
    auto weight = start_weight(p, start, problem, values, scene.path, std::move(weights[p.name]));
    if (!weight) return weight.error();
    contents.slots.emplace_back(p.weight, std::move(*weight));
  }
  return contents;
}

namespace {

// Of one run: its block, the records of a burst, the contents of its start and reference as doubles, what thinning leaves
// of its series, and keyframes, of which the first and the last always stay while one more is made.
double run_bytes(const StepProgram& program, long steps) {
  constexpr long kBurst = 64;
  constexpr double kKeyframes = 3;
  const double record = static_cast<double>(program.record_size() * program.scalar_bytes());
  const auto records = static_cast<double>(std::min(kBurst, longest_burst(program)));
  double numbers = 0;
  for (const SlotInfo& s : program.slots())
    if (s.role == Role::data) numbers += double(s.rows) * s.cols;
  for (const ParamInfo& p : program.parameters()) numbers += (p.reference == kNone ? 2.0 : 3.0) * p.rows * p.cols;
  return static_cast<double>(program.block_bytes()) + records * record + sizeof(double) * numbers +
         RunSeries::least_bytes(program, steps) + kKeyframes * static_cast<double>(program.persistent_bytes());
}

} // namespace

long longest_burst(const StepProgram& program) {
  constexpr std::size_t kRecordBytes = std::size_t{1} << 20;
  return static_cast<long>(kRecordBytes / (program.record_size() * program.scalar_bytes())) + 1;
}

double memory_estimate(const std::vector<std::shared_ptr<const StepProgram>>& runs, long steps, int threads) {
  if (threads <= 0) threads = all_cores();
  double bytes = 0;
  std::map<std::uint64_t, int> seen; // runs by program: those that share one share its scratch, one per thread in use
  for (const auto& program : runs) {
    bytes += run_bytes(*program, steps);
    if (++seen[program->fingerprint()] <= threads)
      bytes += static_cast<double>(program->view().scratch_size * program->scalar_bytes());
  }
  return bytes;
}

} // namespace polarscope
