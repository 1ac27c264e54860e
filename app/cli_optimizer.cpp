#include "app/cli_optimizer.hpp"

#include "engine/docs.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/preset.hpp"
#include "engine/report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace polarscope {

namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

Json json_number(double value) {
  if (std::isnan(value)) return nullptr;
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

std::string shape_text(const TrialShape& s) {
  return fmt::format("{} × {}{}", s.rows, s.cols, s.name == "low rank" ? ", rank 2" : "");
}

// Two digits say how large a violation is.
std::string violation_text(double value, double tolerance) {
  if (std::isnan(value)) return "–";
  if (value == 0) return "0";
  return fmt::format("{:.1e}{}", value, value > tolerance ? " !" : "");
}

std::string promises_text(const Trial& trial) {
  std::string out;
  if (!trial.promises.empty()) {
    out += fmt::format("\nlargest violations in {} steps of random gradients, f32\n", trial.steps);
    Rows rows = {{"promise", "tolerance"}};
    for (const TrialShape& s : trial.shapes) rows[0].push_back(shape_text(s));
    for (const TrialPromise& p : trial.promises) {
      rows.push_back({p.name, fmt::format("{:.0e}", p.tolerance)});
      for (const double worst : p.worst) rows.back().push_back(violation_text(worst, p.tolerance));
    }
    out += text_table(rows);
  }
  for (const TrialPromise& p : trial.promises)
    if (!p.held()) out += fmt::format("BROKEN promise '{}': {}\n", p.name, p.meaning);
  for (const TrialShape& s : trial.shapes)
    if (s.diverged_at > 0) out += fmt::format("BROKEN at {}: not finite after step {}\n", shape_text(s), s.diverged_at);
  if (!trial.good()) return out;
  return out + (trial.promises.empty() ? "\nno promises; every step finite\n" : "promises kept\n");
}

const char* verdict(const SymmetryResult& r) { return r.held() ? "holds" : r.nearly() ? "nearly" : "no"; }

// What a composition's stages let one expect; T4 and T5 are a matter of taste.
bool expected(const OptimizerReport& report, Symmetry symmetry) {
  if (symmetry == Symmetry::gradient_size) return report.size_of_its_own;
  return symmetry == Symmetry::no_gradient || symmetry == Symmetry::no_rate;
}

std::string symmetries_text(const OptimizerReport& report) {
  Rows rows = {{"test", "", "deviation", "expected", "what"}};
  for (const SymmetryResult& r : report.symmetries)
    rows.push_back({symmetry_name(r.symmetry), verdict(r), r.worst == 0 ? "0" : fmt::format("{:.1e}", r.worst),
                    expected(report, r.symmetry) ? "yes" : "", symmetry_meaning(r.symmetry)});
  return "\n" + text_table(rows);
}

} // namespace

Json facts_json(const OptimizerFacts& facts) {
  Json state = Json::array(), parts = Json::array();
  for (const StateFact& s : facts.state)
    state.push_back({{"name", s.name}, {"shape", s.shape}, {"kind", s.kind}, {"meaning", s.meaning}});
  for (const CostFact& c : facts.costs)
    parts.push_back({{"phase", phase_name(c.phase)}, {"what", c.text}, {"flops", c.flops.count}});
  return {{"state", state},
          {"memory", {{"numbers", facts.memory}, {"bytes_per_weight", facts.bytes_per_weight}}},
          {"cost",
           {{"rows", facts.rows},
            {"cols", facts.cols},
            {"flops_per_step", facts.step.count},
            {"flops_per_weight", facts.flops_per_weight},
            {"counted", flops_kind_name(facts.step.kind)},
            {"rises_with_size", facts.rises_with_size},
            {"parts", parts}}}};
}

OptimizerReport report_on(const OptimizerSpec& spec) {
  const std::vector<StageLink> links = stage_links(spec);
  const bool own_size = std::any_of(links.begin(), links.end(), [](const StageLink& l) { return l.stage->own_size; });
  return {spec, optimizer_facts(spec), try_promises(spec, Precision::f32), try_symmetries(spec), own_size};
}

std::string report_text(const OptimizerReport& report) {
  return fmt::format("  {:10}{}\n  {:10}{}\n  {:10}{}\n", "state", state_text(report.facts), "memory",
                     memory_text(report.facts), "cost", cost_text(report.facts)) +
         promises_text(report.trial) + symmetries_text(report);
}

std::string report_json(const OptimizerReport& report) {
  Json json = {{"version", 1}, {"optimizer", report.spec.name}, {"title", report.spec.title}};
  Json& parts = json["parts"] = Json::object();
  for (const StageLink& link : stage_links(report.spec)) parts[part_name(link.part)].push_back(link.stage->kind);
  Json& hparams = json["hparams"] = Json::object();
  for (const Setting& s : optimizer_hparams(report.spec)) hparams[s.name] = std::get<double>(s.value);
  json.update(facts_json(report.facts));
  Json& promises = json["promises"] = Json::array();
  for (const TrialPromise& p : report.trial.promises) {
    Json worst = Json::object();
    for (std::size_t k = 0; k < p.worst.size(); ++k) worst[report.trial.shapes[k].name] = json_number(p.worst[k]);
    promises.push_back(
        {{"name", p.name}, {"meaning", p.meaning}, {"held", p.held()}, {"tolerance", p.tolerance}, {"worst", worst}});
  }
  Json& shapes = json["shapes"] = Json::array();
  for (const TrialShape& s : report.trial.shapes)
    shapes.push_back({{"name", s.name}, {"rows", s.rows}, {"cols", s.cols}, {"diverged_at", s.diverged_at}});
  Json& tests = json["symmetries"] = Json::array();
  for (const SymmetryResult& r : report.symmetries)
    tests.push_back({{"test", symmetry_name(r.symmetry)},
                     {"meaning", symmetry_meaning(r.symmetry)},
                     {"verdict", verdict(r)},
                     {"deviation", json_number(r.worst)},
                     {"expected", expected(report, r.symmetry)}});
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace polarscope
