#include "tests/support/tensors.hpp"

#include "tests/support/process.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace polarscope::test {

namespace {

template <class T> std::vector<double> numbers(const std::string& bytes) {
  std::vector<double> out(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
  return out;
}

template <class T> std::string packed(const std::vector<double>& values) {
  std::string out(values.size() * sizeof(T), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
  return out;
}

} // namespace

TensorFile read_tensors(const std::string& path) {
  const std::string file = read_text(path);
  if (file.size() < 8) throw std::runtime_error("too short");
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length * 256 + static_cast<unsigned char>(file[static_cast<std::size_t>(i)]);
  const auto header = nlohmann::json::parse(file.substr(8, length));
  const std::string data = file.substr(8 + length);
  TensorFile out;
  std::size_t total = 0;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      out.metadata = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    Tensor tensor;
    tensor.dtype = entry.at("dtype").get<std::string>();
    tensor.shape = entry.at("shape").get<std::vector<long>>();
    const auto range = entry.at("data_offsets").get<std::vector<std::size_t>>();
    if (range.at(1) > data.size()) throw std::runtime_error(name + " is beyond the end");
    const std::string bytes = data.substr(range[0], range[1] - range[0]);
    total += bytes.size();
    if (tensor.dtype == "F32") tensor.values = numbers<float>(bytes);
    else if (tensor.dtype == "F64") tensor.values = numbers<double>(bytes);
    else if (tensor.dtype == "I64") tensor.values = numbers<std::int64_t>(bytes);
    else throw std::runtime_error(name + " has dtype " + tensor.dtype);
    std::size_t elements = 1;
    for (const long n : tensor.shape) elements *= static_cast<std::size_t>(n);
    if (elements != tensor.values.size()) throw std::runtime_error(name + " has a wrong shape");
    out.tensors[name] = std::move(tensor);
  }
  if (total != data.size()) throw std::runtime_error("bytes that belong to no tensor");
  return out;
}

std::string tensor_file(const std::vector<std::pair<std::string, Tensor>>& tensors) {
  nlohmann::ordered_json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = data.size();
    if (tensor.dtype == "F32") data += packed<float>(tensor.values);
    else if (tensor.dtype == "F64") data += packed<double>(tensor.values);
    else if (tensor.dtype == "I64") data += packed<std::int64_t>(tensor.values);
    else data += std::string(tensor.values.size(), '\0');
    header[name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 255);
  return length + text + data;
}

} // namespace polarscope::test
