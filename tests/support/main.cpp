// The test runner: Catch2's own, plus one plain count of the test cases that ./dev test adds up.
#if POLARSCOPE_CATCH2 < 3
#  define CATCH_CONFIG_RUNNER
#endif
#include "tests/support/catch.hpp"

#include <cstdio>

namespace {
#if POLARSCOPE_CATCH2 >= 3
using ListenerBase = Catch::EventListenerBase;
#else
using ListenerBase = Catch::TestEventListenerBase;
#endif

struct Counter : ListenerBase {
  using ListenerBase::ListenerBase;
  // Catch2 calls this also when a test dies by a signal.
  void testRunEnded(const Catch::TestRunStats& stats) override {
    const auto& cases = stats.totals.testCases;
    std::fflush(nullptr);
    std::printf("%zu passed, %zu failed\n", static_cast<std::size_t>(cases.passed + cases.failedButOk),
                static_cast<std::size_t>(cases.failed));
    std::fflush(stdout);
  }
};
CATCH_REGISTER_LISTENER(Counter)
} // namespace

int main(int argc, char** argv) {
  const int status = Catch::Session().run(argc, argv);
  return status > 255 ? 255 : status;
}
