// Singular values against matrices made from known ones by reflections.
#include "engine/spectrum.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

using namespace polarscope;
using test::Numbers;

namespace {

struct Known {
  std::size_t rows, cols;
  Numbers matrix; // row-major
};

// U S Vᵀ: three reflections of the rows and three of the columns, each I − 2 v vᵀ/‖v‖².
Known known_matrix(std::size_t rows, std::size_t cols, const Numbers& values) {
  Known out{rows, cols, Numbers(rows * cols, 0)};
  for (std::size_t i = 0; i < values.size(); ++i) out.matrix[i * cols + i] = values[i];
  test::Dice dice(rows * 1000 + cols);
  const auto reflect = [&](std::size_t count, std::size_t stride, std::size_t others, std::size_t other_stride) {
    const Numbers v = dice.normals(count);
    const double square = test::dot(v, v);
    for (std::size_t o = 0; o < others; ++o) {
      double along = 0;
      for (std::size_t i = 0; i < count; ++i) along += v[i] * out.matrix[i * stride + o * other_stride];
      for (std::size_t i = 0; i < count; ++i) out.matrix[i * stride + o * other_stride] -= 2 * along / square * v[i];
    }
  };
  for (int k = 0; k < 3; ++k) {
    reflect(rows, cols, cols, 1);
    reflect(cols, 1, rows, cols);
  }
  return out;
}

ReadBlock reader(const Known& known, std::uint64_t* largest_block = nullptr) {
  return [&known, largest_block](std::uint64_t row, std::uint64_t rows, std::uint64_t col, std::uint64_t cols,
                                 std::vector<double>& out) -> Result<void> {
    out.clear();
    for (std::uint64_t r = row; r < row + rows; ++r)
      for (std::uint64_t c = col; c < col + cols; ++c) out.push_back(known.matrix.at(r * known.cols + c));
    if (largest_block) *largest_block = std::max<std::uint64_t>(*largest_block, out.size());
    return {};
  };
}

Spectrum spectrum_of(const Known& known, std::uint64_t* largest_block = nullptr) {
  auto found = singular_values(known.rows, known.cols, reader(known, largest_block), [](double) { return true; });
  REQUIRE(found.ok());
  REQUIRE(found->has_value());
  return **found;
}

// From 1 down to 10^−decades.
Numbers falling(std::size_t count, double decades) {
  Numbers out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(3 * std::pow(10.0, -decades * static_cast<double>(i) /
                                         static_cast<double>(std::max<std::size_t>(1, count - 1))));
  return out;
}

double worst_error(const Numbers& found, const Numbers& expected) {
  REQUIRE(found.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(found[i] - expected[i]));
  return worst / expected.front();
}

} // namespace

TEST_CASE("singular values of known matrices", "[spectrum]") {
  for (const auto& [rows, cols] : std::vector<std::pair<std::size_t, std::size_t>>{
           {1, 1}, {5, 5}, {7, 3}, {3, 9}, {1, 6}, {6, 1}, {60, 40}, {40, 130}}) {
    INFO(rows << " × " << cols);
    const Numbers values = falling(std::min(rows, cols), 12);
    const Spectrum found = spectrum_of(known_matrix(rows, cols, values));
    CHECK_FALSE(found.gram);
    CHECK(worst_error(found.values, values) < 1e-14);
    CHECK(found.resolution < 1e-13 * values.front());
  }
}

TEST_CASE("a long matrix is folded block by block", "[spectrum]") {
  // more than one block of 2^21 numbers, tall and wide, and a last block shorter than the smaller side
  for (const auto& [rows, cols] :
       std::vector<std::pair<std::size_t, std::size_t>>{{350'000, 12}, {12, 350'000}, {2 * 32'768 + 5, 64}}) {
    INFO(rows << " × " << cols);
    const Numbers values = falling(std::min(rows, cols), 10);
    std::uint64_t largest = 0;
    const Spectrum found = spectrum_of(known_matrix(rows, cols, values), &largest);
    CHECK(worst_error(found.values, values) < 1e-13);
    CHECK(largest <= 1u << 21);
    CHECK(largest < rows * cols);
  }
}

TEST_CASE("beyond 512 the Gram matrix gives the large values exactly and admits what it cannot resolve", "[spectrum]") {
  for (const auto& [rows, cols] : std::vector<std::pair<std::size_t, std::size_t>>{{540, 520}, {514, 700}}) {
    INFO(rows << " × " << cols);
    const Numbers values = falling(std::min(rows, cols), 12);
    const Spectrum found = spectrum_of(known_matrix(rows, cols, values));
    CHECK(found.gram);
    REQUIRE(found.values.size() == values.size());
    CHECK(std::is_sorted(found.values.rbegin(), found.values.rend()));
    CHECK(found.resolution < 1e-6 * values.front());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] > 1e-2) CHECK(std::abs(found.values[i] - values[i]) < 1e-10 * values[i]);
      if (values[i] > found.resolution) CHECK(std::abs(found.values[i] - values[i]) < 0.1 * values[i]);
      else CHECK(found.values[i] <= 2 * found.resolution);
    }
  }
}

TEST_CASE("rounding is below what the decomposition claims to resolve", "[spectrum]") {
  Numbers values(40, 0); // rank 3
  values[0] = 5, values[1] = 4, values[2] = 2;
  const Spectrum found = spectrum_of(known_matrix(60, 40, values));
  for (std::size_t i = 0; i < values.size(); ++i) CHECK((found.values[i] > found.resolution) == (i < 3));
}

TEST_CASE("zeros, nothing, and being stopped", "[spectrum]") {
  const Spectrum zeros = spectrum_of({6, 4, Numbers(24, 0)});
  CHECK(zeros.values == Numbers(4, 0));
  CHECK(spectrum_of({0, 4, {}}).values.empty());
  const Known large = known_matrix(600, 600, falling(600, 1));
  double last = 0;
  const auto stopped = singular_values(600, 600, reader(large), [&](double done) {
    CHECK(done >= last);
    CHECK(done <= 1);
    last = done;
    return done < 0.5;
  });
  REQUIRE(stopped.ok());
  CHECK_FALSE(stopped->has_value());
  const ReadBlock broken = [](std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                              std::vector<double>&) -> Result<void> { return bad_input("gone"); };
  CHECK_FALSE(singular_values(3, 3, broken, [](double) { return true; }).ok());
  CHECK_FALSE(singular_values(600, 600, broken, [](double) { return true; }).ok());
}
