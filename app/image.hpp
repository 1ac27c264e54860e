// Pictures of 8 bits per channel, and PNG files.
#pragma once

#include "engine/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace polarscope {

struct Image {
  Image() = default;
  Image(int w, int h) : width(w), height(h), rgba(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 4) {}

  int width = 0; // pixels
  int height = 0;
  std::vector<std::uint8_t> rgba; // height × width × 4, top row first, not premultiplied

  const std::uint8_t* pixel(int x, int y) const {
    return rgba.data() +
           (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) * 4;
  }
};

// Written to a temporary name and renamed; "-" is standard output.
Result<void> write_png(const Image& image, const std::string& path);
Result<Image> read_png(const std::string& path);

} // namespace polarscope
