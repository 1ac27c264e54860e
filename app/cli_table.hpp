// Text that fits the terminal. Results in a pipe or a file keep one record per line, however long.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace polarscope {

// Columns of the terminal that stdout is; 0 where it is none.
std::size_t terminal_width();

// Breaks lines longer than `width` at spaces; what follows is indented by `indent` more than the line. 0: as it is.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent);

// text_table (engine/report.hpp), with the longest columns' cells broken into lines where it is wider than `width`.
std::string fitted_table(const std::vector<std::vector<std::string>>& rows, std::size_t width);

} // namespace polarscope
