#include "engine/problem/random.hpp"

#include "kernels/rng.hpp"

namespace polarscope {

std::vector<double> normal_numbers(std::uint64_t seed, Stream stream, std::size_t count) {
  std::vector<double> out;
  out.reserve(count + 1);
  for (std::uint32_t index = 0; out.size() < count; ++index) {
    const auto pair = kernels::normal_pair<double>(seed, static_cast<std::uint32_t>(stream), 0, index);
    out.push_back(pair.first);
    out.push_back(pair.second);
  }
  out.resize(count);
  return out;
}

} // namespace polarscope
