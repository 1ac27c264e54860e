#include "app/short_label.hpp"

#include <algorithm>
#include <vector>

namespace polarscope {
namespace {

std::vector<std::string_view> words_of(std::string_view label) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < label.size();) {
    const std::size_t end = std::min(label.find(' ', at), label.size());
    if (end > at) words.push_back(label.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

} // namespace

std::string differing_part(const std::string& label, std::span<const std::string_view> like) {
  const std::vector<std::string_view> own = words_of(label);
  std::vector<bool> differs(own.size(), false);
  for (const std::string_view other : like) {
    const std::vector<std::string_view> words = words_of(other);
    for (std::size_t i = 0; i < own.size() && words.size() == own.size(); ++i)
      differs[i] = differs[i] || words[i] != own[i];
  }
  std::string part;
  bool cut = false;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (differs[i]) part += (cut ? "…" : part.empty() ? "" : " ") + std::string(own[i]);
    cut = !differs[i];
  }
  return part.empty() ? label : part;
}

} // namespace polarscope
