// Factors that depend on a matrix's shape, and what slices of a matrix are called; shared by several stages.
#pragma once

#include "engine/optimizer/stage.hpp"

#include <cstdint>
#include <string>

namespace polarscope {

// The option shape_scale (algorithms.md §A8) and its value for a shape.
Setting shape_scale_option();
double shape_scale(const std::string& word, std::uint32_t rows, std::uint32_t cols);

// The words matrix | row | column | alternate as the kernels number them, and how many slices a shape has (not of
// alternate, which has the columns in one step and the rows in the next).
std::uint32_t slices_code(const std::string& word);
std::uint32_t slices_count(const std::string& word, std::uint32_t rows, std::uint32_t cols);

} // namespace polarscope
