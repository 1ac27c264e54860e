#include "engine/report.hpp"

#include "engine/metric/metric.hpp"
#include "engine/toml_reader.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace polarscope {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
using Json = nlohmann::ordered_json;

// JSON has no words for what is not finite.
Json json_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

std::size_t width_of(const std::string& text) { // code points; continuation bytes take no column
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

long last_step(const Frame& frame, const RunFrame& run) { return run.diverged ? run.diverged_at : frame.head; }

bool with_single_parameter(const StepProgram& program) { return program.parameters().size() == 1; }

// A column by name; a single parameter's name may be left out.
int find_column(const StepProgram& program, const std::string& name) {
  const int exact = program.find_metric(name);
  if (exact >= 0 || !with_single_parameter(program)) return exact;
  return program.find_metric(program.parameters()[0].name + "." + name);
}

std::vector<std::string> column_names(const StepProgram& program) {
  std::vector<std::string> names;
  for (const MetricColumn& column : program.metrics())
    if (!column.hidden) names.push_back(column.name);
  return names;
}

const char* word_of(ExpectSpec::Test test) {
  switch (test) {
  case ExpectSpec::Test::above: return "above";
  case ExpectSpec::Test::below: return "below";
  case ExpectSpec::Test::near: return "near";
  }
  return "";
}

bool holds(const ExpectSpec& expect, double value) {
  switch (expect.test) {
  case ExpectSpec::Test::above: return value > expect.value;
  case ExpectSpec::Test::below: return value < expect.value;
  case ExpectSpec::Test::near: return std::abs(value - expect.value) <= expect.within;
  }
  return false;
}

// `last` is the step that the run was asked to end at.
ExpectReport evaluate(const Frame& frame, const RunFrame& run, const ExpectSpec& expect, long step, long last) {
  ExpectReport out;
  out.what = fmt::format("{} of '{}' at step {} {} {}", expect.metric, run.label, step, word_of(expect.test),
                         short_number(expect.value));
  if (expect.test == ExpectSpec::Test::near) out.what += fmt::format(" within {}", short_number(expect.within));
  out.value = kNothing;
  if (step > last || (step > frame.head && !run.diverged)) {
    out.reached = false;
    return out;
  }
  if (run.diverged && step > run.diverged_at) return out;
  const int column = find_column(*run.program, expect.metric);
  if (column < 0 || run.series.empty()) return out;
  const auto kept = std::find_if(run.kept.begin(), run.kept.end(),
                                 [&](const KeptValue& k) { return k.column == column && k.step == step; });
  out.value = kept != run.kept.end() ? kept->value.value_or(kNothing) : run.series.at(column, step).value_or(kNothing);
  out.held = holds(expect, out.value);
  return out;
}

std::string status_text(const RunReport& run) {
  return run.diverged ? fmt::format("diverged at step {}", run.step) : "ok";
}

} // namespace

std::string short_number(double value) {
  if (std::isnan(value)) return "–";
  return fmt::format("{:.4g}", value);
}

std::string hash_text(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

double RunReport::value(std::string_view column) const {
  const auto it = std::find_if(final.begin(), final.end(), [&](const auto& f) { return f.first == column; });
  return it == final.end() ? kNothing : it->second;
}

bool Report::good() const {
  const bool expected =
      std::all_of(expect.begin(), expect.end(), [](const ExpectReport& e) { return e.held || !e.reached; });
  return expected && std::all_of(runs.begin(), runs.end(), [](const RunReport& run) {
           return std::all_of(run.invariants.begin(), run.invariants.end(), [&](const InvariantStatus& i) {
             return i.held() || (run.diverged && i.broken_at >= run.step);
           });
         });
}

Report make_report(const Frame& frame, const std::string& device, double seconds) {
  Report out;
  const Scene& scene = *frame.scene;
  out.scene = scene.title.empty() ? scene.path : scene.title;
  out.seed = scene.seed;
  out.device = device;
  out.precision = scene.precision == Precision::f64 ? "f64" : "f32";
  out.state_hash = frame.state_hash;
  for (const RunFrame& run : frame.runs) {
    RunReport one;
    one.label = run.label;
    one.optimizer = run.optimizer_name;
    one.member = static_cast<int>(out.runs.size());
    one.seed = run.seed;
    const auto& hparams = run.program->hparams();
    for (std::size_t i = 0; i < hparams.size() && i < run.hparams.size(); ++i)
      one.hparams.emplace_back(hparams[i].setting.name, run.hparams[i]);
    one.diverged = run.diverged;
    one.step = last_step(frame, run);
    one.state_hash = run.state_hash;
    const auto& columns = run.program->metrics();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].hidden || run.series.empty()) continue;
      const int column = static_cast<int>(c);
      const auto exact = run.series.at(column, one.step);
      const bool recorded = exact && !std::isnan(*exact);
      const double value = recorded || run.diverged ? exact.value_or(kNothing)
                                                    : run.series.nearest(column, static_cast<double>(one.step)).value;
      one.final.emplace_back(columns[c].name, value);
      const bool lost = run.diverged && !std::isfinite(value);
      one.last_finite.push_back(lost ? run.series.nearest(column, static_cast<double>(one.step)).value : value);
    }
    one.invariants = run.invariants;
    one.steps_per_second = seconds > 0 ? static_cast<double>(one.step) / seconds : 0;
    out.runs.push_back(std::move(one));
  }
  return out;
}

std::vector<KeptValue> expected_values(const Scene& scene, const StepProgram& program, const std::string& label) {
  std::vector<KeptValue> out;
  for (const ExpectSpec& expect : scene.expect) {
    if (!expect.run.empty() && expect.run != label) continue;
    if (const int column = find_column(program, expect.metric); column >= 0)
      out.push_back({column, expect.step.value_or(scene.steps), std::nullopt});
  }
  return out;
}

Result<void> check_expectations(const Scene& scene, const std::vector<std::shared_ptr<const StepProgram>>& programs) {
  for (const ExpectSpec& expect : scene.expect)
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const std::string& label = scene.runs[i].label;
      if (!expect.run.empty() && expect.run != label) continue;
      const int column = find_column(*programs[i], expect.metric);
      if (column < 0 || programs[i]->metrics()[static_cast<std::size_t>(column)].hidden)
        return bad_input(fmt::format("run '{}' records no '{}'{}", label, expect.metric,
                                     suggestion(expect.metric, column_names(*programs[i]))),
                         expect.place);
      const long step = expect.step.value_or(scene.steps);
      const MetricColumn& info = programs[i]->metrics()[static_cast<std::size_t>(column)];
      const int every = info.every;
      if (step == 0 && !has_value_at(info, 0))
        return bad_input(
            fmt::format("'{}' has no value at step 0: it is of a step, and the first is step 1", expect.metric),
            expect.place);
      if (!has_value_at(info, step))
        return bad_input(
            fmt::format("'{}' is recorded every {} steps, step {} is not among them", expect.metric, every, step),
            expect.place);
    }
  return {};
}

std::vector<ExpectReport> evaluate_expectations(const Frame& frame, const Scene& scene) {
  std::vector<ExpectReport> out;
  for (const ExpectSpec& expect : scene.expect)
    for (const RunFrame& run : frame.runs)
      if (expect.run.empty() || expect.run == run.label)
        out.push_back(evaluate(frame, run, expect, expect.step.value_or(scene.steps), scene.steps));
  return out;
}

std::string report_table(const Report& report) {
  std::vector<std::vector<std::string>> rows = {{"run", "optimizer", "lr", "loss", "norm", "angular update", "status"}};
  // Of a run that diverged the last finite value, marked.
  const auto final_value = [](const RunReport& run, std::string_view metric) {
    for (std::size_t i = 0; i < run.final.size(); ++i)
      if (const std::string& name = run.final[i].first; name == metric || name.ends_with("." + std::string(metric))) {
        const bool lost = run.diverged && !std::isfinite(run.final[i].second) && std::isfinite(run.last_finite[i]);
        return short_number(run.last_finite[i]) + (lost ? " ✕" : "");
      }
    return short_number(kNothing);
  };
  for (const RunReport& run : report.runs) {
    const auto lr = std::find_if(run.hparams.begin(), run.hparams.end(), [](const auto& h) { return h.first == "lr"; });
    rows.push_back({run.label, run.optimizer, lr == run.hparams.end() ? "–" : short_number(lr->second),
                    final_value(run, "loss"), final_value(run, "frobenius_norm"), final_value(run, "angular_update"),
                    status_text(run)});
  }
  std::string out = text_table(rows);
  out += fmt::format("state hash {} ({}, {})\n", hash_text(report.state_hash), report.device, report.precision);
  int kept = 0;
  for (const RunReport& run : report.runs)
    for (const InvariantStatus& i : run.invariants) {
      if (i.held()) ++kept;
      else
        out += fmt::format("BROKEN invariant '{}' of '{}' at step {}: {} > {}\n", i.name, run.label, i.broken_at,
                           short_number(i.worst), short_number(i.tolerance));
    }
  if (kept > 0) out += fmt::format("invariants kept: {}\n", kept);
  for (const ExpectReport& e : report.expect)
    out += fmt::format("{}: {} (is {})\n",
                       !e.reached ? "not reached"
                       : e.held   ? "expected"
                                  : "FAILED",
                       e.what, short_number(e.value));
  return out;
}

std::string report_json(const Report& report) {
  Json json;
  json["version"] = 1;
  json["scene"] = report.scene;
  json["seed"] = report.seed;
  json["device"] = report.device;
  json["precision"] = report.precision;
  json["state_hash"] = hash_text(report.state_hash);
  json["runs"] = Json::array();
  for (const RunReport& run : report.runs) {
    Json one;
    one["label"] = run.label;
    one["optimizer"] = run.optimizer;
    one["member"] = run.member;
    one["seed"] = run.seed;
    one["hparams"] = Json::object();
    for (const auto& [name, value] : run.hparams) one["hparams"][name] = json_number(value);
    one["status"] = run.diverged ? "diverged" : "ok";
    one["step"] = run.step;
    one["state_hash"] = hash_text(run.state_hash);
    one["final"] = Json::object();
    for (const auto& [name, value] : run.final) one["final"][name] = json_number(value);
    one["invariants"] = Json::array();
    for (const InvariantStatus& i : run.invariants)
      one["invariants"].push_back(
          Json{{"name", i.name}, {"held", i.held()}, {"worst", json_number(i.worst)}, {"at_step", i.worst_step}});
    one["steps_per_second"] = json_number(run.steps_per_second);
    json["runs"].push_back(std::move(one));
  }
  json["expect"] = Json::array();
  for (const ExpectReport& e : report.expect)
    if (e.reached) json["expect"].push_back(Json{{"what", e.what}, {"held", e.held}, {"value", json_number(e.value)}});
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::string> report_sentences(const Frame& frame, std::optional<long> step) {
  std::string out = frame.scene->title.empty() ? "" : frame.scene->title + ".\n";
  for (const RunFrame& run : frame.runs) {
    const long last = last_step(frame, run);
    const long at = step ? std::min(*step, last) : last;
    const std::string where = fmt::format("Run {}, step {}", run.label, at);
    if (run.series.empty() || !run.series.at(0, at))
      return bad_input(fmt::format("run '{}' has no record of step {}", run.label, at));
    const auto value = [&](int column) { return run.series.at(column, at).value_or(kNothing); };
    std::string sentence;
    for (const MetricColumn& column : run.program->metrics()) {
      const int c = run.program->find_metric(column.name);
      if (column.hidden || column.index >= 0 || std::isnan(value(c))) continue;
      std::string name = column.metric;
      std::replace(name.begin(), name.end(), '_', ' ');
      if (column.parameter >= 0 && !with_single_parameter(*run.program))
        name += " of " + run.program->parameters()[static_cast<std::size_t>(column.parameter)].name;
      sentence += fmt::format("{}{} {}", sentence.empty() ? " " : ", ", name, short_number(value(c)));
    }
    out += where + ":" + (sentence.empty() ? " nothing recorded" : sentence) + ".\n";
    if (run.diverged && (!step || *step >= run.diverged_at))
      out += fmt::format("Run {} diverged at step {} and stopped there.\n", run.label, run.diverged_at);
    for (const InvariantStatus& i : run.invariants)
      if (!i.held()) out += fmt::format("Run {} broke the invariant {} at step {}.\n", run.label, i.name, i.broken_at);
  }
  return out;
}

} // namespace polarscope
