// Run colours must stay apart for every kind of colour vision, and stand out from the panel.
#include "app/format.hpp"
#include "app/palette.hpp"
#include "engine/embedded.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>

using namespace polarscope;

namespace {

using Vec3 = std::array<double, 3>;
using Mat3 = std::array<Vec3, 3>;

// Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB.
constexpr Mat3 kNormal{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
constexpr Mat3 kProtan{
    {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}};
constexpr Mat3 kDeutan{
    {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}};
constexpr Mat3 kTritan{
    {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};

Vec3 times(const Mat3& m, const Vec3& v) {
  Vec3 out{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) out[i] += m[i][j] * v[j];
  return out;
}

Vec3 linear_rgb(ImU32 colour) {
  Vec3 rgb{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = ((colour >> (8 * i)) & 255) / 255.0;
    rgb[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  return rgb;
}

// Ottosson 2020.
Vec3 oklab(Vec3 rgb) {
  for (double& c : rgb) c = std::min(1.0, std::max(0.0, c));
  constexpr Mat3 kToLms{{{0.4122214708, 0.5363325363, 0.0514459929},
                         {0.2119034982, 0.6806995451, 0.1073969566},
                         {0.0883024619, 0.2817188376, 0.6299787005}}};
  constexpr Mat3 kToLab{{{0.2104542553, 0.7936177850, -0.0040720468},
                         {1.9779984951, -2.4285922050, 0.4505937099},
                         {0.0259040371, 0.7827717662, -0.8086757660}}};
  Vec3 lms = times(kToLms, rgb);
  for (double& c : lms) c = std::cbrt(c);
  return times(kToLab, lms);
}

double worst_distance(const Palette& palette) {
  double worst = std::numeric_limits<double>::infinity();
  for (const Mat3& vision : {kNormal, kProtan, kDeutan, kTritan})
    for (std::size_t i = 0; i < palette.runs.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        const Vec3 a = oklab(times(vision, linear_rgb(palette.runs[i]))),
                   b = oklab(times(vision, linear_rgb(palette.runs[j])));
        worst = std::min(worst, std::sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                                          (a[2] - b[2]) * (a[2] - b[2])));
      }
  return worst;
}

Palette built_in(std::string_view name) {
  const auto file = embedded_file("assets/palettes.toml");
  REQUIRE(file);
  auto palette = read_palette(file.text(), "assets/palettes.toml", name);
  REQUIRE(palette.ok());
  return *palette;
}

} // namespace

TEST_CASE("run colours stay apart under every colour vision and stand out from the panel") {
  for (const char* name : {"dark", "light"}) {
    const Palette palette = built_in(name);
    INFO(name << ": smallest distance " << worst_distance(palette));
    CHECK(worst_distance(palette) >= 0.11);
    for (ImU32 colour : palette.runs) CHECK(contrast_ratio(colour, palette.panel) >= 3.0f);
  }
}

TEST_CASE("the distance test can fail") {
  Palette palette = built_in("dark");
  palette.runs[5] = palette.runs[0];
  CHECK(worst_distance(palette) < 0.11);
}

TEST_CASE("text is readable on every ground it is used on") {
  for (const char* name : {"dark", "light"}) {
    const Palette c = built_in(name);
    for (ImU32 ground : {c.bar, c.panel, c.input, c.hover}) {
      CHECK(contrast_ratio(c.text, ground) >= 11.4f);
      CHECK(contrast_ratio(c.text2, ground) >= 6.3f);
    }
    for (ImU32 ground : {c.bar, c.panel, c.input}) CHECK(contrast_ratio(c.text3, ground) >= 4.5f);
    CHECK(contrast_ratio(c.text2, c.ridge) >= 4.5f);
    for (ImU32 sign : {c.kept, c.broken, c.warning}) CHECK(contrast_ratio(sign, c.panel) >= 4.5f);
  }
}

TEST_CASE("a palette file with a mistake is refused with its place") {
  const auto file = embedded_file("assets/palettes.toml");
  std::string text(file.text());
  text.replace(text.find("#15181d"), 7, "#15181x");
  const auto palette = read_palette(text, "p.toml", "dark");
  REQUIRE_FALSE(palette.ok());
  CHECK(palette.error().place.line == 7);
  CHECK(palette.error().message.find("panel") != std::string::npos);
  CHECK_FALSE(read_palette(file.text(), "p.toml", "sepia").ok());
  CHECK_FALSE(read_palette("[dark", "p.toml", "dark").ok());
}

TEST_CASE("colours are mixed channel by channel and the field is monotone in lightness") {
  CHECK(mix(IM_COL32(0, 0, 0, 255), IM_COL32(200, 100, 50, 255), 0.5f) == IM_COL32(100, 50, 25, 255));
  CHECK(with_alpha(IM_COL32(1, 2, 3, 255), 0.5f) == IM_COL32(1, 2, 3, 128));
  CHECK(contrast_ratio(IM_COL32_WHITE, IM_COL32_BLACK) == Approx(21).epsilon(1e-3));
  const Palette c = built_in("dark");
  CHECK(c.field(0) == c.well);
  CHECK(c.field(1) == c.ridge);
}

TEST_CASE("numbers are written for people") {
  CHECK(format_count(1204) == "1,204");
  CHECK(format_count(-1234567) == "−1,234,567");
  CHECK(format_count(999) == "999");
  CHECK(format_value(0.02) == "2e−2");
  CHECK(format_value(0.015) == "1.5e−2");
  CHECK(format_value(0.95) == "0.95");
  CHECK(format_value(0.1) == "0.1");
  CHECK(format_value(0) == "0");
  CHECK(format_value(-1.84) == "−1.84");
  CHECK(format_value(999.7) == "1e3");
  CHECK(format_value(2000) == "2,000");
  CHECK(format_value(3.2e7) == "3.2e7");
  CHECK(format_value(NAN) == "not a number");
  CHECK(format_fixed(1234.5, 2) == "1,234.50");
  CHECK(format_fixed(-0.0001, 2) == "0.00");
  CHECK(format_fixed(0.09, 2, true) == "+0.09");
  CHECK(format_digits(2.126754321) == "2.12675");
  CHECK(format_digits(0.00104, 3, true) == "+0.00104");
  CHECK(format_digits(1.5e-9) == "1.50000e−9");
  CHECK(format_digits(123456789) == "1.23457e8");
  CHECK(format_percent(0.21) == "21 %");
  CHECK(format_percent(0.004) == "0.4 %");
  CHECK(format_percent(1) == "100 %");
  CHECK(std::stod(format_exact(0.1 + 0.2)) == 0.1 + 0.2);
}
