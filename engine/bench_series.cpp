#include "engine/bench_series.hpp"

#include "engine/problem/random.hpp"
#include "engine/program.hpp"
#include "engine/series.hpp"
#include "kernels/cpu/execute.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polarscope {

namespace {

constexpr int kColumns = 16;
constexpr int kBuckets = 1000;                        // of a curve as wide as a window
constexpr std::size_t kBudget = std::size_t{4} << 30; // enough for all: nothing is thinned

std::shared_ptr<const StepProgram> program_of_columns() {
  ProgramBuilder build(Precision::f32);
  build.metric("column", -1, kColumns, 1);
  return build.finish();
}

// Records of `count` steps, one after another: as many random numbers as they hold.
std::vector<std::byte> random_records(const StepProgram& program, long count) {
  const std::vector<double> numbers =
      normal_numbers(1, Stream::start, static_cast<std::size_t>(count) * program.record_size());
  std::vector<std::byte> bytes(numbers.size() * sizeof(float));
  auto* out = reinterpret_cast<float*>(bytes.data());
  std::transform(numbers.begin(), numbers.end(), out, [](double x) { return static_cast<float>(x); });
  return bytes;
}

// What drawing a curve would cost without the pyramid: every sample is looked at.
MinMax by_looking_at_all(const SeriesView& view, int column, std::vector<Sample>& samples) {
  view.samples(column, view.first_step(), view.last_step(), samples);
  MinMax all{};
  for (const Sample& s : samples) {
    all.min = std::min(all.min, s.value);
    all.max = std::max(all.max, s.value);
  }
  return all;
}

} // namespace

Result<void> bench_series(const BenchHarness& h, std::vector<BenchRow>& rows) {
  const auto program = program_of_columns();
  constexpr long kBurst = 1000;
  const std::vector<std::byte> records = random_records(*program, kBurst);
  const long steps = h.quick() ? 100'000 : h.full() ? 10'000'000 : 1'000'000;

  RunSeries appended(program, kBudget);
  BenchRow append = rate_row("B12", fmt::format("appending {} numbers a step and their minima and maxima", kColumns),
                             "GB/s", 1e-9 * static_cast<double>(records.size()), h.measure([&](long n) {
                               // begun again before memory runs out: what a run appends is bounded by its budget
                               for (long i = 0; i < n; ++i) {
                                 if (appended.last_step() > steps) appended = RunSeries(program, kBudget);
                                 appended.append(records);
                               }
                             }));
  const std::size_t beyond_caches = std::size_t{64} << 10; // KiB
  append.percent = 100 * append.median / read_bandwidth(h, kernels::choose_isa(kColumns), beyond_caches);
  append.against = "read, main memory, one core";
  rows.push_back(std::move(append));

  RunSeries series(program, kBudget);
  while (series.last_step() + 1 < steps) series.append(records);
  const SeriesView view = series.view();
  std::vector<MinMax> buckets;
  std::vector<Sample> samples;
  double keep = 0;
  const auto seconds = h.measure_in_turns(
      {[&](long n) {
         for (long i = 0; i < n; ++i) {
           view.query(static_cast<int>(i % kColumns), 0, static_cast<double>(steps), kBuckets, buckets);
           keep += buckets.back().max;
         }
       },
       [&](long n) {
         for (long i = 0; i < n; ++i) keep += by_looking_at_all(view, static_cast<int>(i % kColumns), samples).max;
       }});
  const char* names[] = {"a curve of {0} points from {1} steps", "looking at every sample of {1} steps instead"};
  for (std::size_t k = 0; k < seconds.size(); ++k) {
    rows.push_back(
        row_of_values("B12", fmt::format(fmt::runtime(names[k]), kBuckets, steps), "us", scaled(seconds[k], 1e6)));
  }
  return keep > 0 ? Result<void>{} : bad_input("the series holds no number above zero");
}

} // namespace polarscope
