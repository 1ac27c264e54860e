// The reading side: samples, ranges and windows, in time proportional to what is asked for.
#include "engine/series_storage.hpp"

#include <algorithm>
#include <cassert>

namespace polarscope {

namespace {

long floor_div(long a, long b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// One column of one chunk, up to the rows that a view may see.
template <class R> struct Column {
  const MetricChunk& chunk;
  int column;
  long rows; // visible
  int every; // cadence of the metric

  const R* values() const { return chunk.values<R>(column); }
  long step(long row) const { return chunk.first + row * chunk.stride; }
  bool recorded(long row) const { return step(row) > 0 && step(row) % every == 0; }
  bool flagged() const { return chunk.not_finite[static_cast<std::size_t>(column)]; }

  void range(int layer, long node, R& low, R& high) const {
    if (layer > 0 || chunk.level > 0) {
      low = chunk.lows<R>(layer, column)[node];
      high = chunk.highs<R>(layer, column)[node];
      return;
    }
    const R v = values()[node];
    low = finite(v) ? v : std::numeric_limits<R>::infinity();
    high = finite(v) ? v : -low;
  }

  // Rows whose steps, with those thinned away behind each, meet [from, to].
  std::pair<long, long> clip(long from, long to) const {
    const long begin = std::max(0l, floor_div(from - chunk.first, chunk.stride));
    const long end = std::min(rows, floor_div(to - chunk.first, chunk.stride) + 1);
    return {begin, std::max(begin, end)};
  }

  // The layer of the largest aligned node at `row` that ends by `end`.
  int layer_at(long row, long end, int highest) const {
    int layer = 0;
    while (layer < highest) {
      const long size = 1l << (2 * (layer + 1));
      if ((row & (size - 1)) || row + size > end) break;
      ++layer;
    }
    return layer;
  }

  // f(layer, node) over nodes of at most `widest` steps that tile rows [begin, end).
  template <class F> void tile(long begin, long end, long widest, F f) const {
    int highest = 0;
    while (highest + 1 < chunk.layers() && (1l << (2 * (highest + 1))) <= widest / chunk.stride) ++highest;
    for (long row = begin; row < end;) {
      const int layer = layer_at(row, end, highest);
      f(layer, row >> (2 * layer));
      row += 1l << (2 * layer);
    }
  }

  // Exact value nearest to the node's beginning (or end); the middle of its range when all of them were thinned.
  double edge(int layer, long node, bool at_end) const {
    const long size = 1l << (2 * layer), begin = node * size;
    for (long i = 0; i < size; ++i) {
      const R v = values()[at_end ? begin + size - 1 - i : begin + i];
      if (finite(v)) return static_cast<double>(v);
    }
    R low, high;
    range(layer, node, low, high);
    return (static_cast<double>(low) + static_cast<double>(high)) / 2;
  }

  int count_not_finite(int layer, long node) const {
    if (!flagged()) return 0;
    const long size = 1l << (2 * layer), begin = node * size;
    int count = 0;
    for (long r = begin; r < begin + size; ++r) count += recorded(r) && !finite(values()[r]);
    return count;
  }

  // f(layer, node) decides by the node's range whether to look at its four children; leaves are rows.
  template <class F> void descend(int layer, long node, F& f) const {
    if (!f(layer, node) || layer == 0) return;
    for (long child = 0; child < kFan; ++child) descend(layer - 1, node * kFan + child, f);
  }
};

template <class F> decltype(auto) with_scalar(const SeriesData& data, F f) {
  if (data.program->precision() == Precision::f32) return f(float{});
  return f(double{});
}

constexpr long kAnyWidth = std::numeric_limits<long>::max();

} // namespace

struct SeriesReader {
  const SeriesData& data;
  long rows; // of the view

  long rows_of(std::size_t chunk) const {
    return chunk + 1 == data.metrics.size() ? rows - data.rows_before_tail : data.metrics[chunk]->capacity;
  }
  template <class R> Column<R> column(std::size_t chunk, int c) const {
    return {*data.metrics[chunk], c, rows_of(chunk), data.program->metrics()[static_cast<std::size_t>(c)].every};
  }
  // Index of the chunk that covers a step ≥ 0.
  std::size_t chunk_at(long step) const {
    const auto it = std::upper_bound(data.metrics.begin(), data.metrics.end(), step,
                                     [](long s, const auto& c) { return s < c->first; });
    return static_cast<std::size_t>(it - data.metrics.begin()) - 1;
  }
  // f(column) for each chunk that meets [from, to].
  template <class R, class F> void each_chunk(int c, long from, long to, F f) const {
    for (std::size_t i = chunk_at(std::max(0l, from)); i < data.metrics.size() && data.metrics[i]->first <= to; ++i)
      f(column<R>(i, c));
  }
  // The nearest finite value at or after row `row` of chunk `i` (or at or before it).
  template <class R> Sample search(int c, std::size_t i, long row, bool forward) const {
    for (;;) {
      const Column<R> col = column<R>(i, c);
      while (row >= 0 && row < col.rows) {
        if (finite(col.values()[row])) return {col.step(row), static_cast<double>(col.values()[row])};
        row = skip_empty(col, row, forward);
      }
      if (forward && i + 1 == data.metrics.size()) return {-1, std::nan("")};
      if (!forward && i == 0) return {-1, std::nan("")};
      i = forward ? i + 1 : i - 1;
      row = forward ? 0 : rows_of(i) - 1;
    }
  }
  // The next row to look at, past the largest node that holds nothing finite.
  template <class R> static long skip_empty(const Column<R>& col, long row, bool forward) {
    for (int layer = col.chunk.layers() - 1; layer > 0; --layer) {
      const long size = 1l << (2 * layer), node = row >> (2 * layer);
      if (((forward ? row : row + 1) & (size - 1)) || (node + 1) * size > col.rows) continue;
      R low, high;
      col.range(layer, node, low, high);
      if (low > high) return forward ? row + size : row - size;
    }
    return forward ? row + 1 : row - 1;
  }
};

SeriesView::SeriesView(std::shared_ptr<const SeriesData> data, long rows) : data_(std::move(data)), rows_(rows) {}

long SeriesView::first_step() const { return 0; }

long SeriesView::last_step() const {
  return empty() ? -1 : data_->metrics.back()->first + rows_ - data_->rows_before_tail - 1;
}

long SeriesView::stride_at(long step) const {
  if (empty()) return 1;
  return data_->metrics[SeriesReader{*data_, rows_}.chunk_at(std::max(0l, step))]->stride;
}

int SeriesView::columns() const { return empty() ? 0 : data_->metrics.front()->columns; }

std::optional<double> SeriesView::at(int column, long step) const {
  if (empty() || step < 0 || step > last_step()) return std::nullopt;
  const MetricChunk& chunk = *data_->metrics[SeriesReader{*data_, rows_}.chunk_at(step)];
  if ((step - chunk.first) % chunk.stride) return std::nullopt;
  const long row = (step - chunk.first) / chunk.stride;
  return with_scalar(*data_, [&](auto r) { return static_cast<double>(chunk.values<decltype(r)>(column)[row]); });
}

Sample SeriesView::nearest(int column, double step) const {
  if (empty() || std::isnan(step)) return {-1, std::nan("")};
  const SeriesReader reader{*data_, rows_};
  const double clamped = std::clamp(step, 0.0, static_cast<double>(last_step()));
  const auto below = static_cast<long>(std::floor(clamped));
  const std::size_t i = reader.chunk_at(below);
  const long row = (below - data_->metrics[i]->first) / data_->metrics[i]->stride;
  return with_scalar(*data_, [&](auto r) {
    using R = decltype(r);
    const Sample a = reader.search<R>(column, i, row, false), b = reader.search<R>(column, i, row + 1, true);
    if (a.step < 0 || b.step < 0) return a.step < 0 ? b : a;
    return clamped - static_cast<double>(a.step) <= static_cast<double>(b.step) - clamped ? a : b;
  });
}

namespace {

// Collects the nodes of one bucket.
template <class R> struct Bucket {
  MinMax m{};
  long index = -1;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const MetricChunk* last_chunk = nullptr;
  int last_layer = 0;
  long last_node = 0;

  void add(const Column<R>& col, int layer, long node) {
    R node_low, node_high;
    col.range(layer, node, node_low, node_high);
    m.not_finite += col.count_not_finite(layer, node);
    if (node_low > node_high) return;
    const long size = 1l << (2 * layer);
    if (!last_chunk) {
      m.first_step = col.step(node * size);
      m.first = col.edge(layer, node, false);
    }
    m.last_step = col.step((node + 1) * size - 1);
    low = std::min(low, static_cast<double>(node_low));
    high = std::max(high, static_cast<double>(node_high));
    last_chunk = &col.chunk;
    last_layer = layer;
    last_node = node;
  }

  bool close(int column) {
    if (!last_chunk) return false;
    m.min = low;
    m.max = high;
    m.last = Column<R>{*last_chunk, column, 0, 1}.edge(last_layer, last_node, true);
    return true;
  }
};

// The least width 2^k or 3·2^k that cuts [from, to] into at most `buckets`; `part`: the power of two in it.
long bucket_width(long from, long to, int buckets, long& part) {
  for (part = 1;; part *= 2) {
    for (const long width : {part, part * 3 / 2}) {
      if (width < part || (width != part && part < 2)) continue;
      if (to / width - from / width + 1 > buckets) continue;
      if (width != part) part /= 2;
      return width;
    }
  }
}

} // namespace

void SeriesView::query(int column, double from, double to, int buckets, std::vector<MinMax>& out) const {
  out.clear();
  if (empty() || buckets < 1 || !(from <= to)) return;
  const auto last = static_cast<double>(last_step());
  if (to < 0 || from > last) return;
  const auto begin = static_cast<long>(std::ceil(std::max(from, 0.0)));
  const auto end = static_cast<long>(std::floor(std::min(to, last)));
  if (begin > end) return;
  long part = 1;
  const long width = bucket_width(begin, end, buckets, part);
  const SeriesReader reader{*data_, rows_};
  with_scalar(*data_, [&](auto r) {
    using R = decltype(r);
    Bucket<R> bucket;
    reader.each_chunk<R>(column, begin, end, [&](const Column<R>& col) {
      const auto [r0, r1] = col.clip(begin, end);
      col.tile(r0, r1, part, [&](int layer, long node) {
        // A thinned row before `begin` belongs to the first bucket.
        const long index = std::max(begin, col.step(node << (2 * layer))) / width;
        if (index != bucket.index) {
          if (bucket.close(column)) out.push_back(bucket.m);
          bucket = {};
          bucket.index = index;
        }
        bucket.add(col, layer, node);
      });
    });
    if (bucket.close(column)) out.push_back(bucket.m);
  });
}

void SeriesView::samples(int column, long from, long to, std::vector<Sample>& out) const {
  out.clear();
  if (empty() || from > to) return;
  from = std::max(0l, from);
  with_scalar(*data_, [&](auto r) {
    using R = decltype(r);
    SeriesReader{*data_, rows_}.each_chunk<R>(column, from, to, [&](const Column<R>& col) {
      const auto [r0, r1] = col.clip(from, to);
      for (long row = r0; row < r1; ++row) {
        const R v = col.values()[row];
        if (col.step(row) >= from && (col.recorded(row) || finite(v)))
          out.push_back({col.step(row), static_cast<double>(v)});
      }
    });
  });
}

std::optional<MinMax> SeriesView::extent(int column, long from, long to, bool positive_only) const {
  if (empty() || from > to || to < 0) return std::nullopt;
  from = std::max(0l, from);
  MinMax out{};
  double low = std::numeric_limits<double>::infinity(), high = -low;
  bool found = false;
  with_scalar(*data_, [&](auto r) {
    using R = decltype(r);
    SeriesReader{*data_, rows_}.each_chunk<R>(column, from, to, [&](const Column<R>& col) {
      const auto take = [&](int layer, long node, double value) {
        low = std::min(low, value);
        high = std::max(high, value);
        const long size = 1l << (2 * layer);
        if (!found) {
          out.first_step = col.step(node * size);
          out.first = col.edge(layer, node, false);
        }
        found = true;
        out.last_step = col.step((node + 1) * size - 1);
        out.last = col.edge(layer, node, true);
      };
      const auto look = [&](int layer, long node) {
        R a, b;
        col.range(layer, node, a, b);
        if (a > b || (positive_only && !(b > 0))) return false;
        if (!positive_only || a > 0) {
          take(layer, node, static_cast<double>(a));
          take(layer, node, static_cast<double>(b));
          return false;
        }
        // Positive and other values mixed: of a row only its own value and its greatest are known to be positive.
        if (layer == 0) {
          take(layer, node, static_cast<double>(b));
          if (const R v = col.values()[node]; finite(v) && v > 0) take(layer, node, static_cast<double>(v));
        }
        return true;
      };
      const auto [r0, r1] = col.clip(from, to);
      col.tile(r0, r1, kAnyWidth, [&](int layer, long node) {
        out.not_finite += col.count_not_finite(layer, node);
        col.descend(layer, node, look);
      });
    });
  });
  if (!found) return std::nullopt;
  out.min = low;
  out.max = high;
  return out;
}

long SeriesView::count_not_positive(int column, long from, long to) const {
  if (empty() || from > to || to < 0) return 0;
  from = std::max(0l, from);
  long count = 0;
  with_scalar(*data_, [&](auto r) {
    using R = decltype(r);
    SeriesReader{*data_, rows_}.each_chunk<R>(column, from, to, [&](const Column<R>& col) {
      const auto look = [&](int layer, long node) {
        R a, b;
        col.range(layer, node, a, b);
        if (a > 0) return false; // all positive, or nothing there
        if (layer == 0) count += col.step(node) >= from && finite(col.values()[node]) && !(col.values()[node] > 0);
        return true;
      };
      const auto [r0, r1] = col.clip(from, to);
      col.tile(r0, r1, kAnyWidth, [&](int layer, long node) { col.descend(layer, node, look); });
    });
  });
  return count;
}

bool SeriesView::is_single() const { return data_->program->precision() == Precision::f32; }

const void* SeriesView::weight_row(int parameter, long step, std::size_t& count) const {
  if (empty() || step < 0 || step > last_step()) return nullptr;
  const StepProgram& program = *data_->program;
  const long offset = program.kept_offset_of_weight(parameter);
  if (offset < 0) return nullptr;
  const WeightChunk& chunk = data_->weight_chunk(step);
  if ((step - chunk.first) % chunk.stride) return nullptr;
  const std::byte* row = chunk.row((step - chunk.first) / chunk.stride);
  const ParamInfo& p = program.parameters()[static_cast<std::size_t>(parameter)];
  count = std::size_t{p.rows} * p.cols;
  return with_scalar(*data_, [&](auto r) -> const void* { return reinterpret_cast<const decltype(r)*>(row) + offset; });
}

bool SeriesView::weight(int parameter, long step, std::vector<double>& out) const {
  out.clear();
  return with_weight(parameter, step, [&](auto numbers) { out.assign(numbers.begin(), numbers.end()); });
}

long SeriesView::weight_step(int parameter, long step) const {
  if (empty() || step < 0 || data_->program->kept_offset_of_weight(parameter) < 0) return -1;
  step = std::min(step, last_step());
  const WeightChunk& chunk = data_->weight_chunk(step);
  return step - (step - chunk.first) % chunk.stride;
}

void SeriesView::weight_steps(int parameter, long from, long to, int most, std::vector<long>& out) const {
  out.clear();
  if (empty() || most < 1 || data_->program->kept_offset_of_weight(parameter) < 0) return;
  from = std::max(0l, from);
  to = std::min(to, last_step());
  if (from > to) return;
  const auto each = [&](long stride, auto f) {
    for (const auto& c : data_->weights) {
      const long s = std::max(stride, c->stride);
      const long first = (std::max(from, c->first) + s - 1) / s * s, last = std::min(to, c->end() - 1);
      if (first <= last) f(first, last, s);
    }
  };
  long stride = 1;
  for (;; stride *= 2) {
    long count = 0;
    each(stride, [&](long a, long b, long s) { count += (b - a) / s + 1; });
    if (count <= most) break;
  }
  each(stride, [&](long a, long b, long s) {
    for (long step = a; step <= b; step += s) out.push_back(step);
  });
}

std::size_t SeriesView::bytes() const { return data_ ? data_->bytes : 0; }

} // namespace polarscope
