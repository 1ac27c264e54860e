// Changes to a scene's TOML tree before it is read: what --set and the words of [sweep] do.
#pragma once

#include "engine/toml_reader.hpp"

#include <string>
#include <vector>

namespace polarscope {

// At its dots; a part with dots of its own stands in quotes: route."2.weight". An unclosed quote leaves an empty part.
std::vector<std::string> split_key(const std::string& key);

bool is_recipe_part(const std::string& name); // direction, geometry, magnitude, decay

// Puts a value at a path of nested tables, path[at] being a key of `table`. `optimizer = "muon"` on the way becomes
// { base = "muon" }, and a part's name { kind = … }, so that something can be added to them.
void set_path(TomlValue& table, const std::vector<std::string>& path, std::size_t at, const TomlValue& value);

// A value on one line: text, numbers, [a, b], { key = value }.
std::string inline_toml(const TomlValue& value);

} // namespace polarscope
