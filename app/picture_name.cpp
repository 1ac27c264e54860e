#include "app/picture_name.hpp"

#include "app/lesson.hpp"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <system_error>

namespace polarscope {
namespace {

// An installed scene's name with its folder, of another file its stem, in characters that every file system takes.
std::string name_of(const Scene& scene) {
  std::string name = installed_name(scene);
  if (std::filesystem::path(name).is_absolute()) name = std::filesystem::path(name).filename().string();
  std::string plain;
  for (const char c : name) plain += std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' ? c : '-';
  return plain.empty() ? "scene" : plain;
}

} // namespace

std::string free_picture_name(const Scene& scene, LayoutKind layout, long step) {
  const std::string stem =
      fmt::format("polarscope-{}-{}-step-{}", name_of(scene), layout == LayoutKind::show ? "show" : "study", step);
  const auto taken = [](const std::string& name) {
    std::error_code unknown;
    return std::filesystem::exists(name, unknown);
  };
  std::string name = stem + ".png";
  for (int n = 2; taken(name); ++n) name = fmt::format("{}-{}.png", stem, n);
  return name;
}

} // namespace polarscope
