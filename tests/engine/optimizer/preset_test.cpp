// The presets of the first release are there and say what they are.
#include "engine/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/optimizer_rig.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace polarscope;
using namespace polarscope::test;

namespace {

const std::vector<std::string> kPresets = {"sgd",   "momentum", "nesterov", "normalized_sgd", "signsgd",
                                           "adam",  "adamw",    "muon",     "rmnp",           "muonh",
                                           "adamh", "md_muon",  "md_adam",  "muown"};
} // namespace

TEST_CASE("the first release's presets are there and name their source", "[preset]") {
  const std::vector<std::string> names = preset_names();
  for (const std::string& preset : kPresets) {
    CAPTURE(preset);
    CHECK(std::find(names.begin(), names.end(), preset) != names.end());
    const OptimizerSpec spec = preset_spec(preset);
    CHECK_FALSE(spec.title.empty());
    CHECK_FALSE(spec.description.empty());
    CHECK_FALSE(spec.source.empty());
    CHECK_FALSE(spec.not_promised.empty());
  }
}
