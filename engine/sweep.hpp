// The members of a sweep: every run of a scene for each combination of the swept numbers and each seed. Members are
// numbered run by run, the last number fastest, seeds faster still; one is made from its number when it is asked for.
#pragma once

#include "engine/result.hpp"
#include "engine/scene.hpp"
#include "engine/setting.hpp"
#include "engine/toml_reader.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace polarscope {

inline constexpr long kMostSweepValues = 10'000; // of one number, and seeds
inline constexpr double kMostMembers = 100'000;

// The keys of [sweep], and of the value of one of its numbers, with their documentation.
const std::vector<Setting>& sweep_keys();
const std::vector<Setting>& sweep_axis_keys();

// ---- reading (engine/sweep_read.cpp) -----------------------------------------------------------------------------

// Makes a run of its own for each combination of the words that [sweep] has (optimizers, options) and takes these
// words out of the table. Returns the former [[run]] and [sweep] tables as TOML, "" where there was nothing to do.
std::string lower_sweep(TomlValue& tree, const std::string& folder, FirstError& errors);

// The numbers and seeds of [sweep] for these runs.
SweepSpec read_sweep(const TomlValue& value, const std::vector<RunSpec>& runs, FirstError& errors);

// [sweep] of the scene, without words, as TOML lines.
std::string sweep_toml(const Scene& scene);

// ---- members -----------------------------------------------------------------------------------------------------

// How many values each number takes for one run: 1 where the run has none of it.
std::size_t values_of(const SweepAxis& axis, std::size_t run);

double sweep_size(const Scene& scene); // members, also where there are too many; a scene without [sweep]: its runs

inline constexpr std::size_t kNotSwept = static_cast<std::size_t>(-1);

struct MemberPlace {
  std::size_t run;                 // position in Scene::runs
  std::vector<std::size_t> values; // index into each axis, kNotSwept where the run lacks the number
  std::size_t seed;                // 0 … seeds − 1
};

MemberPlace member_place(const Scene& scene, std::size_t member);
// The member as a run: "muon lr 0.01 seed 2", with `group` the label of the run it repeats.
RunSpec member_spec(const Scene& scene, std::size_t member);
std::string member_label(const Scene& scene, std::size_t member);
bool has_member(const Scene& scene, const std::string& label);

// The hyperparameter of this name; null where there is none.
const Setting* find_hparam(const std::vector<Setting>& hparams, const std::string& name);

std::string size_text(double bytes); // "512 B", "34 kB", "12 MB", "3.4 GB"

// The scene with these members as its runs and no sweep; expectations of a run are made of each of its members here.
Scene with_members(const Scene& scene, const std::vector<std::size_t>& members);

// Leaves numbers out of runs whose options make nothing of them, as long as another run uses them.
void drop_unused_axes(Scene& scene);

// Refuses more members than kMostMembers, and says about how much memory they would take.
Result<void> check_sweep_size(const Scene& scene);
// Refuses two members of one label, by which results are kept.
Result<void> check_member_labels(const Scene& scene);
// with_members for all of them, refusing more than a session holds.
Result<Scene> expanded(const Scene& scene);

} // namespace polarscope
