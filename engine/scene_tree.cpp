#include "engine/scene_tree.hpp"

#include "engine/optimizer/stage.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {

namespace {

// A table with at most one entry.
TomlValue table_of(const TomlValue* entry, const char* key, const Place& place) {
  TomlValue table;
  table.place = place;
  if (entry) table.entries.push_back({key, entry->place, *entry});
  return table;
}

// The stage of a written chain that has the option; null when none has.
TomlValue* link_with_option(TomlValue& chain, const std::string& part, const std::string& option) {
  for (const Part p : kRecipeParts)
    for (TomlValue& link : chain.items) {
      const TomlEntry* kind = link.is_table() ? link.find("kind") : nullptr;
      const Stage* stage = part == part_name(p) ? find_stage(p, link.is_text() ? link.text
                                                                : kind         ? kind->value.text
                                                                               : "")
                                                : nullptr;
      if (stage &&
          std::any_of(stage->options.begin(), stage->options.end(), [&](const Setting& s) { return s.name == option; }))
        return &link;
    }
  return nullptr;
}

} // namespace

std::vector<std::string> split_key(const std::string& key) {
  std::vector<std::string> parts(1);
  char quote = 0;
  for (const char c : key) {
    if (quote != 0 ? c == quote : c == '"' || c == '\'') quote = quote != 0 ? '\0' : c;
    else if (c == '.' && quote == 0) parts.emplace_back();
    else parts.back() += c;
  }
  if (quote != 0) parts.emplace_back();
  return parts;
}

bool is_recipe_part(const std::string& name) {
  return std::any_of(kRecipeParts.begin(), kRecipeParts.end(), [&](Part p) { return name == part_name(p); });
}

void set_path(TomlValue& table, const std::vector<std::string>& path, std::size_t at, const TomlValue& value) {
  TomlEntry* entry = table.find(path[at]);
  if (!entry) {
    TomlValue inner;
    inner.place = value.place;
    table.entries.push_back({path[at], value.place, std::move(inner)});
    entry = &table.entries.back();
  }
  if (at + 1 == path.size()) {
    entry->place = value.place;
    entry->value = value;
    return;
  }
  if (entry->value.is_array() && is_recipe_part(path[at]))
    if (TomlValue* link = link_with_option(entry->value, path[at], path[at + 1])) {
      if (link->is_text()) *link = table_of(link, "kind", link->place);
      return set_path(*link, path, at + 1, value);
    }
  if (!entry->value.is_table()) {
    const bool recipe = path[at] == "optimizer" || (at > 0 && path[at - 1] == "route");
    const bool named = entry->value.is_text() && (recipe || is_recipe_part(path[at]));
    entry->value = table_of(named ? &entry->value : nullptr, recipe ? "base" : "kind", entry->value.place);
  }
  set_path(entry->value, path, at + 1, value);
}

std::string inline_toml(const TomlValue& value) {
  std::vector<std::string> inner;
  switch (value.kind) {
  case TomlValue::Kind::table:
    for (const TomlEntry& entry : value.entries)
      inner.push_back(fmt::format("{} = {}", key_toml(entry.key), inline_toml(entry.value)));
    return inner.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(inner, ", "));
  case TomlValue::Kind::array:
    for (const TomlValue& item : value.items) inner.push_back(inline_toml(item));
    return fmt::format("[{}]", fmt::join(inner, ", "));
  case TomlValue::Kind::integer: return fmt::format("{}", value.integer);
  case TomlValue::Kind::number: return number_toml(value.number);
  case TomlValue::Kind::boolean: return value.boolean ? "true" : "false";
  case TomlValue::Kind::text:
  case TomlValue::Kind::date: return quoted_toml(value.text);
  }
  return {};
}

} // namespace polarscope
