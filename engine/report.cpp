#include "engine/report.hpp"

#include "engine/json_number.hpp"
#include "engine/metric/metric.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/preset.hpp"
#include "engine/toml_reader.hpp"
#include "engine/trace.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace polarscope {

namespace {

constexpr std::size_t kMostNamed = 8;       // diverged runs in one line
constexpr const char* kOnlyParameter = "W"; // as problems name the only one they have
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
using Json = nlohmann::ordered_json;

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

// The value at a step or, where cadence, thinning or divergence left none there, the nearest finite one.
double finite_value(const RunFrame& run, const std::string& column, long step) {
  const int c = run.program->find_metric(column);
  return c < 0 || run.series.empty() ? kNothing : run.series.nearest(c, static_cast<double>(step)).value;
}

double value_at(const RunFrame& run, const std::string& column, long step) {
  const int c = run.program->find_metric(column);
  return c < 0 || run.series.empty() ? kNothing : run.series.at(c, step).value_or(kNothing);
}

// The angle by which the step turned all parameters as one vector.
double joint_turn(const RunFrame& run, long step) {
  std::vector<Turn> turns;
  for (const ParamInfo& p : run.program->parameters())
    turns.push_back({value_at(run, p.name + ".frobenius_norm", step - 1),
                     value_at(run, p.name + ".frobenius_norm", step), value_at(run, p.name + ".angular_update", step)});
  return joint_turn(turns);
}

void fill_parameters(RunReport& out, const RunFrame& run) {
  ParameterReport& all = out.together;
  for (std::size_t p = 0; p < run.program->parameters().size(); ++p) {
    ParameterReport one;
    one.name = run.program->parameters()[p].name;
    for (const double v : (*run.start)[p]) one.start_norm = std::hypot(one.start_norm, v);
    one.norm = finite_value(run, one.name + ".frobenius_norm", out.step);
    one.angular_update = finite_value(run, one.name + ".angular_update", out.step);
    one.angle_travelled = finite_value(run, one.name + ".angle_travelled", out.step);
    const RouteSpec* route = route_of(*run.optimizer, run.program->parameters()[p]);
    one.optimizer = route ? route->recipe->name : out.optimizer;
    if (route) one.hparam_prefix = route->target + ".";
    all.start_norm = std::hypot(all.start_norm, one.start_norm);
    all.norm = std::hypot(all.norm, one.norm);
    out.parameters.push_back(std::move(one));
  }
  all.angle_travelled = kNothing;
  all.angular_update = out.parameters.size() == 1 ? out.parameters.front().angular_update
                                                  : joint_turn(run, run.diverged ? out.step - 1 : out.step);
}

// A row for every parameter, and one for all of a run's together.
std::string parameter_table(const Report& report) {
  const bool several_runs = report.runs.size() > 1;
  std::vector<std::vector<std::string>> rows = {
      {"tensor", "norm", "at the start", "angular update (°/step)", "angle travelled (°)"}};
  const bool routed =
      std::any_of(report.runs.begin(), report.runs.end(), [](const RunReport& run) { return run.by_routes(); });
  if (routed) rows.front().insert(rows.front().end(), {"optimizer", "lr"});
  if (several_runs) rows.front().insert(rows.front().begin(), "run");
  const auto add = [&](const RunReport& run, const std::string& name, const ParameterReport& p) {
    rows.push_back({name, short_number(p.norm), short_number(p.start_norm), short_number(degrees(p.angular_update)),
                    short_number(degrees(p.angle_travelled))});
    if (routed && !p.optimizer.empty())
      rows.back().insert(rows.back().end(), {p.optimizer, short_number(run.hparam(p.hparam_prefix + "lr"))});
    if (several_runs) rows.back().insert(rows.back().begin(), run.label);
  };
  for (const RunReport& run : report.runs) {
    if (run.parameters.size() == 1 && run.parameters.front().name == kOnlyParameter) continue; // the run's own row
    for (const ParameterReport& p : run.parameters) add(run, p.name, p);
    if (run.parameters.size() > 1) add(run, fmt::format("all {}", run.parameters.size()), run.together);
  }
  return rows.size() > 1 ? text_table(rows) : "";
}

// The optimizers that the run's parameters went through, and their rate where it is one: its own, unless all of its
// parameters go by routes.
std::pair<std::string, std::string> optimizer_and_rate(const RunReport& run) {
  std::vector<std::string> names;
  std::vector<double> rates;
  for (const ParameterReport& p : run.parameters) {
    if (p.hparam_prefix.empty()) return {run.optimizer, short_number(run.hparam("lr"))};
    if (std::find(names.begin(), names.end(), p.optimizer) == names.end()) names.push_back(p.optimizer);
    const double rate = run.hparam(p.hparam_prefix + "lr");
    if (std::find(rates.begin(), rates.end(), rate) == rates.end()) rates.push_back(rate);
  }
  return {fmt::format("{}", fmt::join(names, ", ")), rates.size() == 1 ? short_number(rates.front()) : "–"};
}

// What decides one run's path, as text. Two runs with the same text are the same experiment.
std::string experiment_text(const Scene& scene, const RunSpec& run) {
  Scene alone;
  alone.seed = scene.seed;
  alone.steps = scene.schedule_length();
  alone.problem = scene.problem;
  alone.problem_values = scene.problem_values;
  alone.runs = {run};
  RunSpec& one = alone.runs.front();
  one.label = "run";
  for (const Setting& hparam : optimizer_hparams(run.optimizer))
    one.hparams.try_emplace(hparam.name, std::get<double>(hparam.value)); // written down or left as it is
  return to_toml(alone);
}

// Angles in degrees, with their unit.
std::string with_unit(const MetricColumn& column, double value) {
  const Metric* metric = find_metric(column.metric);
  if (!metric || metric->unit != "rad") return short_number(value);
  return short_number(degrees(value)) + (column.metric == "angular_update" ? "° per step" : "°");
}

std::string expect_line(const ExpectReport& e) {
  const std::string value = short_number(e.value);
  if (!e.reached) return fmt::format("not reached: {}\n", e.what);
  if (!e.judged()) return fmt::format("not judged: {}: {} (is {})\n", e.not_judged, e.what, value);
  return fmt::format("{}: {} (is {})\n", e.held ? "expected" : "FAILED", e.what, value);
}

} // namespace

double degrees(double radians) { return radians * 180 / std::numbers::pi; }

std::string short_number(double value) {
  if (std::isnan(value)) return "–";
  return fmt::format("{:.4g}", value);
}

std::string hash_text(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::size_t text_width(std::string_view text) { // continuation bytes take no column
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - text_width(row[i]) + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

double named_number(const std::vector<std::pair<std::string, double>>& numbers, std::string_view name) {
  const auto it = std::find_if(numbers.begin(), numbers.end(), [&](const auto& n) { return n.first == name; });
  return it == numbers.end() ? kNothing : it->second;
}

double RunReport::value(std::string_view column) const { return named_number(final, column); }

double RunReport::hparam(const std::string& name) const { return named_number(hparams, name); }

bool RunReport::by_routes() const {
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const ParameterReport& p) { return !p.hparam_prefix.empty(); });
}

bool Report::good() const {
  const bool expected =
      std::all_of(expect.begin(), expect.end(), [](const ExpectReport& e) { return e.held || !e.judged(); });
  return expected && std::all_of(runs.begin(), runs.end(), [](const RunReport& run) {
           return std::all_of(run.invariants.begin(), run.invariants.end(), [&](const InvariantStatus& i) {
             return i.held() || (run.diverged && i.broken_at >= run.step);
           });
         });
}

// ‖b − a‖² = (‖b‖ − ‖a‖)² + 4 ‖a‖‖b‖ sin²(θ/2) holds for each part and for the whole, and keeps small angles, which the
// cosine loses.
double joint_turn(std::span<const Turn> parts) {
  double moved = 0, before = 0, after = 0; // squares of lengths
  for (const auto& [a, b, angle] : parts) {
    moved += (b - a) * (b - a);
    if (a * b != 0) moved += 4 * a * b * std::pow(std::sin(angle / 2), 2);
    before += a * a;
    after += b * b;
  }
  const double a = std::sqrt(before), b = std::sqrt(after);
  const double share = (moved - (b - a) * (b - a)) / (4 * a * b);
  return std::isnan(share) ? kNothing : 2 * std::asin(std::sqrt(std::clamp(share, 0.0, 1.0)));
}

Report make_report(const Frame& frame, const std::string& device, double seconds) {
  Report out;
  const Scene& scene = *frame.scene;
  out.scene = scene.title.empty() ? scene.path : scene.title;
  out.seed = scene.seed;
  out.device = device;
  out.precision = scene.precision == Precision::f64 ? "f64" : "f32";
  out.state_hash = frame.state_hash;
  out.steps = frame.head;
  out.steps_wanted = scene.steps;
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
    if (const Trace* trace = scene.problem_values.trace.get(); trace && run.diverged)
      if (const auto bad = trace->not_finite(); bad && bad->step == run.diverged_at)
        one.reason = fmt::format("the recorded gradient is not finite at step {} ({})", bad->step, bad->tensor);
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
    }
    one.loss = finite_value(run, "loss", one.step);
    fill_parameters(one, run);
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

NotJudged changed_runs(const Scene& original, const Scene& scene, const std::string& why) {
  NotJudged out;
  for (const RunSpec& run : scene.runs) {
    const auto same = [&](const RunSpec& other) {
      return other.label == run.label && experiment_text(original, other) == experiment_text(scene, run);
    };
    if (std::none_of(original.runs.begin(), original.runs.end(), same)) out[run.label] = why;
  }
  return out;
}

Result<void> check_expectations(const Scene& scene, const std::vector<std::shared_ptr<const StepProgram>>& programs,
                                const NotJudged& not_judged) {
  for (const ExpectSpec& expect : scene.expect)
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const std::string& label = scene.runs[i].label;
      if ((!expect.run.empty() && expect.run != label) || not_judged.contains(label)) continue;
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

std::vector<ExpectReport> evaluate_expectations(const Frame& frame, const Scene& scene, const NotJudged& not_judged) {
  std::vector<ExpectReport> out;
  for (const ExpectSpec& expect : scene.expect)
    for (const RunFrame& run : frame.runs) {
      if (!expect.run.empty() && expect.run != run.label) continue;
      out.push_back(evaluate(frame, run, expect, expect.step.value_or(scene.steps), scene.steps));
      if (const auto why = not_judged.find(run.label); why != not_judged.end()) out.back().not_judged = why->second;
    }
  return out;
}

std::string report_table(const Report& report) {
  std::vector<std::vector<std::string>> rows = {
      {"run", "optimizer", "lr", "loss", "norm", "angular update (°/step)", "status"}};
  const bool accuracy = std::any_of(report.runs.begin(), report.runs.end(),
                                    [](const RunReport& run) { return !std::isnan(run.value("accuracy")); });
  if (accuracy) rows[0].insert(rows[0].begin() + 4, "accuracy");
  for (const RunReport& run : report.runs) {
    const auto [optimizer, rate] = optimizer_and_rate(run);
    rows.push_back({run.label, optimizer, rate, short_number(run.loss), short_number(run.together.norm),
                    short_number(degrees(run.together.angular_update)), status_text(run)});
    if (accuracy) rows.back().insert(rows.back().begin() + 4, short_number(run.value("accuracy")));
  }
  std::string out = text_table(rows) + parameter_table(report);
  if (report.interrupted) out += fmt::format("interrupted at step {} of {}\n", report.steps, report.steps_wanted);
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
  for (const ExpectReport& e : report.expect) out += expect_line(e);
  return out;
}

std::string divergence_text(const Report& report) {
  std::string named;
  std::size_t diverged = 0;
  for (const RunReport& run : report.runs)
    if (run.diverged && ++diverged <= kMostNamed)
      named += fmt::format("{}{} at step {}{}{}", named.empty() ? "" : ", ", run.label, run.step,
                           run.reason.empty() ? "" : ": ", run.reason);
  if (diverged == 0) return "";
  if (diverged > kMostNamed) named += fmt::format(" and {} more", diverged - kMostNamed);
  return fmt::format("{} of {} run{} diverged: {}", diverged, report.runs.size(), report.runs.size() == 1 ? "" : "s",
                     named);
}

std::string report_json(const Report& report) {
  Json json = report_head_json<Json>(report);
  json["state_hash"] = hash_text(report.state_hash);
  json["interrupted"] = report.interrupted;
  json["steps_wanted"] = report.steps_wanted;
  json["runs"] = Json::array();
  for (const RunReport& run : report.runs) {
    Json one;
    one["label"] = run.label;
    one["optimizer"] = run.optimizer;
    one["member"] = run.member;
    one["seed"] = run.seed;
    one["hparams"] = numbers_json<Json>(run.hparams);
    add_result_json(one, run, hash_text(run.state_hash));
    if (!run.reason.empty()) one["reason"] = run.reason;
    one["final"] = numbers_json<Json>(run.final);
    one["invariants"] = invariants_json<Json>(run.invariants);
    one["steps_per_second"] = json_number<Json>(run.steps_per_second);
    json["runs"].push_back(std::move(one));
  }
  json["expect"] = Json::array();
  json["not_judged"] = Json::array();
  for (const ExpectReport& e : report.expect)
    if (e.judged())
      json["expect"].push_back(Json{{"what", e.what}, {"held", e.held}, {"value", json_number<Json>(e.value)}});
    else json["not_judged"].push_back(Json{{"what", e.what}, {"why", e.reached ? e.not_judged : "not reached"}});
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
      sentence += fmt::format("{}{} {}", sentence.empty() ? " " : ", ", name, with_unit(column, value(c)));
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
