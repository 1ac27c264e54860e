#include "engine/bench_networks.hpp"

#include "engine/thread_pool.hpp"
#include "engine/workload.hpp"
#include "kernels/cpu/execute.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {

namespace {

struct Size {
  std::uint32_t width, batch, runs; // runs of an ensemble: more than fill the cores, few enough to measure in seconds
  long steps;                       // that each run takes before the next one's turn
};
constexpr Size kSizes[] = {{16, 32, 256, 64}, {64, 64, 64, 16}, {128, 64, 16, 8}, {256, 128, 4, 2}};
constexpr const char* kOptimizers[] = {"adam", "rmnp", "muon"};

bool orthogonalises(const std::string& optimizer) { return optimizer == "muon"; }

// Microseconds of a step of one run, and what part of the peak that is: of products whose half is computed, the half counts.
Result<BenchRow> step_row(const BenchHarness& h, const char* id, Size size, const std::string& optimizer,
                          std::uint32_t runs, int threads, double peak, const char* isa) {
  if (h.quick()) {
    size.steps = 1;
    runs = std::min(runs, 2u);
  }
  WorkloadOptions options;
  options.threads = threads;
  auto opened = WorkloadRuns::open(random_workload(optimizer, size.width, size.batch, runs, 7), options);
  if (!opened) return opened.error();
  const auto seconds = h.measure([&](long n) {
    for (long i = 0; i < n; ++i) opened->advance(size.steps);
  });
  if (opened->diverged()) return bad_input(fmt::format("{} diverged while it was measured", optimizer));
  const std::string who =
      runs == 1 ? threads == 1 ? std::string("one run, one core") : fmt::format("one run, {} cores", threads)
                : fmt::format("{} runs, {} cores", runs, threads);
  BenchRow row = row_of_values(
      id, fmt::format("width {}, batch {}, {}: {}, {} ops", size.width, size.batch, optimizer, who, opened->ops()),
      "us per run and step", scaled(seconds, 1e6 / (static_cast<double>(size.steps) * runs)));
  const double flops = workload_flops(optimizer, size.width, size.batch, false);
  row.percent = 100 * flops / (row.median * 1e3) / peak;
  row.against = fmt::format("multiply-add, {}, {}{}", isa, threads == 1 ? "one core" : fmt::format("{} cores", threads),
                            orthogonalises(optimizer) ? ", symmetric floor" : "");
  return row;
}

// One row for each optimizer.
Result<void> size_rows(const BenchHarness& h, const char* id, const Size& size, std::uint32_t runs, int threads,
                       std::vector<BenchRow>& rows) {
  const char* isa = kernels::choose_isa(size.width);
  const double peak = multiply_add_peak(h, isa, threads);
  for (const char* optimizer : kOptimizers) {
    auto row = step_row(h, id, size, optimizer, runs, threads, peak, isa);
    if (!row) return row.error();
    rows.push_back(std::move(*row));
  }
  return {};
}

} // namespace

Result<void> bench_single_networks(const BenchHarness& h, std::vector<BenchRow>& rows) {
  for (const Size& size : kSizes)
    if (auto done = size_rows(h, "B2", size, 1, 1, rows); !done) return done;
  // Wide enough that threads work inside the one run.
  return size_rows(h, "B2", kSizes[std::size(kSizes) - 1], 1, 2, rows);
}

Result<void> bench_network_ensembles(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const int cores = all_cores();
  for (const Size& size : kSizes)
    if (auto done = size_rows(h, "B3", size, size.runs, cores, rows); !done) return done;
  return {};
}

// All default metrics at their default cadences against loss and norms alone; the two take turns.
Result<void> bench_telemetry(const BenchHarness& h, std::vector<BenchRow>& rows) {
  for (const Size& size : {kSizes[0], kSizes[1]}) {
    const Workload workload = random_workload("adam", size.width, size.batch, 8, 7);
    WorkloadOptions bare, full;
    bare.threads = full.threads = 1;
    full.all_metrics = true;
    auto a = WorkloadRuns::open(workload, bare), b = WorkloadRuns::open(workload, full);
    if (!a) return a.error();
    if (!b) return b.error();
    const auto seconds =
        h.measure_in_turns({[&](long n) { a->advance(size.steps * n); }, [&](long n) { b->advance(size.steps * n); }});
    std::vector<double> more;
    for (std::size_t k = 0; k < seconds[0].size(); ++k) more.push_back(100 * (seconds[1][k] / seconds[0][k] - 1));
    rows.push_back(
        row_of_values("B11",
                      fmt::format("width {}, adam: every default metric against loss and norms, {} against {} ops",
                                  size.width, b->ops(), a->ops()),
                      "% of the step", more));
  }
  return {};
}

} // namespace polarscope
