// What the benchmarks divide by, measured with the same vectors as the kernels, and matmul by itself. Included by
// kernels/cpu/execute.cpp, so once per instruction set.
#pragma once

#include "kernels/cpu/execute.hpp"
#include "kernels/cpu/matmul.hpp"

POLARSCOPE_KERNELS_BEGIN
namespace probe {

constexpr int kChains = 10; // independent: enough to hide the latency of a multiply-add on two units

template <class R> double multiply_add(long rounds) {
  using V = typename gemm::Vector<R>::Type;
  V chain[kChains], factor = V{} + R(0.999), term = V{} + R(1e-3);
#pragma GCC unroll 10
  for (int i = 0; i < kChains; ++i) chain[i] = V{} + R(0.1) * static_cast<R>(i); // different, or they become one
  for (long k = 0; k < rounds; ++k)
#pragma GCC unroll 10
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * factor + term;
  V sum{};
#pragma GCC unroll 10
  for (int i = 0; i < kChains; ++i) sum += chain[i];
  double total = 0;
  for (int i = 0; i < gemm::kLanes<R>; ++i) total += static_cast<double>(sum[i]);
  return total;
}

// Sums n floats (a multiple of 8 vectors) by plain vector loads.
inline double read(const float* p, long n) {
  using V = typename gemm::Vector<float>::Type;
  constexpr int L = gemm::kLanes<float>;
  V sum[8] = {};
  for (long i = 0; i + 8 * L <= n; i += 8 * L)
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) sum[k] += gemm::load(p + i + k * L);
  double total = 0;
  for (const V& s : sum)
    for (int i = 0; i < L; ++i) total += static_cast<double>(s[i]);
  return total;
}

template <class R> void matmul(const RawMatmul& r) {
  MatmulArgs<R> args;
  args.transpose_a = r.transpose_a;
  args.transpose_b = r.transpose_b;
  args.relu = r.relu;
  args.symmetric = r.symmetric;
  args.alpha = static_cast<R>(r.alpha);
  args.beta = static_cast<R>(r.beta);
  args.d = static_cast<const R*>(r.d);
  const auto view = [](const void* p, bool transposed, int rows, int cols, int ld) {
    return Mat<R>{static_cast<R*>(const_cast<void*>(p)), transposed ? cols : rows, transposed ? rows : cols, ld};
  };
  gemm::multiply(view(r.c, false, r.rows, r.cols, r.ld_c), view(r.a, r.transpose_a, r.rows, r.inner, r.ld_a),
                 view(r.b, r.transpose_b, r.inner, r.cols, r.ld_b), args);
}

inline constexpr CpuProbes kProbes = {2L * kChains * gemm::kLanes<float>,
                                      2L * kChains* gemm::kLanes<double>,
                                      multiply_add<float>,
                                      multiply_add<double>,
                                      read,
                                      matmul<float>,
                                      matmul<double>};

} // namespace probe
POLARSCOPE_KERNELS_END
