// Tables of the layout Bench: columns that are left out from the end where there is no room, titles that sort.
#pragma once

#include "app/panels/tools.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

inline constexpr float kColumnTitles = 24; // design pixels

struct Column {
  std::string name;
  float width;           // design pixels; 0: takes what is left; below 0: left out
  bool right = true;     // aligned
  std::string help = {}; // of the title
  bool matters = false;  // is left out after the others
};
// Left and right in pixels, of every column; the same for one that is left out.
using ColumnEdges = std::vector<std::pair<float, float>>;
inline bool has_room(const ColumnEdges& edges, std::size_t column) {
  return edges[column].second > edges[column].first;
}

// The first column and those that matter get room before the others do. The column that takes the rest has `least` design
// pixels or more.
ColumnEdges edges_of(const PanelContext& c, const std::vector<Column>& columns, float least = 150);

// Words in a cell, cut to its width.
void draw_cell(const PanelContext& c, const Column& column, std::pair<float, float> edge, float middle, ImU32 colour,
               const std::string& words, TextStyle style = text::kValue);

// The line of titles; a click sorts rising, then falling, then not at all.
void draw_sorting_titles(const PanelContext& c, const std::vector<Column>& columns, const ColumnEdges& edges,
                         TableSort& sort);

// 0 … count − 1 in the order of key(row, column's name); NaN comes last in either direction. Rows stand in the order of the
// column "run" already.
std::vector<std::size_t> sorted_rows(std::size_t count, const TableSort& sort,
                                     const std::function<double(std::size_t, const std::string&)>& key);

} // namespace polarscope
