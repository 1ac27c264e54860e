// Optimizers side by side on one scene: each with the number that suits it best, and all with the same one.
#pragma once

#include "engine/result.hpp"
#include "engine/scene.hpp"
#include "engine/sweep_report.hpp"

#include <optional>
#include <string>
#include <vector>

namespace polarscope {

struct CompareSpec {
  std::vector<std::string> optimizers; // presets or files
  std::string hparam = "lr";
  long seeds = 5;
};

// The numbers 1, 2, 5 × 10ⁿ: those within three rungs of `value` on either side, rising. Of a share of the past, such as
// a momentum (a range that ends at 1), the rungs are those of 1 − value. Empty where there is no range around a value.
std::vector<double> values_around(const Setting& hparam, double value);

// The scene with one run per optimizer, from the start of the scene's first run, swept over values_around its own value.
Result<Scene> compare_scene(const Scene& scene, const CompareSpec& spec);

// What to say of a scene whose runs, as it has them, are no part of the comparison; "" where they are optimizers by name.
std::string unused_line(const Scene& scene);

// Adds values beyond an end that turned out best, for at most three times as wide a range; says what it added, "" when
// there is nothing left to do.
std::string widen(Scene& scene, const CompareSpec& spec, const SweepReport& report);

// Gives every optimizer the value that suits the first one best, where it lacks it; nothing without such a value.
std::optional<double> add_same_value(Scene& scene, const CompareSpec& spec, const SweepReport& report);

// A best beside which nothing but that value was tried, more than a rung away, is at the end of its range still: adds the
// warning to the report.
void warn_beside_same(const Scene& scene, const CompareSpec& spec, double same, SweepReport& report);

std::string compare_text(const SweepReport& report, const CompareSpec& spec, std::optional<double> same);
std::string compare_json(const SweepReport& report, const CompareSpec& spec, std::optional<double> same);

// Nothing broke, and every optimizer has a best.
bool comparison_good(const SweepReport& report);

} // namespace polarscope
