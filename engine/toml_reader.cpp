#include "engine/toml_reader.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace polarscope {

namespace {

Place place_of(const toml::source_region& region, const std::string& file) {
  return {file, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

bool before(const Place& a, const Place& b) { return a.line != b.line ? a.line < b.line : a.column < b.column; }

constexpr int kDeepest = 256; // of tables and lists in each other

// `too_deep` receives the place of what is nested deeper than that; the tree is then incomplete.
TomlValue convert(const toml::node& node, const std::string& file, int depth, std::optional<Place>& too_deep) {
  TomlValue out;
  out.place = place_of(node.source(), file);
  if (depth > kDeepest) {
    too_deep = out.place;
    return out;
  }
  if (const auto* table = node.as_table()) {
    out.kind = TomlValue::Kind::table;
    for (auto&& [key, value] : *table)
      out.entries.push_back(
          {std::string(key.str()), place_of(key.source(), file), convert(value, file, depth + 1, too_deep)});
    std::stable_sort(out.entries.begin(), out.entries.end(),
                     [](const TomlEntry& a, const TomlEntry& b) { return before(a.place, b.place); });
  } else if (const auto* array = node.as_array()) {
    out.kind = TomlValue::Kind::array;
    out.items.reserve(array->size());
    for (const toml::node& item : *array) out.items.push_back(convert(item, file, depth + 1, too_deep));
  } else if (const auto* text = node.as_string()) {
    out.kind = TomlValue::Kind::text;
    out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = TomlValue::Kind::integer;
    out.integer = static_cast<long>(integer->get());
  } else if (const auto* number = node.as_floating_point()) {
    out.kind = TomlValue::Kind::number;
    out.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = TomlValue::Kind::boolean;
    out.boolean = boolean->get();
  } else {
    out.kind = TomlValue::Kind::date;
  }
  return out;
}

// One line of printable text, whatever the parser quotes from the file.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.size() > 200) break;
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

// Finds keys with absurdly many dots before the parser sees them: it makes one nested table per dot, and nested tables
// are freed by recursion. Reads strings and comments as TOML does, so that no dot of a key can hide in one.
class DeepKeyFinder {
public:
  explicit DeepKeyFinder(std::string_view text) : text_(text) {}

  int line() { // of the first such key, or 0
    for (int dots = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size()) break;
      if (std::string_view("\n=,[]{}").find(text_[at_]) != std::string_view::npos) dots = 0;
      if (text_[at_] == '.' && ++dots > kMostDots) return line_;
      next();
    }
    return 0;
  }

private:
  static constexpr int kMostDots = 32;

  void next() {
    if (text_[at_] == '\n') ++line_;
    ++at_;
  }

  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool several_lines = text_.substr(at_, 3) == three;
    at_ += several_lines ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n' && !several_lines) return; // not closed: the parser stops here
      if (c == quote && !several_lines) return next();
      if (c == quote && text_.substr(at_, 3) == three) {
        for (int n = 0; n < 5 && at_ < text_.size() && text_[at_] == quote; ++n)
          next(); // two more may belong to the text
        return;
      }
      if (c == '\\' && quote == '"') next();
      if (at_ < text_.size()) next();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

std::string list_of(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string typed(const TomlValue& value) {
  switch (value.kind) {
  case TomlValue::Kind::text: return fmt::format("'{}'", one_line(value.text).substr(0, 60));
  case TomlValue::Kind::integer: return fmt::format("{}", value.integer);
  case TomlValue::Kind::number: return fmt::format("{}", value.number);
  case TomlValue::Kind::boolean: return value.boolean ? "true" : "false";
  default: return kind_name(value.kind);
  }
}

} // namespace

const TomlEntry* TomlValue::find(std::string_view key) const {
  const auto it = std::find_if(entries.begin(), entries.end(), [&](const TomlEntry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

TomlEntry* TomlValue::find(std::string_view key) {
  const auto it = std::find_if(entries.begin(), entries.end(), [&](const TomlEntry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

TomlValue toml_text(std::string text, Place place) {
  TomlValue out;
  out.kind = TomlValue::Kind::text;
  out.text = std::move(text);
  out.place = std::move(place);
  return out;
}

Result<TomlValue> parse_toml(std::string_view text, const std::string& file) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return bad_input("the file is empty", {file});
  if (const auto zero = text.find('\0'); zero != std::string_view::npos)
    return bad_input(fmt::format("not a text file: byte {} is zero", zero + 1), {file});
  if (const int line = DeepKeyFinder(text).line()) return bad_input("a key has too many dots", {file, line, 1});
  try {
    const toml::table root = toml::parse(text, std::string_view(file));
    std::optional<Place> too_deep;
    TomlValue tree = convert(root, file, 0, too_deep);
    if (too_deep) return bad_input("tables are nested too deeply", *too_deep);
    return tree;
  } catch (const toml::parse_error& error) {
    return bad_input(one_line(error.description()), place_of(error.source(), file));
  }
}

TomlValue parse_toml_value(const std::string& text, const Place& place) {
  const bool one_value = text.find_first_of("\n\r") == std::string::npos;
  if (one_value) {
    const auto parsed = parse_toml("value = " + text, place.file);
    if (parsed && parsed->entries.size() == 1 && parsed->entries[0].key == "value") {
      TomlValue value = parsed->entries[0].value;
      value.place = place;
      return value;
    }
  }
  return toml_text(text, place);
}

const char* kind_name(TomlValue::Kind kind) {
  switch (kind) {
  case TomlValue::Kind::table: return "a table";
  case TomlValue::Kind::array: return "a list";
  case TomlValue::Kind::text: return "text";
  case TomlValue::Kind::integer: return "a whole number";
  case TomlValue::Kind::number: return "a number";
  case TomlValue::Kind::boolean: return "true or false";
  case TomlValue::Kind::date: return "a date";
  }
  return "";
}

std::string quoted_toml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else out += c;
  }
  return out + '"';
}

std::string number_toml(double value) {
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

std::string value_toml(const SettingValue& value) {
  if (const auto* d = std::get_if<double>(&value)) return number_toml(*d);
  if (const auto* s = std::get_if<std::string>(&value)) return quoted_toml(*s);
  return to_text(value);
}

std::string key_toml(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : quoted_toml(key);
}

std::string suggestion(std::string_view typed_word, const std::vector<std::string>& candidates) {
  const std::string near = did_you_mean(typed_word, candidates);
  if (!near.empty() || candidates.empty()) return near;
  return "; known: " + list_of(candidates);
}

void FirstError::add_at(Error error, const Place& at) {
  if (error_ && !before(at, at_)) return;
  error_ = std::move(error);
  at_ = at;
}

// ---- single values ------------------------------------------------------------------------------------------------

std::optional<double> read_number(const TomlValue& value, const std::string& name, double min, double max,
                                  FirstError& errors) {
  if (!value.is_number()) {
    errors.add(bad_input(fmt::format("'{}' must be a number, not {}", name, typed(value)), value.place));
    return std::nullopt;
  }
  const double v = value.as_number();
  if (!std::isfinite(v)) {
    errors.add(bad_input(fmt::format("'{}' must be a finite number, not {}", name, v), value.place));
    return std::nullopt;
  }
  if (const std::string wrong = range_error(v, min, max); !wrong.empty()) {
    errors.add(bad_input(fmt::format("'{}' = {}", name, wrong), value.place));
    return std::nullopt;
  }
  return v;
}

std::optional<long> read_integer(const TomlValue& value, const std::string& name, long min, long max,
                                 FirstError& errors) {
  constexpr double kExact = 9007199254740992.0; // 2^53: whole floats up to here are exact
  const bool whole_float = value.kind == TomlValue::Kind::number && std::abs(value.number) <= kExact &&
                           value.number == std::floor(value.number);
  if (value.kind != TomlValue::Kind::integer && !whole_float) {
    errors.add(bad_input(fmt::format("'{}' must be a whole number, not {}", name, typed(value)), value.place));
    return std::nullopt;
  }
  const long v = whole_float ? static_cast<long>(value.number) : value.integer;
  if (const std::string wrong = range_error(v, min, max); !wrong.empty()) {
    errors.add(bad_input(fmt::format("'{}' = {}", name, wrong), value.place));
    return std::nullopt;
  }
  return v;
}

std::optional<SettingValue> read_setting(const TomlValue& value, const Setting& setting, const std::string& name,
                                         FirstError& errors) {
  switch (setting.kind) {
  case SettingKind::number:
    if (const auto v = read_number(value, name, setting.min, setting.max, errors)) return SettingValue(*v);
    return std::nullopt;
  case SettingKind::integer:
    if (const auto v =
            read_integer(value, name, static_cast<long>(setting.min), static_cast<long>(setting.max), errors))
      return SettingValue(*v);
    return std::nullopt;
  case SettingKind::boolean:
    if (value.kind == TomlValue::Kind::boolean) return SettingValue(value.boolean);
    errors.add(bad_input(fmt::format("'{}' must be true or false, not {}", name, typed(value)), value.place));
    return std::nullopt;
  case SettingKind::word: break;
  }
  std::vector<std::string> words;
  for (const SettingWord& w : setting.words) words.push_back(w.word);
  if (words.empty()) {
    if (value.is_text()) return SettingValue(value.text);
    errors.add(bad_input(fmt::format("'{}' must be text, not {}", name, typed(value)), value.place));
    return std::nullopt;
  }
  if (!value.is_text()) {
    errors.add(
        bad_input(fmt::format("'{}' must be one of {}, not {}", name, list_of(words), typed(value)), value.place));
    return std::nullopt;
  }
  if (std::find(words.begin(), words.end(), value.text) == words.end()) {
    errors.add(bad_input(fmt::format("'{}' has no value {}{}", name, typed(value), suggestion(value.text, words)),
                         value.place));
    return std::nullopt;
  }
  return SettingValue(value.text);
}

// ---- tables -------------------------------------------------------------------------------------------------------

const TomlValue* TomlTable::find(std::string_view key) {
  known_.emplace(key);
  const TomlEntry* entry = table_->find(key);
  return entry ? &entry->value : nullptr;
}

std::optional<std::string> TomlTable::text(std::string_view key, std::size_t most) {
  const TomlValue* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_text()) {
    errors_->add(bad_input(fmt::format("'{}' must be text, not {}", key, typed(*value)), value->place));
    return std::nullopt;
  }
  if (value->text.size() > most) {
    errors_->add(bad_input(fmt::format("'{}' is longer than {} bytes", key, most), value->place));
    return std::nullopt;
  }
  return value->text;
}

std::optional<double> TomlTable::number(std::string_view key, double min, double max) {
  const TomlValue* value = find(key);
  return value ? read_number(*value, std::string(key), min, max, *errors_) : std::nullopt;
}

std::optional<long> TomlTable::integer(std::string_view key, long min, long max) {
  const TomlValue* value = find(key);
  return value ? read_integer(*value, std::string(key), min, max, *errors_) : std::nullopt;
}

std::optional<std::string> TomlTable::word(std::string_view key, const std::vector<std::string>& words) {
  Setting setting;
  setting.name = std::string(key);
  setting.kind = SettingKind::word;
  for (const std::string& w : words) setting.words.push_back({w, ""});
  const auto value = this->setting(setting);
  return value ? std::optional(std::get<std::string>(*value)) : std::nullopt;
}

std::optional<std::vector<double>> TomlTable::numbers(std::string_view key, std::size_t most) {
  const TomlValue* value = find(key);
  if (!value) return std::nullopt;
  if (value->kind != TomlValue::Kind::array) {
    errors_->add(bad_input(fmt::format("'{}' must be a list of numbers, not {}", key, typed(*value)), value->place));
    return std::nullopt;
  }
  if (value->items.empty() || value->items.size() > most) {
    errors_->add(
        bad_input(fmt::format("'{}' has {} numbers; allowed: 1 to {}", key, value->items.size(), most), value->place));
    return std::nullopt;
  }
  constexpr double kMost = std::numeric_limits<double>::max();
  std::vector<double> out;
  for (const TomlValue& item : value->items) {
    const auto v = read_number(item, std::string(key), -kMost, kMost, *errors_);
    if (!v) return std::nullopt;
    out.push_back(*v);
  }
  return out;
}

const TomlValue* TomlTable::table(std::string_view key) {
  const TomlValue* value = find(key);
  if (!value || value->is_table()) return value;
  errors_->add(bad_input(fmt::format("'{}' must be a table, not {}", key, typed(*value)), value->place));
  return nullptr;
}

std::optional<SettingValue> TomlTable::setting(const Setting& setting) {
  const TomlValue* value = find(setting.name);
  return value ? read_setting(*value, setting, setting.name, *errors_) : std::nullopt;
}

void TomlTable::finish() {
  const std::vector<std::string> candidates(known_.begin(), known_.end());
  for (const TomlEntry& entry : table_->entries)
    if (!known_.contains(entry.key))
      errors_->add(bad_input(
          fmt::format("unknown key '{}' in {}{}", one_line(entry.key), where_, suggestion(entry.key, candidates)),
          entry.place));
}

} // namespace polarscope
