#include "engine/docs.hpp"

#include "engine/metric/metric.hpp"
#include "engine/optimizer/facts.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/preset.hpp"
#include "engine/problem/problem.hpp"
#include "engine/report.hpp"
#include "engine/scene.hpp"
#include "engine/scene_read.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace polarscope {

namespace {

constexpr const char* kMade = "<!-- Made by `polarscope docs` from the registries: edit those instead. -->\n\n";

// Text inside a Markdown table: no bars, no line breaks.
std::string cell(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += "\\|";
    else if (c == '\n') out += ' ';
    else out += c;
  }
  return out;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string settings_table(const std::vector<Setting>& settings, const char* heading) {
  if (settings.empty()) return "";
  std::string out = fmt::format("| {} | default | allowed | meaning |\n|---|---|---|---|\n", heading);
  for (const Setting& s : settings) {
    const std::string unit = s.unit.empty() ? "" : fmt::format(" ({})", s.unit);
    out += fmt::format("| `{}` | {} | {} | {}{} |\n", s.name, code(to_text(s.value)), cell(allowed_text(s)),
                       cell(s.meaning), unit);
  }
  out += "\n";
  for (const Setting& s : settings) {
    if (s.words.empty()) continue;
    out += fmt::format("`{}`:\n\n", s.name);
    for (const SettingWord& w : s.words) {
      out += fmt::format("- `{}`: {}", w.word, w.meaning);
      if (!w.source.empty()) out += fmt::format(" ({})", w.source);
      out += "\n";
    }
    out += "\n";
  }
  return out;
}

std::string formula_block(const std::string& formula) {
  return formula.empty() ? "" : fmt::format("```\n{}\n```\n\n", formula);
}

std::string source_line(const std::string& source) {
  return source.empty() ? "" : fmt::format("Source: {}\n\n", source);
}

std::string part_text(const OptimizerSpec& spec, Part part) {
  std::string out;
  for (const PartSpec& link : spec.chain(part)) {
    out += (out.empty() ? "`" : ", then `") + link.kind + "`";
    for (const auto& [name, value] : link.options) out += fmt::format(", {} = `{}`", name, to_text(value));
  }
  return out;
}

// State with its memory, cost, promises.
std::string facts_lines(const OptimizerFacts& facts) {
  std::string out;
  for (const StateFact& s : facts.state)
    out += fmt::format("{}`{}` {}, {}", out.empty() ? "State: " : "; ", s.name, s.shape, s.meaning);
  out = out.empty() ? "State: none." : fmt::format("{}. Memory: {}.", out, memory_text(facts));
  out += fmt::format("\n\nCost: {}.\n\n", cell(cost_text(facts)));
  for (const PromiseFact& p : facts.promises) out += fmt::format("Promises *{}*: {}\n\n", p.name, p.meaning);
  return out;
}

std::string optimizers_page() {
  std::string out =
      std::string("# Optimizers\n\n") + kMade +
      "Each is a TOML file in `scenes/optimizers/`: a composition of the stages in [stages.md](stages.md).\n"
      "Numbers are set by `--set lr=0.02`, options by `--set nesterov=false`.\n\n"
      "State is that of one weight matrix of m rows and n columns; memory is that of the state in single precision, "
      "on\n"
      "top of weight and gradient. Flops are those of one step apart from the gradient: additions, multiplications,\n"
      "divisions, roots and values of other functions count one each, comparisons and copies nothing; a product that "
      "is\n"
      "known to be symmetric counts half. *About* assumes seven sweeps of Jacobi rotations; *at most*, that a search "
      "takes\n"
      "every step it may.\n\n";
  for (const std::string& name : preset_names()) {
    const auto spec = load_optimizer(name);
    if (!spec) {
      out += fmt::format("## {}\n\nCannot be read: {}\n\n", name, spec.error().text());
      continue;
    }
    out += fmt::format("## {}\n\n", name);
    if (!spec->title.empty()) out += fmt::format("**{}.** ", spec->title);
    out += spec->description + "\n\n" + source_line(spec->source);
    out += facts_lines(optimizer_facts(*spec));
    if (!spec->not_promised.empty()) out += fmt::format("Not promised: {}\n\n", spec->not_promised);
    out += "| part | stage and options |\n|---|---|\n";
    for (const Part part : kRecipeParts)
      out += fmt::format("| {} | {} |\n", part_name(part), cell(part_text(*spec, part)));
    for (const RouteSpec& route : spec->routes)
      out += fmt::format("| route: {} | {} |\n", cell(route.target),
                         route.recipe ? "`" + route.recipe->name + "`" : "the recipe itself");
    out += "\n" + settings_table(optimizer_hparams(*spec), "hyperparameter");
  }
  return out;
}

std::string stages_page() {
  std::string out =
      std::string("# Stages\n\n") + kMade +
      "An optimizer names a stage for each of direction, geometry, magnitude and decay, or a list of stages\n"
      "that run one after the other; a schedule changes one hyperparameter over the steps.\n\n";
  for (const Part part : kParts) {
    out += fmt::format("## {}\n\n", part_name(part));
    for (const Stage& stage : stages()) {
      if (stage.part != part) continue;
      out += fmt::format("### {}: {}\n\n{}\n\n", part_name(part), stage.kind, stage.meaning);
      out += formula_block(stage.formula) + settings_table(stage.hparams, "hyperparameter");
      out += settings_table(stage.options, "option");
      for (const Promise& promise : stage.promises)
        out += fmt::format("Promises *{}*: {}\n\n", promise.name, promise.meaning);
      if (part == Part::geometry)
        out += stage.own_size ? "The update has a size of its own.\n\n" : "The update has the direction's size.\n\n";
      out += source_line(stage.source);
    }
  }
  return out;
}

std::string problems_page() {
  std::string out = std::string("# Problems\n\n") + kMade;
  for (const Problem& problem : problems()) {
    out += fmt::format("## {}\n\n**{}.** {}\n\n", problem.kind, problem.title, problem.meaning);
    out += formula_block(problem.formula) + settings_table(problem.keys, "key") +
           settings_table(problem.start_keys, "start key") + source_line(problem.source);
  }
  return out;
}

std::string cadence_text(int every) { return every == 1 ? "every step" : fmt::format("every {} steps", every); }

std::string cadence_text(const Metric& metric) {
  if (metric.every == 0) return "when a scene asks for it";
  std::string text = cadence_text(metric.every);
  if (metric.every_of_large != 0)
    text += fmt::format(", of a parameter of more than {} elements {}", kLargeParameter,
                        cadence_text(metric.every_of_large));
  return text;
}

std::string metrics_page() {
  std::string out =
      std::string("# Metrics\n\n") + kMade +
      "Row t of a series is the update from W of step t − 1 to W of step t. Metrics of a parameter `P` are\n"
      "named `P.<metric>`; those of rows and columns have an index, `W.row_norm[3]`.\n\n";
  for (const Metric& metric : metrics()) {
    out += fmt::format("## {}\n\n**{}**{}: {}\n\n", metric.name, metric.title,
                       metric.unit.empty() ? "" : fmt::format(" ({})", metric.unit), metric.meaning);
    out += formula_block(metric.formula);
    const char* shape = metric.shape == MetricShape::per_row      ? "one value per row"
                        : metric.shape == MetricShape::per_column ? "one value per column"
                                                                  : "one value";
    out += fmt::format("{}{}; {}{}.\n\n", shape, metric.per_parameter ? " of each parameter" : "", cadence_text(metric),
                       metric.of_update ? "; from step 1" : "");
    out += source_line(metric.source);
  }
  return out;
}

std::string keys_page() {
  std::string out = std::string("# Keys of a scene\n\n") + kMade;
  out += "## [scene]\n\n" + settings_table(scene_keys(), "key");
  out += "## [problem]\n\n`kind` and the keys of that problem, see [problems.md](problems.md).\n\n";
  out += "## [[run]]\n\n" + settings_table(run_keys(), "key");
  out += "`start` is one of these, or the problem's own start keys; for several parameters `start.<P> = { … }`.\n\n" +
         settings_table(start_keys(), "key");
  out += "## optimizer\n\nA preset's name, or a table with these keys; a file in `scenes/optimizers/` has the same "
         "ones.\n\n" +
         settings_table(optimizer_keys(), "key");
  out += fmt::format(
      "### route\n\nA target is a parameter's name, a pattern of names (`*`, `?`) or a role: `{}`; `rest` is every "
      "parameter that is no matrix. The most special target counts: name, pattern, role, `rest`.\nA route's "
      "numbers are `hparam.<target>.<name>` and `schedule.<target>.<name>`, `--set <target>.<name>=…`; its "
      "rate follows the run's `schedule.lr` unless it has one of its own. The value `\"same\"` takes a "
      "preset's own route back.\n\n",
      fmt::join(route_words(), "`, `"));
  out +=
      "## [sweep]\n\nEvery run is repeated for each combination of these values and for each seed: `polarscope sweep` "
      "compares\nall members, the window and `run` hold up to 1,024 at once.\n\n" +
      settings_table(sweep_keys(), "key");
  out += "A number takes one of these forms: `hparam.lr = { log = [1e-4, 1e-1], count = 7 }`.\n\n" +
         settings_table(sweep_axis_keys(), "key");
  out += "## [metrics]\n\n`<metric> = { every = k }` records a metric every k steps.\n\n";
  out += "## [view]\n\n" + settings_table(view_keys(), "key");
  out += "## [expect]\n\n`<metric> = { … }`, or a list of such tables. A scene that breaks one ends with exit code "
         "1.\n\n" +
         settings_table(expect_keys(), "key");
  return out;
}

const char* role_name(Role role) {
  switch (role) {
  case Role::hparam: return "hyperparameters";
  case Role::param: return "weight";
  case Role::state: return "state";
  case Role::data: return "data";
  case Role::grad: return "gradient";
  case Role::scratch: return "scratch";
  case Role::metric: return "metrics";
  }
  return "";
}

std::string ops_text(const std::vector<OpText>& ops) {
  std::vector<std::vector<std::string>> rows;
  const char* last = "";
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const char* phase = phase_name(ops[i].phase);
    rows.push_back({fmt::format("{:3}", i), std::string(phase) == last ? "" : phase, ops[i].text});
    last = phase;
  }
  return text_table(rows);
}

} // namespace

std::string allowed_text(const Setting& setting) {
  constexpr double kHuge = 1e18;
  switch (setting.kind) {
  case SettingKind::boolean: return "true, false";
  case SettingKind::word: {
    if (setting.words.empty()) return "text";
    std::string out;
    for (const SettingWord& w : setting.words) out += (out.empty() ? "" : ", ") + w.word;
    return out;
  }
  case SettingKind::integer:
  case SettingKind::number: break;
  }
  const bool whole = setting.kind == SettingKind::integer;
  if (setting.min < -kHuge && setting.max > kHuge) return whole ? "whole numbers" : "numbers";
  if (setting.max > kHuge / 10)
    return fmt::format("{} and more", setting.min < 1e-300 ? "0" : fmt::format("{}", setting.min));
  return fmt::format("{} to {}", setting.min, setting.max);
}

std::vector<DocPage> reference_pages() {
  return {{"optimizers.md", optimizers_page()},
          {"stages.md", stages_page()},
          {"problems.md", problems_page()},
          {"metrics.md", metrics_page()},
          {"scenes-keys.md", keys_page()}};
}

std::string program_text(const StepProgram& program) {
  std::string out;
  if (!program.start_text().empty()) out += "start\n" + ops_text(program.start_text()) + "\n";
  out += "step\n" + ops_text(program.step_text()) + "\n";
  std::vector<std::vector<std::string>> rows = {{"slot", "role", "shape", "meaning"}};
  for (const SlotInfo& slot : program.slots())
    rows.push_back({slot.name, role_name(slot.role), fmt::format("{} × {}", slot.rows, slot.cols), slot.meaning});
  out += text_table(rows);
  out += fmt::format("{} bytes per member, {} of them kept in a keyframe\n", program.block_bytes(),
                     program.persistent_bytes());
  return out;
}

const char* phase_name(Phase phase) {
  switch (phase) {
  case Phase::schedule: return "schedule";
  case Phase::gradient: return "gradient";
  case Phase::clip: return "clip";
  case Phase::direction: return "direction";
  case Phase::geometry: return "geometry";
  case Phase::magnitude: return "magnitude";
  case Phase::apply: return "apply";
  case Phase::retract: return "retract";
  case Phase::metric: return "metric";
  }
  return "";
}

} // namespace polarscope
