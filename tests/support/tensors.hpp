// A .safetensors reader of the tests' own, so that what the program writes is read by something it did not write.
#pragma once

#include <map>
#include <string>
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

} // namespace polarscope::test
