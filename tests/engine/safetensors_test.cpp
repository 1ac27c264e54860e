// Reading and writing .safetensors, with files made byte by byte.
#include "engine/safetensors.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using namespace polarscope;

namespace {

std::string with_header(const std::string& header, const std::string& data, std::uint64_t claimed = 0) {
  const std::uint64_t length = claimed ? claimed : header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

template <class T> std::string bytes_of(const std::vector<T>& values) {
  std::string out(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
  return out;
}

} // namespace

TEST_CASE("tensors of four dtypes read back exactly", "[safetensors]") {
  const test::TemporaryFolder folder;
  const std::string header = R"({"__metadata__":{"k":"v"},"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                             R"("f":{"dtype":"F32","shape":[2,1],"data_offsets":[16,24]},)"
                             R"("h":{"dtype":"F16","shape":[5],"data_offsets":[24,34]},)"
                             R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[34,38]}})";
  const std::string data = bytes_of<double>({0.1, -2}) + bytes_of<float>({0.1f, 3}) +
                           bytes_of<std::uint16_t>({0x3C00, 0xC000, 0x0001, 0x7C00, 0x3555}) +
                           bytes_of<std::uint16_t>({0x3F80, 0xC040});
  const auto file = SafetensorsFile::open(folder.write("x.safetensors", with_header(header, data)));
  INFO((file ? std::string() : file.error().text()));
  REQUIRE(file.ok());
  CHECK(file->metadata().at("k") == "v");
  CHECK(*file->read(*file->find("d"), 0, 2) == std::vector<double>{0.1, -2});
  CHECK(*file->read(*file->find("f"), 1, 1) == std::vector<double>{3});
  CHECK((*file->read(*file->find("f"), 0, 1))[0] == static_cast<double>(0.1f));
  const auto half = *file->read(*file->find("h"), 0, 5);
  CHECK(half[0] == 1);
  CHECK(half[1] == -2);
  CHECK(half[2] == 0x1p-24);
  CHECK(half[3] == std::numeric_limits<double>::infinity());
  CHECK(half[4] == 0x1.554p-2);
  CHECK(*file->read(*file->find("b"), 0, 2) == std::vector<double>{1, -3});
  CHECK_FALSE(file->read(*file->find("d"), 1, 2).ok());
  CHECK(file->find("nothing") == nullptr);
}

TEST_CASE("a written header reads back", "[safetensors]") {
  const test::TemporaryFolder folder;
  std::vector<TensorInfo> tensors = {
      {"weight/W", "F32", {2, 3}, 0, 0}, {"step", "I64", {1}, 0, 0}, {"empty", "F32", {0, 3}, 0, 0}};
  const std::string header = safetensors_header(tensors, {{"scene", "[scene]\n"}});
  CHECK(header.size() % 8 == 0);
  const auto file = SafetensorsFile::open(
      folder.write("y.safetensors", header + bytes_of<float>({1, 2, 3, 4, 5, 6}) + bytes_of<std::int64_t>({7})));
  INFO((file ? std::string() : file.error().text()));
  REQUIRE(file.ok());
  CHECK(file->find("weight/W")->shape == std::vector<std::uint64_t>{2, 3});
  CHECK(*file->read(*file->find("weight/W"), 3, 3) == std::vector<double>{4, 5, 6});
  CHECK(file->find("empty")->elements() == 0);
  CHECK_FALSE(file->read(*file->find("step"), 0, 1).ok()); // not a floating-point tensor
}

TEST_CASE("a dtype that is not known is kept but not read", "[safetensors]") {
  const test::TemporaryFolder folder;
  const std::string header =
      R"({"q":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  const auto file =
      SafetensorsFile::open(folder.write("x.safetensors", with_header(header, "abcd" + bytes_of<float>({2.5f}))));
  INFO((file ? std::string() : file.error().text()));
  REQUIRE(file.ok());
  REQUIRE(file->tensors().size() == 2);
  CHECK(file->find("q")->elements() == 4);
  const auto refused = file->read(*file->find("q"), 0, 4);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().text().find("tensor 'q' has dtype F8_E4M3, wanted") != std::string::npos);
  CHECK(*file->read(*file->find("w"), 0, 1) == std::vector<double>{2.5});
}

TEST_CASE("malformed .safetensors files are refused before anything is allocated", "[safetensors]") {
  const test::TemporaryFolder folder;
  const std::string good = R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string eight(8, '\0');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "shorter than eight bytes"},
      {with_header("{" + good + "}", eight, 1ull << 60), "the header is longer than the file"},
      {with_header("{" + good + "}", eight, 90'000'000), "the header is longer than the file"},
      {with_header("[1]", ""), "the header is not JSON"},
      {with_header("{" + good, eight), "the header is not JSON"},
      {with_header("{" + good + "}", "1234"), "tensor 'w' lies beyond the end of the file"},
      {with_header(R"({"w":{"dtype":"F33","shape":[2],"data_offsets":[0,80]}})", eight),
       "tensor 'w' lies beyond the end of the file"},
      {with_header(R"({"w":{"dtype":"F33","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", eight),
       "does not fit its shape"},
      {with_header(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight), "does not fit its shape"},
      {with_header(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", eight),
       "does not fit its shape"},
      {with_header(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight), "tensor 'w' is malformed"},
      {with_header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight), "does not fit its shape"},
      {with_header("{" + good + R"(,"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight), "overlap"},
      {with_header(R"({"w":7})", eight), "tensor 'w' is malformed"},
  };
  for (const auto& [bytes, expected] : cases) {
    const auto file = SafetensorsFile::open(folder.write("bad.safetensors", bytes));
    REQUIRE_FALSE(file.ok());
    INFO(file.error().text());
    CHECK(file.error().text().find(expected) != std::string::npos);
  }
  CHECK_FALSE(SafetensorsFile::open(folder.path()).ok());
  CHECK_FALSE(SafetensorsFile::open(folder.path() + "/none").ok());
}
