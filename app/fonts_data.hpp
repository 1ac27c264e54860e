// The window's fonts, compiled into the program: "Inter-Regular", "Inter-Medium", "Inter-SemiBold" (OpenType,
// cubic outlines), "JetBrainsMono-Regular" and "DejaVuSans" (TrueType; the few signs that the others lack).
#pragma once

#include "engine/embedded.hpp"

#include <string_view>
#include <vector>

namespace polarscope {

EmbeddedFile embedded_font(std::string_view name);
std::vector<std::string_view> embedded_font_names();

} // namespace polarscope
