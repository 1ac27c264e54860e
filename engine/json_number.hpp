// Numbers in JSON, which has no words for what is not finite.
#pragma once

#include <cmath>

namespace polarscope {

// The value, or the string "nan", "inf" or "-inf". `Json`: of nlohmann's kinds.
template <class Json> Json json_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

} // namespace polarscope
