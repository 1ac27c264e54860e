// Fused queries, keys and values: a [3d, d] matrix whose three square blocks a stage treats each on its own.
#pragma once

#include "engine/optimizer/stage.hpp"

#include <cstdint>
#include <string>

namespace polarscope {

// The option split = none | qkv.
Setting split_option(std::string source, std::string meaning);
// How many blocks of rows the option makes of the stage's parameter: 3, or 1 where nothing is split.
std::uint32_t split_blocks(const StageContext& c);
// Block `k` of a slot with the parameter's rows, or with any multiple of the number of blocks.
SlotId split_block(StageContext& c, SlotId whole, std::uint32_t k);

} // namespace polarscope
