#include "engine/optimizer/stages/split_blocks.hpp"

#include <utility>

namespace polarscope {

Setting split_option(std::string source, std::string meaning) {
  return word("split", "none",
              {{"none", "the matrix as a whole", ""},
               {"qkv", "a [3d, d] matrix as three square blocks; others as a whole", std::move(source)}},
              std::move(meaning));
}

std::uint32_t split_blocks(const StageContext& c) { return c.word("split") == "qkv" && c.rows == 3 * c.cols ? 3 : 1; }

SlotId split_block(StageContext& c, SlotId whole, std::uint32_t k) {
  const std::uint32_t count = split_blocks(c), rows = c.build.info(whole).rows / count;
  return count == 1 ? whole : c.build.rows_of(whole, k * rows, rows);
}

} // namespace polarscope
