// Pieces of a step by themselves: products, Newton–Schulz, singular values, the pass of Adam, rows.
#pragma once

#include "engine/bench_harness.hpp"

namespace polarscope {

void bench_products(const BenchHarness& harness, std::vector<BenchRow>& rows);
Result<void> bench_newton_schulz(const BenchHarness& harness, std::vector<BenchRow>& rows);
Result<void> bench_spectra(const BenchHarness& harness, std::vector<BenchRow>& rows);
void bench_adam(const BenchHarness& harness, std::vector<BenchRow>& rows);
void bench_rows(const BenchHarness& harness, std::vector<BenchRow>& rows);

} // namespace polarscope
