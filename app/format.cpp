#include "app/format.hpp"

#include <fmt/format.h>

#include <cmath>

namespace polarscope {
namespace {

constexpr const char* kMinus = "\u2212";

std::string sign(double value, bool plus) { return std::signbit(value) ? kMinus : plus ? "+" : ""; }

std::string not_finite(double value) { return std::isnan(value) ? "not a number" : sign(value, false) + "infinite"; }

// Commas into the whole part of an unsigned decimal number.
std::string group(std::string digits) {
  const std::size_t point = std::min(digits.find('.'), digits.size());
  for (std::size_t i = point; i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

void trim_zeros(std::string& digits) {
  if (digits.find('.') == std::string::npos) return;
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
}

// "1.50e-02" → "1.5e−2"
std::string exponent_form(double magnitude, int digits, bool trim) {
  const std::string text = fmt::format("{:.{}e}", magnitude, digits - 1);
  const std::size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (trim) trim_zeros(mantissa);
  const int exponent = std::stoi(text.substr(e + 1));
  return fmt::format("{}e{}{}", mantissa, exponent < 0 ? kMinus : "", std::abs(exponent));
}

} // namespace

std::string format_count(long value) {
  return sign(static_cast<double>(value), false) + group(std::to_string(std::labs(value)));
}

std::string format_value(double value, int digits) {
  if (!std::isfinite(value)) return not_finite(value);
  const double size = std::abs(value);
  if (size == 0) return "0";
  // the decade after rounding: 999.7 with three digits is 1,000
  const std::string rounded = fmt::format("{:.{}e}", size, digits - 1);
  const double shown = std::stod(rounded);
  const int decade = std::stoi(rounded.substr(rounded.find('e') + 1));
  std::string text;
  if (shown >= 0.1 && shown < 1000) {
    text = fmt::format("{:.{}f}", shown, std::max(0, digits - 1 - decade));
    trim_zeros(text);
  } else if (size >= 999.5 && size < 1e6 && size == std::floor(size)) {
    text = group(fmt::format("{:.0f}", size));
  } else {
    text = exponent_form(size, digits, true);
  }
  return sign(value, false) + text;
}

std::string format_fixed(double value, int decimals, bool plus) {
  if (!std::isfinite(value)) return not_finite(value);
  const std::string digits = fmt::format("{:.{}f}", std::abs(value), decimals);
  const bool zero = digits.find_first_not_of("0.") == std::string::npos;
  return (zero ? (plus ? "+" : "") : sign(value, plus)) + group(digits);
}

std::string format_norm(double value) {
  const double size = std::abs(value);
  return size >= 0.1 && size < 1000 ? format_fixed(value, 2) : format_value(value, 3);
}

std::string format_digits(double value, int digits, bool plus) {
  if (!std::isfinite(value)) return not_finite(value);
  const double size = std::abs(value);
  if (size == 0) return plus ? "+0" : "0";
  const std::string rounded = fmt::format("{:.{}e}", size, digits - 1);
  const int decade = std::stoi(rounded.substr(rounded.find('e') + 1));
  if (decade < -4 || decade >= digits) return sign(value, plus) + exponent_form(size, digits, false);
  return sign(value, plus) + group(fmt::format("{:.{}f}", size, std::max(0, digits - 1 - decade)));
}

std::string format_exact(double value) { return fmt::format("{}", value); }

std::string format_percent(double share) {
  const double percent = 100 * share;
  if (!std::isfinite(percent)) return not_finite(percent);
  const double size = std::abs(percent);
  if (size == 0 || size >= 9.95) return format_fixed(percent, 0) + " %";
  if (size >= 0.095) return format_fixed(percent, 1) + " %";
  return format_value(percent, 1) + " %";
}

} // namespace polarscope
