#include "engine/start_file.hpp"

#include "engine/files.hpp"
#include "engine/safetensors.hpp"

#include <fmt/format.h>

namespace polarscope {

namespace {

std::string beside(const std::string& file, const std::string& scene_path) {
  const auto slash = scene_path.rfind('/');
  if (file.starts_with('/') || slash == std::string::npos) return file;
  const std::string path = scene_path.substr(0, slash + 1) + file;
  return file_exists(path) ? path : file;
}

} // namespace

Result<std::vector<double>> read_start_file(const std::string& file, const std::string& scene_path,
                                            const ParamInfo& parameter, const Place& place) {
  const auto at_place = [&](const std::string& text) { return bad_input(fmt::format("start: {}", text), place); };
  const auto tensors = SafetensorsFile::open(beside(file, scene_path));
  if (!tensors) return at_place(tensors.error().text());
  const std::string name = "weight/" + parameter.name;
  const TensorInfo* tensor = tensors->find(name);
  if (!tensor) return at_place(fmt::format("{} holds no tensor '{}'", file, name));
  std::vector<std::uint64_t> shape = {parameter.rows, parameter.cols};
  if (parameter.vector) shape.erase(shape.begin());
  std::vector<std::uint64_t> own = tensor->shape;
  if (own.size() == shape.size() + 1 && own[0] > 0) own.erase(own.begin());
  if (own != shape)
    return at_place(fmt::format("'{}' in {} has shape ({}), wanted: ({})", name, file, fmt::join(tensor->shape, ", "),
                                fmt::join(shape, ", ")));
  auto values = tensors->read(*tensor, 0, std::uint64_t{parameter.rows} * parameter.cols);
  if (!values) return at_place(values.error().text());
  return values;
}

} // namespace polarscope
