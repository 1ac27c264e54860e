// Every instruction set's matmul against the definition in double, over shapes, transposes and finishes.
#include "tests/support/catch.hpp"

#include "kernels/cpu/execute.hpp"
#include "kernels/cpu/matmul.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using namespace polarscope;
using kernels::RawMatmul;

namespace {

template <class R> struct Matrix {
  int rows, cols, ld;
  std::vector<R> storage;
  R* p;
  Matrix(int m, int n, std::mt19937_64& random, bool padded = true) : rows(m), cols(n) {
    constexpr int line = 64 / static_cast<int>(sizeof(R));
    ld = padded ? (n + line - 1) / line * line : n;
    storage.assign(static_cast<std::size_t>(m * ld + line), R(0));
    const auto address = reinterpret_cast<std::uintptr_t>(storage.data());
    p = storage.data() + (64 - address % 64) % 64 / sizeof(R);
    std::normal_distribution<double> normal;
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) at(i, j) = static_cast<R>(normal(random));
  }
  R& at(int i, int j) { return p[i * ld + j]; }
};

// Largest error relative to Σ|a b| + |β d|; −1 when padding is not zero.
template <class R> double error_of(Matrix<R>& c, Matrix<R>& a, Matrix<R>& b, Matrix<R>& d, const RawMatmul& r) {
  double worst = 0;
  for (int i = 0; i < r.rows; ++i) {
    for (int j = 0; j < r.cols; ++j) {
      double s = 0, size = 1e-30;
      for (int k = 0; k < r.inner; ++k) {
        const double x = r.transpose_a ? a.at(k, i) : a.at(i, k), y = r.transpose_b ? b.at(j, k) : b.at(k, j);
        s += r.alpha * x * y;
        size += std::fabs(r.alpha * x * y);
      }
      if (r.beta != 0) s += r.beta * d.at(i, j), size += std::fabs(r.beta * d.at(i, j));
      if (r.relu) s = std::max(s, 0.0);
      worst = std::max(worst, std::fabs(s - c.at(i, j)) / size);
    }
    for (int j = r.cols; j < c.ld; ++j)
      if (c.at(i, j) != R(0)) return -1;
  }
  return worst;
}

template <class R> constexpr double kTolerance = sizeof(R) == 4 ? 3e-6 : 6e-15;

template <class R> void check_product(void (*matmul)(const RawMatmul&), int m, int n, int k, int form) {
  std::mt19937_64 random(static_cast<std::uint64_t>(m * 1000003 + n * 1009 + k * 16 + form));
  RawMatmul r{};
  r.transpose_a = form & 1;
  r.transpose_b = form & 2;
  r.relu = form & 4;
  r.alpha = 0.75;
  r.beta = form & 8 ? -1.5 : 0;
  Matrix<R> a(r.transpose_a ? k : m, r.transpose_a ? m : k, random);
  Matrix<R> b(r.transpose_b ? n : k, r.transpose_b ? k : n, random);
  Matrix<R> c(m, n, random), d(m, n, random);
  r.c = c.p, r.a = a.p, r.b = b.p, r.d = d.p;
  r.rows = m, r.cols = n, r.inner = k;
  r.ld_a = a.ld, r.ld_b = b.ld, r.ld_c = c.ld;
  matmul(r);
  const double error = error_of(c, a, b, d, r);
  INFO(m << " × " << n << " × " << k << ", form " << form);
  CHECK(error >= 0);
  CHECK(error < kTolerance<R>);
}

template <class R> void check_symmetric(void (*matmul)(const RawMatmul&), int n, int k) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n * 100 + k));
  Matrix<R> a(n, k, random), c(n, n, random), d(n, n, random);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < i; ++j) d.at(i, j) = d.at(j, i);
  RawMatmul r{};
  r.symmetric = r.transpose_b = true;
  r.alpha = 2;
  r.beta = 0.5;
  r.c = c.p, r.a = r.b = a.p, r.d = d.p;
  r.rows = r.cols = n, r.inner = k;
  r.ld_a = r.ld_b = a.ld, r.ld_c = c.ld;
  matmul(r);
  INFO("symmetric " << n << ", depth " << k);
  CHECK(error_of(c, a, a, d, r) >= 0);
  CHECK(error_of(c, a, a, d, r) < kTolerance<R>);
  bool equal = true;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) equal = equal && c.at(i, j) == c.at(j, i);
  CHECK(equal);
}

// A row that is not a number must not come out of a ReLU as zeros.
template <class R> void check_not_a_number(void (*matmul)(const RawMatmul&), int n) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n));
  Matrix<R> a(n, n, random), b(n, n, random), c(n, n, random);
  for (int k = 0; k < n; ++k) a.at(n - 1, k) = std::numeric_limits<R>::quiet_NaN();
  RawMatmul r{};
  r.relu = true;
  r.alpha = 1;
  r.c = c.p, r.a = a.p, r.b = b.p;
  r.rows = r.cols = r.inner = n;
  r.ld_a = a.ld, r.ld_b = b.ld, r.ld_c = c.ld;
  matmul(r);
  INFO("size " << n);
  bool all = true, none = true;
  for (int j = 0; j < n; ++j) {
    all = all && std::isnan(c.at(n - 1, j));
    for (int i = 0; i + 1 < n; ++i) none = none && !std::isnan(c.at(i, j));
  }
  CHECK(all);
  CHECK(none);
}

} // namespace

TEST_CASE("what is not a number passes a product's ReLU on every instruction set") {
  for (const char* isa : {"v2", "v3", "v4", "base"}) {
    const auto* executors = kernels::cpu_executors(isa);
    if (!executors) continue;
    INFO("instruction set " << isa);
    for (const int n : {1, 3, 16, 40}) {
      check_not_a_number<float>(executors->probes.matmul_f32, n);
      check_not_a_number<double>(executors->probes.matmul_f64, n);
    }
  }
}

TEST_CASE("matmul is right on every instruction set, for every form and many shapes") {
  const std::vector<int> sizes = {1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 64};
  for (const char* isa : {"v2", "v3", "v4", "base"}) {
    const auto* executors = kernels::cpu_executors(isa);
    if (!executors) continue;
    INFO("instruction set " << isa);
    for (const int m : sizes)
      for (const int n : sizes)
        for (const int k : {1, 2, 7, 16, 65})
          for (const int form : {0, 1, 2, 3, 12, 15}) {
            check_product<float>(executors->probes.matmul_f32, m, n, k, form);
            if (n <= 17) check_product<double>(executors->probes.matmul_f64, m, n, k, form);
          }
    for (const int form : {0, 1, 2, 3, 15}) { // deeper than one pass, wider than one panel
      check_product<float>(executors->probes.matmul_f32, 50, 70, 600, form);
      check_product<double>(executors->probes.matmul_f64, 50, 70, 600, form);
    }
  }
}

TEST_CASE("matmul mirrors symmetric results exactly") {
  for (const char* isa : {"v2", "v3", "v4", "base"}) {
    const auto* executors = kernels::cpu_executors(isa);
    if (!executors) continue;
    INFO("instruction set " << isa);
    for (const int n : {1, 2, 7, 8, 16, 17, 40, 64, 100})
      for (const int k : {3, 16, 300}) {
        check_symmetric<float>(executors->probes.matmul_f32, n, k);
        check_symmetric<double>(executors->probes.matmul_f64, n, k);
      }
  }
}

TEST_CASE("matmul takes views whose rows are not padded") {
  std::mt19937_64 random(4);
  Matrix<float> a(5, 7, random, false), b(7, 3, random, false), c(5, 3, random, false);
  kernels::MatmulArgs<float> args;
  kernels::gemm::multiply<float>({c.p, 5, 3, 3}, {a.p, 5, 7, 7}, {b.p, 7, 3, 3}, args);
  RawMatmul r{};
  r.rows = 5, r.cols = 3, r.inner = 7;
  CHECK(error_of(c, a, b, c, r) < kTolerance<float>);
}
