// Numbers as the window writes them: true minus, comma between thousands, 2e−2, plain between 0.1 and 999.
#pragma once

#include <string>

namespace polarscope {

std::string format_count(long value); // 1,204
// Short, for labels and fields: at most `digits` significant digits, trailing zeros dropped; nan and inf in words.
std::string format_value(double value, int digits = 3);
// For aligned columns: a fixed number of decimals, thousands with comma; `plus` writes + before positive numbers.
// A norm beside its marker: two decimals where that says something, else as format_value.
std::string format_norm(double value);
std::string format_fixed(double value, int decimals, bool plus = false);
// For the hover card: exactly `digits` significant digits.
std::string format_digits(double value, int digits = 6, bool plus = false);
// Reads back as the same double; for the clipboard (plain ASCII).
std::string format_exact(double value);
std::string format_percent(double share); // 0.21 → "21 %", below 1 %: "0.4 %"

} // namespace polarscope
