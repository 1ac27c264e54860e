// One linear layer on a fixed set of samples: followed by a normalisation (algorithms.md §G4), or with outputs and inputs
// of very different scales, the test of gains (§H10).
#include "engine/problem/emit.hpp"
#include "engine/problem/problem.hpp"
#include "engine/problem/random.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

Problem normalized_linear_problem();
Problem scaled_linear_problem();

namespace {

constexpr double kScaleSpread = 1.2; // σ of the log-normal scales

struct Shape {
  std::size_t rows, cols, samples;
};
Shape shape_of(const ProblemValues& values) {
  return {static_cast<std::size_t>(values.integer("rows")), static_cast<std::size_t>(values.integer("cols")),
          static_cast<std::size_t>(values.integer("samples"))};
}

double largest(const ProblemValues& v) {
  const double rows = v.number("rows"), cols = v.number("cols"), samples = v.number("samples");
  return std::max(rows * cols, samples * std::max(rows, cols));
}

// Entries N(0, 1/cols): a layer that keeps the size of its input.
SlotContents random_layer(std::uint64_t seed, Stream stream, const Shape& s) {
  SlotContents w = normal_numbers(seed, stream, s.rows * s.cols);
  for (double& x : w) x /= std::sqrt(static_cast<double>(s.cols));
  return w;
}

// samples × rows: W x for every sample.
SlotContents outputs(const SlotContents& w, const SlotContents& x, const Shape& s) {
  SlotContents y(s.samples * s.rows);
  for (std::size_t k = 0; k < s.samples; ++k)
    for (std::size_t i = 0; i < s.rows; ++i)
      for (std::size_t j = 0; j < s.cols; ++j) y[k * s.rows + i] += w[i * s.cols + j] * x[k * s.cols + j];
  return y;
}

struct LinearSlots {
  SlotId inputs, targets, room;
};

LinearSlots declare_data(ProgramBuilder& build, int w, const Shape& s, const char* room) {
  const auto rows = static_cast<std::uint32_t>(s.rows), cols = static_cast<std::uint32_t>(s.cols);
  const auto samples = static_cast<std::uint32_t>(s.samples);
  return {build.slot("inputs", Role::data, samples, cols, "inputs x, one sample per row"),
          build.slot("targets", Role::data, samples, rows, "targets y, one sample per row"),
          build.slot("W.outputs", Role::scratch, samples, rows, room, w)};
}

void emit_normalized(const ProblemValues& values, ProgramBuilder& build) {
  const Shape s = shape_of(values);
  const auto rows = static_cast<std::uint32_t>(s.rows), cols = static_cast<std::uint32_t>(s.cols);
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const int w = build.parameter("W", rows, cols, Invariance::matrix);
  build.parameter(w).reference = build.slot("W.reference", Role::data, rows, cols, "the teacher's weight", w);
  const ParamInfo p = build.parameter(w);
  const LinearSlots d = declare_data(build, w, s, "gradient of the loss by the outputs W x");
  build.set_parameter(w);
  build.begin_loss();
  build.emit(make_op(OpCode::normalized_linear_loss, {p.weight, p.gradient, d.inputs, d.targets, d.room}, {}, 0, loss),
             "L = ½ mean ‖W x/rms(W x) − y‖² ; G = ∂L/∂W");
  build.end_loss();
  emit_tangent_noise(build, w, values.number("noise"));
  emit_gradient_invariant(build, w);
}

std::map<std::string, SlotContents> normalized_data(const ProblemValues& values, std::uint64_t seed) {
  const Shape s = shape_of(values);
  SlotContents x = normal_numbers(seed, Stream::inputs, s.samples * s.cols);
  SlotContents teacher = random_layer(seed, Stream::teacher, s);
  SlotContents y = outputs(teacher, x, s);
  for (std::size_t k = 0; k < s.samples; ++k) {
    double square = 0;
    for (std::size_t i = 0; i < s.rows; ++i) square += y[k * s.rows + i] * y[k * s.rows + i];
    for (std::size_t i = 0; i < s.rows; ++i) y[k * s.rows + i] /= std::sqrt(square / static_cast<double>(s.rows));
  }
  return {{"inputs", x}, {"targets", y}, {"W.reference", teacher}};
}

void emit_scaled(const ProblemValues& values, ProgramBuilder& build) {
  const Shape s = shape_of(values);
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const int w =
      build.parameter("W", static_cast<std::uint32_t>(s.rows), static_cast<std::uint32_t>(s.cols), Invariance::none);
  const ParamInfo p = build.parameter(w);
  const LinearSlots d = declare_data(build, w, s, "residuals W x − y");
  build.set_parameter(w);
  build.begin_loss();
  build.emit(make_op(OpCode::linear_loss, {p.weight, p.gradient, d.inputs, d.targets, d.room}, {}, 0, loss),
             "L = ½ mean ‖W x − y‖² ; G = mean of (W x − y) xᵀ");
  build.end_loss();
}

std::map<std::string, SlotContents> scaled_data(const ProblemValues& values, std::uint64_t seed) {
  const Shape s = shape_of(values);
  SlotContents x = normal_numbers(seed, Stream::inputs, s.samples * s.cols);
  SlotContents target = random_layer(seed, Stream::teacher, s);
  const SlotContents scales = normal_numbers(seed, Stream::scales, s.rows + s.cols);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j)
      target[i * s.cols + j] *= std::exp(kScaleSpread * (scales[i] + scales[s.rows + j]));
  SlotContents y = outputs(target, x, s);
  return {{"inputs", x}, {"targets", y}};
}

std::map<std::string, SlotContents> linear_start(const ProblemValues& values, std::uint64_t seed) {
  return {{"W", random_layer(seed, Stream::start, shape_of(values))}};
}

Problem linear(std::string kind, long fewest_rows) {
  Problem p;
  p.kind = std::move(kind);
  p.keys = {integer("rows", 16, fewest_rows, kMostRows, "Rows of the weight: outputs."),
            integer("cols", 32, 1, kMostRows, "Columns of the weight: inputs."),
            integer("samples", 256, 1, kMostSamples, "Samples of the fixed set; every step uses all of them.")};
  p.elements = largest;
  p.start = linear_start;
  return p;
}

} // namespace

Problem normalized_linear_problem() {
  Problem p = linear("normalized_linear", 2);
  p.title = "Normalised linear layer";
  p.meaning = "A linear layer followed by RMSNorm copies a random teacher; the loss ignores the weight's norm.";
  p.formula = "L = ½ mean ‖RMSNorm(W x) − y‖²,  y = RMSNorm(B x),  ε = 0";
  p.source = "RMSNorm: Zhang, Sennrich 1910.07467";
  p.keys.push_back(noise_setting(0));
  p.emit = emit_normalized;
  p.data = normalized_data;
  return p;
}

Problem scaled_linear_problem() {
  Problem p = linear("scaled_linear", 1);
  p.title = "Scaled linear layer";
  p.meaning =
      "Linear regression whose outputs and inputs have very different scales: not scale-invariant, a test of gains.";
  p.formula = "L = ½ mean ‖W x − diag(s) B diag(t) x‖²,  ln s, ln t ~ N(0, 1.2²)";
  p.emit = emit_scaled;
  p.data = scaled_data;
  return p;
}

} // namespace polarscope
