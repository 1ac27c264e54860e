// A student network learns to classify as a noisy teacher does, on samples that are new in every step: the test bed in which
// optimizers are compared (algorithms.md §H).
#include "engine/problem/emit.hpp"
#include "engine/problem/mlp_model.hpp"
#include "engine/problem/random.hpp"

#include <algorithm>
#include <cmath>

namespace polarscope {

Problem teacher_student_problem();

namespace {

constexpr double kFeatureSpread = 0.5, kRowSpread = 0.5; // σ of ln of the scales
constexpr double kSharpness = 3;                         // of the teacher's outputs, before their rows' scales

MlpModel model(const ProblemValues& v) {
  MlpModel m = mlp_of(v);
  m.embedding = m.head = true;
  m.inputs = static_cast<std::uint32_t>(v.integer("inputs"));
  m.outputs = static_cast<std::uint32_t>(v.integer("classes"));
  return m;
}

std::uint32_t units(const ProblemValues& v) { return static_cast<std::uint32_t>(v.integer("teacher_units")); }

std::uint32_t device_stream(Stream s) { return static_cast<std::uint32_t>(s) - 1; } // as noise_row counts

void emit(const ProblemValues& v, ProgramBuilder& build) {
  const MlpModel m = model(v);
  const auto batch = static_cast<std::uint32_t>(v.integer("batch"));
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  declare_mlp(m, build);
  const SlotId scales = build.slot("input_scales", Role::data, 1, m.inputs, "standard deviation of every input");
  const SlotId a = build.slot("teacher_in", Role::data, units(v), m.inputs, "teacher's first matrix, frozen");
  const SlotId b = build.slot("teacher_out", Role::data, m.outputs, units(v), "teacher's second matrix, frozen");
  const SlotId x = build.slot("samples", Role::scratch, batch, m.inputs, "this step's inputs, one sample per row");
  const SlotId labels = build.slot("labels", Role::scratch, batch, 1, "this step's classes, drawn by the teacher");
  build.begin_loss();
  build.emit(make_op(OpCode::normal_rows, {x, scales}, {}, 0, device_stream(Stream::fresh_inputs)),
             "x ← N(0, diag(s²))");
  Network teacher(build, batch, "teacher_");
  const Network::Value h =
      teacher.activate(teacher.linear(teacher.data(x), teacher.constant(a), "z"), Activation::tanh, "h");
  const SlotId logits = teacher.emit_values(teacher.linear(h, teacher.constant(b), "logits"));
  build.emit(make_op(OpCode::gumbel_labels, {logits, labels}, {}, build.constants({v.number("label_noise")}),
                     device_stream(Stream::fresh_labels)),
             "labels ~ softmax(logits/τ)");
  Network net(build, batch);
  net.cross_entropy_loss(mlp_forward(m, build, net, net.data(x)), labels, loss);
  net.emit(true);
  emit_mlp_invariants(m, build);
}

std::map<std::string, SlotContents> data(const ProblemValues& v, std::uint64_t seed) {
  const MlpModel m = model(v);
  const std::size_t hidden = units(v), inputs = m.inputs, classes = m.outputs;
  const SlotContents numbers = normal_numbers(seed, Stream::teacher, hidden * inputs + classes * hidden);
  const SlotContents logs = normal_numbers(seed, Stream::scales, inputs + hidden + classes);
  SlotContents scales(inputs), a(hidden * inputs), b(classes * hidden);
  for (std::size_t j = 0; j < inputs; ++j) scales[j] = std::exp(kFeatureSpread * logs[j]);
  for (std::size_t i = 0; i < hidden; ++i)
    for (std::size_t j = 0; j < inputs; ++j)
      a[i * inputs + j] = numbers[i * inputs + j] * std::exp(kRowSpread * logs[inputs + i]) / std::sqrt(double(inputs));
  for (std::size_t i = 0; i < classes; ++i)
    for (std::size_t j = 0; j < hidden; ++j)
      b[i * hidden + j] = kSharpness * numbers[hidden * inputs + i * hidden + j] *
                          std::exp(kRowSpread * logs[inputs + hidden + i]) / std::sqrt(double(hidden));
  return {{"input_scales", scales}, {"teacher_in", a}, {"teacher_out", b}};
}

std::map<std::string, SlotContents> start(const ProblemValues& v, std::uint64_t seed) {
  return mlp_start(model(v), seed);
}

double elements(const ProblemValues& v) {
  const MlpModel m = model(v);
  const double wide = std::max({double(m.inputs), double(m.outputs), v.number("batch")});
  return std::max(mlp_largest(m, v.number("batch")), v.number("teacher_units") * wide);
}

MlpModel defaults() {
  MlpModel m{};
  m.layers = 3;
  m.width = 32;
  m.expansion = 4;
  m.norm = MlpNorm::sandwich;
  m.eps = 1e-6;
  m.activation = Activation::relu;
  m.residual = 1.0 / 3;
  return m;
}

} // namespace

Problem teacher_student_problem() {
  Problem p;
  p.kind = "teacher_student";
  p.title = "Noisy teacher";
  p.meaning = "A small residual network learns the classes that a random teacher draws for samples never seen twice.";
  p.formula = "L = −ln softmax(f(x))[class],  class ~ softmax(B tanh(A x)/τ),  x ~ N(0, diag(s²)), ln s ~ N(0, ½²)";
  p.keys = mlp_keys(defaults());
  const std::vector<Setting> own = {
      integer("inputs", 24, 1, kMostRows, "Inputs, of log-normal scales."),
      integer("classes", 10, 2, kMostRows, "Classes."),
      integer("batch", 128, 1, kMostRows, "New samples in every step."),
      integer("teacher_units", 96, 1, kMostRows, "Hidden units of the teacher."),
      number("label_noise", 1, 0, 100, "Temperature τ at which classes are drawn; 0: always the likeliest.")};
  p.keys.insert(p.keys.end(), own.begin(), own.end());
  p.elements = elements;
  p.emit = emit;
  p.data = data;
  p.start = start;
  return p;
}

} // namespace polarscope
