// libFuzzer target: any bytes as a scene give a scene or an error, and a scene can be written back.
#include "engine/scene.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scene = polarscope::parse_scene(std::string(reinterpret_cast<const char*>(data), size), "fuzz.toml");
  if (scene && !polarscope::parse_scene(polarscope::to_toml(*scene), "again.toml")) std::abort();
  return 0;
}
