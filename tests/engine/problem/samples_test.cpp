// Problems that learn classes from samples: the noisy teacher's distribution, and the digits.
#include "tests/support/catch.hpp"
#include "tests/support/oracle_mlp.hpp"
#include "tests/support/rig.hpp"

#include <algorithm>
#include <cmath>
#include <set>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Weights = MlpOracle::Weights<double>;

Weights weights_of(const Rig& rig) {
  Weights w;
  for (const ParamInfo& p : rig.program().parameters()) w[p.name] = rig.read(p.name);
  return w;
}

} // namespace

TEST_CASE("teacher_student: samples are new in every step, labels follow the teacher's probabilities", "[problem]") {
  constexpr std::size_t batch = 64, inputs = 3, classes = 4, units = 5;
  Rig rig("teacher_student",
          {{"batch", long(batch)},
           {"inputs", long(inputs)},
           {"classes", long(classes)},
           {"teacher_units", long(units)},
           {"width", 4L},
           {"layers", 1L},
           {"expansion", 1L},
           {"label_noise", 0.7}},
          5, {.lr = 0});
  const Numbers a = rig.read("teacher_in"), b = rig.read("teacher_out"), scales = rig.read("input_scales");
  rig.start();
  constexpr int kSteps = 400;
  Numbers first, square(inputs), surprise(classes);
  double log_likelihood = 0, expected = 0, variance = 0;
  for (int step = 0; step < kSteps; ++step) {
    REQUIRE(rig.step());
    const Numbers x = rig.read("samples"), labels = rig.read("labels");
    if (step == 0) first = x;
    else if (step == 1) CHECK(x != first);
    for (std::size_t s = 0; s < batch; ++s) {
      const Numbers sample(x.begin() + long(s * inputs), x.begin() + long((s + 1) * inputs));
      for (std::size_t j = 0; j < inputs; ++j) square[j] += sample[j] * sample[j] / (batch * kSteps);
      Numbers h = MlpOracle::times(a, sample);
      for (double& v : h) v = std::tanh(v);
      const Numbers z = MlpOracle::times(b, h);
      Numbers p(classes);
      double total = 0;
      for (std::size_t j = 0; j < classes; ++j) total += p[j] = std::exp(z[j] / 0.7);
      const auto label = static_cast<std::size_t>(labels[s]);
      REQUIRE(label < classes);
      // Under the right probabilities, ln p of the drawn class has this mean and variance.
      double mean = 0, second = 0;
      for (double& v : p) {
        v /= total;
        mean += v * std::log(v);
        second += v * std::log(v) * std::log(v);
      }
      log_likelihood += std::log(p[label]);
      expected += mean;
      variance += second - mean * mean;
      for (std::size_t j = 0; j < classes; ++j) surprise[j] += (j == label ? 1.0 : 0.0) - p[j];
    }
  }
  CHECK(std::abs(log_likelihood - expected) < 3 * std::sqrt(variance));
  for (const double d : surprise) CHECK(std::abs(d) < 3 * std::sqrt(0.25 * batch * kSteps));
  for (std::size_t j = 0; j < inputs; ++j)
    CHECK(square[j] / (scales[j] * scales[j]) == Approx(1).margin(3 * std::sqrt(2.0 / (batch * kSteps))));
}

TEST_CASE("teacher_student: loss and gradient are the student's on the step's samples", "[problem]") {
  Rig rig("teacher_student", {{"batch", 9L}, {"inputs", 3L}, {"classes", 4L}, {"teacher_units", 5L}, {"width", 6L}}, 2);
  MlpOracle o;
  o.layers = 3;
  o.width = 6;
  o.expansion = 4;
  o.norm = "sandwich";
  o.alpha = 1.0 / 3;
  o.embedding = o.head = o.classes = true;
  rig.gradient();
  const Weights w = weights_of(rig);
  const Numbers x = rig.read("samples"), labels = rig.read("labels");
  CHECK(std::abs(rig.metric("loss") - o.loss(w, x, labels, 9)) < 1e-12);
  for (const char* name : {"embedding", "A2", "B3", "head"}) {
    const Numbers want = o.gradient(w, name, x, labels, 9);
    CHECK(norm(minus(rig.read(name + std::string(".gradient")), want)) < 1e-12 * (1 + norm(want)));
  }
  CHECK(rig.loss() == Approx(o.loss(w, x, labels, 9)).epsilon(1e-13)); // and draws the same samples again
}

TEST_CASE("digits: 1,797 images, every fifth held out, and a network that learns to read them", "[problem]") {
  Rig rig("digits", {}, 3, {.precision = Precision::f32, .lr = 0.2});
  const Numbers x = rig.read("inputs"), y = rig.read("labels");
  const Numbers tx = rig.read("held_out_inputs"), ty = rig.read("held_out_labels");
  CHECK(ty.size() == 359);
  CHECK(y.size() == 1438 / 64 * 64);
  CHECK(*std::min_element(x.begin(), x.end()) == -1);
  CHECK(*std::max_element(x.begin(), x.end()) == 1);
  std::set<double> classes(y.begin(), y.end());
  CHECK(classes.size() == 10);
  // no held-out image is learned from, and no image is there twice
  std::set<Numbers> images;
  for (const Numbers* set : {&x, &tx})
    for (std::size_t i = 0; i + 64 <= set->size(); i += 64)
      images.insert(Numbers(set->begin() + long(i), set->begin() + long(i + 64)));
  CHECK(images.size() == y.size() + ty.size());
  // the first image of the file is a nought
  CHECK(std::find(y.begin(), y.end(), 0.0) != y.end());

  rig.start();
  double accuracy = 0;
  for (int step = 1; step <= 400; ++step) {
    REQUIRE(rig.step());
    const double now = rig.metric("accuracy");
    CHECK(std::isnan(now) == (step % 10 != 0));
    if (step % 10) continue;
    if (step == 10) CHECK(now < 0.9);
    accuracy = now;
  }
  CHECK(accuracy > 0.93);

  // the measured accuracy is that of the weight before the step
  MlpOracle o;
  o.layers = 2;
  o.width = 32;
  o.expansion = 2;
  o.alpha = 1;
  o.embedding = o.head = true;
  REQUIRE(rig.step(9));
  const Weights w = weights_of(rig);
  REQUIRE(rig.step());
  int right = 0;
  for (std::size_t i = 0; i < ty.size(); ++i) {
    const Numbers z = o.outputs(w, Numbers(tx.begin() + long(64 * i), tx.begin() + long(64 * i + 64)));
    right += std::max_element(z.begin(), z.end()) - z.begin() == static_cast<long>(ty[i]) ? 1 : 0;
  }
  CHECK(std::abs(rig.metric("accuracy") - right / 359.0) < 1.5 / 359);
}
