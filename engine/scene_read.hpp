// From a TOML tree to a validated Scene; used by scene.cpp, which finds files and applies --set.
#pragma once

#include "engine/scene.hpp"
#include "engine/toml_reader.hpp"

#include <string>
#include <vector>

namespace polarscope {

inline constexpr std::size_t kLargestScene = 1 << 20; // bytes of the file
inline constexpr std::size_t kMostRuns = 1024;
inline constexpr std::size_t kMostPointElements = 4096; // start = { point = […] }

// The keys of the tables that have fixed ones, with their documentation; the reader and the reference page use them.
const std::vector<Setting>& scene_keys();  // [scene]
const std::vector<Setting>& run_keys();    // [[run]]
const std::vector<Setting>& start_keys();  // start, for every problem
const std::vector<Setting>& view_keys();   // [view]
const std::vector<Setting>& expect_keys(); // [expect] <metric>

std::string folder_of_scene(const std::string& file); // with '/', or ""

Result<Scene> read_scene(const TomlValue& tree, const std::string& file);

} // namespace polarscope
