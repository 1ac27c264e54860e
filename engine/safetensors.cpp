#include "engine/safetensors.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

namespace polarscope {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLargestHeader = 100'000'000; // bytes, the format's own limit

bool read_all(int fd, std::uint64_t offset, void* out, std::size_t bytes) {
  auto* at = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t n = ::pread(fd, at, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    offset += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

// elements × bytes of one, or nothing when that does not fit 64 bits.
bool tensor_bytes(const TensorInfo& tensor, std::uint64_t& bytes) {
  for (const std::uint64_t n : tensor.shape)
    if (__builtin_mul_overflow(bytes, n, &bytes)) return false;
  return true;
}

double half_to_double(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const int mantissa = h & 1023;
  double value = 0;
  if (exponent == 31)
    value = mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  else if (exponent == 0) value = std::ldexp(mantissa, -24);
  else value = std::ldexp(mantissa + 1024, exponent - 25);
  return h & 0x8000 ? -value : value;
}

template <class T> void convert(const std::vector<std::byte>& bytes, std::vector<double>& out, double (*to_double)(T)) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = to_double(value);
  }
}

void convert(const std::string& dtype, const std::vector<std::byte>& bytes, std::vector<double>& out) {
  if (dtype == "F64") convert<double>(bytes, out, [](double v) { return v; });
  else if (dtype == "F32") convert<float>(bytes, out, [](float v) { return double{v}; });
  else if (dtype == "F16") convert<std::uint16_t>(bytes, out, half_to_double);
  else
    convert<std::uint16_t>(
        bytes, out, [](std::uint16_t v) { return double{std::bit_cast<float>(std::uint32_t{v} << 16)}; }); // BF16
}

bool is_unsigned(const Json& value) { return value.is_number_unsigned(); }

// One entry of the header; the reason when it is malformed.
std::string read_entry(const std::string& name, const Json& entry, TensorInfo& tensor) {
  const bool complete = entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() &&
                        entry.contains("shape") && entry["shape"].is_array() && entry.contains("data_offsets") &&
                        entry["data_offsets"].is_array() && entry["data_offsets"].size() == 2 &&
                        is_unsigned(entry["data_offsets"][0]) && is_unsigned(entry["data_offsets"][1]);
  if (!complete || entry["shape"].size() > 8 || !std::all_of(entry["shape"].begin(), entry["shape"].end(), is_unsigned))
    return "is malformed";
  tensor.name = name;
  tensor.dtype = entry["dtype"].get<std::string>();
  for (const Json& n : entry["shape"]) tensor.shape.push_back(n.get<std::uint64_t>());
  tensor.begin = entry["data_offsets"][0].get<std::uint64_t>();
  tensor.end = entry["data_offsets"][1].get<std::uint64_t>();
  // A dtype that is not known (F8_E4M3, one of the future) is no reason to refuse the rest of the file.
  const std::size_t size = dtype_bytes(tensor.dtype);
  std::uint64_t bytes = size == 0 ? 1 : size;
  if (tensor.begin > tensor.end || !tensor_bytes(tensor, bytes) || (size > 0 && bytes != tensor.end - tensor.begin))
    return "has a byte range that does not fit its shape";
  return "";
}

} // namespace

std::uint64_t TensorInfo::elements() const {
  std::uint64_t n = 1;
  for (const std::uint64_t d : shape) n *= d;
  return n;
}

std::size_t dtype_bytes(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL") return 1;
  return 0;
}

bool is_floating(std::string_view dtype) {
  return dtype == "F64" || dtype == "F32" || dtype == "F16" || dtype == "BF16";
}

std::string safetensors_header(std::vector<TensorInfo>& tensors, const std::map<std::string, std::string>& metadata) {
  Json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (TensorInfo& tensor : tensors) {
    tensor.begin = at;
    at += tensor.elements() * dtype_bytes(tensor.dtype);
    tensor.end = at;
    header[tensor.name] =
        Json{{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + text;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned>(u));
  }
  return out;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool code = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    out += code ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (code) i += 2;
  }
  return out;
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(other.descriptor_), data_begin_(other.data_begin_),
      tensors_(std::move(other.tensors_)), metadata_(std::move(other.metadata_)) {
  other.descriptor_ = -1;
}

SafetensorsFile::~SafetensorsFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  SafetensorsFile file;
  file.path_ = path;
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (file.descriptor_ < 0 || ::fstat(file.descriptor_, &status) != 0) return bad_input(std::strerror(errno), {path});
  if (!S_ISREG(status.st_mode)) return bad_input("is not a file", {path});
  if (auto done = file.read_header(static_cast<std::uint64_t>(status.st_size)); !done) return done.error();
  return file;
}

Result<void> SafetensorsFile::read_header(std::uint64_t file_size) {
  const auto fail = [&](std::string why) {
    return bad_input("not a valid .safetensors file: " + std::move(why), {path_});
  };
  std::uint64_t length = 0;
  if (file_size < 8 || !read_all(descriptor_, 0, &length, 8)) return fail("shorter than eight bytes");
  if (length > kLargestHeader || length > file_size - 8) return fail("the header is longer than the file");
  std::string text(length, '\0');
  if (!read_all(descriptor_, 8, text.data(), text.size())) return fail("the header is cut off");
  const Json header = Json::parse(text, nullptr, false);
  if (header.is_discarded() || !header.is_object()) return fail("the header is not JSON");
  data_begin_ = 8 + length;
  const std::uint64_t data_bytes = file_size - data_begin_;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return fail("the metadata is not a table");
      for (const auto& [key, value] : entry.items())
        if (value.is_string()) metadata_[key] = value.get<std::string>();
      continue;
    }
    TensorInfo tensor;
    if (const std::string why = read_entry(name, entry, tensor); !why.empty())
      return fail(fmt::format("tensor '{}' {}", name.substr(0, 100), why));
    if (tensor.end > data_bytes)
      return fail(fmt::format("tensor '{}' lies beyond the end of the file", name.substr(0, 100)));
    tensors_.push_back(std::move(tensor));
  }
  std::stable_sort(tensors_.begin(), tensors_.end(),
                   [](const TensorInfo& a, const TensorInfo& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < tensors_.size(); ++i)
    if (tensors_[i].begin < tensors_[i - 1].end)
      return fail(fmt::format("tensors '{}' and '{}' overlap", tensors_[i - 1].name, tensors_[i].name));
  return {};
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto it = std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorInfo& t) { return t.name == name; });
  return it == tensors_.end() ? nullptr : &*it;
}

Result<std::vector<double>> SafetensorsFile::read(const TensorInfo& tensor, std::uint64_t first,
                                                  std::uint64_t count) const {
  if (!is_floating(tensor.dtype))
    return bad_input(fmt::format("tensor '{}' has dtype {}, wanted: F64, F32, F16 or BF16", tensor.name, tensor.dtype),
                     {path_});
  const std::uint64_t size = dtype_bytes(tensor.dtype);
  if (first > tensor.elements() || count > tensor.elements() - first)
    return bad_input(fmt::format("tensor '{}' has only {} elements", tensor.name, tensor.elements()), {path_});
  std::vector<std::byte> bytes(count * size);
  if (!read_all(descriptor_, data_begin_ + tensor.begin + first * size, bytes.data(), bytes.size()))
    return bad_input(fmt::format("tensor '{}' cannot be read", tensor.name), {path_});
  std::vector<double> out(count);
  convert(tensor.dtype, bytes, out);
  return out;
}

} // namespace polarscope
