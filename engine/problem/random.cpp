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

std::vector<double> random_labels(std::uint64_t seed, std::uint32_t classes, std::size_t count) {
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const kernels::RandomBits bits =
        kernels::random_bits(seed, static_cast<std::uint32_t>(Stream::labels), 0, static_cast<std::uint32_t>(i));
    out[i] = static_cast<double>(std::uint64_t{bits.v[0]} * classes >> 32);
  }
  return out;
}

} // namespace polarscope
