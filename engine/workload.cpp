#include "engine/workload.hpp"

#include "engine/backend.hpp"
#include "engine/compile.hpp"
#include "engine/machine_memory.hpp"
#include "engine/metric/metric.hpp"
#include "engine/problem/random.hpp"
#include "engine/safetensors.hpp"
#include "engine/scene.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

namespace polarscope {

namespace {

constexpr int kLayers = 3;
constexpr std::uint32_t kWidest = 4096, kMostRunsOfOne = 65536;

// How each optimizer of the workload is written as a run of a scene.
struct Recipe {
  const char* name;
  double rate;
  const char* toml;
};
constexpr Recipe kRecipes[] = {
    {"sgd", 0.1, "optimizer = \"sgd\"\n"},
    {"adam", 1e-3, "optimizer.base = \"adam\"\noptimizer.decay = { kind = \"none\" }\nhparam.beta2 = 0.95\n"},
    {"muon", 0.02, "optimizer = \"muon\"\n"},
    {"rmnp", 0.02,
     "optimizer.base = \"rmnp\"\n"
     "optimizer.direction = { kind = \"momentum\", momentum_form = \"ema\", nesterov = true }\n"},
    {"muonh", 0.02,
     "optimizer.base = \"muonh\"\n"
     "optimizer.direction = { kind = \"momentum\", momentum_form = \"ema\", nesterov = true }\n"},
    {"md", 0.02,
     "optimizer.base = \"md_muon\"\nhparam.gain_beta2 = 0.95\n"
     "optimizer.geometry = { kind = \"orthogonalise\", ns_coefficients = \"kj\", ns_steps = 5, ns_eps_form = \"add\", "
     "ns_eps = 1e-7, shape_scale = \"none\" }\n"}};

const Recipe* find_recipe(const std::string& name) {
  for (const Recipe& r : kRecipes)
    if (name == r.name) return &r;
  return nullptr;
}

Result<const Recipe*> recipe_of(const std::string& name, const Place& place = {}) {
  if (const Recipe* r = find_recipe(name)) return r;
  return bad_input(
      fmt::format("unknown optimizer '{}' of a workload{}", name, did_you_mean(name, workload_optimizers())), place);
}

std::string shape_text(const std::vector<std::uint64_t>& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

Result<std::vector<double>> tensor(const SafetensorsFile& file, const std::string& path, const std::string& name,
                                   const std::vector<std::uint64_t>& shape) {
  const TensorInfo* info = file.find(name);
  if (!info) return bad_input(fmt::format("a workload has a tensor '{}'; this file has none", name), {path, 0, 0});
  if (info->dtype != "F32") return bad_input(fmt::format("'{}' is {}, not F32", name, info->dtype), {path, 0, 0});
  if (info->shape != shape)
    return bad_input(fmt::format("'{}' is {}, not {}", name, shape_text(info->shape), shape_text(shape)), {path, 0, 0});
  return file.read(*info, 0, info->elements());
}

Result<std::string> metadata_of(const SafetensorsFile& file, const std::string& path, const char* key) {
  const auto it = file.metadata().find(key);
  if (it == file.metadata().end())
    return bad_input(fmt::format("a workload's metadata says '{}'; this file's does not", key), {path, 0, 0});
  return it->second;
}

} // namespace

std::vector<std::string> workload_optimizers() {
  std::vector<std::string> names;
  for (const Recipe& r : kRecipes) names.push_back(r.name);
  return names;
}

Result<Workload> read_workload(const std::string& path) {
  auto file = SafetensorsFile::open(path);
  if (!file) return file.error();
  Workload w;
  auto optimizer = metadata_of(*file, path, "optimizer");
  if (!optimizer) return optimizer.error();
  w.optimizer = *optimizer;
  if (auto known = recipe_of(w.optimizer, {path, 0, 0}); !known) return known.error();
  auto steps = metadata_of(*file, path, "steps");
  if (!steps) return steps.error();
  const auto [end, fault] = std::from_chars(steps->data(), steps->data() + steps->size(), w.steps);
  if (fault != std::errc{} || end != steps->data() + steps->size() || w.steps < 1 || w.steps > kMostSteps)
    return bad_input(fmt::format("the metadata's steps are '{}', not a number from 1 on", *steps), {path, 0, 0});

  const TensorInfo *first = file->find("weight/1"), *inputs = file->find("inputs");
  if (!first || first->shape.size() != 3 || first->shape[1] != first->shape[2])
    return bad_input("a workload has a tensor 'weight/1' of shape (runs, w, w)", {path, 0, 0});
  if (!inputs || inputs->shape.size() != 3 || inputs->shape[0] != kWorkloadBatches)
    return bad_input(fmt::format("a workload has a tensor 'inputs' of shape ({}, batch, w)", kWorkloadBatches),
                     {path, 0, 0});
  const std::uint64_t runs = first->shape[0], width = first->shape[1], batch = inputs->shape[1];
  if (width == 1) return bad_input("a workload's width is 2 at least", {path, 0, 0});
  if (runs < 1 || runs > kMostRunsOfOne || width < 1 || width > kWidest || batch < 1 || batch > kWidest)
    return bad_input(fmt::format("{} runs of width {} and batch {}: the most are {}, {} and {}", runs, width, batch,
                                 kMostRunsOfOne, kWidest, kWidest),
                     {path, 0, 0});
  w.runs = static_cast<std::uint32_t>(runs);
  w.width = static_cast<std::uint32_t>(width);
  w.batch = static_cast<std::uint32_t>(batch);
  for (std::size_t k = 0; k < kLayers; ++k) {
    auto values = tensor(*file, path, fmt::format("weight/{}", k + 1), {runs, width, width});
    if (!values) return values.error();
    w.weights[k] = std::move(*values);
  }
  for (const auto& [name, to] : {std::pair{"inputs", &w.inputs}, {"targets", &w.targets}}) {
    auto values = tensor(*file, path, name, {kWorkloadBatches, batch, width});
    if (!values) return values.error();
    *to = std::move(*values);
  }
  return w;
}

Workload random_workload(const std::string& optimizer, std::uint32_t width, std::uint32_t batch, std::uint32_t runs,
                         std::uint64_t seed) {
  Workload w;
  w.optimizer = optimizer;
  w.width = width;
  w.batch = batch;
  w.runs = runs;
  const std::size_t each = std::size_t{width} * width;
  for (std::size_t k = 0; k < kLayers; ++k) {
    w.weights[k] = normal_numbers(seed + 1 + k, Stream::start, each * runs);
    for (double& x : w.weights[k]) x /= std::sqrt(static_cast<double>(width));
  }
  const std::size_t samples = std::size_t{kWorkloadBatches} * batch * width;
  w.inputs = normal_numbers(seed, Stream::inputs, samples);
  w.targets = normal_numbers(seed, Stream::targets, samples);
  return w;
}

// ---- running it ------------------------------------------------------------------------------------------------------

struct WorkloadRuns::Impl {
  std::shared_ptr<const StepProgram> program;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<MemberGroup> group;
  std::vector<int> members;
  std::vector<std::vector<std::byte>> records;
  long steps = 0; // of the last advance
};

WorkloadRuns::WorkloadRuns(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WorkloadRuns::WorkloadRuns(WorkloadRuns&&) noexcept = default;
WorkloadRuns::~WorkloadRuns() = default;

namespace {

std::string scene_text(const Recipe& recipe, std::uint32_t width, std::uint32_t batch, long steps) {
  return fmt::format("[scene]\ntitle = \"workload\"\nsteps = {}\n[problem]\nkind = \"mlp\"\nlayers = {}\nwidth = {}\n"
                     "batch = {}\nbatches = {}\n[[run]]\nlabel = \"run\"\n{}",
                     steps, kLayers, width, batch, kWorkloadBatches, recipe.toml);
}

double rate_of(const Recipe& recipe, std::uint32_t run) {
  return recipe.rate * std::exp2(static_cast<int>(run % kWorkloadRates) - 4);
}

Result<int> add_member(MemberGroup& group, const StepProgram& program, const Workload& w, std::uint32_t run,
                       std::span<const double> hparams) {
  const Result<int> added = group.add(run);
  if (!added) return added.error();
  const int member = *added;
  group.write_slot(member, program.find_slot("inputs"), w.inputs);
  group.write_slot(member, program.find_slot("targets"), w.targets);
  const std::size_t each = std::size_t{w.width} * w.width;
  for (std::size_t k = 0; k < kLayers; ++k)
    group.write_slot(member, program.parameters()[k].weight, std::span(w.weights[k]).subspan(run * each, each));
  group.set_hparams(member, hparams);
  return member;
}

} // namespace

Result<WorkloadRuns> WorkloadRuns::open(const Workload& w, const WorkloadOptions& options) {
  const auto recipe = recipe_of(w.optimizer);
  if (!recipe) return recipe.error();
  auto scene = parse_scene(scene_text(**recipe, w.width, w.batch, kMostSteps), "workload.toml");
  if (!scene) return scene.error();
  if (!options.all_metrics)
    for (const Metric& m : metrics())
      if (m.per_parameter) scene->metric_every[m.name] = m.name == "frobenius_norm" ? 1 : 0;
  RecordOptions record;
  record.weight_limit = 0;
  auto program = compile(*scene, scene->runs[0], {record});
  if (!program) return program.error();
  const std::vector<std::shared_ptr<const StepProgram>> all(w.runs, *program);
  // Records and losses of all steps are kept, the losses also as text.
  const double of_step =
      static_cast<double>((*program)->record_size() * (*program)->scalar_bytes() + 3 * sizeof(double));
  const double needed = memory_estimate(all, 1, options.threads) + of_step * static_cast<double>(w.steps) * w.runs;
  if (const double limit = kUsableMemory * machine_memory(); needed > limit)
    return machine_lacks(fmt::format("{} steps of {} runs need {:.1f} GB of memory, this machine can give {:.1f} GB",
                                     w.steps, w.runs, needed / 1e9, limit / 1e9));

  auto impl = std::make_unique<Impl>();
  impl->program = *program;
  auto backend = open_backend("cpu", options.threads, options.isa);
  if (!backend) return backend.error();
  impl->backend = std::move(*backend);
  auto group = impl->backend->open(*program);
  if (!group) return group.error();
  impl->group = std::move(*group);
  std::vector<double> hparams = hparam_row(**program, scene->runs[0]);
  for (std::uint32_t run = 0; run < w.runs; ++run) {
    hparams[static_cast<std::size_t>((*program)->find_hparam("lr"))] =
        w.runs == 1 ? (*recipe)->rate : rate_of(**recipe, run);
    const auto member = add_member(*impl->group, **program, w, run, hparams);
    if (!member) return member.error();
    impl->members.push_back(*member);
  }
  impl->group->start(impl->members, impl->records);
  return WorkloadRuns(std::move(impl));
}

void WorkloadRuns::advance(long steps) {
  impl_->steps = steps;
  impl_->group->advance(impl_->members, static_cast<std::uint64_t>(steps), impl_->records);
}

std::vector<std::vector<double>> WorkloadRuns::losses() const {
  const StepProgram& p = *impl_->program;
  const auto column = static_cast<std::size_t>(p.find_metric("loss"));
  const std::size_t bytes = p.record_size() * p.scalar_bytes();
  std::vector<std::vector<double>> all(
      static_cast<std::size_t>(impl_->steps),
      std::vector<double>(impl_->members.size(), std::numeric_limits<double>::quiet_NaN()));
  for (std::size_t r = 0; r < impl_->members.size(); ++r)
    for (std::size_t t = 0; t < impl_->records[r].size() / bytes; ++t) {
      float loss = 0;
      std::memcpy(&loss, impl_->records[r].data() + t * bytes + column * sizeof loss, sizeof loss);
      all[t][r] = static_cast<double>(loss);
    }
  return all;
}

int WorkloadRuns::diverged() const {
  return static_cast<int>(std::count_if(impl_->members.begin(), impl_->members.end(),
                                        [this](int m) { return impl_->group->state(m).diverged; }));
}

std::string workload_sweep(const std::string& optimizer, std::uint32_t width, std::uint32_t batch, int seeds,
                           long steps) {
  const Recipe* recipe = find_recipe(optimizer);
  assert(recipe);
  std::string text =
      scene_text(*recipe, width, batch, steps) + fmt::format("[sweep]\nseeds = {}\nhparam.lr = {{ values = [", seeds);
  for (std::uint32_t run = 0; run < kWorkloadRates; ++run)
    text += fmt::format("{}{}", run ? ", " : "", rate_of(*recipe, run));
  return text + "] }\n";
}

int WorkloadRuns::ops() const { return static_cast<int>(impl_->program->step_ops().size()); }

std::string workload_json(const Workload& w, const std::vector<std::vector<double>>& losses, double seconds) {
  std::string out =
      fmt::format("{{\"version\":1,\"optimizer\":\"{}\",\"width\":{},\"batch\":{},\"runs\":{},\"steps\":{},"
                  "\"seconds\":{:.9g},\"losses\":[",
                  w.optimizer, w.width, w.batch, w.runs, w.steps, seconds);
  for (std::size_t t = 0; t < losses.size(); ++t) {
    out += t ? ",\n[" : "\n[";
    for (std::size_t r = 0; r < losses[t].size(); ++r) {
      const double x = losses[t][r];
      out += r ? "," : "";
      out += std::isfinite(x) ? fmt::format("{:.9g}", x) : fmt::format("\"{}\"", x);
    }
    out += "]";
  }
  return out + "]}\n";
}

std::string workload_csv(const std::vector<std::vector<double>>& losses) {
  std::string out = "step";
  for (std::size_t r = 0; !losses.empty() && r < losses[0].size(); ++r) out += fmt::format(",run {}", r);
  for (std::size_t t = 0; t < losses.size(); ++t) {
    out += fmt::format("\n{}", t + 1);
    for (const double x : losses[t]) out += fmt::format(",{:.9g}", x);
  }
  return out + "\n";
}

double workload_flops(const std::string& optimizer, double width, double batch, bool dense) {
  const double parameters = kLayers * width * width;
  // Products forward, for weights and, but for the first layer, for inputs; norms forward and back; ReLU and loss.
  const double network = 2 * batch * width * width * (3 * kLayers - 1) + 13 * batch * width * kLayers;
  const double newton_schulz = kLayers * 5 * (dense ? 6 : 4) * width * width * width;
  if (optimizer == "sgd") return network + 2 * parameters;
  if (optimizer == "adam") return network + 12 * parameters;
  if (optimizer == "rmnp") return network + 7 * parameters;
  if (optimizer == "muon") return network + 7 * parameters + newton_schulz;
  if (optimizer == "muonh") return network + 11 * parameters + newton_schulz;
  return network + 16 * parameters + newton_schulz; // md: gains in and out besides
}

} // namespace polarscope
