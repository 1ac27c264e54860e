// polarscope compare: optimizers side by side on one scene, each at its best rate and all at the same one.
#include "engine/compare.hpp"

#include "app/cli.hpp"
#include "app/cli_sweep.hpp"
#include "app/cli_usage.hpp"
#include "engine/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace polarscope {

void compare_command(Commands& commands);

namespace {

struct CompareArguments {
  SweepArguments sweep;
  CompareSpec spec;
  std::optional<long> seeds;
};

// Runs are made from the optimizers' names, so there is none yet that a --set could mean.
Result<void> check_sets(const std::vector<std::string>& sets) {
  for (const std::string& text : sets) {
    const auto set = parse_set(text);
    if (!set) return set.error();
    const auto of = [&](const char* table) { return set->key.starts_with(table); };
    if (!set->label.empty() || !(of("scene.") || of("problem.") || of("metrics.")))
      return bad_input("compare sets keys of the scene only; a TOML file makes an optimizer with other numbers",
                       {"--set " + text});
  }
  return {};
}

class Comparer {
public:
  explicit Comparer(CompareArguments& arguments) : arguments_(arguments), work_(arguments.sweep) {}

  Result<int> run() {
    const InterruptGuard guard;
    if (auto ok = check_sets(arguments_.sweep.scene.sets); !ok) return ok.error();
    const auto base = open_scene(arguments_.sweep.scene);
    if (!base) return base.error();
    add_baseline();
    spec().seeds = arguments_.seeds.value_or(base->sweep && base->sweep->seeds > 1 ? base->sweep->seeds : spec().seeds);
    auto scene = compare_scene(*base, spec());
    if (!scene) return scene.error();
    scene_ = std::move(*scene);
    if (auto done = work_.open(scene_); !done) return done.error();
    const auto finished = go();
    if (!finished) return finished.error();
    SweepReport report = work_.report(scene_);
    if (same_) warn_beside_same(scene_, spec(), *same_, report);
    const std::string text = unused_line(*base) + compare_text(report, spec(), same_);
    if (auto done = work_.write(report, compare_json(report, spec(), same_), text, *finished); !done)
      return done.error();
    const int code = work_.exit_code(report, *finished);
    return code == 0 && !comparison_good(report) ? static_cast<int>(ErrorKind::expectation) : code;
  }

private:
  CompareSpec& spec() { return arguments_.spec; }

  // A result alone says nothing.
  void add_baseline() {
    if (spec().optimizers.size() > 1) return;
    spec().optimizers.emplace_back(spec().optimizers.front() == "adamw" ? "sgd" : "adamw");
    fmt::print(stderr, "polarscope: {} is compared with {}\n", spec().optimizers[0], spec().optimizers[1]);
  }

  // The values around the defaults, wider ones where an end was best, and one for all. False when interrupted.
  Result<bool> go() {
    for (;;) {
      const auto done = work_.run(scene_);
      if (!done || !*done) return done;
      const std::string added = widen(scene_, spec(), work_.report(scene_));
      if (added.empty()) break;
      fmt::print(stderr, "polarscope: the best was at an end: {}\n", added);
    }
    same_ = add_same_value(scene_, spec(), work_.report(scene_));
    return work_.run(scene_);
  }

  CompareArguments& arguments_;
  SweepWork work_;
  Scene scene_;
  std::optional<double> same_;
};

} // namespace

void compare_command(Commands& commands) {
  auto arguments = std::make_shared<CompareArguments>();
  CLI::App* command =
      commands.app.add_subcommand("compare", "Optimizers side by side on a scene, each at its best rate");
  command->add_option("OPT", arguments->spec.optimizers, "Presets or TOML files; a single one is compared with adamw")
      ->required();
  add_named_scene_options(*command, arguments->sweep.scene);
  command->add_option("--sweep", arguments->spec.hparam, "The hyperparameter that each may choose (default: lr)")
      ->type_name("HPARAM");
  command->add_option("--seeds", arguments->seeds, "How many seeds (default: the scene's, else 5)")
      ->transform(whole_number(1, kMostSweepValues))
      ->type_name("N");
  add_sweep_options(*command, arguments->sweep);
  command->callback([arguments, &commands] {
    commands.chosen = [arguments] {
      const auto code = Comparer(*arguments).run();
      return code ? *code : complain(code.error());
    };
  });
}

} // namespace polarscope
