#include "app/cli_table.hpp"

#include "engine/report.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace polarscope {

namespace {

constexpr std::size_t kGap = 2;       // between columns
constexpr std::size_t kNarrow = 24;   // a column that is never broken
constexpr std::size_t kLeast = 16;    // of a broken column
constexpr std::size_t kTerminal = 80; // where it does not say

// Words longer than `width` stay whole.
std::vector<std::string> lines_of(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t space = std::min(text.find(' ', from), text.size());
    const std::string word = text.substr(from, space - from);
    if (!lines.back().empty() && text_width(lines.back()) + 1 + text_width(word) > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    from = space + 1;
  }
  return lines;
}

// The wide columns share what the narrow ones leave: equal parts, but for those that need less than theirs.
void shrink(std::vector<std::size_t>& widths, std::size_t width) {
  std::size_t taken = kGap * (widths.size() - 1);
  std::vector<std::size_t*> wide;
  for (std::size_t& w : widths) {
    if (w > kNarrow) wide.push_back(&w);
    else taken += w;
  }
  std::sort(wide.begin(), wide.end(), [](const auto* a, const auto* b) { return *a < *b; });
  std::size_t left = width > taken ? width - taken : 0;
  for (std::size_t i = 0; i < wide.size(); ++i) {
    *wide[i] = std::min(*wide[i], std::max(kLeast, left / (wide.size() - i)));
    left -= std::min(left, *wide[i]);
  }
}

} // namespace

std::size_t terminal_width() {
  if (::isatty(STDOUT_FILENO) != 1) return 0;
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kTerminal;
}

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  if (width == 0) return text;
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string line = text.substr(from, end - from);
    from = end + 1;
    if (text_width(line) <= width) {
      out += line + "\n";
      continue;
    }
    const std::size_t own = std::min(line.find_first_not_of(' '), line.size()), inner = own + indent;
    const std::vector<std::string> pieces = lines_of(line.substr(own), std::max(width, inner + kLeast) - inner);
    for (const std::string& piece : pieces)
      out += std::string(&piece == pieces.data() ? own : inner, ' ') + piece + "\n";
  }
  return out;
}

std::string fitted_table(const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  if (width == 0 || rows.empty()) return text_table(rows);
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  shrink(widths, width);
  std::vector<std::vector<std::string>> broken;
  for (const auto& row : rows) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(lines_of(row[i], widths[i]));
      height = std::max(height, cells.back().size());
    }
    for (std::size_t line = 0; line < height; ++line) {
      std::vector<std::string>& out = broken.emplace_back();
      for (const auto& cell : cells) out.push_back(line < cell.size() ? cell[line] : "");
    }
  }
  std::string out;
  for (const char c : text_table(broken)) {
    if (c == '\n') out.erase(out.find_last_not_of(' ') + 1);
    out += c;
  }
  return out;
}

} // namespace polarscope
