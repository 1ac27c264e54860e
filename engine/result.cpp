#include "engine/result.hpp"

namespace polarscope {

std::string Error::text() const {
  std::string out;
  if (!place.file.empty()) {
    out = place.file;
    if (place.line > 0) out += ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
    out += ": ";
  }
  return out + message;
}

Error bad_input(std::string message, Place place) {
  return {ErrorKind::bad_input, std::move(place), std::move(message)};
}

Error machine_lacks(std::string message) { return {ErrorKind::machine_lacks, {}, std::move(message)}; }

} // namespace polarscope
