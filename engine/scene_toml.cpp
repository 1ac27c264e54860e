#include "engine/preset.hpp"
#include "engine/problem/problem.hpp"
#include "engine/scene.hpp"
#include "engine/sweep.hpp"
#include "engine/toml_reader.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

std::string list(const std::vector<double>& values) {
  std::string out = "[";
  for (std::size_t i = 0; i < values.size(); ++i) out += (i ? ", " : "") + number_toml(values[i]);
  return out + "]";
}

std::string start_value(const StartSpec& start) {
  if (start.norm) return fmt::format("{{ norm = {} }}", number_toml(*start.norm));
  if (!start.point.empty()) return fmt::format("{{ point = {} }}", list(start.point));
  if (!start.file.empty()) return fmt::format("{{ file = {} }}", quoted_toml(start.file));
  std::string inner;
  for (const auto& [key, value] : start.keys)
    inner += fmt::format("{}{} = {}", inner.empty() ? "" : ", ", key_toml(key), number_toml(value));
  return "{ " + inner + " }";
}

std::string run_table(const RunSpec& run) {
  std::string out = fmt::format("\n[[run]]\nlabel = {}\n", quoted_toml(run.label));
  for (const std::string& line : optimizer_toml(run.optimizer)) out += line + "\n";
  for (const std::string& line : route_toml(run.optimizer)) out += line + "\n";
  for (const auto& [name, value] : run.hparams)
    out += fmt::format("hparam.{} = {}\n", hparam_key_toml(run.optimizer, name), number_toml(value));
  for (const std::string& line : schedule_toml(run.optimizer)) out += line + "\n";
  const StartSpec& start = run.start;
  for (const auto& [name, one] : start.parameters)
    out += fmt::format("start.{} = {}\n", key_toml(name), start_value(one));
  if (start.norm || !start.point.empty() || !start.file.empty() || !start.keys.empty())
    out += fmt::format("start = {}\n", start_value(start));
  if (run.seed) out += fmt::format("seed = {}\n", *run.seed);
  return out;
}

std::string problem_table(const Scene& scene) {
  std::string out = fmt::format("\n[problem]\nkind = {}\n", quoted_toml(scene.problem));
  const Problem* problem = find_problem(scene.problem);
  for (const auto& [key, value] : scene.problem_values.values) {
    bool is_default = false;
    if (problem)
      for (const Setting& setting : problem->keys)
        is_default = is_default || (setting.name == key && setting.value == value);
    if (!is_default) out += fmt::format("{} = {}\n", key_toml(key), value_toml(value));
  }
  return out;
}

std::string view_table(const ViewSpec& view) {
  std::string out;
  if (view.layout != ViewSpec{}.layout) out += fmt::format("layout = {}\n", quoted_toml(view.layout));
  if (!view.parameter.empty()) out += fmt::format("parameter = {}\n", quoted_toml(view.parameter));
  if (view.plane == "rows") out += fmt::format("plane = {{ rows = [{}, {}] }}\n", view.row_i, view.row_j);
  else if (!view.plane.empty()) out += fmt::format("plane = {}\n", quoted_toml(view.plane));
  if (view.target) out += fmt::format("target = {}\n", number_toml(*view.target));
  return out.empty() ? out : "\n[view]\n" + out;
}

std::string expect_value(const ExpectSpec& expect) {
  std::string inner;
  if (!expect.run.empty()) inner += fmt::format("run = {}, ", quoted_toml(expect.run));
  if (expect.step) inner += fmt::format("step = {}, ", *expect.step);
  const char* test = expect.test == ExpectSpec::Test::above   ? "above"
                     : expect.test == ExpectSpec::Test::below ? "below"
                                                              : "near";
  inner += fmt::format("{} = {}", test, number_toml(expect.value));
  if (expect.test == ExpectSpec::Test::near) inner += fmt::format(", within = {}", number_toml(expect.within));
  return "{ " + inner + " }";
}

// Metrics in the order of their first expectation; several of one metric make a list.
std::string expect_table(const std::vector<ExpectSpec>& all) {
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<std::string> values;
    bool seen = false;
    for (std::size_t j = 0; j < all.size(); ++j)
      if (all[j].metric == all[i].metric) {
        seen = seen || j < i;
        values.push_back(expect_value(all[j]));
      }
    if (seen) continue;
    if (values.size() == 1) out += fmt::format("{} = {}\n", quoted_toml(all[i].metric), values[0]);
    else out += fmt::format("{} = [\n  {},\n]\n", quoted_toml(all[i].metric), fmt::join(values, ",\n  "));
  }
  return out.empty() ? out : "\n[expect]\n" + out;
}

} // namespace

std::string to_toml(const Scene& scene) {
  std::string out = "[scene]\n";
  if (!scene.title.empty()) out += fmt::format("title = {}\n", quoted_toml(scene.title));
  if (!scene.description.empty()) out += fmt::format("description = {}\n", quoted_toml(scene.description));
  out +=
      fmt::format("seed = {}\nsteps = {}\nspeed = {}\n", scene.seed, scene.schedule_length(), number_toml(scene.speed));
  if (scene.precision == Precision::f64) out += "precision = \"f64\"\n";
  out += problem_table(scene);
  if (scene.sweep && !scene.sweep->written.empty()) {
    out += scene.sweep->written;
  } else {
    for (const RunSpec& run : scene.runs) out += run_table(run);
    if (scene.sweep) out += sweep_toml(*scene.sweep);
  }
  if (!scene.metric_every.empty()) out += "\n[metrics]\n";
  for (const auto& [name, every] : scene.metric_every)
    out += fmt::format("{} = {{ every = {} }}\n", key_toml(name), every);
  out += view_table(scene.view);
  out += expect_table(scene.expect);
  return out;
}

} // namespace polarscope
