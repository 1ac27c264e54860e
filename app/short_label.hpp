// Labels where there is little room.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace polarscope {

// A label without the words that its like have in common: "adamw lr 0.001 seed 5" is "…0.001…5" beside "adamw lr 0.1 seed
// 5" and "adamw lr 0.1 seed 6". Where nothing differs, the whole label.
std::string differing_part(const std::string& label, std::span<const std::string_view> like);

} // namespace polarscope
