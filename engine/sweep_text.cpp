// A sweep's report as tables, CSV and JSON.
#include "engine/csv.hpp"
#include "engine/json_number.hpp"
#include "engine/report.hpp"
#include "engine/sweep.hpp"
#include "engine/sweep_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace polarscope {

namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

constexpr std::size_t kMostDifferences = 15; // lines; more runs are told apart from the best alone
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

bool has_accuracy(const SweepReport& report) {
  return std::any_of(report.results.begin(), report.results.end(),
                     [](const MemberResult* m) { return !std::isnan(m->value("accuracy")); });
}

// The one radial part there is; of several parameters none stands for the rest.
double radial_of(const SettingReport& s) {
  std::string name;
  for (const auto& [column, value] : s.members.front()->final)
    if (column.ends_with(".radial_update")) {
      if (!name.empty()) return kNothing;
      name = column;
    }
  return name.empty() ? kNothing : s.mean_of(name);
}

bool has_radial(const SweepReport& report) {
  return std::any_of(report.best.begin(), report.best.end(), [&](const BestReport& best) {
    return best.setting && !std::isnan(radial_of(report.settings[*best.setting]));
  });
}

double angular_of(const SettingReport& s) {
  std::vector<double> angles;
  for (const MemberResult* m : s.members)
    if (!m->diverged) angles.push_back(m->angular_update);
  return estimate(angles).mean;
}

std::string or_dash(double value) { return std::isnan(value) ? "–" : short_number(value); }

std::string status_of(const MemberResult& m) {
  if (m.diverged) return fmt::format("diverged at step {}", m.step);
  for (const InvariantStatus& i : m.invariants)
    if (m.broke(i)) return fmt::format("broke '{}' at step {}", i.name, i.broken_at);
  return m.failed.empty() ? "ok" : "failed: " + m.failed.front();
}

std::string seeds_text(const SettingReport& s) {
  if (s.members.size() < s.planned) return fmt::format("{} of {}", s.members.size(), s.planned);
  return fmt::format("{}", s.planned);
}

std::string diverged_text(const SettingReport& s) {
  return s.diverged == 0 ? "" : fmt::format("{} diverged", s.diverged);
}

std::string settings_table(const SweepReport& report) {
  Row head = {"run"};
  head.insert(head.end(), report.swept.begin(), report.swept.end());
  head.insert(head.end(), {"seeds", "loss ± se", ""});
  std::vector<Row> rows = {head};
  for (const SettingReport& s : report.settings) {
    Row row = {report.best[s.run].label};
    for (const std::string& name : report.swept) row.push_back(short_number(named_number(s.hparams, name)));
    row.push_back(seeds_text(s));
    row.push_back(estimate_text(s.loss));
    const bool best = report.best[s.run].setting && &report.settings[*report.best[s.run].setting] == &s;
    const std::string lost = diverged_text(s);
    row.push_back(best ? "best" : !lost.empty() && s.loss.count > 0 ? lost + ", mean of the others" : lost);
    rows.push_back(row);
  }
  return text_table(rows);
}

std::string time_text(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.3g} µs", seconds * 1e6) : fmt::format("{:.3g} ms", seconds * 1e3);
}

std::vector<std::string> final_names(const SweepReport& report) {
  std::vector<std::string> names;
  for (const MemberResult* m : report.results)
    for (const auto& [name, value] : m->final)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

Json member_json(const MemberResult& m, std::size_t number) {
  Json one;
  one["label"] = m.label;
  one["of"] = m.group;
  one["optimizer"] = m.optimizer;
  one["member"] = number;
  one["seed"] = m.seed;
  one["hparams"] = numbers_json<Json>(m.hparams);
  add_result_json(one, m, hash_text(m.state_hash));
  one["final_loss"] = json_number<Json>(m.final_loss);
  one["final"] = numbers_json<Json>(m.final);
  one["invariants"] = invariants_json<Json>(m.invariants);
  one["failed"] = m.failed;
  if (!m.not_judged.empty()) one["not_judged"] = m.not_judged;
  return one;
}

Json best_json(const SweepReport& report, const BestReport& best) {
  Json one;
  one["run"] = best.label;
  one["optimizer"] = best.optimizer;
  one["seconds_per_step"] = json_number<Json>(best.seconds_per_step);
  one["state_bytes"] = json_number<Json>(best.state_bytes);
  if (!best.setting) {
    one["hparams"] = nullptr;
    return one;
  }
  const SettingReport& s = report.settings[*best.setting];
  one["hparams"] = numbers_json<Json>(s.hparams);
  one["loss"] = estimate_json<Json>(s.loss);
  one["norm_ratio"] = json_number<Json>(best.norm_ratio);
  one["edge"] = Json::array();
  for (const EdgeWarning& e : best.edges) {
    one["edge"].push_back(
        Json{{"hparam", e.hparam}, {"value", json_number<Json>(e.value)}, {"end", e.largest ? "largest" : "smallest"}});
    if (e.beyond) one["edge"].back()["but_for"] = json_number<Json>(*e.beyond);
  }
  Json mean = Json::array(), se = Json::array(), step = Json::array();
  for (std::size_t i = 0; i < s.band.size(); ++i) {
    step.push_back(static_cast<long>(i + 1) * report.steps / static_cast<long>(s.band.size()));
    mean.push_back(json_number<Json>(s.band[i]));
    se.push_back(json_number<Json>(s.band_se[i]));
  }
  one["band"] = Json{{"until_step", step}, {"mean", mean}, {"se", se}};
  return one;
}

} // namespace

std::string estimate_text(const Estimate& e) {
  if (e.count == 0) return "–";
  if (std::isnan(e.se)) return short_number(e.mean);
  return fmt::format("{} ± {:.2g}", short_number(e.mean), e.se);
}

std::string sweep_members_table(const SweepReport& report) {
  Row head = {"run"};
  head.insert(head.end(), report.swept.begin(), report.swept.end());
  head.insert(head.end(), {"seed", "loss"});
  const bool accuracy = has_accuracy(report);
  if (accuracy) head.push_back("accuracy");
  head.insert(head.end(), {"norm", "angular update (°/step)", "status"});
  std::vector<Row> rows = {head};
  for (const MemberResult* m : report.results) {
    Row row = {m->group};
    for (const std::string& name : report.swept) row.push_back(short_number(named_number(m->hparams, name)));
    row.insert(row.end(), {fmt::format("{}", m->seed), short_number(m->final_loss)});
    if (accuracy) row.push_back(or_dash(m->value("accuracy")));
    row.insert(row.end(), {or_dash(m->norm), or_dash(degrees(m->angular_update)), status_of(*m)});
    rows.push_back(row);
  }
  return text_table(rows);
}

std::string best_table(const SweepReport& report) {
  Row head = {"run"};
  head.insert(head.end(), report.swept.begin(), report.swept.end());
  head.push_back("loss ± se");
  const bool accuracy = has_accuracy(report), radial = has_radial(report);
  if (accuracy) head.push_back("accuracy");
  head.insert(head.end(), {"norm, final by start", "angular update (°/step)"});
  if (radial) head.push_back("radial update");
  head.insert(head.end(), {"time per step", "state"});
  std::vector<Row> rows = {head};
  for (const BestReport& best : report.best) {
    Row row = {best.label};
    const SettingReport* s = best.setting ? &report.settings[*best.setting] : nullptr;
    const bool begun = std::any_of(report.settings.begin(), report.settings.end(), [&](const SettingReport& setting) {
      return setting.run == best.run && !setting.members.empty();
    });
    for (const std::string& name : report.swept) row.push_back(s ? short_number(named_number(s->hparams, name)) : "–");
    row.push_back(s                   ? estimate_text(s->loss)
                  : report.complete() ? "none without divergence"
                  : begun             ? "not finished"
                                      : "not run yet");
    if (accuracy) row.push_back(s ? or_dash(s->mean_of("accuracy")) : "–");
    row.insert(row.end(), {s ? or_dash(best.norm_ratio) : "–", s ? or_dash(degrees(angular_of(*s))) : "–"});
    if (radial) row.push_back(s ? or_dash(radial_of(*s)) : "–");
    row.insert(row.end(), {begun ? time_text(best.seconds_per_step) : "–", begun ? size_text(best.state_bytes) : "–"});
    rows.push_back(row);
  }
  return text_table(rows);
}

std::string untuned_lines(const SweepReport& report) {
  std::string out;
  for (const UntunedRate& rate : report.not_tuned)
    out += fmt::format("not tuned: {} of {}, {}, {}\n", rate.hparam, rate.run, short_number(rate.value),
                       rate.hparam == "lr" ? "the only one that was tried"
                                           : "the rate of parameters that go by another recipe");
  return out;
}

std::string warning_lines(const SweepReport& report) {
  std::string out;
  for (const BestReport& best : report.best)
    for (const EdgeWarning& e : best.edges)
      out += fmt::format("WARNING: the best {} of {}, {}, is the {} that was tried{}: widen the range\n", e.hparam,
                         best.label, short_number(e.value), e.largest ? "largest" : "smallest",
                         e.beyond ? " but for " + short_number(*e.beyond) : "");
  for (const MemberResult* m : report.results) {
    for (const InvariantStatus& i : m->invariants)
      if (m->broke(i))
        out += fmt::format("BROKEN invariant '{}' of '{}' at step {}: {} > {}\n", i.name, m->label, i.broken_at,
                           short_number(i.worst), short_number(i.tolerance));
    for (const std::string& what : m->failed) out += fmt::format("FAILED: {}\n", what);
  }
  if (const auto [count, why] = report.not_judged(); count > 0)
    out += fmt::format("expectations of {} of {} members not judged: {}\n", count, report.results.size(), why);
  if (const std::size_t lost = report.diverged())
    out += fmt::format("{} of {} members diverged; no mean has them in it\n", lost, report.results.size());
  return out;
}

std::string verdict(const Estimate& d, const std::string& a, const std::string& b) {
  if (decided(d)) return fmt::format("{} is lower", d.mean < 0 ? a : b);
  if (d.count == 0) return "not decided: no seed in common";
  if (d.mean == 0) return "not decided: equal";
  if (d.count < kFewestPairs)
    return fmt::format("not decided: {} seed{}, {} are needed", d.count, d.count == 1 ? "" : "s", kFewestPairs);
  return fmt::format("not decided: less than {:.2f} standard errors", needed_errors(d.count));
}

std::string difference_lines(const SweepReport& report) {
  std::vector<Row> rows;
  std::size_t lowest = report.best.size();
  for (std::size_t i = 0; i < report.best.size(); ++i)
    if (report.best[i].setting &&
        (lowest == report.best.size() ||
         report.settings[*report.best[i].setting].loss.mean < report.settings[*report.best[lowest].setting].loss.mean))
      lowest = i;
  const bool all = report.differences.size() <= kMostDifferences;
  for (const Difference& d : report.differences) {
    if (!all && d.a != lowest && d.b != lowest) continue;
    const std::string &a = report.best[d.a].label, &b = report.best[d.b].label;
    rows.push_back({fmt::format("{} − {}", a, b), estimate_text(d.loss), verdict(d.loss, a, b)});
  }
  if (rows.empty()) return {};
  return fmt::format("differences of the losses at the bests, seed by seed{}{}:\n", all ? "" : ", to the lowest",
                     rows.size() > 1 ? ", each judged by itself" : "") +
         text_table(rows);
}

std::string sweep_summary(const SweepReport& report) {
  std::string out = fmt::format("loss: mean over steps {} to {}; ± standard error over seeds\n",
                                report.steps - report.tail + 1, report.steps);
  if (report.settings.size() > report.best.size()) out += settings_table(report) + "\neach at its best:\n";
  out += best_table(report) + untuned_lines(report);
  for (const std::string& part : {warning_lines(report), difference_lines(report)})
    if (!part.empty()) out += "\n" + part;
  if (report.complete())
    out += fmt::format("\nstate hash {} ({}, {})\n", hash_text(report.state_hash), report.device, report.precision);
  return out;
}

std::string sweep_csv(const SweepReport& report) {
  const std::vector<std::string> names = final_names(report);
  std::string out = "run,member,seed,step,of,optimizer";
  for (const std::string& name : report.swept) out += "," + csv_field(name);
  out += ",status,final_loss,state_hash";
  for (const std::string& name : names) out += "," + csv_field(name);
  out += "\n";
  const int digits = report.precision == "f64" ? 17 : 9;
  const auto value = [](double v, int places) {
    return std::isnan(v) ? std::string() : fmt::format("{:.{}g}", v, places);
  };
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const MemberResult* m = report.results[i];
    out += fmt::format("{},{},{},{},{},{}", csv_field(m->label), report.numbers[i], m->seed, m->step,
                       csv_field(m->group), csv_field(m->optimizer));
    for (const std::string& name : report.swept) out += "," + value(named_number(m->hparams, name), 17);
    out +=
        fmt::format(",{},{},{}", m->diverged ? "diverged" : "ok", value(m->final_loss, 17), hash_text(m->state_hash));
    for (const std::string& name : names) out += "," + value(m->value(name), digits);
    out += "\n";
  }
  return out;
}

std::string sweep_json(const SweepReport& report) {
  Json json = report_head_json<Json>(report);
  json["steps"] = report.steps;
  json["tail_steps"] = report.tail;
  json["complete"] = report.complete();
  json["interrupted"] = !report.complete();
  json["state_hash"] = report.complete() ? Json(hash_text(report.state_hash)) : Json(nullptr);
  json["seconds"] = json_number<Json>(report.seconds);
  json["swept"] = report.swept;
  json["diverged"] = report.diverged();
  json["members"] = Json::array();
  for (std::size_t i = 0; i < report.results.size(); ++i)
    json["members"].push_back(member_json(*report.results[i], report.numbers[i]));
  json["settings"] = Json::array();
  for (const SettingReport& s : report.settings)
    json["settings"].push_back(Json{{"run", report.best[s.run].label},
                                    {"hparams", numbers_json<Json>(s.hparams)},
                                    {"seeds", s.planned},
                                    {"finished", s.members.size()},
                                    {"diverged", s.diverged},
                                    {"loss", estimate_json<Json>(s.loss)}});
  json["best"] = Json::array();
  for (const BestReport& best : report.best) json["best"].push_back(best_json(report, best));
  json["not_tuned"] = Json::array();
  for (const UntunedRate& rate : report.not_tuned)
    json["not_tuned"].push_back({{"run", rate.run}, {"hparam", rate.hparam}, {"value", json_number<Json>(rate.value)}});
  json["differences"] = Json::array();
  for (const Difference& d : report.differences) {
    Json one = {{"a", report.best[d.a].label}, {"b", report.best[d.b].label}, {"loss", estimate_json<Json>(d.loss)}};
    one["decided"] = d.decided();
    one["lower"] = d.decided() ? Json(report.best[d.loss.mean < 0 ? d.a : d.b].label) : Json(nullptr);
    json["differences"].push_back(std::move(one));
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace polarscope
