// polarscope check: reads a scene, an optimizer or a lesson and says what it was understood to mean.
#include "app/cli.hpp"
#include "app/lesson_file.hpp"
#include "app/cli_optimizer.hpp"
#include "engine/compile.hpp"
#include "engine/files.hpp"
#include "engine/optimizer/route.hpp"
#include "engine/optimizer/stage.hpp"
#include "engine/preset.hpp"
#include "engine/report.hpp"
#include "engine/scene.hpp"
#include "engine/sweep.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace polarscope {

void check_command(Commands& commands);

namespace {

constexpr std::string_view kLessons = "lessons/"; // what a lesson's name begins with, beside scenes' names

// "momentum  nesterov=true  by default: momentum_form=heavy_ball": every option, those that are written down first.
std::string stage_text(Part part, const PartSpec& link) {
  std::string written = link.kind, left;
  for (const Setting& option : find_stage(part, link.kind)->options) {
    const auto given = link.options.find(option.name);
    (given == link.options.end() ? left : written) += fmt::format(
        "  {}={}", option.name, shown_text(option, given == link.options.end() ? option.value : given->second));
  }
  return written + (left.empty() ? "" : "  by default:" + left.substr(1));
}

std::string composition(const OptimizerSpec& spec) {
  std::string out;
  for (const Part part : kRecipeParts) {
    out += fmt::format("  {:10}", part_name(part));
    for (const PartSpec& link : spec.chain(part))
      out += (&link == &spec.part(part) ? "" : "  then ") + stage_text(part, link);
    out += "\n";
  }
  return out;
}

// Which parameter goes through which optimizer, of a run with routes: "  W1 (matrix) → muon", parameters alike on one line.
std::string route_lines(const OptimizerSpec& spec, const StepProgram& program) {
  if (spec.routes.empty()) return "";
  std::vector<std::pair<std::string, std::string>> lines; // optimizer, parameters
  for (const ParamInfo& p : program.parameters()) {
    const RouteSpec* route = route_of(spec, p);
    const std::string through =
        route ? fmt::format("{} (route.{})", route->recipe->name, route->target) : fmt::format("{}", spec.name);
    const auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == through; });
    const std::string named = fmt::format("{} ({})", p.name, role_name(p.role));
    if (line == lines.end()) lines.emplace_back(through, named);
    else line->second += ", " + named;
  }
  std::string out;
  for (const auto& [through, names] : lines)
    out += fmt::format("  {:10}{} → {}\n", out.empty() ? "routes" : "", names, through);
  return out;
}

// The recipe with only those routes that some parameter of the program goes by.
OptimizerSpec with_routes_used(OptimizerSpec spec, const StepProgram& program) {
  std::vector<RouteSpec> used;
  for (const RouteSpec& route : spec.routes)
    if (std::any_of(program.parameters().begin(), program.parameters().end(),
                    [&](const ParamInfo& p) { return route_of(spec, p) == &route; }))
      used.push_back(route);
  spec.routes = std::move(used);
  return spec;
}

// Numbers of the stages: those that run or recipe write down first.
std::string hparam_line(const OptimizerSpec& spec, const std::map<std::string, double>& own) {
  std::string written, left;
  for (const Setting& s : optimizer_hparams(spec)) {
    const auto it = own.find(s.name);
    const bool given = it != own.end() || spec.hparams.contains(s.name);
    (given ? written : left) += fmt::format(" {}={}", s.name, it == own.end() ? to_text(s.value) : to_text(it->second));
  }
  if (left.empty()) return written;
  return written + (written.empty() ? "" : " ") + " by default:" + left;
}

std::string schedule_lines(const OptimizerSpec& spec) {
  std::string out;
  for (const auto& [name, s] : spec.schedules)
    out += fmt::format("  schedule of {}: {}, warmup {}, cooldown {}, shape {}, final {}, floor {}\n", name, s.kind,
                       s.warmup, s.cooldown, s.shape, s.final_value, s.floor);
  return out;
}

// What was found, as text and as JSON where there is such a record; `good` is false when a promise broke.
struct Description {
  std::string text, json = {};
  bool good = true;
};

Description describe_optimizer(const OptimizerSpec& spec) {
  const OptimizerReport report = report_on(spec);
  const std::string head = fmt::format("optimizer {}: {}\n{}  {:10}{}\n{}", spec.name, spec.title, composition(spec),
                                       "numbers", hparam_line(spec, {}).substr(1), schedule_lines(spec));
  return {head + report_text(report), report_json(report), report.trial.good()};
}

std::string describe_sweep(const Scene& scene) {
  std::string out;
  for (const SweepAxis& axis : scene.sweep->hparams)
    out += fmt::format("sweep of {}: {}\n", axis.hparam, fmt::join(axis.texts, ", "));
  if (scene.sweep->seeds > 1) out += fmt::format("sweep of seeds: {}\n", scene.sweep->seeds);
  return out + fmt::format("{:.0f} members\n", sweep_size(scene));
}

Result<Description> describe_scene(const Scene& scene) {
  std::string out = fmt::format("scene: {}\n{} steps, seed {}, {}\nproblem {}", scene.title, scene.steps, scene.seed,
                                scene.precision == Precision::f64 ? "f64" : "f32", scene.problem);
  for (const auto& [key, value] : scene.problem_values.values) out += fmt::format("  {}={}", key, to_text(value));
  out += "\n";
  std::vector<std::shared_ptr<const StepProgram>> programs;
  for (const RunSpec& run : scene.runs) {
    auto program = compile(scene, run);
    if (!program) return program.error();
    programs.push_back(*program);
    const OptimizerSpec used = with_routes_used(run.optimizer, **program);
    out += fmt::format("run {}: {}\n{}{}  {:10}{}\n{}", run.label, run.optimizer.name, composition(run.optimizer),
                       route_lines(run.optimizer, **program), "numbers", hparam_line(used, run.hparams).substr(1),
                       schedule_lines(run.optimizer));
  }
  if (auto done = check_expectations(scene, programs); !done) return done.error();
  if (!scene.expect.empty()) out += fmt::format("{} expectations\n", scene.expect.size());
  if (scene.sweep) return Description{out + describe_sweep(scene)};
  return Description{out + fmt::format("memory {:.3g} MB\n", memory_estimate(programs, scene.steps, 0) / 1e6)};
}

// What a lesson speaks of must be there: its scenes, and the runs in them.
Result<Description> describe_lesson(const Result<Lesson>& lesson, const std::string& file) {
  if (!lesson) return lesson.error();
  std::string out = fmt::format("lesson: {}\nscene {}\n", lesson->title, lesson->scene);
  auto scene = load_scene(lesson->scene);
  for (const LessonPart& part : lesson->parts) {
    if (!part.scene.empty()) scene = load_scene(part.scene);
    if (!scene) return Error{scene.error().kind, {file}, scene.error().text()};
    std::vector<std::string> labels;
    for (const RunSpec& run : scene->runs) labels.push_back(run.label);
    const std::string& wanted = part.goal.start_run;
    if (!wanted.empty() && std::find(labels.begin(), labels.end(), wanted) == labels.end())
      return bad_input(
          fmt::format("start_run: scene '{}' has no run '{}'{}", scene->path, wanted, suggestion(wanted, labels)),
          {file});
    out += fmt::format("part {}: {}\n", &part - lesson->parts.data() + 1, part.text);
  }
  return Description{out};
}

Error nothing_named(const std::string& name) {
  std::vector<std::string> names = preset_names();
  for (const SceneEntry& scene : installed_scenes()) names.push_back(scene.name);
  for (const std::string& lesson : lesson_names()) names.push_back(std::string(kLessons) + lesson);
  return bad_input(fmt::format("no file, scene, optimizer or lesson '{}'{}", name, did_you_mean(name, names)));
}

// A name is a preset's or a scene's; a file is what its tables say: a lesson's, a scene's, or else an optimizer's.
Result<Description> describe(const std::string& name) {
  const std::vector<std::string> presets = preset_names();
  bool optimizer = std::find(presets.begin(), presets.end(), name) != presets.end();
  if (!optimizer && file_exists(name)) {
    const auto text = read_file(name, std::size_t{1} << 20);
    if (!text) return text.error();
    const auto tree = parse_toml(*text, name);
    if (!tree) return tree.error();
    if (tree->find("lesson") || tree->find("part")) return describe_lesson(parse_lesson(*text, name), name);
    optimizer = !tree->find("scene") && !tree->find("problem") && !tree->find("run");
  }
  if (optimizer) {
    const auto spec = load_optimizer(name);
    if (!spec) return spec.error();
    if (auto ok = check_optimizer(*spec); !ok) return ok.error();
    return describe_optimizer(*spec);
  }
  const std::vector<std::string> lessons = lesson_names();
  if (const std::string stem = name.substr(std::min(name.size(), kLessons.size()));
      name.starts_with(kLessons) && std::find(lessons.begin(), lessons.end(), stem) != lessons.end())
    return describe_lesson(load_lesson(stem), name);
  const auto scene = load_scene(name);
  if (!scene) return scene.error().message.starts_with("no scene '") ? nothing_named(name) : scene.error();
  return describe_scene(*scene);
}

struct CheckArguments {
  std::string name, json;
};

Result<int> check(const CheckArguments& arguments) {
  const auto found = describe(arguments.name);
  if (!found) return found.error();
  if (!arguments.json.empty()) {
    if (found->json.empty()) return bad_input("--json takes an optimizer");
    if (auto done = write_file(arguments.json, found->json); !done) return done.error();
  }
  if (arguments.json != "-")
    if (auto done = write_file("-", found->text); !done) return done.error();
  return found->good ? 0 : static_cast<int>(ErrorKind::expectation);
}

} // namespace

void check_command(Commands& commands) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = commands.app.add_subcommand(
      "check", "Validates a scene, an optimizer or a lesson and prints what it resolves to");
  command
      ->add_option("FILE", arguments->name,
                   "A scene's, an optimizer's or a lesson's TOML file, or the name of an installed one")
      ->required();
  command->add_option("--json", arguments->json, "Of an optimizer: everything found; - is stdout")->type_name("FILE");
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = check(*arguments);
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
