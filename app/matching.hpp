// How well something in a list answers what was typed above it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

// What a list shows: name is what the command line takes ("interference/gains"), description a sentence.
struct ListEntry {
  std::string name, title, description;
};

// 0: the name or title itself, 1: its beginning, 2: the beginning of a word in it, 3: a part of it, 4: the beginning of
// a word of the description; none where a typed word is nowhere. An empty filter matches everything alike.
std::optional<int> match_rank(std::string_view filter, const ListEntry& entry);

// Those that match, best first, in their order where alike.
std::vector<const ListEntry*> matching(std::string_view filter, const std::vector<ListEntry>& entries);

} // namespace polarscope
