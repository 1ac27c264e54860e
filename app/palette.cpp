#include "app/palette.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

namespace polarscope {
namespace {

std::optional<ImU32> parse_colour(const toml::node* node) {
  const std::string text = node ? node->value_or(std::string{}) : std::string{};
  if (text.size() != 7 || text[0] != '#') return std::nullopt;
  const auto digits = text.find_first_not_of("0123456789abcdefABCDEF", 1);
  if (digits != std::string::npos) return std::nullopt;
  const unsigned long rgb = std::stoul(text.substr(1), nullptr, 16);
  return IM_COL32((rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255, 255);
}

// Reads the keys of one table and remembers the first that is missing or malformed.
class Reader {
public:
  Reader(const toml::table& table, std::string_view file) : table_(table), file_(file) {}

  ImU32 colour(std::string_view key) {
    const auto value = parse_colour(table_.get(key));
    if (!value) fail(key, "a colour such as \"#15181d\"");
    return value.value_or(0);
  }

  std::vector<ImU32> colours(std::string_view key, std::size_t least) {
    std::vector<ImU32> list;
    if (const toml::array* array = table_[key].as_array())
      for (const toml::node& node : *array)
        if (const auto value = parse_colour(&node)) list.push_back(*value);
    if (list.size() < least) fail(key, fmt::format("a list of at least {} colours", least));
    list.resize(std::max(list.size(), least));
    return list;
  }

  const std::optional<Error>& error() const { return error_; }

private:
  void fail(std::string_view key, std::string_view wanted) {
    if (error_) return;
    const toml::node* node = table_.get(key);
    const auto& where = node ? node->source().begin : table_.source().begin;
    error_ = bad_input(fmt::format("'{}' must be {}", key, wanted),
                       {std::string(file_), static_cast<int>(where.line), static_cast<int>(where.column)});
  }

  const toml::table& table_;
  std::string_view file_;
  std::optional<Error> error_;
};

float smoothstep(float x) { return x * x * (3 - 2 * x); }

// Relative luminance of WCAG 2.1.
float luminance(ImU32 colour) {
  const auto linear = [](float c) { return c <= 0.04045f ? c / 12.92f : std::pow((c + 0.055f) / 1.055f, 2.4f); };
  const ImVec4 c = ImGui::ColorConvertU32ToFloat4(colour);
  return 0.2126f * linear(c.x) + 0.7152f * linear(c.y) + 0.0722f * linear(c.z);
}

} // namespace

Result<Palette> read_palette(std::string_view toml, std::string_view file, std::string_view name) {
  toml::table root;
  try {
    root = toml::parse(toml, file);
  } catch (const toml::parse_error& error) {
    const auto& where = error.source().begin;
    return bad_input(std::string(error.description()),
                     {std::string(file), static_cast<int>(where.line), static_cast<int>(where.column)});
  }
  const toml::table* table = root[name].as_table();
  if (!table) return bad_input(fmt::format("no palette '{}'", name), {std::string(file), 0, 0});
  Reader read(*table, file);
  Palette palette;
  palette.bar = read.colour("bar");
  palette.panel = read.colour("panel");
  palette.input = read.colour("input");
  palette.hover = read.colour("hover");
  palette.on = read.colour("on");
  palette.line = read.colour("line");
  palette.frame = read.colour("frame");
  const auto text = read.colours("text", 3);
  palette.text = text[0];
  palette.text2 = text[1];
  palette.text3 = text[2];
  palette.kept = read.colour("kept");
  palette.broken = read.colour("broken");
  palette.warning = read.colour("warning");
  const auto field = read.colours("field", 3);
  palette.well = field[0];
  palette.mid = field[1];
  palette.ridge = field[2];
  palette.grid = read.colour("grid");
  const auto runs = read.colours("runs", kRunStyles);
  std::copy_n(runs.begin(), kRunStyles, palette.runs.begin());
  palette.sweep = read.colours("sweep", 2);
  palette.dark = luminance(palette.panel) < 0.2f;
  if (read.error()) return *read.error();
  return palette;
}

ImU32 Palette::field(float level) const {
  const float g = std::clamp(level, 0.0f, 1.0f);
  const float t = 0.55f * smoothstep(g) + 0.45f * g;
  return t < 0.5f ? mix(well, mid, 2 * t) : mix(mid, ridge, 2 * t - 1);
}

ImU32 Palette::not_computed() const { return with_alpha(bar, 0.65f); }

ImU32 with_alpha(ImU32 colour, float alpha) {
  const auto a = static_cast<ImU32>(std::clamp(alpha, 0.0f, 1.0f) * 255 + 0.5f);
  return (colour & ~IM_COL32_A_MASK) | (a << IM_COL32_A_SHIFT);
}

ImU32 fade(ImU32 colour, float factor) {
  return with_alpha(colour, static_cast<float>(colour >> IM_COL32_A_SHIFT) / 255.0f * factor);
}

ImU32 mix(ImU32 from, ImU32 to, float t) {
  const int share = static_cast<int>(std::clamp(t, 0.0f, 1.0f) * 256 + 0.5f);
  ImU32 result = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    const int a = static_cast<int>((from >> shift) & 255), b = static_cast<int>((to >> shift) & 255);
    result |= static_cast<ImU32>(a + (((b - a) * share) >> 8)) << shift;
  }
  return result;
}

float contrast_ratio(ImU32 a, ImU32 b) {
  const float la = luminance(a), lb = luminance(b);
  return (std::max(la, lb) + 0.05f) / (std::min(la, lb) + 0.05f);
}

} // namespace polarscope
