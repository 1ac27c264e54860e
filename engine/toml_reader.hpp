// TOML as a plain tree with places, and a reader that checks a table against what the program knows: every key is
// taken or reported, with file, line, column and the nearest valid word. The parser itself stays in the .cpp.
#pragma once

#include "engine/result.hpp"
#include "engine/setting.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

struct TomlEntry;

struct TomlValue {
  enum class Kind { table, array, text, integer, number, boolean, date };
  Kind kind = Kind::table;
  std::string text;
  long integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<TomlValue> items;   // array
  std::vector<TomlEntry> entries; // table, in the order of the file
  Place place;

  bool is_table() const { return kind == Kind::table; }
  bool is_array() const { return kind == Kind::array; }
  bool is_text() const { return kind == Kind::text; }
  bool is_number() const { return kind == Kind::number || kind == Kind::integer; }
  double as_number() const { return kind == Kind::integer ? static_cast<double>(integer) : number; }
  const TomlEntry* find(std::string_view key) const; // null when absent
  TomlEntry* find(std::string_view key);
};

struct TomlEntry {
  std::string key;
  Place place; // of the key
  TomlValue value;
};

TomlValue toml_text(std::string text, Place place);

// Parses one document; `file` names it in places.
Result<TomlValue> parse_toml(std::string_view text, const std::string& file);

// The value of one `--set` argument: TOML where it is TOML, else a bare word.
TomlValue parse_toml_value(const std::string& text, const Place& place);

// "a table", "text", "a whole number" …
const char* kind_name(TomlValue::Kind kind);

std::string quoted_toml(std::string_view text); // with quotes and escapes
std::string number_toml(double value);          // shortest text that reads back to the same number
std::string value_toml(const SettingValue& value);
std::string key_toml(std::string_view key); // bare where that is allowed

// did_you_mean, or "; known: a, b, c" when nothing is near.
std::string suggestion(std::string_view typed, const std::vector<std::string>& candidates);

// Keeps the error that stands first in the file, whatever the order of checking.
class FirstError {
public:
  void add(Error error) {
    const Place at = error.place;
    add_at(std::move(error), at);
  }
  void add_at(Error error, const Place& at); // an error of another file, met at this place
  bool empty() const { return !error_; }
  const Error& error() const { return *error_; }

private:
  std::optional<Error> error_;
  Place at_;
};

// Reads one table. Accessors return nothing when the key is absent or wrong (then the error is kept).
class TomlTable {
public:
  // `where` names the table in messages: "[scene]", "[[run]]".
  TomlTable(const TomlValue& table, std::string where, FirstError& errors)
      : table_(&table), where_(std::move(where)), errors_(&errors) {}

  const TomlValue* find(std::string_view key); // marks the key as known and taken
  bool has(std::string_view key) const { return table_->find(key) != nullptr; }
  std::optional<std::string> text(std::string_view key, std::size_t most = 4096);
  std::optional<double> number(std::string_view key, double min, double max);
  std::optional<long> integer(std::string_view key, long min, long max);
  std::optional<std::string> word(std::string_view key, const std::vector<std::string>& words);
  std::optional<std::vector<double>> numbers(std::string_view key, std::size_t most);
  const TomlValue* table(std::string_view key);
  std::optional<SettingValue> setting(const Setting& setting);
  // Reports every key that was not asked for.
  void finish();

  const TomlValue& value() const { return *table_; }
  const std::string& where() const { return where_; }
  FirstError& errors() { return *errors_; }

private:
  const TomlValue* table_;
  std::string where_;
  FirstError* errors_;
  std::set<std::string, std::less<>> known_;
};

// One value against what is declared: kind, range, words. `name` as the message calls it.
std::optional<SettingValue> read_setting(const TomlValue& value, const Setting& setting, const std::string& name,
                                         FirstError& errors);
std::optional<double> read_number(const TomlValue& value, const std::string& name, double min, double max,
                                  FirstError& errors);
std::optional<long> read_integer(const TomlValue& value, const std::string& name, long min, long max,
                                 FirstError& errors);

} // namespace polarscope
