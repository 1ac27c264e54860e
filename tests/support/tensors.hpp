// A .safetensors reader of the tests' own, so that what the program writes is read by something it did not write.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace polarscope::test {

struct Tensor {
  std::string dtype;
  std::vector<long> shape;
  std::vector<double> values; // F32, F64 and I64
};

struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
};

// Throws on anything unexpected.
TensorFile read_tensors(const std::string& path);

// The bytes of a file with these tensors in this order; a dtype other than F64, F32 and I64 gets one zero byte per value.
std::string tensor_file(const std::vector<std::pair<std::string, Tensor>>& tensors);

} // namespace polarscope::test
