// Conform itself: this machine's instruction sets pass, a device that computes something else does not.
#include "tests/support/catch.hpp"

#include "engine/conform.hpp"
#include "tests/support/emulated_cuda.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

using namespace polarscope;

namespace {

// The proof that no check is empty: each op's right result is far from what it began with and from zeros.
void check_that_nothing_passes_empty(const ConformReport& report) {
  for (const ConformSection& s : report.sections) {
    CHECK(s.ops.size() == report.ops_known);
    for (const ConformRow& op : s.ops) {
      CAPTURE(s.target, op.name, op.if_idle, op.if_zero, op.tolerance);
      CHECK(op.tolerance <= 0.01);
      CHECK(op.if_idle >= 10 * op.tolerance); // a body that leaves its output as it was
      CHECK(op.if_zero >= 10 * op.tolerance); // a body that writes zeros
    }
    std::size_t moved = 0;
    for (const ConformRow& path : s.trajectories) {
      CHECK(path.tolerance <= 0.01);
      moved += path.if_idle >= 10 * path.tolerance ? 1 : 0;
    }
    CHECK(moved + 15 >= s.trajectories.size()); // a row of one number that is kept centred goes nowhere
  }
}

} // namespace

#if !defined(__SANITIZE_THREAD__) // half an hour on one thread
TEST_CASE("Every instruction set of this machine conforms, and no op would by doing nothing or writing zeros") {
  const auto report = conform("cpu");
  REQUIRE(report.ok());
  for (const ConformSection& s : report->sections) {
    INFO(report->to_text());
    CHECK(s.passed());
    CHECK_FALSE(s.ops.empty());
    CHECK(s.trajectories.size() == report->programs);
  }
  check_that_nothing_passes_empty(*report);
  const auto json = nlohmann::json::parse(report->to_json());
  CHECK(json["device"] == "cpu");
  CHECK(json["sections"].size() == report->sections.size());
  CHECK(json["ops"]["known"] == report->ops_known);
}
#endif

TEST_CASE("Conform names unknown devices") { CHECK(conform("abacus").error().kind == ErrorKind::bad_input); }

TEST_CASE("An error that is not a number does not pass") {
  ConformRow row;
  row.tolerance = 1e-5;
  row.error = std::numeric_limits<double>::infinity();
  CHECK_FALSE(row.passed());
  row.error = std::nan("");
  CHECK_FALSE(row.passed());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // fibres

TEST_CASE("A CUDA module that works conforms, one that loses a write does not") {
  const auto good = conform_module(test::emulated_cuda(), "emulated");
  REQUIRE(good.ok());
  for (const ConformSection& s : good->sections) {
    INFO(good->to_text());
    CHECK(s.passed());
  }
  check_that_nothing_passes_empty(*good);

  kernels::CudaModule broken = test::emulated_cuda();
  broken.run_ops = [](kernels::CudaGroup*, const int*, int, const kernels::OpRange*) { return 0; };
  broken.advance = [](kernels::CudaGroup*, const int*, int, std::uint64_t, kernels::CudaRecords, void*) { return 0; };
  const auto bad = conform_module(broken, "broken");
  REQUIRE(bad.ok());
  CHECK_FALSE(bad->passed());
  CHECK(bad->to_text().find("FAIL") != std::string::npos);
  for (const ConformSection& s : bad->sections) {
    for (const ConformRow& op : s.ops) {
      INFO(s.target << ": " << op.name);
      CHECK_FALSE(op.passed());
    }
    for (const ConformRow& path : s.trajectories) CHECK_FALSE(path.passed()); // no step has been made
  }

  kernels::CudaModule dead = test::emulated_cuda();
  dead.open = [](const kernels::Program&, std::size_t, std::size_t, kernels::CudaGroup**) { return 1; };
  CHECK(conform_module(dead, "dead").error().kind == ErrorKind::machine_lacks);
}

#endif
