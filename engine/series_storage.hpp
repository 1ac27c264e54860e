// How RunSeries stores rows; private to engine/series*.cpp.
//
// Metric rows lie in chunks, column by column. A chunk of level k holds the steps that are multiples of 4^k; above
// its rows stands a pyramid of (min, max) over 4, 16, 64 … rows. Where rows were thinned away (k > 0), the lowest
// layer of the pyramid is the (min, max) over the 4^k steps from each kept row on, so that what was between them
// still shows. Weight rows lie in chunks of their own, row by row, without a pyramid; those of a program that records
// weights at every 4^k-th step begin at level k.
//
// Thinning: when a run's rows pass their byte budget, the four oldest chunks of the level that has the most become
// one chunk of the next level. The tail stays at full resolution, and what is kept depends on the number of steps
// and on the budget, on nothing else. Chunks never change but for rows being appended to the last; readers know a
// count of rows and touch none beyond it.
#pragma once

#include "engine/series.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace polarscope {

inline constexpr long kFan = 4; // of the pyramid and of thinning

template <class R> bool finite(R x) { return x - x == R(0); }

struct MetricChunk {
  MetricChunk(long first_step, int level_, int columns_, int capacity_, std::size_t scalar);

  long first; // step of row 0, a multiple of capacity · stride
  int level;  // stride = 4^level
  long stride;
  int columns, capacity; // capacity: rows when full, a power of 4
  // Offsets, in scalars, of the parts: values [column][row], then per layer L the minima [column][row / 4^L] and the
  // maxima likewise. Layer 0 exists in thinned chunks only.
  std::vector<std::size_t> low, high;
  std::vector<std::byte> bytes;
  // Per column: some recorded value is NaN or infinite. Set before that row is published; a reader of an earlier
  // view may meet it early, which costs it a scan.
  std::vector<std::atomic<bool>> not_finite;

  long end() const { return first + stride * capacity; }
  template <class R> R* base() { return reinterpret_cast<R*>(bytes.data()); }
  template <class R> const R* base() const { return reinterpret_cast<const R*>(bytes.data()); }
  template <class R> const R* values(int column) const {
    return base<R>() + static_cast<std::size_t>(column) * static_cast<std::size_t>(capacity);
  }
  template <class R> R* values(int column) {
    return base<R>() + static_cast<std::size_t>(column) * static_cast<std::size_t>(capacity);
  }
  std::size_t nodes(int layer) const { return static_cast<std::size_t>(capacity) >> (2 * layer); }
  int layers() const { return static_cast<int>(low.size()); }
  template <class R> const R* lows(int layer, int column) const {
    return base<R>() + low[static_cast<std::size_t>(layer)] + nodes(layer) * static_cast<std::size_t>(column);
  }
  template <class R> const R* highs(int layer, int column) const {
    return base<R>() + high[static_cast<std::size_t>(layer)] + nodes(layer) * static_cast<std::size_t>(column);
  }
  template <class R> R* lows(int layer, int column) {
    return base<R>() + low[static_cast<std::size_t>(layer)] + nodes(layer) * static_cast<std::size_t>(column);
  }
  template <class R> R* highs(int layer, int column) {
    return base<R>() + high[static_cast<std::size_t>(layer)] + nodes(layer) * static_cast<std::size_t>(column);
  }
};

struct WeightChunk {
  WeightChunk(long first_step, int level_, std::size_t row_bytes_, int capacity_)
      : first(first_step), level(level_), stride(1l << (2 * level_)), row_bytes(row_bytes_), capacity(capacity_),
        bytes(row_bytes_ * static_cast<std::size_t>(capacity_)) {}
  long first;
  int level;
  long stride;
  std::size_t row_bytes;
  int capacity;
  std::vector<std::byte> bytes;

  long end() const { return first + stride * capacity; }
  std::byte* row(long r) { return bytes.data() + row_bytes * static_cast<std::size_t>(r); }
  const std::byte* row(long r) const { return bytes.data() + row_bytes * static_cast<std::size_t>(r); }
};

// One list of chunks as readers see it; replaced, never changed, when a chunk is added or thinned.
struct SeriesData {
  std::shared_ptr<const StepProgram> program;
  std::vector<std::shared_ptr<MetricChunk>> metrics;
  std::vector<std::shared_ptr<WeightChunk>> weights; // empty when no weight is recorded
  long rows_before_tail = 0;                         // rows of all metric chunks but the last
  std::size_t bytes = 0;

  // Where the weights of recorded steps around `step` lie; some are.
  const WeightChunk& weight_chunk(long step) const {
    const auto after =
        std::upper_bound(weights.begin(), weights.end(), step, [](long s, const auto& c) { return s < c->first; });
    return **(after - 1);
  }
};

} // namespace polarscope
