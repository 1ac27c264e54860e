// The harness: what it reports, not how fast anything is.
#include "tests/support/catch.hpp"

#include "engine/bench.hpp"
#include "engine/bench_harness.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace polarscope;

TEST_CASE("Percentiles lie between their neighbours, and equal values have themselves as every percentile") {
  CHECK(percentile({4, 1, 3, 2}, 0.5) == 2.5);
  CHECK(percentile({3, 1, 2}, 1) == 3);
  CHECK(percentile({7}, 0.9) == 7);
  double x = 1; // a weighted sum of two equal numbers is another number for one in fifty
  for (int i = 0; i < 2000; ++i) {
    x *= 1.00371;
    for (double p : {0.1, 0.9}) CHECK(percentile(std::vector<double>(7, x), p) == x);
  }
}

TEST_CASE("Every benchmark gives rows with ordered percentiles, as text and as JSON") {
  BenchOptions quick;
  quick.blocks = 7;
  quick.block_seconds = 1e-4;
  quick.quick = true;
  const auto report = run_bench({}, quick);
  REQUIRE(report.ok());
  for (const BenchInfo& b : benchmarks()) {
    const auto of =
        std::count_if(report->rows.begin(), report->rows.end(), [&](const BenchRow& r) { return r.id == b.id; });
    INFO(b.id);
    CHECK(of > 0);
  }
  for (const BenchRow& r : report->rows) {
    INFO(r.id << ' ' << r.name);
    if (r.id == "B11") CHECK(std::isfinite(r.median)); // a difference of two times, which a busy machine may turn round
    else CHECK(r.median > 0);
    CHECK(r.p10 <= r.median);
    CHECK(r.median <= r.p90);
    CHECK((r.percent < 0) == r.against.empty());
  }
  const auto json = nlohmann::json::parse(report->to_json());
  CHECK(json["rows"].size() == report->rows.size());
  CHECK(json["idle"] == report->idle());
  CHECK(json["eigen"].get<std::string>().substr(0, 2) == "3.");
  CHECK(report->to_text().find("B14") != std::string::npos);
}

TEST_CASE("What the host gives to other guests is not idleness") {
  const std::string quiet = "cpu  100 20 30 5000 700 4 5 0 60 7", stolen = "cpu  100 20 30 5000 700 4 5 40 60 7";
  CHECK(busy_ticks(quiet) == 159);
  CHECK(busy_ticks(stolen) - busy_ticks(quiet) == 40);
  CHECK(busy_ticks("") == 0);
  BenchReport report;
  CHECK(report.idle());
  report.others_busy = 0.06;
  CHECK_FALSE(report.idle());
}

TEST_CASE("Bench runs only what is asked for and names what it does not know") {
  BenchOptions quick;
  quick.block_seconds = 1e-4;
  const auto report = run_bench({"B14"}, quick);
  REQUIRE(report.ok());
  CHECK(std::all_of(report->rows.begin(), report->rows.end(), [](const BenchRow& r) { return r.id == "B14"; }));
  const auto unknown = run_bench({"B99"});
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().message ==
        "unknown benchmark 'B99'; B0, B1, B2, B3, B4, B5, B6, B8, B10, B11, B12, B14, B15, B17 are known");
}
