// SeriesStore against an oracle that keeps every record in plain vectors and answers by scanning them.
#include "engine/series.hpp"
#include "tests/support/catch.hpp"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <random>
#include <thread>

using namespace polarscope;

namespace {

// A program that is only recorded from: two dense columns, one every 10 steps, a 2 × 3 weight.
std::shared_ptr<const StepProgram> recorded_program(Precision precision, RecordOptions record = {}) {
  ProgramBuilder b(precision);
  const int w = b.parameter("W", 2, 3, Invariance::none);
  b.metric("loss", -1, ProgramBuilder::kScalar, 1);
  b.metric("frobenius_norm", w, ProgramBuilder::kScalar, 1);
  b.metric("spectral_norm", w, ProgramBuilder::kScalar, 10);
  return b.finish(record);
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Everything that was ever appended, in double.
struct Oracle {
  std::vector<std::vector<double>> records;
  std::mt19937_64 random{7};

  double draw() {
    std::normal_distribution<double> normal;
    const auto dice = random() % 1000;
    if (dice == 0) return kNan;
    if (dice == 1) return kInf;
    if (dice == 2) return 1e6 * normal(random); // a spike of one step
    return normal(random) + 1.0;
  }
  // The next record, rounded to the program's precision.
  std::vector<double> next(Precision precision) {
    const auto step = records.size();
    std::vector<double> r(9);
    for (double& x : r) x = draw();
    for (std::size_t i = 3; i < r.size(); ++i) r[i] = static_cast<double>(step) + 0.125 * static_cast<double>(i);
    if (step == 0) r[0] = kNan;
    if (step % 10) r[2] = kNan;
    if (precision == Precision::f32)
      for (double& x : r) x = static_cast<double>(static_cast<float>(x));
    records.push_back(r);
    return r;
  }
};

std::vector<std::byte> as_bytes(const std::vector<double>& values, Precision precision) {
  std::vector<std::byte> out(values.size() * (precision == Precision::f32 ? 4 : 8));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto f = static_cast<float>(values[i]);
    if (precision == Precision::f32) std::memcpy(out.data() + 4 * i, &f, 4);
    else std::memcpy(out.data() + 8 * i, &values[i], 8);
  }
  return out;
}

void append(RunSeries& series, Oracle& oracle, Precision precision, int count) {
  std::vector<double> burst;
  for (int i = 0; i < count; ++i) {
    const auto r = oracle.next(precision);
    burst.insert(burst.end(), r.begin(), r.end());
  }
  series.append(as_bytes(burst, precision));
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// One window query against the raw data. A thinned row stands for the steps up to the next one.
void check_query(const SeriesView& view, const Oracle& oracle, int column, double from, double to, int buckets) {
  CAPTURE(column, from, to, buckets, view.last_step());
  std::vector<MinMax> out;
  view.query(column, from, to, buckets, out);
  REQUIRE(out.size() <= static_cast<std::size_t>(buckets));
  const auto c = static_cast<std::size_t>(column);
  long previous_end = -1;
  const auto value = [&](long step) { return oracle.records[static_cast<std::size_t>(step)][c]; };
  for (const MinMax& m : out) {
    const long stride = view.stride_at(m.last_step);
    const long end = std::min(m.last_step + stride - 1, view.last_step());
    REQUIRE(m.first_step > previous_end);
    REQUIRE(m.first_step > from - static_cast<double>(view.stride_at(m.first_step)));
    REQUIRE(static_cast<double>(m.last_step) <= to);
    double low = kInf, high = -kInf;
    for (long s = m.first_step; s <= end; ++s)
      if (std::isfinite(value(s))) low = std::min(low, value(s)), high = std::max(high, value(s));
    REQUIRE(m.min == low);
    REQUIRE(m.max == high);
    REQUIRE(m.first >= low);
    REQUIRE(m.last <= high);
    previous_end = end;
  }
  // Nothing finite in the window is missing.
  std::size_t k = 0;
  const auto begin = static_cast<long>(std::ceil(std::max(0.0, from)));
  const auto last = static_cast<long>(std::floor(std::min(to, static_cast<double>(view.last_step()))));
  for (long s = begin; s <= last; ++s) {
    if (!std::isfinite(value(s))) continue;
    while (k + 1 < out.size() && s >= out[k + 1].first_step) ++k;
    REQUIRE(k < out.size());
    REQUIRE(value(s) >= out[k].min);
    REQUIRE(value(s) <= out[k].max);
  }
}

// first, last and not_finite are exact where nothing was thinned.
void check_ends(const SeriesView& view, const Oracle& oracle, int column, long from, long to) {
  std::vector<MinMax> out;
  view.query(column, static_cast<double>(from), static_cast<double>(to), 7, out);
  for (const MinMax& m : out) {
    double first = kNan, last = kNan;
    for (long s = m.first_step; s <= m.last_step; ++s) {
      const double v = oracle.records[static_cast<std::size_t>(s)][static_cast<std::size_t>(column)];
      if (!std::isfinite(v)) continue;
      if (std::isnan(first)) first = v;
      last = v;
    }
    REQUIRE(m.first == first);
    REQUIRE(m.last == last);
  }
}

void check_samples(const SeriesView& view, const Oracle& oracle, int column, long from, long to) {
  std::vector<Sample> out, expected;
  view.samples(column, from, to, out);
  const int every = column == 2 ? 10 : 1;
  for (long s = std::max(0l, from); s <= std::min(to, view.last_step()); ++s) {
    if (s % view.stride_at(s)) continue;
    const double v = oracle.records[static_cast<std::size_t>(s)][static_cast<std::size_t>(column)];
    if ((s > 0 && s % every == 0) || std::isfinite(v)) expected.push_back({s, v});
  }
  REQUIRE(out.size() == expected.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    REQUIRE(out[i].step == expected[i].step);
    REQUIRE(same(out[i].value, expected[i].value));
    REQUIRE(same(*view.at(column, out[i].step), expected[i].value));
  }
  double low = kInf, high = -kInf, least_positive = kInf;
  long not_positive = 0;
  for (const Sample& s : expected) {
    if (!std::isfinite(s.value)) continue;
    low = std::min(low, s.value);
    high = std::max(high, s.value);
    if (s.value > 0) least_positive = std::min(least_positive, s.value);
    not_positive += s.value <= 0;
  }
  REQUIRE(view.count_not_positive(column, from, to) == not_positive);
  const auto all = view.extent(column, from, to), positive = view.extent(column, from, to, true);
  REQUIRE(all.has_value() >= std::isfinite(low));
  if (view.stride_at(from) == 1 && view.stride_at(std::min(to, view.last_step())) == 1) {
    REQUIRE(all.has_value() == std::isfinite(low));
    REQUIRE(positive.has_value() == std::isfinite(least_positive));
    if (all) REQUIRE(all->min == low);
    if (all) REQUIRE(all->max == high);
    if (positive) REQUIRE(positive->min == least_positive);
    if (positive) REQUIRE(positive->max == high);
  } else if (all && std::isfinite(low)) {
    REQUIRE(all->min <= low);
    REQUIRE(all->max >= high);
  }
}

void check_nearest(const SeriesView& view, const Oracle& oracle, int column, double at) {
  const Sample s = view.nearest(column, at);
  const double clamped = std::clamp(at, 0.0, static_cast<double>(view.last_step()));
  double best = kInf;
  for (long step = 0; step <= view.last_step(); ++step) {
    if (step % view.stride_at(step)) continue;
    if (!std::isfinite(oracle.records[static_cast<std::size_t>(step)][static_cast<std::size_t>(column)])) continue;
    best = std::min(best, std::abs(static_cast<double>(step) - clamped));
  }
  REQUIRE((s.step < 0) == std::isinf(best));
  if (s.step < 0) return;
  REQUIRE(std::abs(static_cast<double>(s.step) - clamped) == best);
  REQUIRE(s.value == oracle.records[static_cast<std::size_t>(s.step)][static_cast<std::size_t>(column)]);
}

void check_weights(const SeriesView& view, const Oracle& oracle, std::mt19937_64& random) {
  std::vector<long> steps;
  std::vector<double> w;
  const int most = 1 + static_cast<int>(random() % 300);
  const long from = static_cast<long>(random() % 100), to = view.last_step() - static_cast<long>(random() % 100);
  view.weight_steps(0, from, to, most, steps);
  REQUIRE(steps.size() <= static_cast<std::size_t>(most));
  if (to - from >= 64 && most >= 3) REQUIRE_FALSE(steps.empty());
  for (long s : steps) {
    REQUIRE(s >= from);
    REQUIRE(s <= to);
    REQUIRE(view.weight(0, s, w));
    REQUIRE(w.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) REQUIRE(w[i] == oracle.records[static_cast<std::size_t>(s)][3 + i]);
  }
}

void check_all(const SeriesView& view, const Oracle& oracle, std::mt19937_64& random, int rounds) {
  const long last = view.last_step();
  for (int round = 0; round < rounds; ++round) {
    const int column = static_cast<int>(random() % 3);
    long a = static_cast<long>(random() % static_cast<std::uint64_t>(last + 1));
    long b = static_cast<long>(random() % static_cast<std::uint64_t>(last + 1));
    if (a > b) std::swap(a, b);
    if (round % 5 == 0) a = 0, b = last;
    if (round % 7 == 0) b = std::min(last, a + 30);
    check_query(view, oracle, column, static_cast<double>(a) - 0.5, static_cast<double>(b) + 0.25,
                1 + static_cast<int>(random() % 700));
    check_samples(view, oracle, column, a, b);
    check_nearest(view, oracle, column, static_cast<double>(a) + 0.375);
    if (view.stride_at(0) == 1) check_ends(view, oracle, column, a, b);
    check_weights(view, oracle, random);
  }
}

} // namespace

TEST_CASE("series answer like a scan over everything appended") {
  for (const Precision precision : {Precision::f32, Precision::f64})
    for (const std::size_t budget : {std::size_t{64} << 20, std::size_t{600} << 10}) {
      CAPTURE(budget, precision == Precision::f32);
      Oracle oracle;
      std::mt19937_64 random(11);
      RunSeries series(recorded_program(precision), budget);
      REQUIRE(series.view().empty());
      REQUIRE(series.last_step() == -1);
      append(series, oracle, precision, 1);
      check_all(series.view(), oracle, random, 3);
      while (oracle.records.size() < 20000) append(series, oracle, precision, 1 + static_cast<int>(random() % 700));
      REQUIRE(series.last_step() + 1 == static_cast<long>(oracle.records.size()));
      REQUIRE((series.view().stride_at(0) > 1) == (budget < (1u << 20)));
      check_all(series.view(), oracle, random, 12);
    }
}

// Between them the records' room for weights holds whatever was there before: here numbers that would be found.
TEST_CASE("weights that are recorded every fourth step are stored as they were, and only they") {
  RecordOptions record;
  record.kept_per_step = 2; // of six
  const auto program = recorded_program(Precision::f32, record);
  REQUIRE(program->recorded_every() == 4);
  for (const std::size_t budget : {std::size_t{64} << 20, std::size_t{300} << 10}) {
    CAPTURE(budget);
    Oracle oracle;
    std::mt19937_64 random(5);
    RunSeries series(program, budget);
    for (long made = 0; made < 20000;) {
      std::vector<double> burst;
      for (long left = 1 + static_cast<long>(random() % 50); left > 0; --left, ++made) {
        auto r = oracle.next(Precision::f32);
        if (made % 4 != 0) std::fill(r.begin() + 3, r.end(), -1.0);
        burst.insert(burst.end(), r.begin(), r.end());
      }
      series.append(as_bytes(burst, Precision::f32));
    }
    const SeriesView view = series.view();
    std::vector<double> w;
    long stored = 0, last_stored = -1;
    for (long s = 0; s <= view.last_step(); ++s) {
      if (view.weight(0, s, w)) {
        REQUIRE(s % 4 == 0);
        for (std::size_t i = 0; i < 6; ++i) REQUIRE(w[i] == oracle.records[static_cast<std::size_t>(s)][3 + i]);
        last_stored = s;
        ++stored;
      }
      REQUIRE(view.weight_step(0, s) == last_stored);
    }
    REQUIRE(view.weight_step(0, -1) == -1);
    REQUIRE((stored == view.last_step() / 4 + 1) == (budget > (1u << 20)));
    REQUIRE(view.last_step() - last_stored < 4); // the newest are thinned last
    for (int round = 0; round < 20; ++round) check_weights(view, oracle, random);
  }
}

TEST_CASE("what a view has shown never changes") {
  Oracle oracle;
  std::mt19937_64 random(3);
  RunSeries series(recorded_program(Precision::f32), std::size_t{300} << 10);
  std::vector<SeriesView> views;
  while (oracle.records.size() < 15000) {
    append(series, oracle, Precision::f32, 1 + static_cast<int>(random() % 300));
    if (random() % 4 == 0) views.push_back(series.view());
  }
  for (const SeriesView& v : views) check_all(v, oracle, random, 1);
}

TEST_CASE("thinning depends on the number of steps, not on bursts") {
  std::vector<std::vector<long>> kept;
  for (const int burst : {1, 7, 64, 5000}) {
    Oracle oracle;
    RunSeries series(recorded_program(Precision::f64), std::size_t{800} << 10);
    for (int made = 0; made < 20000; made += burst)
      append(series, oracle, Precision::f64, std::min(burst, 20000 - made));
    std::vector<Sample> samples;
    series.view().samples(1, 0, 20000, samples);
    std::vector<long> steps;
    for (const Sample& s : samples) steps.push_back(s.step);
    REQUIRE(steps.size() < 20000);
    REQUIRE(series.bytes() < std::size_t{800} << 10);
    kept.push_back(steps);
  }
  for (const auto& k : kept) REQUIRE(k == kept[0]);
}

TEST_CASE("a spike of one step in 100,000 shows in the whole window, thinned or not") {
  for (const std::size_t budget : {std::size_t{64} << 20, std::size_t{512} << 10}) {
    const auto program = recorded_program(Precision::f32);
    RunSeries series(program, budget);
    std::vector<double> flat(9, 1.0), spike(9, 1.0);
    spike[1] = 50;
    std::vector<double> burst;
    for (long step = 0; step < 100000; ++step) {
      const auto& r = step == 54321 ? spike : flat;
      burst.insert(burst.end(), r.begin(), r.end());
    }
    series.append(as_bytes(burst, Precision::f32));
    std::vector<MinMax> out;
    series.view().query(1, 0, 99999, 620, out);
    int seen = 0;
    for (const MinMax& m : out) {
      const bool holds = m.max == 50;
      seen += holds;
      REQUIRE((holds || m.max == 1));
      if (holds) REQUIRE(m.first_step <= 54321);
    }
    REQUIRE(seen == 1);
    REQUIRE(series.view().extent(1, 0, 99999)->max == 50);
    if (budget < (1u << 20)) {
      REQUIRE(series.view().stride_at(54321) > 1);
      REQUIRE_FALSE(series.view().at(1, 54321).has_value());
      REQUIRE(series.view().stride_at(99999) == 1);
    }
  }
}

TEST_CASE("views are read while rows are appended") {
  RunSeries series(recorded_program(Precision::f32), std::size_t{500} << 10);
  std::mutex mutex;
  SeriesView published;
  std::atomic<bool> done{false};
  std::atomic<long> wrong{0}, reads{0};
  std::thread reader([&] {
    std::vector<MinMax> out;
    std::vector<double> w;
    while (!done) {
      SeriesView v;
      {
        std::lock_guard lock(mutex);
        v = published;
      }
      if (v.empty()) continue;
      v.query(0, 0, static_cast<double>(v.last_step()), 300, out);
      for (const MinMax& m : out) wrong += m.min > m.max || m.max > static_cast<double>(v.last_step());
      wrong += v.at(1, v.last_step()) != static_cast<double>(v.last_step());
      wrong += !v.weight(0, v.last_step(), w) || w[5] != static_cast<double>(v.last_step());
      ++reads;
    }
  });
  for (long step = 0; step < 30000 || (reads < 50 && step < 3000000);) {
    std::vector<double> burst;
    for (int i = 0; i < 37; ++i, ++step) burst.insert(burst.end(), 9, static_cast<double>(step));
    series.append(as_bytes(burst, Precision::f32));
    std::lock_guard lock(mutex);
    published = series.view();
  }
  done = true;
  reader.join();
  REQUIRE(wrong == 0);
  REQUIRE(reads >= 1);
}
