#include "app/image.hpp"

#include "engine/files.hpp"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#include <stb_image_write.h>
#pragma GCC diagnostic pop

#include <memory>

namespace polarscope {

Result<void> write_png(const Image& image, const std::string& path) {
  std::string bytes;
  const auto append = [](void* out, void* data, int size) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  if (!stbi_write_png_to_func(append, &bytes, image.width, image.height, 4, image.rgba.data(), image.width * 4))
    return machine_lacks("not enough memory to pack a picture");
  return write_file(path, bytes);
}

Result<Image> read_png(const std::string& path) {
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(stbi_load(path.c_str(), &width, &height, &channels, 4),
                                                         stbi_image_free);
  if (!pixels) return bad_input(std::string("cannot read the picture: ") + stbi_failure_reason(), {path, 0, 0});
  Image image(width, height);
  std::copy(pixels.get(), pixels.get() + image.rgba.size(), image.rgba.begin());
  return image;
}

} // namespace polarscope
