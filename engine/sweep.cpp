#include "engine/sweep.hpp"

#include "engine/compile.hpp"
#include "engine/preset.hpp"
#include "engine/scene_read.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace polarscope {

namespace {

double members_of_run(const Scene& scene, std::size_t run) {
  double members = static_cast<double>(scene.sweep->seeds);
  for (const SweepAxis& axis : scene.sweep->hparams) members *= static_cast<double>(values_of(axis, run));
  return members;
}

// About what all members would take at once; "" where the scene does not compile.
std::string memory_text(const Scene& scene) {
  double bytes = 0;
  for (std::size_t r = 0; r < scene.runs.size(); ++r) {
    const auto program = compile(scene, scene.runs[r]);
    if (!program) return {};
    bytes += memory_estimate({*program}, scene.steps, 1) * (scene.sweep ? members_of_run(scene, r) : 1);
  }
  return fmt::format(" (about {} at once)", size_text(bytes));
}

std::uint64_t first_seed_of(const Scene& scene, std::size_t run) { return scene.runs[run].seed.value_or(scene.seed); }

std::string label_of(const Scene& scene, const MemberPlace& place) {
  std::string label = scene.runs[place.run].label;
  for (std::size_t a = 0; a < place.values.size(); ++a)
    if (place.values[a] != kNotSwept) {
      const SweepAxis& axis = scene.sweep->hparams[a];
      label += fmt::format(" {} {}", axis.hparam, axis.texts[place.values[a]]);
    }
  if (scene.sweep && scene.sweep->seeds > 1)
    label += fmt::format(" seed {}", first_seed_of(scene, place.run) + place.seed);
  return label;
}

} // namespace

std::size_t values_of(const SweepAxis& axis, std::size_t run) { return axis.of_run[run] ? axis.values.size() : 1; }

double sweep_size(const Scene& scene) {
  if (!scene.sweep) return static_cast<double>(scene.runs.size());
  double members = 0;
  for (std::size_t r = 0; r < scene.runs.size(); ++r) members += members_of_run(scene, r);
  return members;
}

MemberPlace member_place(const Scene& scene, std::size_t member) {
  MemberPlace place{0, {}, 0};
  if (!scene.sweep) return {member, {}, 0};
  const SweepSpec& sweep = *scene.sweep;
  for (; place.run + 1 < scene.runs.size(); ++place.run) {
    const auto own = static_cast<std::size_t>(members_of_run(scene, place.run));
    if (member < own) break;
    member -= own;
  }
  const auto seeds = static_cast<std::size_t>(sweep.seeds);
  place.seed = member % seeds;
  member /= seeds;
  place.values.assign(sweep.hparams.size(), kNotSwept);
  for (std::size_t a = sweep.hparams.size(); a-- > 0;) {
    if (!sweep.hparams[a].of_run[place.run]) continue;
    place.values[a] = member % sweep.hparams[a].values.size();
    member /= sweep.hparams[a].values.size();
  }
  return place;
}

RunSpec member_spec(const Scene& scene, std::size_t member) {
  const MemberPlace place = member_place(scene, member);
  RunSpec spec = scene.runs[place.run];
  if (!scene.sweep) return spec;
  spec.group = spec.label;
  for (std::size_t a = 0; a < place.values.size(); ++a) {
    if (place.values[a] == kNotSwept) continue;
    const SweepAxis& axis = scene.sweep->hparams[a];
    spec.hparams[axis.hparam] = axis.values[place.values[a]];
    spec.hparam_places[axis.hparam] = axis.place;
  }
  if (scene.sweep->seeds > 1) spec.seed = first_seed_of(scene, place.run) + place.seed;
  spec.label = label_of(scene, place);
  return spec;
}

std::string member_label(const Scene& scene, std::size_t member) {
  return label_of(scene, member_place(scene, member));
}

bool has_member(const Scene& scene, const std::string& label) {
  const double size = sweep_size(scene);
  if (size > kMostMembers) return false;
  for (std::size_t m = 0; m < static_cast<std::size_t>(size); ++m)
    if (member_label(scene, m) == label) return true;
  return false;
}

const Setting* find_hparam(const std::vector<Setting>& hparams, const std::string& name) {
  const auto it = std::find_if(hparams.begin(), hparams.end(), [&](const Setting& s) { return s.name == name; });
  return it == hparams.end() ? nullptr : &*it;
}

std::string size_text(double bytes) {
  return bytes < 1e4   ? fmt::format("{:.0f} B", bytes)
         : bytes < 1e7 ? fmt::format("{:.0f} kB", bytes / 1e3)
         : bytes < 1e9 ? fmt::format("{:.0f} MB", bytes / 1e6)
                       : fmt::format("{:.3g} GB", bytes / 1e9);
}

Scene with_members(const Scene& scene, const std::vector<std::size_t>& members) {
  Scene out = scene;
  out.sweep.reset();
  out.runs.clear();
  for (const std::size_t m : members) out.runs.push_back(member_spec(scene, m));
  if (!scene.sweep) return out;
  out.expect.clear();
  for (const ExpectSpec& expect : scene.expect) {
    if (expect.run.empty()) out.expect.push_back(expect);
    for (const RunSpec& run : out.runs)
      if (!expect.run.empty() && (expect.run == run.label || expect.run == run.group)) {
        out.expect.push_back(expect);
        out.expect.back().run = run.label;
      }
  }
  return out;
}

void drop_unused_axes(Scene& scene) {
  if (!scene.sweep || scene.runs.size() < 2) return;
  for (SweepAxis& axis : scene.sweep->hparams) {
    std::vector<bool> uses(scene.runs.size(), false);
    for (std::size_t r = 0; r < scene.runs.size(); ++r)
      uses[r] = axis.of_run[r] && uses_hparam(scene, scene.runs[r], axis.hparam);
    // Where none uses it, compiling says so, or what else is wrong.
    if (std::find(uses.begin(), uses.end(), true) != uses.end()) axis.of_run = uses;
  }
}

Result<void> check_sweep_size(const Scene& scene) {
  const double size = sweep_size(scene);
  if (!scene.sweep || size <= kMostMembers) return {};
  return bad_input(
      fmt::format("[sweep] makes {:.6g} members{}; the most is {:.0f}", size, memory_text(scene), kMostMembers),
      scene.sweep->place);
}

Result<void> check_member_labels(const Scene& scene) {
  std::set<std::string> labels;
  for (std::size_t m = 0; m < static_cast<std::size_t>(sweep_size(scene)); ++m)
    if (const auto [label, fresh] = labels.insert(member_label(scene, m)); !fresh)
      return bad_input(fmt::format("two runs have the label '{}'", *label),
                       scene.runs[member_place(scene, m).run].place);
  return {};
}

Result<Scene> expanded(const Scene& scene) {
  if (auto ok = check_sweep_size(scene); !ok) return ok.error();
  const double size = sweep_size(scene);
  if (scene.sweep && size > static_cast<double>(kMostRuns))
    return bad_input(fmt::format("[sweep] makes {:.0f} members{}; {} run at once, and 'polarscope sweep' goes through "
                                 "more of them in turn",
                                 size, memory_text(scene), kMostRuns),
                     scene.sweep->place);
  std::vector<std::size_t> all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (auto ok = check_member_labels(scene); !ok) return ok.error();
  return with_members(scene, all);
}

} // namespace polarscope
