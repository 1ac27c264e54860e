// A documented setting: everything the program knows about one number or word that a user may choose. Tooltips,
// slider bounds, error messages, `list`, `docs` and the tests are made from these records.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace polarscope {

using SettingValue = std::variant<double, long, bool, std::string>;

enum class SettingKind { number, integer, boolean, word };

struct SettingWord {
  std::string word;
  std::string meaning;
  std::string source = {}; // whose convention it is, when sources differ
};

struct Setting {
  std::string name; // canonical (interface.md): lr, momentum, beta1, ns_coefficients …
  SettingKind kind = SettingKind::number;
  SettingValue value = 0.0;            // default
  double min = 0, max = 0;             // numbers and integers: the closed allowed range
  bool log_scale = false;              // sliders and sweeps step by ratio
  std::vector<SettingWord> words = {}; // word: the allowed ones; none: any text
  std::string unit = {};               // "" = a pure number
  std::string formula = {};            // Unicode text
  std::string meaning = {};            // one sentence of at most 20 words
  std::string source = {};
  std::string zero = {}; // what 0 stands for where it is no amount: "the set's own length"
};

Setting number(std::string name, double value, double min, double max, std::string meaning);
Setting log_number(std::string name, double value, double min, double max, std::string meaning);
Setting integer(std::string name, long value, long min, long max, std::string meaning);
Setting boolean(std::string name, bool value, std::string meaning);
Setting free_text(std::string name, std::string meaning); // any text, "" by default
Setting word(std::string name, std::string value, std::vector<SettingWord> words, std::string meaning);

// The text of a value as TOML would write it: 0.02, 5, true, kj.
std::string to_text(const SettingValue& value);
// The same as people read it, with what 0 stands for: 0 (the set's own length).
std::string shown_text(const Setting& setting, const SettingValue& value);

// The candidate nearest to `typed` by edit distance, or "" when nothing is near enough to be a typo of it. The folder of
// a scene's name may be missing: digits is nearest to networks/digits.
std::string nearest_word(std::string_view typed, const std::vector<std::string>& candidates);

// The end of an error's line: "; did you mean 'x'?", or "" when nothing is near enough.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& candidates);

// "" when the value lies in the closed range, else what is wrong: "3 is out of range; allowed: 0 to 1".
std::string range_error(double value, double min, double max);
std::string range_error(long value, long min, long max);

} // namespace polarscope
