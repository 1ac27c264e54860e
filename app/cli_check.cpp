// polarscope check: reads a scene or an optimizer and says what it was understood to mean.
#include "app/cli.hpp"
#include "engine/compile.hpp"
#include "engine/files.hpp"
#include "engine/preset.hpp"
#include "engine/report.hpp"
#include "engine/scene.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace polarscope {

void check_command(Commands& commands);

namespace {

std::string composition(const OptimizerSpec& spec) {
  std::string out;
  for (const Part part : kRecipeParts) {
    out += fmt::format("  {:10}", part_name(part));
    for (const PartSpec& link : spec.chain(part)) {
      out += (&link == &spec.part(part) ? "" : "  then ") + link.kind;
      for (const auto& [name, value] : link.options) out += fmt::format("  {}={}", name, to_text(value));
    }
    out += "\n";
  }
  return out;
}

std::string hparam_line(const OptimizerSpec& spec, const std::map<std::string, double>& own) {
  std::string out;
  for (const Setting& s : optimizer_hparams(spec)) {
    const auto it = own.find(s.name);
    out += fmt::format(" {}={}", s.name, it == own.end() ? to_text(s.value) : to_text(it->second));
  }
  return out;
}

std::string schedule_lines(const OptimizerSpec& spec) {
  std::string out;
  for (const auto& [name, s] : spec.schedules)
    out += fmt::format("  schedule of {}: {}, warmup {}, cooldown {}, shape {}, final {}\n", name, s.kind, s.warmup, s.cooldown, s.shape, s.final_value);
  return out;
}

std::string describe_optimizer(const OptimizerSpec& spec) {
  return fmt::format("optimizer {}: {}\n{}  {:10}{}\n{}", spec.name, spec.title, composition(spec), "numbers", hparam_line(spec, {}).substr(1),
                     schedule_lines(spec));
}

Result<std::string> describe_scene(const Scene& scene) {
  std::string out = fmt::format("scene: {}\n{} steps, seed {}, {}\nproblem {}", scene.title, scene.steps, scene.seed,
                                scene.precision == Precision::f64 ? "f64" : "f32", scene.problem);
  for (const auto& [key, value] : scene.problem_values.values) out += fmt::format("  {}={}", key, to_text(value));
  out += "\n";
  std::vector<std::shared_ptr<const StepProgram>> programs;
  for (const RunSpec& run : scene.runs) {
    auto program = compile(scene, run);
    if (!program) return program.error();
    programs.push_back(*program);
    out += fmt::format("run {}: {}\n{}  {:10}{}\n{}", run.label, run.optimizer.name, composition(run.optimizer), "numbers",
                       hparam_line(run.optimizer, run.hparams).substr(1), schedule_lines(run.optimizer));
  }
  if (auto done = check_expectations(scene, programs); !done) return done.error();
  if (!scene.expect.empty()) out += fmt::format("{} expectations\n", scene.expect.size());
  return out + fmt::format("memory {:.3g} MB\n", memory_estimate(programs, 0) / 1e6);
}

// A name is a preset's or a scene's; a file is a scene when it has a scene's tables.
Result<std::string> describe(const std::string& name) {
  const std::vector<std::string> presets = preset_names();
  bool optimizer = std::find(presets.begin(), presets.end(), name) != presets.end();
  if (!optimizer && file_exists(name)) {
    const auto text = read_file(name, std::size_t{1} << 20);
    if (!text) return text.error();
    const auto tree = parse_toml(*text, name);
    if (!tree) return tree.error();
    optimizer = !tree->find("scene") && !tree->find("problem") && !tree->find("run");
  }
  if (optimizer) {
    const auto spec = load_optimizer(name);
    if (!spec) return spec.error();
    return describe_optimizer(*spec);
  }
  const auto scene = load_scene(name);
  if (!scene) return scene.error();
  return describe_scene(*scene);
}

} // namespace

void check_command(Commands& commands) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = commands.app.add_subcommand("check", "Validates a scene or an optimizer and prints what it resolves to");
  command->add_option("FILE", *name, "A scene, an optimizer's TOML file, or the name of an installed one")->required();
  command->callback([name, &commands] {
    commands.chosen = [name] {
      const auto text = describe(*name);
      return text ? print_result(*text) : complain(text.error());
    };
  });
}

} // namespace polarscope
