// Recipes written as files: what is read back is what was written, and runs to the same bits.
#include "engine/optimizer/composition.hpp"
#include "engine/preset.hpp"
#include "engine/scene.hpp"
#include "tests/support/process.hpp"
#include "tests/support/scenes.hpp"

#include <filesystem>
#include <string>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::string scene_with(const std::string& optimizer) {
  return fmt::format("[scene]\nseed = 3\nsteps = 20\n[problem]\nkind = \"scaled_linear\"\nrows = 4\ncols = 6\n"
                     "samples = 16\n[[run]]\nlabel = \"A\"\noptimizer = \"{}\"\n",
                     optimizer);
}

std::uint64_t hash_after_20(const std::string& optimizer) {
  auto scene = parse_scene(scene_with(optimizer), "test.toml");
  if (!scene) FAIL(scene.error().text());
  auto session = open_session(std::move(*scene));
  session->advance(20);
  return session->state_hash();
}

} // namespace

TEST_CASE("every preset written as a file reads back the same and runs to the same bits", "[preset][recipe]") {
  const TemporaryFolder folder;
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    auto spec = load_optimizer(name);
    REQUIRE(spec);
    const auto path = save_preset(*spec, {folder.path(), "copy_of-" + name}, false);
    if (!path) FAIL(path.error().text());
    auto again = load_optimizer(*path);
    if (!again) FAIL(again.error().text());
    for (const Part part : kRecipeParts) CHECK(again->chain(part) == spec->chain(part));
    CHECK(same_schedules(*again, *spec));
    CHECK(again->hparams == spec->hparams);
    CHECK(again->title == spec->title);
    CHECK(again->description == spec->description);
    CHECK(again->source == spec->source);
    CHECK(again->not_promised == spec->not_promised);
    CHECK(preset_toml(*again) == preset_toml(*spec));
    CHECK(hash_after_20(*path) == hash_after_20(name));
  }
}

TEST_CASE("what a part's new stage does not know is not inherited", "[preset][recipe]") {
  auto scene = parse_scene("[problem]\nkind = \"circle\"\n[[run]]\noptimizer.base = \"muon\"\n"
                           "optimizer.direction = \"gradient\"\n",
                           "test.toml");
  if (!scene) FAIL(scene.error().text());
  const OptimizerSpec& spec = scene->runs[0].optimizer;
  CHECK_FALSE(spec.hparams.contains("momentum"));
  CHECK(spec.hparams.at("lr") == 0.02);
  open_session(std::move(*scene))->advance(3);
}

TEST_CASE("a preset's file is refused in one line when it cannot be written", "[preset][recipe]") {
  const TemporaryFolder folder;
  const OptimizerSpec spec = *load_optimizer("adamw");
  const auto refused = [&](const PresetTarget& target, const std::string& words) {
    const auto saved = save_preset(spec, target, false);
    REQUIRE_FALSE(saved);
    INFO(saved.error().text());
    CHECK(saved.error().text().find(words) != std::string::npos);
    CHECK(saved.error().text().find('\n') == std::string::npos);
  };
  const std::string here = folder.path();
  refused({here, ""}, "needs a name");
  refused({here, std::string(101, 'a')}, "at most 100");
  refused({here, "../up"}, "letters");
  refused({here, "two words"}, "letters");
  refused({here, "-set"}, "letters");
  refused({here + "/absent", "mine"}, "no folder");
  refused({"/proc", "mine"}, "/proc/mine.toml");
  CHECK(folder.names().empty());

  REQUIRE(save_preset(spec, {here, std::string(100, 'a')}, false));
  REQUIRE(save_preset(spec, {here, "mine"}, false));
  refused({here, "mine"}, "exists already");
  OptimizerSpec other = *load_optimizer("sgd");
  other.title = std::string(201, 't');
  CHECK(save_preset(other, {here, "mine"}, true).error().text().find("title") != std::string::npos);
  other.title = "Plain \"descent\"\t\\ of \u00e9";
  REQUIRE(save_preset(other, {here + "/", "mine"}, true));
  CHECK(load_optimizer(here + "/mine.toml")->title == other.title);
}

TEST_CASE("a preset's file is named as a scene finds it", "[preset][recipe]") {
  const TemporaryFolder folder;
  const std::string here = folder.path();
  folder.write("scene.toml", scene_with("mine.toml"));
  REQUIRE(save_preset(*load_optimizer("muon"), {here, "mine"}, false));
  CHECK(name_in_scenes({here, "mine"}, here + "/scene.toml") == "mine.toml");
  CHECK(load_scene(here + "/scene.toml").ok());
  const std::string far = name_in_scenes({here, "mine"}, "");
  CHECK(far == std::filesystem::canonical(folder.path()).string() + "/mine.toml");
  CHECK(hash_after_20(far) == hash_after_20("muon"));
  CHECK(preset_folder_for(here + "/scene.toml") ==
        (std::filesystem::exists("scenes/optimizers") ? "scenes/optimizers/" : here + "/"));
}
