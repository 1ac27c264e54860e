// Every metric against a float64 oracle written from its formula.
#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/rig.hpp"

#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <string>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Values = std::map<std::string, SettingValue>;

double largest_singular_value(const Numbers& w, long rows, long cols) {
  const Eigen::MatrixXd m =
      Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(w.data(), rows, cols);
  return Eigen::JacobiSVD<Eigen::MatrixXd>(m).singularValues()(0);
}

bool near(double value, double expected, double tolerance) {
  return std::abs(value - expected) <= tolerance * (1 + std::abs(expected));
}

const std::map<std::string, int> kAll = {{"column_norm", 1}};

// A spectrum of choice: U diag(σ) Vᵀ with random orthonormal U, V.
Numbers with_spectrum(const std::vector<double>& sigma, long rows, long cols, Dice& dice) {
  const auto orthonormal = [&](long n) {
    Eigen::MatrixXd a(n, n);
    for (long i = 0; i < n; ++i)
      for (long j = 0; j < n; ++j) a(i, j) = dice.normal();
    return Eigen::MatrixXd(Eigen::HouseholderQR<Eigen::MatrixXd>(a).householderQ());
  };
  Eigen::MatrixXd s = Eigen::MatrixXd::Zero(rows, cols);
  for (std::size_t k = 0; k < sigma.size(); ++k) s(static_cast<long>(k), static_cast<long>(k)) = sigma[k];
  const Eigen::MatrixXd w = orthonormal(rows) * s * orthonormal(cols);
  Numbers out;
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < cols; ++j) out.push_back(w(i, j));
  return out;
}

} // namespace

TEST_CASE("metrics: every number is that of its formula, step by step", "[metric]") {
  for (const Precision precision : {Precision::f64, Precision::f32})
    for (const auto& [kind, values] :
         {std::pair{"circle", Values{{"noise", 0.3}}}, std::pair{"rows", Values{{"rows", 5L}, {"cols", 7L}}},
          std::pair{"normalized_linear", Values{{"rows", 9L}, {"cols", 4L}, {"samples", 20L}}},
          std::pair{"quadratic", Values{}}}) {
      constexpr double kRate = 0.07;
      Rig rig(kind, values, 3, {.precision = precision, .lr = kRate, .every = kAll});
      const ParamInfo& p = rig.program().parameters()[0];
      const double tolerance = precision == Precision::f64 ? 1e-12 : 3e-6;
      INFO(kind << (precision == Precision::f32 ? ", f32" : ", f64"));
      rig.start();
      const Numbers reference = p.reference == kNone ? rig.read("W") : rig.read("W.reference");
      double travelled = 0;
      CHECK(std::isnan(rig.metric("loss")));
      for (int t = 0; t <= 30; ++t) {
        const Numbers before = rig.read("W");
        if (t > 0) REQUIRE(rig.step());
        const Numbers w = rig.read("W");
        CHECK(near(rig.metric("W.frobenius_norm"), norm(w), tolerance));
        CHECK(near(rig.metric("W.angle"), angle(w, reference), tolerance));
        const double top = largest_singular_value(w, p.rows, p.cols);
        CHECK(near(rig.metric("W.spectral_norm"), top, precision == Precision::f64 ? 1e-12 : 3e-6));
        CHECK(near(rig.metric("W.stable_rank"), dot(w, w) / (top * top), 3 * tolerance));
        for (std::size_t i = 0; i < p.rows; ++i) {
          double square = 0;
          for (std::size_t j = 0; j < p.cols; ++j) square += w[i * p.cols + j] * w[i * p.cols + j];
          CHECK(near(rig.metric("W.row_norm[" + std::to_string(i) + "]"), std::sqrt(square), tolerance));
        }
        for (std::size_t j = 0; j < p.cols; ++j) {
          double square = 0;
          for (std::size_t i = 0; i < p.rows; ++i) square += w[i * p.cols + j] * w[i * p.cols + j];
          CHECK(near(rig.metric("W.column_norm[" + std::to_string(j) + "]"), std::sqrt(square), tolerance));
        }
        if (t == 0) {
          for (const char* of_update :
               {"angular_update", "relative_update", "radial_update", "radial_gradient", "effective_lr"})
            CHECK(std::isnan(rig.metric(std::string("W.") + of_update)));
          CHECK(rig.metric("W.angle_travelled") == 0);
          continue;
        }
        const Numbers step = minus(w, before), gradient = rig.read("W.gradient");
        travelled += angle(w, before);
        CHECK(near(rig.metric("W.angular_update"), angle(w, before), tolerance));
        CHECK(near(rig.metric("W.relative_update"), norm(step) / norm(before), tolerance));
        CHECK(near(rig.metric("W.radial_update"), dot(before, step) / (norm(before) * norm(step)), tolerance));
        CHECK(
            near(rig.metric("W.radial_gradient"), dot(before, gradient) / (norm(before) * norm(gradient)), tolerance));
        CHECK(near(rig.metric("W.effective_lr"), kRate / dot(before, before), tolerance));
        CHECK(near(rig.metric("W.angle_travelled"), travelled, tolerance));
      }
      CHECK(rig.padding_is_zero());
    }
}

TEST_CASE("metrics: a weight that is not a number has none, spectral norm and stable rank included", "[metric]") {
  for (const Precision precision : {Precision::f64, Precision::f32})
    for (const double broken : {std::nan(""), HUGE_VAL}) {
      Rig rig("rows", {{"rows", 4L}, {"cols", 6L}}, 3, {.precision = precision});
      rig.start();
      REQUIRE(rig.step());
      Numbers w = rig.read("W");
      w[7] = broken;
      rig.write("W", w);
      CHECK_FALSE(rig.step());
      for (const char* metric : {"W.frobenius_norm", "W.spectral_norm", "W.stable_rank"}) {
        CAPTURE(metric, broken);
        CHECK_FALSE(std::isfinite(rig.metric(metric)));
      }
      CHECK(std::isnan(rig.metric("W.spectral_norm")));
    }
}

TEST_CASE("metrics: the effective learning rate of an update with a size of its own is η‖U‖/‖W‖", "[metric]") {
  Rig rig("rows", {{"rows", 3L}, {"cols", 5L}}, 3, {.lr = 0.2, .own_size = true});
  rig.start();
  const Numbers before = rig.read("W");
  REQUIRE(rig.step());
  CHECK(rig.metric("W.effective_lr") == Approx(0.2 * norm(rig.read("W.gradient")) / norm(before)).epsilon(1e-13));
}

TEST_CASE("metrics: tiny and huge turns keep their digits", "[metric]") {
  for (const Precision precision : {Precision::f64, Precision::f32})
    for (const double size : {1e-12, 1e-8, 1e-4, 1e-2, 1.0, 100.0}) {
      Rig probe("circle", {}, 1, {.precision = precision, .lr = 0});
      probe.gradient();
      // one step of descent that is `size` times the weight long; the gradient is tangential, so it turns by atan(size)
      Rig rig("circle", {}, 1, {.precision = precision, .lr = size / norm(probe.read("W.gradient"))});
      rig.start();
      REQUIRE(rig.step());
      const double turned = angle(rig.read("W"), rig.read("W.previous"));
      INFO(size << (precision == Precision::f32 ? ", f32" : ", f64"));
      CHECK(rig.metric("W.angular_update") ==
            Approx(turned).epsilon(precision == Precision::f64 ? 1e-13 : 1e-6).margin(0));
      if (size > (precision == Precision::f64 ? 1e-9 : 1e-3)) CHECK(turned == Approx(std::atan(size)).epsilon(1e-3));
    }
  // a step straight through the origin turns by π
  Rig back("quadratic", {{"dim", 4L}, {"condition", 1.0}}, 1, {.lr = 1.5});
  back.start();
  REQUIRE(back.step());
  CHECK(back.metric("W.angular_update") == Approx(M_PI).epsilon(1e-14));
  CHECK(back.metric("W.radial_update") == Approx(-1).epsilon(1e-14));
}

TEST_CASE("metrics: radial fractions are cosines, whatever rounding does", "[metric]") {
  int at_the_end = 0;
  for (const Precision precision : {Precision::f64, Precision::f32})
    for (const long dim : {5L, 7L, 11L, 16L}) { // equal curvatures: every step is along the weight
      Rig rig("quadratic", {{"dim", dim}, {"condition", 1.0}}, 1, {.precision = precision, .lr = 0.03});
      rig.start();
      for (int step = 0; step < 100; ++step) {
        REQUIRE(rig.step());
        for (const char* name : {"W.radial_update", "W.radial_gradient"}) {
          const double cosine = rig.metric(name);
          REQUIRE(cosine >= -1);
          REQUIRE(cosine <= 1);
          at_the_end += std::abs(cosine) == 1;
        }
      }
    }
  CHECK(at_the_end > 100);
}

TEST_CASE("metrics: a million small angles add up in single precision", "[metric]") {
  Rig rig("circle", {{"noise", 1.0}}, 1, {.precision = Precision::f32, .lr = 1e-3});
  rig.start();
  double exact = 0;
  for (int t = 0; t < 100000; ++t) {
    REQUIRE(rig.step());
    exact += rig.metric("W.angular_update");
  }
  CHECK(rig.metric("W.angle_travelled") == Approx(exact).epsilon(1e-6));
}

TEST_CASE("metrics: the spectral norm is exact whatever the gaps", "[metric]") {
  Dice dice(12);
  const std::vector<std::vector<double>> spectra = {
      {1, 1, 1, 1}, {1, 0.999999, 0.5, 0.1}, {1, 1 - 1e-12, 1 - 1e-9, 1 - 1e-6}, {3, 1e-8, 1e-9, 1e-12}, {1, 0, 0, 0},
      {2, 2, 1, 1}};
  for (const auto& [rows, cols] : {std::pair{4L, 9L}, std::pair{9L, 4L}, std::pair{4L, 4L}})
    for (const auto& sigma : spectra) {
      Rig rig("rows", {{"rows", rows}, {"cols", cols}, {"noise", 0.0}}, 1);
      const Numbers w = with_spectrum(sigma, rows, cols, dice);
      rig.write("W", w);
      rig.start();
      INFO(rows << " × " << cols << ", second singular value " << sigma[1]);
      CHECK(rig.metric("W.spectral_norm") == Approx(largest_singular_value(w, rows, cols)).epsilon(1e-12));
    }
  for (const auto& [rows, cols] : {std::pair{32L, 32L}, std::pair{16L, 64L}, std::pair{31L, 17L}}) {
    Rig rig("rows", {{"rows", rows}, {"cols", cols}, {"noise", 0.0}}, 1);
    const Numbers w = dice.normals(static_cast<std::size_t>(rows * cols));
    rig.write("W", w);
    rig.start();
    INFO(rows << " × " << cols);
    CHECK(rig.metric("W.spectral_norm") == Approx(largest_singular_value(w, rows, cols)).epsilon(1e-12));
  }
}

TEST_CASE("metrics: the spectral norm of a large matrix settles within a few steps", "[metric]") {
  Dice dice(13);
  Rig rig("rows", {{"rows", 80L}, {"cols", 120L}, {"noise", 0.0}}, 1, {.lr = 1e-6, .every = {{"spectral_norm", 1}}});
  const Numbers w = dice.normals(80 * 120);
  rig.write("W", w);
  rig.start();
  CHECK(rig.metric("W.spectral_norm") == Approx(largest_singular_value(w, 80, 120)).epsilon(1e-4));
  REQUIRE(rig.step(4));
  CHECK(rig.metric("W.spectral_norm") == Approx(largest_singular_value(rig.read("W"), 80, 120)).epsilon(1e-9));
}

TEST_CASE("metrics: a singular value that overtakes the largest is not missed", "[metric]") {
  Rig rig("rows", {{"rows", 3L}, {"cols", 5L}, {"noise", 0.0}}, 1, {.lr = 0});
  const auto diagonal = [](double a, double b, double c) {
    return Numbers{a, 0, 0, 0, 0, 0, b, 0, 0, 0, 0, 0, c, 0, 0};
  };
  rig.write("W", diagonal(2, 1, 1));
  rig.start();
  CHECK(rig.metric("W.spectral_norm") == Approx(2).epsilon(1e-12));
  REQUIRE(rig.step(3));
  rig.write("W", diagonal(2, 3, 1));
  REQUIRE(rig.step());
  CHECK(rig.metric("W.spectral_norm") == Approx(3).epsilon(1e-12));
}

TEST_CASE("metrics: a weight of zero has norm 0 and no direction", "[metric]") {
  for (const char* kind : {"quadratic", "scaled_linear"}) {
    Rig rig(kind);
    rig.write("W", Numbers(rig.read("W").size(), 0.0));
    rig.start();
    CHECK(rig.metric("W.frobenius_norm") == 0);
    CHECK(rig.metric("W.spectral_norm") == 0);
    CHECK(std::isnan(rig.metric("W.angle")));
    CHECK(std::isnan(rig.metric("W.stable_rank")));
    CHECK(rig.step());
  }
}

TEST_CASE("metrics: a cadence leaves gaps and changes no value", "[metric]") {
  const std::map<std::string, int> every = {
      {"frobenius_norm", 3}, {"angle_travelled", 4}, {"spectral_norm", 5}, {"row_norm", 0}};
  Rig sparse("rows", {}, 2, {.every = every}), dense("rows", {}, 2);
  CHECK(sparse.program().find_metric("W.row_norm[0]") < 0);
  CHECK(dense.program().find_metric("W.row_norm[7]") >= 0);
  CHECK(dense.program().find_metric("W.column_norm[0]") < 0);
  sparse.start();
  dense.start();
  for (int t = 0; t <= 20; ++t) {
    for (const auto& [metric, gap] : every) {
      if (gap == 0) continue;
      const double value = sparse.metric("W." + metric);
      INFO(metric << " at step " << t);
      if (t % gap != 0) CHECK(std::isnan(value));
      else CHECK(value == Approx(dense.metric("W." + metric)).epsilon(1e-12).margin(1e-300));
    }
    REQUIRE(sparse.step());
    REQUIRE(dense.step());
  }
}

TEST_CASE("metrics: measuring changes nothing that is measured", "[metric]") {
  std::map<std::string, int> none;
  for (const Metric& m : metrics()) none[m.name] = 0;
  Rig bare("rows", {}, 2, {.every = none}), full("rows", {}, 2, {.every = kAll});
  bare.start();
  full.start();
  REQUIRE(bare.step(50));
  REQUIRE(full.step(50));
  CHECK(bare.read("W") == full.read("W"));
}

TEST_CASE("metrics: the registry documents every entry", "[metric]") {
  for (const Metric& m : metrics()) {
    INFO(m.name);
    CHECK(find_metric(m.name) == &m);
    CHECK_FALSE(m.title.empty());
    CHECK_FALSE(m.formula.empty());
    CHECK_FALSE(m.meaning.empty());
    CHECK(std::count(m.meaning.begin(), m.meaning.end(), ' ') < 20);
    CHECK((m.emit != nullptr) == m.per_parameter); // those of the whole run are written by the problem
  }
  CHECK(metrics().front().name == "loss");
  Rig rig("circle");
  CHECK(rig.program().find_metric("loss") == 0);
}
