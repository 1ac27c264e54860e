#include "app/matching.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace polarscope {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool begins_word(const std::string& text, const std::string& typed) {
  for (std::size_t at = text.find(typed); at != std::string::npos; at = text.find(typed, at + 1))
    if (at == 0 || !std::isalnum(static_cast<unsigned char>(text[at - 1]))) return true;
  return false;
}

std::optional<int> rank_in_name(const std::string& typed, const std::string& text) {
  if (text == typed) return 0;
  if (text.starts_with(typed)) return 1;
  if (begins_word(text, typed)) return 2;
  if (text.find(typed) != std::string::npos) return 3;
  return std::nullopt;
}

// Of one typed word, or of all of them as one.
std::optional<int> rank_of(const std::string& typed, const ListEntry& entry) {
  const std::string name = lower(entry.name);
  std::optional<int> best;
  for (const std::string& text : {name, name.substr(name.rfind('/') + 1), lower(entry.title)})
    if (const auto rank = rank_in_name(typed, text); rank && (!best || *rank < *best)) best = rank;
  if (!best && begins_word(lower(entry.description), typed)) best = 4;
  return best;
}

} // namespace

std::optional<int> match_rank(std::string_view filter, const ListEntry& entry) {
  const std::vector<std::string> words = words_of(lower(filter));
  if (words.empty()) return 0;
  std::string whole;
  for (const std::string& word : words) whole += (whole.empty() ? "" : " ") + word;
  if (const auto rank = rank_of(whole, entry)) return rank;
  int worst = 0;
  for (const std::string& word : words) {
    const auto rank = rank_of(word, entry);
    if (!rank) return std::nullopt;
    worst = std::max(worst, *rank);
  }
  return worst;
}

std::vector<const ListEntry*> matching(std::string_view filter, const std::vector<ListEntry>& entries) {
  std::vector<std::pair<int, const ListEntry*>> ranked;
  for (const ListEntry& entry : entries)
    if (const auto rank = match_rank(filter, entry)) ranked.emplace_back(*rank, &entry);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const ListEntry*> found;
  for (const auto& [rank, entry] : ranked) found.push_back(entry);
  return found;
}

} // namespace polarscope
