#include "engine/setting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace polarscope {

Setting number(std::string name, double value, double min, double max, std::string meaning) {
  Setting s;
  s.name = std::move(name);
  s.value = value;
  s.min = min;
  s.max = max;
  s.meaning = std::move(meaning);
  return s;
}

Setting log_number(std::string name, double value, double min, double max, std::string meaning) {
  Setting s = number(std::move(name), value, min, max, std::move(meaning));
  s.log_scale = true;
  return s;
}

Setting integer(std::string name, long value, long min, long max, std::string meaning) {
  Setting s = number(std::move(name), 0, static_cast<double>(min), static_cast<double>(max), std::move(meaning));
  s.kind = SettingKind::integer;
  s.value = value;
  return s;
}

Setting boolean(std::string name, bool value, std::string meaning) {
  Setting s;
  s.name = std::move(name);
  s.kind = SettingKind::boolean;
  s.value = value;
  s.meaning = std::move(meaning);
  return s;
}

Setting word(std::string name, std::string value, std::vector<SettingWord> words, std::string meaning) {
  Setting s;
  s.name = std::move(name);
  s.kind = SettingKind::word;
  s.value = std::move(value);
  s.words = std::move(words);
  s.meaning = std::move(meaning);
  return s;
}

Setting free_text(std::string name, std::string meaning) { return word(std::move(name), "", {}, std::move(meaning)); }

std::string to_text(const SettingValue& value) {
  if (const auto* d = std::get_if<double>(&value)) return fmt::format("{}", *d);
  if (const auto* i = std::get_if<long>(&value)) return fmt::format("{}", *i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  return std::get<std::string>(value);
}

std::string shown_text(const Setting& setting, const SettingValue& value) {
  const bool zero = value == SettingValue(0l) || value == SettingValue(0.0);
  return zero && !setting.zero.empty() ? fmt::format("{} ({})", to_text(value), setting.zero) : to_text(value);
}

namespace {

// Damerau–Levenshtein distance with adjacent swaps.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

// How far a candidate is from what was typed; one that goes on where the typed word ends is one typo away at most.
std::size_t distance_to(std::string_view typed, std::string_view candidate) {
  const std::size_t distance = edit_distance(typed, candidate);
  const bool goes_on = candidate.size() > typed.size() && typed.size() >= 2 && candidate.starts_with(typed);
  return goes_on ? std::min<std::size_t>(distance, 1) : distance;
}

} // namespace

std::string nearest_word(std::string_view typed, const std::vector<std::string>& candidates) {
  if (typed.size() > 64) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(2, typed.size() / 2) + 1;
  for (const std::string& c : candidates) {
    const std::string_view name = std::string_view(c).substr(c.rfind('/') + 1); // all of it where there is no folder
    const std::size_t score = std::min(distance_to(typed, c), distance_to(typed, name));
    if (score < least) {
      least = score;
      best = c;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& candidates) {
  const std::string near = nearest_word(typed, candidates);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

std::string range_error(double value, double min, double max) {
  return value >= min && value <= max ? "" : fmt::format("{} is out of range; allowed: {} to {}", value, min, max);
}

std::string range_error(long value, long min, long max) {
  return value >= min && value <= max ? "" : fmt::format("{} is out of range; allowed: {} to {}", value, min, max);
}

} // namespace polarscope
