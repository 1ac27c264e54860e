#include "engine/problem/random.hpp"

#include "kernels/normal.hpp"

namespace polarscope {

std::vector<double> normal_numbers(std::uint64_t seed, Stream stream, std::size_t count) {
  std::vector<double> out;
  out.reserve(count + 3);
  for (std::uint32_t block = 0; out.size() < count; ++block) {
    const kernels::FourNormals<double> z =
        kernels::four_normals<double>(kernels::random_bits(seed, static_cast<std::uint32_t>(stream), 0, block), true);
    out.insert(out.end(), z.v, z.v + 4);
  }
  out.resize(count);
  return out;
}

} // namespace polarscope
