// The .safetensors format: eight bytes of header length, a JSON header that names tensors with dtype, shape and byte
// range, then the bytes. Reading checks everything the header claims against the file before it allocates.
#pragma once

#include "engine/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polarscope {

struct TensorInfo {
  std::string name;
  std::string dtype; // F64 F32 F16 BF16 I64 …
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0; // bytes after the header

  std::uint64_t elements() const;
};

// Bytes of one element; 0 for a dtype that is not known.
std::size_t dtype_bytes(std::string_view dtype);
// Those that SafetensorsFile::read takes: F64, F32, F16, BF16.
bool is_floating(std::string_view dtype);

// Header of a file whose tensors follow in the given order; fills begin and end from dtype and shape.
std::string safetensors_header(std::vector<TensorInfo>& tensors, const std::map<std::string, std::string>& metadata);

// Text inside a tensor's name, where / separates: everything but letters, digits and -_.~ as %XX; and back.
std::string percent_encoded(std::string_view text);
std::string percent_decoded(std::string_view text);

class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string& path);
  SafetensorsFile(SafetensorsFile&& other) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) = delete;
  ~SafetensorsFile();

  // By place in the file; also those whose dtype is not known, which read() refuses.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const TensorInfo* find(std::string_view name) const;
  // Elements [first, first + count) of a floating-point tensor (F64, F32, F16, BF16), row-major.
  Result<std::vector<double>> read(const TensorInfo& tensor, std::uint64_t first, std::uint64_t count) const;

private:
  SafetensorsFile() = default;
  Result<void> read_header(std::uint64_t file_size);

  std::string path_;
  int descriptor_ = -1;
  std::uint64_t data_begin_ = 0;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

} // namespace polarscope
