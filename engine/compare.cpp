#include "engine/compare.hpp"

#include "engine/files.hpp"
#include "engine/preset.hpp"
#include "engine/report.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>

namespace polarscope {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kReach = 3;               // rungs on either side of a default, and that an extension adds
constexpr std::size_t kMostValues = 16; // of one optimizer, extensions included: 5 decades

// Rung n of the ladder … 0.5, 1, 2, 5, 10 …; rung 0 is 1.
double rung(int n) {
  static constexpr std::array<double, 3> kSteps = {1, 2, 5};
  const int decade = n >= 0 ? n / 3 : -((2 - n) / 3);
  return std::stod(fmt::format("{}e{}", kSteps[static_cast<std::size_t>(n - 3 * decade)], decade));
}

int nearest_rung(double value) {
  int n = static_cast<int>(std::floor(3 * std::log10(value))) - 1;
  while (std::abs(std::log(rung(n + 1) / value)) <= std::abs(std::log(rung(n) / value))) ++n;
  return n;
}

bool is_share(const Setting& s) { return !s.log_scale && s.max <= 1; }

// Can values be spaced by ratio around this one?
bool has_range(const Setting& s, double value) { return s.log_scale ? value > 0 : is_share(s) && value < 1; }

int rung_of(const Setting& s, double value) { return nearest_rung(is_share(s) ? 1 - value : value); }

// Is there no rung between two values?
bool next_to(const Setting& s, double a, double b) {
  return has_range(s, a) && has_range(s, b) && std::abs(rung_of(s, a) - rung_of(s, b)) <= 1;
}

// The values at `count` rungs from `from` on, as far as they are allowed.
std::vector<double> rungs(const Setting& s, int from, int count) {
  std::vector<double> out;
  for (int n = from; n < from + count; ++n) {
    const double value = is_share(s) ? std::stod(fmt::format("{:.12g}", 1 - rung(n))) : rung(n);
    if (value >= s.min && value <= s.max && (value > 0 || is_share(s))) out.push_back(value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Values by their shortest texts, which do not change when others join them: members keep their labels.
void set_values(SweepAxis& axis, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  axis.values = std::move(values);
  axis.texts.clear();
  for (const double v : axis.values) axis.texts.push_back(fmt::format("{}", v));
}

SweepAxis* axis_of(Scene& scene, std::size_t run) {
  for (SweepAxis& axis : scene.sweep->hparams)
    if (axis.of_run[run]) return &axis;
  return nullptr;
}

Result<OptimizerSpec> optimizer_named(const std::string& name) {
  const std::string file = name + ".toml";
  const std::vector<std::string> presets = preset_names();
  const bool preset = std::find(presets.begin(), presets.end(), name) != presets.end();
  return load_optimizer(!preset && !file_exists(name) && file_exists(file) ? file : name);
}

std::string free_label(const Scene& scene, const std::string& name) {
  std::string label = name;
  for (int n = 2; std::any_of(scene.runs.begin(), scene.runs.end(), [&](const RunSpec& r) { return r.label == label; });
       ++n)
    label = fmt::format("{} {}", name, n);
  return label;
}

// The settings with this value: one per optimizer at most.
std::vector<const SettingReport*> with_value(const SweepReport& report, const CompareSpec& spec, double value) {
  std::vector<const SettingReport*> out;
  for (const SettingReport& s : report.settings)
    if (named_number(s.hparams, spec.hparam) == value) out.push_back(&s);
  return out;
}

// Why a run has no setting with the value that all others have; "" where it has one.
std::string left_out(const SweepReport& report, const CompareSpec& spec, double value, std::size_t run) {
  bool has_number = false;
  for (const SettingReport& s : report.settings) {
    if (s.run != run) continue;
    if (named_number(s.hparams, spec.hparam) == value) return "";
    has_number = has_number || !std::isnan(named_number(s.hparams, spec.hparam));
  }
  return has_number ? fmt::format("left out: its {} cannot be {}", spec.hparam, value)
                    : fmt::format("left out: it has no {}", spec.hparam);
}

// Has the run more than the name of an optimizer?
bool has_own(const RunSpec& run) {
  const OptimizerSpec& optimizer = run.optimizer;
  return !run.hparams.empty() || !route_toml(optimizer).empty() || !schedule_toml(optimizer).empty() ||
         optimizer_toml(optimizer).size() > 1;
}

// A row per value, a column per optimizer.
std::string matrix(const SweepReport& report, const CompareSpec& spec) {
  std::set<double> values;
  for (const SettingReport& s : report.settings)
    if (!s.hparams.empty()) values.insert(named_number(s.hparams, spec.hparam));
  std::vector<std::vector<std::string>> rows = {{spec.hparam}};
  for (const BestReport& best : report.best) rows[0].push_back(best.label);
  for (const double value : values) {
    std::vector<std::string> row(report.best.size() + 1, "");
    row[0] = fmt::format("{}", value);
    for (const SettingReport* s : with_value(report, spec, value)) {
      const bool best = report.best[s->run].setting && &report.settings[*report.best[s->run].setting] == s;
      row[s->run + 1] = s->diverged > 0 ? fmt::format("{} of {} diverged", s->diverged, s->planned)
                                        : estimate_text(s->loss) + (best ? " best" : "");
    }
    rows.push_back(std::move(row));
  }
  return values.empty() ? "" : text_table(rows);
}

std::string same_lines(const SweepReport& report, const CompareSpec& spec, double value) {
  std::string out = fmt::format("all at {} {}, the best of {}:\n", spec.hparam, value, report.best.front().label);
  std::vector<std::vector<std::string>> rows = {{"run", "loss ± se", ""}};
  const std::vector<const SettingReport*> same = with_value(report, spec, value);
  for (const SettingReport* s : same)
    rows.push_back({report.best[s->run].label, estimate_text(s->loss),
                    s->diverged > 0 ? fmt::format("{} of {} diverged", s->diverged, s->planned) : ""});
  for (std::size_t r = 0; r < report.best.size(); ++r)
    if (const std::string why = left_out(report, spec, value, r); !why.empty())
      rows.push_back({report.best[r].label, "–", why});
  out += text_table(rows);
  rows.clear();
  for (std::size_t i = 0; i < same.size(); ++i)
    for (std::size_t j = i + 1; j < same.size(); ++j) {
      const std::string &a = report.best[same[i]->run].label, &b = report.best[same[j]->run].label;
      const Estimate d = difference_of(*same[i], *same[j]);
      const bool lost = same[i]->diverged + same[j]->diverged > 0;
      rows.push_back(
          {fmt::format("{} − {}", a, b), estimate_text(d), lost ? "not compared: seeds diverged" : verdict(d, a, b)});
    }
  if (rows.size() > 1) out += "their differences, each judged by itself:\n";
  return out + text_table(rows);
}

} // namespace

std::vector<double> values_around(const Setting& hparam, double value) {
  if (!has_range(hparam, value)) return {};
  const int center = rung_of(hparam, value);
  return rungs(hparam, center - kReach, 2 * kReach + 1);
}

Result<Scene> compare_scene(const Scene& scene, const CompareSpec& spec) {
  Scene out = scene;
  const StartSpec start = scene.runs.front().start;
  const std::optional<std::uint64_t> seed = scene.runs.front().seed;
  out.runs.clear();
  out.expect.clear();
  out.sweep = SweepSpec{};
  out.sweep->seeds = spec.seeds;
  std::set<std::string> known;
  for (const std::string& name : spec.optimizers) {
    auto optimizer = optimizer_named(name);
    if (!optimizer) return optimizer.error();
    RunSpec run;
    run.label = free_label(out, optimizer->name);
    run.optimizer = std::move(*optimizer);
    run.start = start;
    run.seed = seed;
    out.runs.push_back(std::move(run));
  }
  for (std::size_t r = 0; r < out.runs.size(); ++r) {
    const std::vector<Setting> settings = optimizer_hparams(out.runs[r].optimizer);
    for (const Setting& s : settings) known.insert(s.name);
    const Setting* setting = find_hparam(settings, spec.hparam);
    if (!setting) continue;
    const double value = std::get<double>(setting->value);
    SweepAxis axis;
    axis.hparam = spec.hparam;
    axis.of_run.assign(out.runs.size(), false);
    axis.of_run[r] = true;
    set_values(axis, values_around(*setting, value));
    if (axis.values.empty())
      return bad_input(fmt::format("--sweep {}: {} of {} is {} by default, which has no range around it; a scene with "
                                   "[sweep] can say which values are meant",
                                   spec.hparam, spec.hparam, out.runs[r].label, value));
    out.sweep->hparams.push_back(std::move(axis));
  }
  if (out.sweep->hparams.empty())
    return bad_input(fmt::format("--sweep {}: no optimizer has this hyperparameter{}", spec.hparam,
                                 suggestion(spec.hparam, {known.begin(), known.end()})));
  return out;
}

std::string unused_line(const Scene& scene) {
  const bool own = std::any_of(scene.runs.begin(), scene.runs.end(), has_own);
  if (!own && !(scene.sweep && !scene.sweep->hparams.empty())) return "";
  return "the scene's own runs, routes, schedules and numbers are not used: optimizers come as their presets or files "
         "say\n";
}

std::string widen(Scene& scene, const CompareSpec& spec, const SweepReport& report) {
  std::string said;
  for (const BestReport& best : report.best) {
    SweepAxis* axis = axis_of(scene, best.run);
    if (!axis || axis->values.size() >= kMostValues) continue;
    // Where everything diverged the values were too large; a share of the past has its care at the lower end, too.
    const bool down = !best.setting || (!best.edges.empty() && !best.edges.front().largest);
    if (best.setting && best.edges.empty()) continue;
    const std::vector<Setting> settings = optimizer_hparams(scene.runs[best.run].optimizer);
    const Setting& setting = *find_hparam(settings, spec.hparam);
    const double end = down ? axis->values.front() : axis->values.back();
    const int n = rung_of(setting, end);
    const bool to_lower_rungs = down != is_share(setting);
    std::vector<double> more = rungs(setting, to_lower_rungs ? n - kReach : n + 1, kReach);
    if (more.empty()) continue;
    const auto room = static_cast<std::ptrdiff_t>(kMostValues - axis->values.size());
    const std::ptrdiff_t beyond = std::max<std::ptrdiff_t>(0, std::ssize(more) - room); // those farthest from the end
    if (down) more.erase(more.begin(), more.begin() + beyond);
    else more.erase(more.end() - beyond, more.end());
    std::vector<double> values = axis->values;
    values.insert(values.end(), more.begin(), more.end());
    set_values(*axis, std::move(values));
    said += fmt::format("{}{} of {} on to {}", said.empty() ? "" : ", ", spec.hparam, best.label,
                        down ? axis->values.front() : axis->values.back());
  }
  return said;
}

std::optional<double> add_same_value(Scene& scene, const CompareSpec& spec, const SweepReport& report) {
  const BestReport& first = report.best.front();
  if (!first.setting || !axis_of(scene, first.run)) return std::nullopt;
  const double value = named_number(report.settings[*first.setting].hparams, spec.hparam);
  for (std::size_t r = 0; r < scene.runs.size(); ++r) {
    SweepAxis* axis = axis_of(scene, r);
    if (!axis) continue;
    const std::vector<Setting> settings = optimizer_hparams(scene.runs[r].optimizer);
    const Setting& setting = *find_hparam(settings, spec.hparam);
    if (value < setting.min || value > setting.max) continue;
    std::vector<double> values = axis->values;
    values.push_back(value);
    set_values(*axis, std::move(values));
  }
  return value;
}

void warn_beside_same(const Scene& scene, const CompareSpec& spec, double same, SweepReport& report) {
  for (BestReport& best : report.best) {
    if (!best.setting || !best.edges.empty()) continue;
    const double value = named_number(report.settings[*best.setting].hparams, spec.hparam);
    std::vector<double> values; // of this run, rising
    for (const SettingReport& s : report.settings)
      if (s.run == best.run) values.push_back(named_number(s.hparams, spec.hparam));
    const bool above = values.size() > 2 && same == values.back() && value == values[values.size() - 2];
    const bool below = values.size() > 2 && same == values.front() && value == values[1];
    if (!above && !below) continue;
    const std::vector<Setting> settings = optimizer_hparams(scene.runs[best.run].optimizer);
    if (!next_to(*find_hparam(settings, spec.hparam), value, same))
      best.edges.push_back({spec.hparam, value, above, same});
  }
}

std::string compare_text(const SweepReport& report, const CompareSpec& spec, std::optional<double> same) {
  std::string out = fmt::format("loss: mean over steps {} to {}; ± standard error over {} seeds\n\n",
                                report.steps - report.tail + 1, report.steps, spec.seeds);
  out += matrix(report, spec) + "\neach at its best:\n" + best_table(report) + untuned_lines(report);
  for (const std::string& part : {warning_lines(report), difference_lines(report)})
    if (!part.empty()) out += "\n" + part;
  if (same) out += "\n" + same_lines(report, spec, *same);
  if (report.complete())
    out += fmt::format("\nstate hash {} ({}, {})\n", hash_text(report.state_hash), report.device, report.precision);
  return out;
}

std::string compare_json(const SweepReport& report, const CompareSpec& spec, std::optional<double> same) {
  Json json = Json::parse(sweep_json(report));
  json["same"] = nullptr;
  if (same) {
    Json all = {{"hparam", spec.hparam}, {"value", *same}, {"of", report.best.front().label}};
    all["differences"] = Json::array();
    const std::vector<const SettingReport*> settings = with_value(report, spec, *same);
    for (std::size_t i = 0; i < settings.size(); ++i)
      for (std::size_t j = i + 1; j < settings.size(); ++j) {
        const Estimate d = difference_of(*settings[i], *settings[j]);
        const bool known = decided(d) && settings[i]->diverged + settings[j]->diverged == 0;
        Json one = {{"a", report.best[settings[i]->run].label}, {"b", report.best[settings[j]->run].label}};
        one["loss"] = estimate_json<Json>(d);
        one["decided"] = known;
        one["lower"] = known ? Json(report.best[settings[d.mean < 0 ? i : j]->run].label) : Json(nullptr);
        all["differences"].push_back(std::move(one));
      }
    all["left_out"] = Json::array();
    for (std::size_t r = 0; r < report.best.size(); ++r)
      if (const std::string why = left_out(report, spec, *same, r); !why.empty())
        all["left_out"].push_back({{"run", report.best[r].label}, {"why", why}});
    json["same"] = std::move(all);
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool comparison_good(const SweepReport& report) {
  return report.good() &&
         std::all_of(report.best.begin(), report.best.end(), [](const BestReport& b) { return b.setting.has_value(); });
}

} // namespace polarscope
