// polarscope list: what the registries, the folders and the machine offer.
#include "app/cli.hpp"
#include "app/cli_table.hpp"
#include "app/cli_usage.hpp"
#include "app/lesson_file.hpp"
#include "app/cli_optimizer.hpp"
#include "engine/backend.hpp"
#include "engine/docs.hpp"
#include "engine/files.hpp"
#include "engine/metric/metric.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/preset.hpp"
#include "engine/problem/problem.hpp"
#include "engine/report.hpp"
#include "engine/scene.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace polarscope {

void list_command(Commands& commands);

namespace {

using Json = nlohmann::ordered_json;

struct Listing {
  std::string text;
  Json json = Json::array();
};

Json json_value(const SettingValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json settings_json(const std::vector<Setting>& settings) {
  Json out = Json::array();
  for (const Setting& s : settings)
    out.push_back(
        {{"name", s.name}, {"default", json_value(s.value)}, {"allowed", allowed_text(s)}, {"meaning", s.meaning}});
  return out;
}

// "lr=0.1 momentum=0.9"
std::string settings_line(const std::vector<Setting>& settings, const std::string& prefix = "") {
  std::string out;
  for (const Setting& s : settings)
    out += fmt::format("{}{}{}={}", out.empty() ? "" : " ", prefix, s.name, shown_text(s, s.value));
  return out;
}

// "lr=0.1 {0 and more}; nesterov=false": with the words or the range that are allowed.
std::string allowed_line(const std::vector<Setting>& settings) {
  std::string out;
  for (const Setting& s : settings) {
    out += fmt::format("{}{}={}", out.empty() ? "" : "; ", s.name, shown_text(s, s.value));
    if (s.kind != SettingKind::boolean) out += fmt::format(" {{{}}}", allowed_text(s));
  }
  return out;
}

// Every option of one of a recipe's stages with its present value.
std::vector<Setting> options_of(const StageLink& link) {
  std::vector<Setting> options = link.stage->options;
  for (Setting& option : options)
    if (const auto it = link.spec->options.find(option.name); it != link.spec->options.end()) option.value = it->second;
  return options;
}

Result<Listing> list_optimizers() {
  Listing out;
  for (const std::string& name : preset_names()) {
    const auto spec = load_optimizer(name);
    if (!spec) return spec.error();
    out.text += fmt::format("{}: {}\n", name, spec->title);
    if (!spec->description.empty()) out.text += fmt::format("  {}\n", spec->description);
    const std::vector<Setting> hparams = optimizer_hparams(*spec);
    out.text += fmt::format("  hyperparameters: {}\n", settings_line(hparams));
    Json parts = Json::object();
    std::string line;
    for (const StageLink& link : stage_links(*spec)) {
      const std::vector<Setting> options = options_of(link);
      Json& chain = parts[part_name(link.part)];
      chain.push_back({{"kind", link.stage->kind}, {"options", settings_json(options)}});
      line += fmt::format(" {}.kind={}", part_name(link.part), link.stage->kind);
      if (!options.empty()) line += " " + settings_line(options, std::string(part_name(link.part)) + ".");
    }
    const OptimizerFacts facts = optimizer_facts(*spec);
    Json promises = Json::array();
    std::string promised;
    for (const PromiseFact& p : facts.promises) {
      promises.push_back({{"name", p.name}, {"meaning", p.meaning}, {"tolerance", p.tolerance}, {"exact", p.exact}});
      promised += (promised.empty() ? "" : ", ") + p.name;
    }
    out.text += fmt::format("  options:{}\n  state: {}\n  memory: {}\n  cost: {}\n", line, state_text(facts),
                            memory_text(facts), cost_text(facts));
    if (!promised.empty()) out.text += fmt::format("  promises: {}\n", promised);
    if (!spec->not_promised.empty()) out.text += fmt::format("  not promised: {}\n", spec->not_promised);
    if (!spec->source.empty()) out.text += fmt::format("  source: {}\n", spec->source);
    Json json = {{"name", name},
                 {"title", spec->title},
                 {"description", spec->description},
                 {"source", spec->source},
                 {"not_promised", spec->not_promised},
                 {"hparams", settings_json(hparams)},
                 {"parts", parts},
                 {"promises", promises}};
    json.update(facts_json(facts));
    out.json.push_back(std::move(json));
  }
  return out;
}

Result<Listing> list_problems() {
  Listing out;
  for (const Problem& p : problems()) {
    out.text += fmt::format("{}: {}\n  {}\n", p.kind, p.title, p.meaning);
    if (!p.keys.empty()) out.text += fmt::format("  keys: {}\n", allowed_line(p.keys));
    out.json.push_back({{"kind", p.kind},
                        {"title", p.title},
                        {"meaning", p.meaning},
                        {"formula", p.formula},
                        {"source", p.source},
                        {"keys", settings_json(p.keys)},
                        {"start_keys", settings_json(p.start_keys)}});
  }
  return out;
}

Result<Listing> list_metrics() {
  Listing out;
  std::vector<std::vector<std::string>> rows = {{"metric", "unit", "meaning"}};
  for (const Metric& m : metrics()) {
    rows.push_back({m.name, m.unit, m.meaning});
    out.json.push_back({{"name", m.name},
                        {"title", m.title},
                        {"unit", m.unit},
                        {"formula", m.formula},
                        {"meaning", m.meaning},
                        {"source", m.source},
                        {"every", m.every},
                        {"every_of_large", m.every_of_large != 0 ? m.every_of_large : m.every}});
  }
  out.text = fitted_table(rows, terminal_width());
  return out;
}

Result<Listing> list_stages() {
  Listing out;
  std::vector<std::vector<std::string>> rows = {{"part", "stage", "settings", "meaning"}};
  for (const Stage& s : stages()) {
    std::vector<Setting> all = s.hparams;
    all.insert(all.end(), s.options.begin(), s.options.end());
    rows.push_back({part_name(s.part), s.kind, allowed_line(all), s.meaning});
    out.json.push_back({{"part", part_name(s.part)},
                        {"kind", s.kind},
                        {"meaning", s.meaning},
                        {"formula", s.formula},
                        {"source", s.source},
                        {"hparams", settings_json(s.hparams)},
                        {"options", settings_json(s.options)}});
  }
  out.text = fitted_table(rows, terminal_width());
  return out;
}

Result<Listing> list_scenes() {
  Listing out;
  std::vector<std::vector<std::string>> rows;
  for (const SceneEntry& s : installed_scenes()) {
    rows.push_back({s.name, s.description.empty() ? s.title : s.description});
    out.json.push_back({{"name", s.name}, {"title", s.title}, {"description", s.description}});
  }
  out.text = fitted_table(rows, terminal_width());
  return out;
}

Result<Listing> list_lessons() {
  Listing out;
  std::vector<std::vector<std::string>> rows;
  for (const std::string& name : lesson_names()) {
    const auto lesson = load_lesson(name);
    if (!lesson) return lesson.error();
    rows.push_back({"lessons/" + name, lesson->title});
    out.json.push_back({{"name", "lessons/" + name},
                        {"title", lesson->title},
                        {"scene", lesson->scene},
                        {"parts", lesson->parts.size()}});
  }
  out.text = fitted_table(rows, terminal_width());
  return out;
}

Result<Listing> list_claims() {
  Listing out;
  out.text = "no claims yet\n";
  return out;
}

Result<Listing> list_devices() {
  Listing out;
  std::vector<std::vector<std::string>> rows;
  for (const DeviceInfo& d : devices()) {
    rows.push_back({d.name, d.available ? d.description : "not available: " + d.why_not});
    out.json.push_back(
        {{"name", d.name}, {"description", d.description}, {"available", d.available}, {"why_not", d.why_not}});
  }
  out.text = fitted_table(rows, terminal_width());
  return out;
}

struct Kind {
  const char* name;
  Result<Listing> (*list)();
};
constexpr Kind kKinds[] = {{"optimizers", list_optimizers}, {"problems", list_problems}, {"metrics", list_metrics},
                           {"stages", list_stages},         {"scenes", list_scenes},     {"lessons", list_lessons},
                           {"claims", list_claims},         {"devices", list_devices}};

struct ListArguments {
  std::string what, json;
};

Result<void> list(const ListArguments& arguments) {
  for (const Kind& kind : kKinds) {
    if (arguments.what != kind.name) continue;
    const auto listing = kind.list();
    if (!listing) return listing.error();
    if (!arguments.json.empty()) {
      const Json json = {{"version", 1}, {kind.name, listing->json}};
      if (auto done = write_file(arguments.json, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
          !done)
        return done;
    }
    return arguments.json == "-" ? Result<void>{} : write_file("-", wrapped(listing->text, terminal_width(), 4));
  }
  return bad_input(fmt::format("nothing to list under '{}'", arguments.what));
}

} // namespace

void list_command(Commands& commands) {
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* command = commands.app.add_subcommand(
      "list", "Lists optimizers, problems, metrics, stages, scenes, lessons, claims or devices");
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  command->add_option("WHAT", arguments->what, "One of those")->required()->check(one_of(names));
  command->add_option("--json", arguments->json, "Everything known about each; - is stdout")->type_name("FILE");
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto done = list(*arguments);
      return done ? 0 : complain(done.error());
    };
  });
}

} // namespace polarscope
