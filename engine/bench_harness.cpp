#include "engine/bench_harness.hpp"

#include "kernels/cpu/execute.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <new>
#include <sstream>
#include <thread>

namespace polarscope {

namespace {

using Clock = std::chrono::steady_clock;

volatile double g_sum; // of what was read, so that the reading is not optimised away

double seconds_of(const std::function<void(long)>& work, long n) {
  const auto start = Clock::now();
  work(n);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

} // namespace

BenchHarness::BenchHarness(const BenchOptions& options)
    : blocks_(std::max(7, options.blocks)), block_seconds_(options.block_seconds), quick_(options.quick),
      full_(options.full) {}

// Finding it also warms up.
long BenchHarness::units_of_a_block(const std::function<void(long)>& work) const {
  for (long n = 1;;) {
    const double took = seconds_of(work, n);
    if (took >= block_seconds_) return n;
    n = took <= 0 ? 2 * n : std::max(n + 1, std::min(8 * n, static_cast<long>(1.2 * n * block_seconds_ / took)));
  }
}

std::vector<double> BenchHarness::measure(const std::function<void(long)>& work) const {
  return measure_in_turns({work}).front();
}

std::vector<std::vector<double>>
BenchHarness::measure_in_turns(const std::vector<std::function<void(long)>>& works) const {
  std::vector<long> units;
  for (const auto& work : works) units.push_back(units_of_a_block(work));
  std::vector<std::vector<double>> seconds(works.size());
  for (int b = 0; b < blocks_; ++b)
    for (std::size_t k = 0; k < works.size(); ++k)
      seconds[k].push_back(seconds_of(works[k], units[k]) / static_cast<double>(units[k]));
  return seconds;
}

double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double at = p * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const double part = at - static_cast<double>(low);
  return low + 1 < values.size() ? std::lerp(values[low], values[low + 1], part) : values[low];
}

double busy_ticks(const std::string& line) {
  std::istringstream text(line);
  std::string word;
  text >> word;
  std::array<double, 8> t{}; // user nice system idle iowait irq softirq steal; guests are in user
  for (double& x : t) text >> x;
  return t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
}

std::vector<double> scaled(std::vector<double> values, double factor) {
  for (double& v : values) v *= factor;
  return values;
}

BenchRow row_of_values(std::string id, std::string name, std::string unit, const std::vector<double>& values) {
  BenchRow row;
  row.id = std::move(id);
  row.name = std::move(name);
  row.unit = std::move(unit);
  row.median = percentile(values, 0.5);
  row.p10 = percentile(values, 0.1);
  row.p90 = percentile(values, 0.9);
  return row;
}

BenchRow rate_row(std::string id, std::string name, std::string unit, double amount, std::vector<double> seconds) {
  for (double& s : seconds) s = amount / s;
  return row_of_values(std::move(id), std::move(name), std::move(unit), seconds);
}

void FreeNumbers::operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }

std::unique_ptr<float, FreeNumbers> bench_numbers(std::size_t count) {
  std::unique_ptr<float, FreeNumbers> p(
      static_cast<float*>(::operator new (count * sizeof(float), std::align_val_t{64})));
  std::uint32_t x = 12345;
  for (std::size_t i = 0; i < count; ++i) {
    x = x * 1664525u + 1013904223u;
    p.get()[i] = static_cast<float>(x >> 8) / 8388608.0f - 1.0f;
  }
  return p;
}

std::vector<double> read_seconds(const BenchHarness& harness, const char* isa, std::size_t kib) {
  const std::size_t count = kib * 256;
  const auto data = bench_numbers(count);
  const auto read = kernels::cpu_executors(isa)->probes.read;
  return harness.measure([&](long n) {
    for (long i = 0; i < n; ++i) g_sum = read(data.get(), static_cast<long>(count));
  });
}

double read_bandwidth(const BenchHarness& harness, const char* isa, std::size_t kib) {
  return rate_row({}, {}, {}, static_cast<double>(kib) * 1024e-9, read_seconds(harness, isa, kib)).p90;
}

double multiply_add_peak(const BenchHarness& harness, const char* isa, int threads) {
  const kernels::CpuExecutors* e = kernels::cpu_executors(isa);
  assert(e);
  constexpr long kRounds = 20000; // long against starting a thread
  std::vector<double> sinks(static_cast<std::size_t>(threads));
  const auto seconds = harness.measure([&](long n) {
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t)
      others.emplace_back([&, t] { sinks[static_cast<std::size_t>(t)] = e->probes.multiply_add_f32(kRounds * n); });
    sinks[0] = e->probes.multiply_add_f32(kRounds * n);
    for (std::thread& t : others) t.join();
  });
  const double flops = static_cast<double>(e->probes.flops_f32) * kRounds * threads;
  return rate_row({}, {}, {}, flops * 1e-9, seconds).p90;
}

} // namespace polarscope
