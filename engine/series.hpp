// Recorded series: columns over steps, appended by the engine thread, read by any thread through immutable views.
//
// A RunSeries holds every metric column of one run, and for small parameters its weight, at full precision. Rows are
// kept in chunks that never move. A view (SeriesView) is a count plus shared handles; rows below the count never
// change, so reading needs no lock. Old rows of very long runs are thinned by a rule on the step number alone: rows
// at multiples of 4, 16, 64 … stay, the older the fewer, and the least and greatest value of what went stays with them.
// Which rows are left depends on the program, on the byte budget that the series is made with and on the number of rows.
#pragma once

#include "engine/program.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace polarscope {

struct Sample {
  long step;
  double value; // NaN: not recorded at this step
};

struct MinMax {
  long first_step, last_step; // of the rows it covers
  double min, max;            // over finite values, thinned ones included
  double first, last;         // finite values at the ends, for joining columns
  int not_finite = 0;         // stored rows whose recorded value is NaN or infinite
};

struct SeriesData; // internal storage, shared

class SeriesView {
public:
  SeriesView() = default;
  explicit SeriesView(std::shared_ptr<const SeriesData> data, long rows);
  bool empty() const { return rows_ == 0; }
  bool operator==(const SeriesView&) const = default; // the same rows of the same storage
  long rows() const { return rows_; }                 // stored rows
  long first_step() const;
  long last_step() const;          // last recorded step
  long stride_at(long step) const; // distance between kept steps around `step`
  int columns() const;
  // The exact stored value at a step; nullopt when the row was thinned away, NaN when the metric was not recorded then.
  std::optional<double> at(int column, long step) const;
  // The nearest stored step with a finite value; {−1, NaN} when there is none.
  Sample nearest(int column, double step) const;
  // One MinMax per bucket over the steps [from, to], at most `buckets` of them; empty buckets are left out. Buckets
  // are 2^k or 3·2^k steps wide and start at multiples of that, so that a curve does not flicker while it is panned.
  void query(int column, double from, double to, int buckets, std::vector<MinMax>& out) const;
  // Every stored sample in [from, to]; steps at which the metric was not recorded are left out.
  void samples(int column, long from, long to, std::vector<Sample>& out) const;
  // Smallest and largest finite value in [from, to]; nullopt when there is none. positive_only skips values ≤ 0.
  std::optional<MinMax> extent(int column, long from, long to, bool positive_only = false) const;
  // Stored values ≤ 0 in [from, to]: what a logarithmic axis cannot show.
  long count_not_positive(int column, long from, long to) const;
  // Weight of a recorded parameter at a step: rows·cols numbers; false when that step's weight is not stored.
  bool weight(int parameter, long step, std::vector<double>& out) const;
  // The same without a copy: calls f with the row-major numbers, std::span<const float> or of double.
  template <class F> bool with_weight(int parameter, long step, F f) const {
    std::size_t count = 0;
    const void* numbers = weight_row(parameter, step, count);
    if (!numbers) return false;
    if (is_single()) f(std::span<const float>(static_cast<const float*>(numbers), count));
    else f(std::span<const double>(static_cast<const double*>(numbers), count));
    return true;
  }
  // The last step up to `step` whose weight is stored; −1 when none is.
  long weight_step(int parameter, long step) const;
  // Steps in [from, to] whose weight is stored, thinned to at most `most` by a fixed stride.
  void weight_steps(int parameter, long from, long to, int most, std::vector<long>& out) const;
  std::size_t bytes() const; // of the storage behind the view

private:
  const void* weight_row(int parameter, long step, std::size_t& count) const;
  bool is_single() const;
  std::shared_ptr<const SeriesData> data_;
  long rows_ = 0;
};

class RunSeries {
public:
  // byte_budget bounds metric rows and weight rows together; thinning starts when it is reached.
  RunSeries(std::shared_ptr<const StepProgram> program, std::size_t byte_budget);
  // Appends consecutive records (program.record_size() scalars each), the first of them at last_step() + 1 (or 0).
  void append(std::span<const std::byte> records);
  ~RunSeries();
  RunSeries(RunSeries&&) noexcept;
  RunSeries& operator=(RunSeries&&) noexcept;
  SeriesView view() const;
  long last_step() const; // −1 when empty
  std::size_t bytes() const;
  // What a series of so many steps takes however small its budget, about: thinning leaves some chunks of every level.
  static double least_bytes(const StepProgram& program, long steps);

private:
  struct Writer;
  std::unique_ptr<Writer> writer_;
};

} // namespace polarscope
