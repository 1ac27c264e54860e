// The numbers of the opening scene that were checked independently, and how turning falls with the norm.
#include "tests/support/catch.hpp"
#include "tests/support/hand_run.hpp"

#include <fmt/format.h>

#include <cmath>

using namespace polarscope;
using namespace polarscope::test;

namespace {

std::string circle(double noise, int seed, const std::string& run) {
  return fmt::format(
      "[scene]\ntitle = \"t\"\nseed = {}\nsteps = 600\n[problem]\nkind = \"circle\"\nnoise = {:.3f}\n[[run]]\n{}", seed,
      noise, run);
}

// First step t whose row has loss < 0.1.
long first_below(HandRun& run, long steps) {
  long found = -1;
  for (long t = 1; t <= steps; ++t) {
    REQUIRE(run.step());
    if (found < 0 && run.metric("loss") < 0.1) found = t;
  }
  return found;
}

// Mean turn per step over 200 steps.
double turning(const std::string& optimizer, double lr, double norm) {
  double travelled = 0;
  for (int seed = 1; seed <= 8; ++seed) {
    HandRun run(circle(1, seed,
                       fmt::format("optimizer = \"{}\"\nhparam.lr = {}\nstart = {{ radius = {:.1f}, angle = -2.35 }}",
                                   optimizer, lr, norm)));
    REQUIRE(run.step(200));
    travelled += run.metric("W.angle_travelled") / 200 / 8;
  }
  return travelled;
}

} // namespace

TEST_CASE("opening scene: the same direction at norm 1 and 4, one of them arrives 16 times later", "[opening]") {
  const std::string run = "optimizer = \"sgd\"\nhparam.lr = 0.1\nstart = {{ radius = {:.1f}, angle = -2.35 }}";
  for (const int seed : {11, 12, 13}) {
    HandRun inner(circle(0.5, seed, fmt::format(fmt::runtime(run), 1.0)));
    HandRun outer(circle(0.5, seed, fmt::format(fmt::runtime(run), 4.0)));
    const long inner_at = first_below(inner, 600), outer_at = first_below(outer, 600);
    INFO("seed " << seed << ": " << inner_at << " and " << outer_at);
    // published for three seeds of another generator: 19–32 and 402–440; the noise of other seeds spreads a little more
    CHECK(inner_at >= 14);
    CHECK(inner_at <= 45);
    CHECK(outer_at >= 380);
    CHECK(outer_at <= 460);
    CHECK(inner.metric("W.frobenius_norm") == Approx(1.46).margin(0.06));
    CHECK(outer.metric("W.frobenius_norm") == Approx(4.02).margin(0.01));
  }
}

TEST_CASE("opening scene: turning falls fourfold per doubling of the norm under SGD, twofold under Adam", "[opening]") {
  // norm 1 / 2 / 4 / 8, noise 1, learning rate 0.05 and 0.02
  const double sgd[] = {0.034, 0.011, 0.0024, 0.0006}, adam[] = {0.0094, 0.0059, 0.0020, 0.0009};
  double norm = 1;
  for (int k = 0; k < 4; ++k, norm *= 2) {
    const double by_sgd = turning("sgd", 0.05, norm), by_adam = turning("adam", 0.02, norm);
    INFO("norm " << norm << ": " << by_sgd << ", " << by_adam);
    CHECK(by_sgd == Approx(sgd[k]).epsilon(0.25));
    CHECK(by_adam == Approx(adam[k]).epsilon(0.25));
  }
}
