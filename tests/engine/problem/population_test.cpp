// Problems with exact expectations: gradients against differences and dual numbers, expectations against Monte Carlo.
#include "tests/support/catch.hpp"
#include "tests/support/dual.hpp"
#include "tests/support/oracle.hpp"
#include "tests/support/rig.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Values = std::map<std::string, SettingValue>;
constexpr double kPi = 3.14159265358979323846;

// Every parameter's gradient against central differences of the loss.
void check_differences(Rig& rig) {
  for (const ParamInfo& p : rig.program().parameters()) {
    const Numbers w = rig.read(p.name);
    rig.gradient();
    const Numbers exact = rig.read(p.name + ".gradient");
    const Numbers numeric = finite_difference(
        [&](const Numbers& x) {
          rig.write(p.name, x);
          return rig.loss();
        },
        w);
    rig.write(p.name, w);
    INFO(p.name);
    REQUIRE(norm(exact) > 1e-6);
    CHECK(norm(minus(numeric, exact)) < 1e-6 * (1 + norm(exact)));
  }
  CHECK(rig.padding_is_zero());
}

// The mean of numbers and its standard error.
class Mean {
public:
  void add(double x) {
    ++count_;
    const double d = x - mean_;
    mean_ += d / count_;
    square_ += d * (x - mean_);
  }
  double value() const { return mean_; }
  double error() const { return std::sqrt(square_ / (count_ - 1) / count_); }
  // Distance to what is expected, in standard errors.
  double off(double expected) const { return (mean_ - expected) / error(); }

private:
  double count_ = 0, mean_ = 0, square_ = 0;
};

template <class S> std::vector<S> product(const std::vector<S>& a, const std::vector<S>& b, std::size_t inner) {
  const std::size_t rows = a.size() / inner, cols = b.size() / inner;
  std::vector<S> c(rows * cols, S(0));
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < inner; ++k)
      for (std::size_t j = 0; j < cols; ++j) c[i * cols + j] += a[i * inner + k] * b[k * cols + j];
  return c;
}

Numbers transposed(const Numbers& a, std::size_t cols) {
  Numbers t(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) t[i % cols * (a.size() / cols) + i / cols] = a[i];
  return t;
}

// A Aᵀ
Numbers gram(const Numbers& a, std::size_t cols) { return product(a, transposed(a, cols), cols); }

} // namespace

TEST_CASE("two_layer_relu: gradients are the loss's derivatives, at odd shapes and with parallel and opposite rows",
          "[problem][population]") {
  for (const auto& [inputs, hidden, outputs] :
       {std::tuple{5L, 7L, 3L}, std::tuple{1L, 4L, 2L}, std::tuple{9L, 1L, 1L}}) {
    Rig rig("two_layer_relu", {{"inputs", inputs}, {"hidden", hidden}, {"outputs", outputs}}, 3);
    check_differences(rig);
  }
  Rig rig("two_layer_relu", {{"inputs", 3L}, {"hidden", 3L}, {"outputs", 2L}}, 4);
  rig.write("W1", {1, 2, -1, 2, 4, -2, -1, -2, 1});
  rig.gradient();
  for (const char* name : {"W1.gradient", "W2.gradient"})
    for (const double x : rig.read(name)) CHECK(std::isfinite(x));
  rig.write("W1", {1, 2, -1, 0, 0, 0, -1, 2, 1}); // a unit that is never active
  rig.gradient();
  const Numbers g = rig.read("W1.gradient");
  for (const double x : g) CHECK(std::isfinite(x));
}

TEST_CASE("two_layer_relu: loss and gradients are expectations over Gaussian inputs", "[problem][population]") {
  constexpr std::size_t d0 = 4, d1 = 5, d2 = 3;
  Rig rig("two_layer_relu", {{"inputs", long(d0)}, {"hidden", long(d1)}, {"outputs", long(d2)}}, 6);
  rig.gradient();
  const Numbers w1 = rig.read("W1"), w2 = rig.read("W2"), phi = rig.read("target");
  const Numbers g1 = rig.read("W1.gradient"), g2 = rig.read("W2.gradient");
  Mean loss, along1, along2; // of the gradients: their part along a random direction
  Dice dice(23);
  const Numbers u1 = dice.normals(g1.size()), u2 = dice.normals(g2.size());
  for (int sample = 0; sample < 200000; ++sample) {
    const Numbers x = dice.normals(d0);
    Numbers h = product(w1, x, d0), open(d1), error = product(phi, x, d0);
    for (std::size_t a = 0; a < d1; ++a) {
      open[a] = h[a] > 0 ? 1 : 0;
      h[a] *= open[a];
    }
    const Numbers y = product(w2, h, d1);
    for (std::size_t i = 0; i < d2; ++i) error[i] = y[i] - error[i];
    loss.add(0.5 * dot(error, error));
    double one = 0, two = 0;
    for (std::size_t i = 0; i < d2; ++i)
      for (std::size_t a = 0; a < d1; ++a) two += u2[i * d1 + a] * error[i] * h[a];
    for (std::size_t a = 0; a < d1; ++a) {
      double back = 0;
      for (std::size_t i = 0; i < d2; ++i) back += w2[i * d1 + a] * error[i];
      for (std::size_t j = 0; j < d0; ++j) one += u1[a * d0 + j] * back * open[a] * x[j];
    }
    along1.add(one);
    along2.add(two);
  }
  CHECK(std::abs(loss.off(rig.metric("loss"))) < 2);
  CHECK(std::abs(along1.off(dot(u1, g1))) < 2);
  CHECK(std::abs(along2.off(dot(u2, g2))) < 2);
}

TEST_CASE("two_layer_relu: expectations of G Gᵀ over random weights are those of theorems 1 and 2",
          "[problem][population]") {
  constexpr std::size_t d0 = 8, d1 = 16, d2 = 4;
  Rig rig("two_layer_relu", {{"inputs", long(d0)}, {"hidden", long(d1)}, {"outputs", long(d2)}}, 6);
  const Numbers phi = rig.read("target");
  const double phi2 = dot(phi, phi);
  // κ₁(8) and m_J of algorithms.md §E2, §E3, by quadrature over θ with density ∝ sin^(d0−2) θ
  double weight = 0, kappa = 0, mj = 0;
  for (int k = 0; k < 20000; ++k) {
    const double t = kPi * (k + 0.5) / 20000, p = std::pow(std::sin(t), double(d0) - 2);
    const double s = std::sin(t), c = std::cos(t), r = kPi - t;
    weight += p;
    kappa += p * (s * s + 2 * r * s * c + r * r) / (4 * kPi * kPi);
    mj += p * std::pow((s + r * c) / (2 * kPi), 2);
  }
  kappa /= weight;
  mj /= weight;
  CHECK(kappa == Approx(0.093800).epsilon(1e-5));
  const double diagonal = d0 * d2 * d2 / 4.0 + d0 * d2 * ((d1 - 1.0) * kappa + 0.5) + phi2 / 4;
  const double off_diagonal = d0 * d2 / (4 * kPi);
  const double alpha = d1 * d0 * (d0 + 2.0) / 4 + d1 * (d1 - 1.0) * d0 * d0 * mj;
  Mean on, off, second;
  Dice dice(5);
  for (int draw = 0; draw < 4000; ++draw) {
    rig.write("W1", dice.normals(d1 * d0));
    rig.write("W2", dice.normals(d2 * d1));
    rig.gradient();
    const Numbers p1 = gram(rig.read("W1.gradient"), d0), p2 = gram(rig.read("W2.gradient"), d1);
    double trace = 0, all = 0;
    for (std::size_t a = 0; a < d1; ++a) {
      trace += p1[a * d1 + a];
      for (std::size_t b = 0; b < d1; ++b) all += p1[a * d1 + b];
    }
    on.add(trace / d1);
    off.add((all - trace) / (d1 * (d1 - 1.0)));
    double sum = 0;
    for (std::size_t i = 0; i < d2; ++i) sum += p2[i * d2 + i];
    second.add(sum / d2);
  }
  CHECK(std::abs(on.off(diagonal)) < 2);
  CHECK(std::abs(off.off(off_diagonal)) < 2);
  CHECK(std::abs(second.off(alpha + d1 / 4.0 * phi2 / d2)) < 2);
}

TEST_CASE("deep_linear: gradients by differences and dual numbers, and their expectation over random weights",
          "[problem][population]") {
  for (const long layers : {1L, 2L, 4L}) {
    Rig rig("deep_linear", {{"layers", layers}, {"inputs", 5L}, {"hidden", 4L}, {"outputs", 3L}}, 3);
    check_differences(rig);
    // ½ ‖W_L … W_1 − Φ‖² by dual numbers
    const Numbers target = rig.read("target"); // Φᵀ, inputs × outputs
    for (const ParamInfo& p : rig.program().parameters()) {
      rig.gradient();
      const Numbers got = rig.read(p.name + ".gradient");
      for (std::size_t e = 0; e < got.size(); ++e) {
        std::vector<Dual> h(25, Dual(0));
        for (std::size_t i = 0; i < 5; ++i) h[i * 5 + i] = Dual(1);
        for (const ParamInfo& q : rig.program().parameters()) {
          const Numbers w = rig.read(q.name);
          std::vector<Dual> dual(w.begin(), w.end());
          if (q.name == p.name) dual[e].slope = 1;
          h = product(dual, h, q.cols);
        }
        Dual loss(0);
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t j = 0; j < 5; ++j) {
            const Dual d = h[i * 5 + j] - Dual(target[j * 3 + i]);
            loss += Dual(0.5) * d * d;
          }
        REQUIRE(std::abs(loss.slope - got[e]) < 1e-12 * (1 + std::abs(got[e])));
        CHECK(std::abs(loss.value - rig.metric("loss")) < 1e-12);
      }
    }
  }

  // algorithms.md §E7: three layers, d = (5, 6, 4, 3), entries N(0, σ²)
  constexpr std::size_t d0 = 5, d1 = 4, d2 = 4, d3 = 3;
  constexpr double s1 = 0.5, s2 = 0.7, s3 = 0.6;
  Rig rig("deep_linear", {{"layers", 3L}, {"inputs", long(d0)}, {"hidden", long(d1)}, {"outputs", long(d3)}}, 8);
  const Numbers target = rig.read("target"), phi = transposed(target, d3);
  const double phi2 = dot(phi, phi);
  // E tr K² and E (tr K)² by adding one Gaussian factor at a time
  const auto step = [](std::pair<double, double> t, double s, double m) {
    return std::pair{std::pow(s, 4) * (m * (m + 1) * t.first + m * t.second),
                     std::pow(s, 4) * (2 * m * t.first + m * m * t.second)};
  };
  // hidden layer 1: A = W3 W2, B empty; layer 2: A = W3, B = W1
  const double ta1 = step(step({d3, d3 * d3}, s3, d2), s2, d1).first, tb1 = d0;
  const double a1 = s2 * s2 * d1 * s3 * s3 * d2;
  const double c1 = (s1 * s1 * ta1 * tb1 + a1 * 1 * phi2) / d1;
  const double ta2 = step({d3, d3 * d3}, s3, d2).first, tb2 = step({d0, d0 * d0}, s1, d1).first;
  const double c2 = (s2 * s2 * ta2 * tb2 + s3 * s3 * d2 * s1 * s1 * d1 * phi2) / d2;
  // output layer: B = W2 W1
  const double tau = step(step({d0, d0 * d0}, s1, d1), s2, d2).first;
  const double c3 = s3 * s3 * tau + s1 * s1 * d1 * s2 * s2 * d2 * phi2 / d3;
  Mean on[3], off[3];
  Dice dice(4);
  for (int draw = 0; draw < 20000; ++draw) {
    rig.write("W1", scaled(dice.normals(d1 * d0), s1));
    rig.write("W2", scaled(dice.normals(d2 * d1), s2));
    rig.write("W3", scaled(dice.normals(d3 * d2), s3));
    rig.gradient();
    const std::size_t cols[] = {d0, d1, d2}, rows[] = {d1, d2, d3};
    for (std::size_t l = 0; l < 3; ++l) {
      const Numbers p = gram(rig.read("W" + std::to_string(l + 1) + ".gradient"), cols[l]);
      double trace = 0, all = 0;
      for (std::size_t i = 0; i < rows[l]; ++i) trace += p[i * rows[l] + i];
      for (const double x : p) all += x;
      on[l].add(trace / static_cast<double>(rows[l]));
      off[l].add(all - trace);
    }
  }
  CHECK(std::abs(on[0].off(c1)) < 2);
  CHECK(std::abs(on[1].off(c2)) < 2);
  CHECK(std::abs(on[2].off(c3)) < 2);
  CHECK(std::abs(off[0].off(0)) < 2);
  CHECK(std::abs(off[1].off(0)) < 2);
  double cross = -phi2;
  for (const double x : gram(phi, d0)) cross += x;
  CHECK(std::abs(off[2].off(s1 * s1 * d1 * s2 * s2 * d2 * cross)) < 2);
}

TEST_CASE("matrix_factorization: gradient by differences, and E[G Gᵀ] over random factors", "[problem][population]") {
  for (const auto& [dim, rank] : {std::pair{7L, 3L}, std::pair{3L, 5L}, std::pair{1L, 1L}}) {
    Rig rig("matrix_factorization", {{"dim", dim}, {"rank", rank}, {"target_rank", 2L}}, 3);
    check_differences(rig);
  }
  constexpr std::size_t d = 5, k = 3;
  constexpr double s = 0.8, s2 = s * s;
  Rig rig("matrix_factorization", {{"dim", long(d)}, {"rank", long(k)}, {"target_rank", 2L}}, 2);
  const Numbers m = rig.read("target"), mm = product(m, m, d);
  const double kd = k, dd = d;
  // algorithms.md §E6
  const auto expected = [&](std::size_t i, std::size_t j) {
    const double same = i == j ? s2 * s2 * s2 * kd * (kd * kd + dd * dd + 3 * kd * dd + 3 * kd + 3 * dd + 4) : 0;
    return same - 2 * s2 * s2 * kd * (kd + dd + 1) * m[i * d + j] + s2 * kd * mm[i * d + j];
  };
  std::vector<Mean> means(d * d);
  Mean trace;
  double want = 0;
  for (std::size_t i = 0; i < d; ++i) want += expected(i, i);
  Dice dice(9);
  for (int draw = 0; draw < 40000; ++draw) {
    rig.write("U", scaled(dice.normals(d * k), s));
    rig.gradient();
    const Numbers p = gram(rig.read("U.gradient"), k);
    double t = 0;
    for (std::size_t i = 0; i < d * d; ++i) means[i].add(p[i]);
    for (std::size_t i = 0; i < d; ++i) t += p[i * d + i];
    trace.add(t);
  }
  CHECK(std::abs(trace.off(want)) < 2);
  double square = 0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < i; ++j)
      square += std::pow(means[i * d + j].off(expected(i, j)), 2) / (d * (d - 1) / 2.0);
  CHECK(square < 1 + 2 * std::sqrt(2 / (d * (d - 1) / 2.0)));
}
