#include "engine/trace.hpp"

#include "engine/optimizer/route.hpp"
#include "engine/preset.hpp"
#include "engine/problem/problem.hpp"
#include "engine/safetensors.hpp"
#include "engine/scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace polarscope {

namespace {

constexpr std::string_view kGradient = "gradient/";
constexpr double kWindow = 1 << 21; // numbers of one window of all parameters
// A program numbers its slots in 16 bits, and every stage and metric together give a parameter fewer than 130 of them.
constexpr std::size_t kMostParameters = 500;

std::string shape_text(const TensorInfo& tensor) { return fmt::format("({})", fmt::join(tensor.shape, ", ")); }

bool is_floating(const TensorInfo& tensor) {
  return tensor.dtype == "F64" || tensor.dtype == "F32" || tensor.dtype == "F16" || tensor.dtype == "BF16";
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }

// For a message: a name in a file may be anything.
std::string shortened(std::string name) {
  name.resize(std::min<std::size_t>(name.size(), 100));
  std::replace_if(name.begin(), name.end(), is_control, '?');
  return name;
}

// A program names what belongs to a parameter P "P.gradient", "P.momentum" and so on, and has two names of its own.
// Returns why a name cannot stand beside the others; "" when it can.
std::string name_error(const std::string& name, const std::set<std::string>& names) {
  if (name == "hparams" || name == "metrics") return "has a name that the program keeps for itself; rename it";
  if (std::any_of(name.begin(), name.end(), is_control)) return "has a control character in its name";
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
    if (names.contains(name.substr(0, dot)))
      return fmt::format("would share names with '{}', which its name begins with; rename one of them",
                         shortened(name.substr(0, dot)));
  return "";
}

std::string word_of(const SafetensorsFile& file, const char* key) {
  const auto& metadata = file.metadata();
  return metadata.contains(key) ? metadata.at(key) : std::string();
}

// What the file says that a parameter is; nothing where it does not.
Result<std::optional<ParamRole>> role_of(const SafetensorsFile& file, const std::string& name) {
  const auto written = file.metadata().find(std::string(kRoleKey) + name);
  if (written == file.metadata().end()) return std::optional<ParamRole>();
  if (const auto role = role_named(written->second)) return role;
  return bad_input(fmt::format("metadata '{}' is '{}'; known: matrix, vector, embedding, head, router",
                               shortened(written->first), shortened(written->second)));
}

// None where the file holds one run.
std::vector<std::string> runs_of(const SafetensorsFile& file) {
  std::vector<std::string> out;
  std::set<std::string> met;
  if (word_of(file, "runs").empty() || word_of(file, "runs") == "1") return out;
  for (const TensorInfo& t : file.tensors()) {
    if (!t.name.starts_with(kGradient)) continue;
    const std::string label =
        percent_decoded(t.name.substr(kGradient.size(), t.name.find('/', kGradient.size()) - kGradient.size()));
    if (met.insert(label).second) out.push_back(label);
  }
  return out;
}

} // namespace

Trace::Trace(std::vector<TraceParameter> parameters, long steps, std::vector<std::vector<double>> gradients)
    : parameters_(std::move(parameters)), steps_(steps), held_(std::move(gradients)) {}

Trace::~Trace() = default;

Result<std::shared_ptr<const Trace>> Trace::open(const std::string& path, const std::string& run) {
  std::shared_ptr<Trace> trace(new Trace);
  if (auto done = trace->read(path, run); !done) return done.error();
  return std::shared_ptr<const Trace>(std::move(trace));
}

Result<void> Trace::read(const std::string& path, const std::string& run) {
  auto file = SafetensorsFile::open(path);
  if (!file) return file.error();
  path_ = path;
  file_ = std::make_unique<SafetensorsFile>(std::move(*file));
  scene_text_ = word_of(*file_, "scene");
  const auto refuse = [&](const std::string& why) { return bad_input(why, {path_}); };
  if (file_->find("step") || (!word_of(*file_, "every").empty() && word_of(*file_, "every") != "1"))
    return refuse("was thinned by --record-every: a replay needs every step");

  const std::vector<std::string> runs = runs_of(*file_);
  const bool several = !runs.empty();
  if (several && run.empty())
    return refuse(fmt::format("holds several runs, {}: choose one by --run", fmt::join(runs, ", ")));
  if (!run.empty() && !several)
    return refuse(fmt::format("holds one run and none labelled '{}': leave --run out", run));
  if (several && std::find(runs.begin(), runs.end(), run) == runs.end())
    return refuse(fmt::format("has no run '{}'; it holds {}", run, fmt::join(runs, ", ")));

  const std::string prefix = several ? percent_encoded(run) + "/" : "";
  for (const TensorInfo& t : file_->tensors()) {
    if (!t.name.starts_with(std::string(kGradient) + prefix)) continue;
    const std::string key = t.name.substr(kGradient.size());
    if (parameters_.size() == kMostParameters)
      return refuse(fmt::format("holds gradients of more than {} parameters: choose fewer", kMostParameters));
    if (auto done = read_parameter(key.substr(prefix.size()), key); !done) return done;
  }
  std::set<std::string> names;
  for (const TraceParameter& p : parameters_) names.insert(p.name);
  for (const TraceParameter& p : parameters_)
    if (const std::string why = name_error(p.name, names); !why.empty())
      return refuse(fmt::format("parameter '{}' {}", shortened(p.name), why));
  if (parameters_.empty()) return refuse("holds no tensor 'gradient/<parameter>': nothing to replay");
  return {};
}

// `key`: the parameter's name with the run's label in front where there are several.
Result<void> Trace::read_parameter(const std::string& name, const std::string& key) {
  const TensorInfo& gradient = *file_->find(std::string(kGradient) + key);
  const auto refuse = [&](const std::string& why) {
    return bad_input(fmt::format("tensor '{}' {}", shortened(gradient.name), why), {path_});
  };
  if (name.empty()) return refuse("names no parameter");
  const std::size_t rank = gradient.shape.size();
  if (rank != 2 && rank != 3)
    return refuse(fmt::format("has shape {}, wanted: (T, m, n) or (T, n)", shape_text(gradient)));
  if (!is_floating(gradient)) return refuse(fmt::format("has dtype {}, wanted: F64, F32, F16 or BF16", gradient.dtype));
  if (gradient.elements() == 0) return refuse(fmt::format("has shape {}: nothing to replay", shape_text(gradient)));
  constexpr std::uint64_t kMost = std::uint64_t{1} << 31;
  const std::vector<std::uint64_t> shape(gradient.shape.begin() + 1, gradient.shape.end());
  const double elements = static_cast<double>(gradient.elements()) / static_cast<double>(gradient.shape[0]);
  if (gradient.shape[0] > kMost || elements > kMostElements)
    return refuse(fmt::format("has shape {}; the most is {:.3g} numbers a step", shape_text(gradient), kMostElements));
  const long steps = static_cast<long>(gradient.shape[0]);
  if (steps_ != 0 && steps != steps_)
    return refuse(fmt::format("has {} steps, '{}' has {}", steps, tensors_.front(), steps_));

  const TensorInfo* weight = file_->find("start/" + key);
  if (!weight) weight = file_->find("weight/" + key);
  if (!weight) return refuse(fmt::format("has no 'weight/{}' beside it", shortened(key)));
  const bool recorded = weight->shape.size() == rank;
  const std::vector<std::uint64_t> own(weight->shape.begin() + (recorded && !weight->shape.empty() ? 1 : 0),
                                       weight->shape.end());
  if (own != shape || weight->elements() == 0)
    return bad_input(fmt::format("tensor '{}' has shape {}, wanted: ({}), or with steps in front",
                                 shortened(weight->name), shape_text(*weight), fmt::join(shape, ", ")),
                     {path_});

  TraceParameter p;
  p.name = name;
  p.vector = rank == 2;
  p.rows = p.vector ? 1 : static_cast<std::uint32_t>(shape[0]);
  p.cols = static_cast<std::uint32_t>(shape.back());
  auto start = file_->read(*weight, 0, std::uint64_t{p.rows} * p.cols);
  if (!start) return start.error();
  p.start = std::move(*start);
  look_for_not_finite(weight->name, p.start, p.start.size(), 0);
  const auto role = role_of(*file_, name);
  if (!role) return bad_input(role.error().message, {path_});
  p.role = role->value_or(p.vector ? ParamRole::vector : ParamRole::matrix);
  parameters_.push_back(std::move(p));
  tensors_.push_back(gradient.name);
  steps_ = steps;
  return {};
}

Result<std::vector<double>> Trace::gradients(std::size_t parameter, long first, long count) const {
  const TraceParameter& p = parameters_[parameter];
  const std::size_t elements = std::size_t{p.rows} * p.cols;
  if (!file_) {
    const double* from = held_[parameter].data() + static_cast<std::size_t>(first) * elements;
    return std::vector<double>(from, from + static_cast<std::size_t>(count) * elements);
  }
  auto read = file_->read(*file_->find(tensors_[parameter]), static_cast<std::uint64_t>(first) * elements,
                          static_cast<std::uint64_t>(count) * elements);
  if (read) look_for_not_finite(tensors_[parameter], *read, elements, first + 1);
  return read;
}

// `values`: of whole steps with so many elements each, the first of them `first_step`.
void Trace::look_for_not_finite(const std::string& tensor, const std::vector<double>& values, std::size_t elements,
                                long first_step) const {
  const auto bad = std::find_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  if (bad == values.end()) return;
  const long step = first_step + static_cast<long>(static_cast<std::size_t>(bad - values.begin()) / elements);
  const std::lock_guard lock(not_finite_mutex_);
  if (!not_finite_ || step < not_finite_->step) not_finite_ = NotFinite{tensor, step};
}

std::optional<NotFinite> Trace::not_finite() const {
  const std::lock_guard lock(not_finite_mutex_);
  return not_finite_;
}

Result<std::vector<std::string>> recorded_runs(const std::string& path) {
  const auto file = SafetensorsFile::open(path);
  if (!file) return file.error();
  return runs_of(*file);
}

long trace_window(const Trace& trace) {
  double elements = 0;
  for (const TraceParameter& p : trace.parameters()) elements += double(p.rows) * p.cols;
  return std::clamp(static_cast<long>(kWindow / elements), 1l, std::min(trace.steps(), 1024l));
}

std::shared_ptr<const Trace> example_trace() {
  constexpr long kSteps = 80;
  constexpr std::uint32_t kRows = 5, kCols = 9;
  const auto wave = [](std::size_t count, double pace) {
    std::vector<double> out(count);
    for (std::size_t i = 0; i < count; ++i)
      out[i] = std::sin(pace * static_cast<double>(i) + 1.0) + 0.1 * std::cos(3.1 * static_cast<double>(i));
    return out;
  };
  return std::make_shared<const Trace>(
      std::vector<TraceParameter>{{"W", kRows, kCols, false, wave(kRows * kCols, 0.7)}}, kSteps,
      std::vector<std::vector<double>>{wave(kSteps * kRows * kCols, 1.3)});
}

Result<Scene> trace_scene(const std::string& path, const std::string& run, const std::string& optimizer) {
  const auto trace = Trace::open(path, run);
  if (!trace) return trace.error();
  RunSpec own;
  const auto recorded = (*trace)->scene_text().empty() ? Result<Scene>(bad_input("not recorded here"))
                                                       : parse_scene((*trace)->scene_text(), path);
  Scene scene;
  if (recorded)
    for (const RunSpec& r : recorded->runs) {
      if (!run.empty() && r.label != run) continue;
      if (optimizer.empty()) own = r;
      scene.seed = r.seed.value_or(recorded->seed); // what a recipe draws at its start
    }
  if (own.label.empty()) {
    auto spec = load_optimizer(optimizer.empty() ? "adamw" : optimizer);
    if (!spec) return spec.error();
    own.optimizer = std::move(*spec);
    own.label = own.optimizer.name;
  }
  own.start = {}; // the file has the weight
  own.seed.reset();
  const std::string name = path.substr(path.rfind('/') + 1);
  scene.title = fmt::format("Recorded gradients of {}", name);
  scene.description = fmt::format("{} steps of {} recorded weight{}, through another optimizer.", (*trace)->steps(),
                                  (*trace)->parameters().size(), (*trace)->parameters().size() == 1 ? "" : "s");
  scene.steps = (*trace)->steps();
  if (recorded) scene.precision = recorded->precision;
  scene.problem = "trace";
  scene.problem_values.values = {{"file", path}, {"run", run}};
  scene.problem_values.trace = *trace;
  scene.runs = {std::move(own)};
  // It opens on a matrix: of a bias, which may come first by its name, there is little to see.
  const auto& all = (*trace)->parameters();
  const auto matrix =
      std::find_if(all.begin(), all.end(), [](const TraceParameter& p) { return p.rows > 1 && p.cols > 1; });
  if (matrix != all.end() && matrix != all.begin()) scene.view.parameter = matrix->name;
  return scene;
}

} // namespace polarscope
