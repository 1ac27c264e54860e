// The writing side: appending records, building the pyramid, thinning.
#include "engine/series_storage.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace polarscope {

namespace {

constexpr int kMostRows = 1024; // of a chunk; a power of 4, as all capacities
// A budget holds at least this many chunks: thinning needs up to three of each level.
constexpr std::size_t kChunksAtLeast = 48;
constexpr int kLeastMetricRows = 64, kLeastWeightRows = 4; // of a chunk, whatever the budget

// Layer 1 over unthinned rows; finite values only, (∞, −∞) where there is none.
template <class R> void node_of_values(const R* v, R& low, R& high) {
  low = std::numeric_limits<R>::infinity();
  high = -low;
  for (long i = 0; i < kFan; ++i) {
    if (!finite(v[i])) continue;
    low = std::min(low, v[i]);
    high = std::max(high, v[i]);
  }
}

template <class R> void node_of_nodes(const R* lows, const R* highs, R& low, R& high) {
  low = std::min(std::min(lows[0], lows[1]), std::min(lows[2], lows[3]));
  high = std::max(std::max(highs[0], highs[1]), std::max(highs[2], highs[3]));
}

// Fills the nodes that rows [begin, end) of one column complete.
template <class R> void complete_nodes(MetricChunk& chunk, int column, long begin, long end) {
  for (int layer = 1; layer < chunk.layers(); ++layer) {
    const long size = 1l << (2 * layer);
    R* low = chunk.lows<R>(layer, column);
    R* high = chunk.highs<R>(layer, column);
    for (long n = begin / size; (n + 1) * size <= end; ++n) {
      if (layer == 1 && chunk.level == 0) node_of_values(chunk.values<R>(column) + n * kFan, low[n], high[n]);
      else
        node_of_nodes(chunk.lows<R>(layer - 1, column) + n * kFan, chunk.highs<R>(layer - 1, column) + n * kFan, low[n],
                      high[n]);
    }
  }
}

// Four neighbours of one level → one of the next.
template <class R> std::shared_ptr<MetricChunk> merge(const std::shared_ptr<MetricChunk>* four) {
  const MetricChunk& first = *four[0];
  auto out = std::make_shared<MetricChunk>(first.first, first.level + 1, first.columns, first.capacity, sizeof(R));
  const long quarter = out->capacity / kFan;
  for (int c = 0; c < out->columns; ++c) {
    R* values = out->template values<R>(c);
    for (long part = 0; part < kFan; ++part) {
      const MetricChunk& in = *four[part];
      const R* from = in.values<R>(c);
      for (long r = 0; r < quarter; ++r) values[part * quarter + r] = from[r * kFan];
      std::copy_n(in.lows<R>(1, c), quarter, out->template lows<R>(0, c) + part * quarter);
      std::copy_n(in.highs<R>(1, c), quarter, out->template highs<R>(0, c) + part * quarter);
      const auto i = static_cast<std::size_t>(c);
      if (in.not_finite[i]) out->not_finite[i] = true;
    }
    complete_nodes<R>(*out, c, 0, out->capacity);
  }
  return out;
}

std::shared_ptr<WeightChunk> merge(const std::shared_ptr<WeightChunk>* four) {
  const WeightChunk& first = *four[0];
  auto out = std::make_shared<WeightChunk>(first.first, first.level + 1, first.row_bytes, first.capacity);
  const long quarter = out->capacity / kFan;
  for (long r = 0; r < out->capacity; ++r)
    std::memcpy(out->row(r), four[r / quarter]->row(r % quarter * kFan), out->row_bytes);
  return out;
}

template <class Chunk> std::size_t bytes_of(const std::vector<std::shared_ptr<Chunk>>& chunks) {
  std::size_t total = 0;
  for (const auto& c : chunks) total += c->bytes.size();
  return total;
}

// Thins until the chunks fit or no level has four of them; the last chunk, which is being written, stays.
template <class Chunk, class Merge>
void thin(std::vector<std::shared_ptr<Chunk>>& chunks, std::size_t budget, Merge merge_four) {
  while (bytes_of(chunks) > budget) {
    // Levels fall from the front to the back. Of equally long ones the older, coarser level is thinned.
    std::size_t best = 0, most = 0;
    for (std::size_t i = 0; i + 1 < chunks.size();) {
      std::size_t j = i;
      while (j + 1 < chunks.size() && chunks[j]->level == chunks[i]->level) ++j;
      if (j - i > most) {
        most = j - i;
        best = i;
      }
      i = j;
    }
    if (most < static_cast<std::size_t>(kFan)) return;
    const auto at = chunks.begin() + static_cast<std::ptrdiff_t>(best);
    *at = merge_four(&*at);
    chunks.erase(at + 1, at + kFan);
  }
}

// Chunks that thinning leaves of so many rows: up to three of every level and the one that is written. `thinned`: those
// beyond the finest level.
struct ChunksLeft {
  long fine = 0, thinned = 0;
};
ChunksLeft chunks_left(long rows, long capacity) {
  const long chunks = (rows + capacity - 1) / capacity;
  ChunksLeft left{std::min(chunks, kFan), 0};
  for (long rest = (chunks - left.fine + kFan - 1) / kFan; rest > 0; rest /= kFan)
    left.thinned += std::min(rest, kFan - 1);
  return left;
}

// The most rows with which `kChunksAtLeast` chunks fit into the budget, `least` if none do.
int capacity_for(std::size_t row_bytes, std::size_t budget, int least) {
  int rows = kMostRows;
  while (rows > least && row_bytes * static_cast<std::size_t>(rows) * kChunksAtLeast > budget) rows /= 4;
  return rows;
}

} // namespace

MetricChunk::MetricChunk(long first_step, int level_, int columns_, int capacity_, std::size_t scalar)
    : first(first_step), level(level_), stride(1l << (2 * level_)), columns(columns_), capacity(capacity_),
      not_finite(static_cast<std::size_t>(columns_)) {
  const auto width = static_cast<std::size_t>(columns);
  std::size_t end = width * static_cast<std::size_t>(capacity);
  for (int layer = 0; (capacity >> (2 * layer)) > 0; ++layer) {
    const std::size_t size = layer == 0 && level == 0 ? 0 : width * nodes(layer);
    low.push_back(end);
    high.push_back(end + size);
    end += 2 * size;
  }
  bytes.resize(end * scalar);
}

// Owned by the engine's thread; readers see only what view() hands out.
struct RunSeries::Writer {
  std::shared_ptr<const StepProgram> program;
  std::shared_ptr<SeriesData> data;
  std::size_t metric_budget = 0, weight_budget = 0;
  int columns = 0, capacity = 0;
  struct Piece { // of a record, that goes into a row of weights
    std::size_t from, to, bytes;
  };
  std::vector<Piece> pieces;
  std::size_t weight_bytes = 0; // of one row
  int weight_rows = 0;
  int weight_level = 0; // of rows as they are recorded: at every 4^level-th step
  long next = 0;        // step of the next record

  // A new list to write into; the old one stays as it is for those who hold it.
  void replace_lists() {
    auto fresh = std::make_shared<SeriesData>();
    fresh->program = program;
    fresh->metrics = data->metrics;
    fresh->weights = data->weights;
    data = std::move(fresh);
  }
  void finish_lists() {
    data->rows_before_tail = data->metrics.empty() ? 0 : capacity * (static_cast<long>(data->metrics.size()) - 1);
    data->bytes = bytes_of(data->metrics) + bytes_of(data->weights);
  }
  void make_room();
  void fit();
  template <class R> void append(const R* records, long count);
};

void RunSeries::Writer::fit() {
  const auto merge_metrics = [this](const std::shared_ptr<MetricChunk>* four) {
    return program->precision() == Precision::f32 ? merge<float>(four) : merge<double>(four);
  };
  thin(data->metrics, metric_budget, merge_metrics);
  thin(data->weights, weight_budget, [](const std::shared_ptr<WeightChunk>* four) { return merge(four); });
}

void RunSeries::Writer::make_room() {
  const bool metrics_full = data->metrics.empty() || data->metrics.back()->end() <= next;
  const bool weights_full = weight_bytes > 0 && (data->weights.empty() || data->weights.back()->end() <= next);
  if (!metrics_full && !weights_full) return;
  replace_lists();
  if (metrics_full)
    data->metrics.push_back(std::make_shared<MetricChunk>(next, 0, columns, capacity, program->scalar_bytes()));
  if (weights_full)
    data->weights.push_back(std::make_shared<WeightChunk>(next, weight_level, weight_bytes, weight_rows));
  fit();
  finish_lists();
}

template <class R> void RunSeries::Writer::append(const R* records, long count) {
  const auto size = static_cast<long>(program->record_size());
  while (count > 0) {
    make_room();
    MetricChunk& chunk = *data->metrics.back();
    long batch = std::min(count, chunk.end() - next);
    if (weight_bytes > 0) batch = std::min(batch, data->weights.back()->end() - next);
    const long row = next - chunk.first;
    for (int c = 0; c < columns; ++c) {
      R* values = chunk.values<R>(c) + row;
      const int every = program->metrics()[static_cast<std::size_t>(c)].every;
      bool all_finite = true;
      for (long i = 0; i < batch; ++i) {
        values[i] = records[i * size + c];
        all_finite &= finite(values[i]);
      }
      if (!all_finite)
        for (long i = 0; i < batch; ++i)
          if (!finite(values[i]) && next + i > 0 && (next + i) % every == 0)
            chunk.not_finite[static_cast<std::size_t>(c)] = true;
      complete_nodes<R>(chunk, c, row, row + batch);
    }
    if (weight_bytes > 0) {
      WeightChunk& weights = *data->weights.back();
      const long stride = weights.stride;
      for (long i = (stride - next % stride) % stride; i < batch; i += stride) {
        const auto* record = reinterpret_cast<const std::byte*>(records + i * size);
        std::byte* kept = weights.row((next + i - weights.first) / stride);
        for (const Piece& p : pieces) std::memcpy(kept + p.to, record + p.from, p.bytes);
      }
    }
    next += batch;
    records += batch * size;
    count -= batch;
  }
}

RunSeries::RunSeries(std::shared_ptr<const StepProgram> program, std::size_t byte_budget)
    : writer_(std::make_unique<Writer>()) {
  Writer& w = *writer_;
  const std::size_t scalar = program->scalar_bytes();
  w.columns = static_cast<int>(program->metrics().size());
  assert(w.columns > 0);
  w.weight_bytes = program->kept_size() * scalar;
  for (std::size_t k = 0; k < program->parameters().size(); ++k) {
    const ParamInfo& p = program->parameters()[k];
    const long from = program->record_offset_of_weight(static_cast<int>(k)),
               to = program->kept_offset_of_weight(static_cast<int>(k));
    if (to < 0) continue;
    const Writer::Piece piece{static_cast<std::size_t>(from) * scalar, static_cast<std::size_t>(to) * scalar,
                              std::size_t{p.rows} * p.cols * scalar};
    if (!w.pieces.empty() && w.pieces.back().from + w.pieces.back().bytes == piece.from)
      w.pieces.back().bytes += piece.bytes;
    else w.pieces.push_back(piece);
  }
  w.program = std::move(program);
  w.data = std::make_shared<SeriesData>();
  w.data->program = w.program;
  while (w.program->recorded_every() > 1l << (2 * w.weight_level)) ++w.weight_level;
  // By bytes per step, but the metrics get at least half: they are what every panel reads.
  const double metric = static_cast<double>(w.columns) * static_cast<double>(scalar) * 5 / 3;
  const double weight = static_cast<double>(w.weight_bytes) / static_cast<double>(w.program->recorded_every());
  const double share = w.weight_bytes ? std::max(0.5, metric / (metric + weight)) : 1.0;
  w.metric_budget = static_cast<std::size_t>(share * static_cast<double>(byte_budget));
  w.weight_budget = byte_budget - w.metric_budget;
  w.capacity = capacity_for(static_cast<std::size_t>(w.columns) * scalar * 5 / 3, w.metric_budget, kLeastMetricRows);
  w.weight_rows = capacity_for(w.weight_bytes, w.weight_budget, kLeastWeightRows);
}

double RunSeries::least_bytes(const StepProgram& program, long steps) {
  const double scalar = static_cast<double>(program.scalar_bytes());
  const ChunksLeft metrics = chunks_left(steps + 1, kLeastMetricRows),
                   weights = chunks_left(steps / program.recorded_every() + 1, kLeastWeightRows);
  // A value has two numbers in each layer of its pyramid, of 1/4, 1/16 … as many; where rows were thinned, two of its own.
  const double values =
      kLeastMetricRows * (static_cast<double>(metrics.fine) * 5 / 3 + static_cast<double>(metrics.thinned) * 11 / 3);
  return scalar * (values * static_cast<double>(program.metrics().size()) +
                   static_cast<double>(kLeastWeightRows * (weights.fine + weights.thinned)) *
                       static_cast<double>(program.kept_size()));
}

RunSeries::~RunSeries() = default;
RunSeries::RunSeries(RunSeries&&) noexcept = default;
RunSeries& RunSeries::operator=(RunSeries&&) noexcept = default;

void RunSeries::append(std::span<const std::byte> records) {
  Writer& w = *writer_;
  const std::size_t record = w.program->record_size() * w.program->scalar_bytes();
  assert(records.size() % record == 0);
  const auto count = static_cast<long>(records.size() / record);
  if (w.program->precision() == Precision::f32) w.append(reinterpret_cast<const float*>(records.data()), count);
  else w.append(reinterpret_cast<const double*>(records.data()), count);
}

SeriesView RunSeries::view() const {
  const SeriesData& d = *writer_->data;
  if (d.metrics.empty()) return {};
  return SeriesView(writer_->data, d.rows_before_tail + writer_->next - d.metrics.back()->first);
}

long RunSeries::last_step() const { return writer_->next - 1; }

std::size_t RunSeries::bytes() const { return writer_->data->bytes; }

} // namespace polarscope
