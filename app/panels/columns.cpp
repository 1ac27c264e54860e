#include "app/panels/columns.hpp"

#include "imgui_internal.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace polarscope {
namespace {

constexpr float kMargin = 12, kGap = 12, kMostRest = 110;

// An item's name has no '/', which parts the names of nested items: "sort bytes per weight".
std::string sort_id(std::string name) {
  if (const std::size_t at = name.find('/'); at != std::string::npos) name.replace(at, 1, " per ");
  return "sort " + name;
}

} // namespace

ColumnEdges edges_of(const PanelContext& c, const std::vector<Column>& columns, float least) {
  const Theme& t = c.theme;
  const float left = ImGui::GetWindowPos().x + t.snap(kMargin);
  const float right = left + ImGui::GetContentRegionAvail().x - 2 * t.snap(kMargin);
  const auto wide = [&](const Column& column) { return t.px(column.width > 0 ? column.width : least); };
  std::vector<bool> shown(columns.size(), false);
  float fixed = 0;
  for (const bool matters : {true, false})
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if ((i == 0 || columns[i].matters) != matters || columns[i].width < 0) continue;
      if (i > 0 && fixed + wide(columns[i]) > right - left) break;
      shown[i] = true;
      fixed += wide(columns[i]);
    }
  const float rest = std::clamp(right - left - fixed, 0.0f, t.px(kMostRest));
  ColumnEdges out;
  float x = left;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const float room = shown[i] ? wide(columns[i]) + (columns[i].width > 0 ? 0 : rest) : 0;
    out.emplace_back(x, std::max(x, x + room - t.px(kGap)));
    x += room;
  }
  return out;
}

void draw_cell(const PanelContext& c, const Column& column, std::pair<float, float> edge, float middle, ImU32 colour,
               const std::string& words, TextStyle style) {
  if (!(edge.second > edge.first)) return; // left out
  const std::string shown = fit(c.theme, style, words, edge.second - edge.first);
  draw_text_aligned(ImGui::GetWindowDrawList(), c.theme, style, {column.right ? edge.second : edge.first, middle},
                    colour, shown, column.right ? 1.0f : 0.0f, 0.5f);
}

void draw_sorting_titles(const PanelContext& c, const std::vector<Column>& columns, const ColumnEdges& edges,
                         TableSort& sort) {
  const Theme& t = c.theme;
  const float y = ImGui::GetCursorScreenPos().y, tall = t.snap(kColumnTitles);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (!has_room(edges, i)) continue;
    const Column& column = columns[i];
    const bool sorted = sort.column == column.name;
    ImGui::SetCursorScreenPos({edges[i].first, y});
    if (ImGui::InvisibleButton(sort_id(column.name).c_str(), {edges[i].second - edges[i].first, tall},
                               ImGuiButtonFlags_EnableNav)) {
      if (sorted && sort.falling) sort = {}; // the third click: the scene's order
      else sort = {column.name, sorted};
    }
    item_help(t,
              ((column.help.empty() ? "" : column.help + "\n") + "Sort: rising, falling, the scene's order").c_str());
    const bool hovered = ImGui::IsItemHovered();
    const std::string words = column.name + (sorted ? sort.falling ? " ↓" : " ↑" : "");
    draw_cell(c, column, edges[i], y + tall * 0.5f, sorted || hovered ? t.colour().text : t.colour().text3, words,
              text::kLabel);
  }
  ImGui::SetCursorScreenPos({ImGui::GetWindowPos().x, y + tall});
  ImGui::Dummy({0, 0});
}

std::vector<std::size_t> sorted_rows(std::size_t count, const TableSort& sort,
                                     const std::function<double(std::size_t, const std::string&)>& key) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (sort.column.empty()) return order;
  if (sort.column == "run") {
    if (sort.falling) std::reverse(order.begin(), order.end());
    return order;
  }
  std::vector<double> keys;
  for (const std::size_t r : order) keys.push_back(key(r, sort.column));
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (std::isnan(keys[a]) || std::isnan(keys[b])) return !std::isnan(keys[a]) && std::isnan(keys[b]);
    return sort.falling ? keys[a] > keys[b] : keys[a] < keys[b];
  });
  return order;
}

} // namespace polarscope
