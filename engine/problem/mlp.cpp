// A small normalised network on fixed random batches: what optimizers do to a network's matrices, and the workload that
// speeds are measured with.
#include "engine/problem/emit.hpp"
#include "engine/problem/mlp_model.hpp"
#include "engine/problem/random.hpp"

#include <algorithm>

namespace polarscope {

Problem mlp_problem();

namespace {

bool has_classes(const ProblemValues& v) { return v.word("loss") == "cross_entropy"; }

MlpModel model(const ProblemValues& v) {
  MlpModel m = mlp_of(v);
  m.embedding = v.flag("embedding");
  m.head = v.flag("head");
  if (m.embedding) m.inputs = static_cast<std::uint32_t>(v.integer("inputs"));
  if (m.head) m.outputs = static_cast<std::uint32_t>(v.integer("outputs"));
  return m;
}

std::size_t samples(const ProblemValues& v) {
  return static_cast<std::size_t>(v.integer("batch") * v.integer("batches"));
}

void emit(const ProblemValues& v, ProgramBuilder& build) {
  const MlpModel m = model(v);
  const auto batch = static_cast<std::uint32_t>(v.integer("batch")),
             batches = static_cast<std::uint32_t>(v.integer("batches"));
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  declare_mlp(m, build);
  const bool classes = has_classes(v);
  const SlotId x = build.slot("inputs", Role::data, batch * batches, m.inputs, "inputs, one sample per row");
  const SlotId y = classes ? build.slot("labels", Role::data, batch * batches, 1, "class of every sample")
                           : build.slot("targets", Role::data, batch * batches, m.outputs, "targets, one per row");
  build.set_batches(x, batches);
  build.set_batches(y, batches);
  Network net(build, batch);
  const Network::Value z = mlp_forward(m, build, net, net.data(x));
  if (classes) net.cross_entropy_loss(z, y, loss);
  else net.square_loss(z, y, 1.0 / (double(batch) * m.outputs), loss);
  net.emit();
  emit_mlp_invariants(m, build);
}

std::map<std::string, SlotContents> data(const ProblemValues& v, std::uint64_t seed) {
  const MlpModel m = model(v);
  SlotContents x = normal_numbers(seed, Stream::inputs, samples(v) * m.inputs);
  if (!has_classes(v))
    return {{"inputs", std::move(x)}, {"targets", normal_numbers(seed, Stream::targets, samples(v) * m.outputs)}};
  return {{"inputs", std::move(x)}, {"labels", random_labels(seed, m.outputs, samples(v))}};
}

std::map<std::string, SlotContents> start(const ProblemValues& v, std::uint64_t seed) {
  return mlp_start(model(v), seed);
}

double elements(const ProblemValues& v) {
  const MlpModel m = model(v);
  const double all = v.number("batch") * v.number("batches");
  return std::max(mlp_largest(m, v.number("batch")), all * std::max({m.inputs, m.outputs, 1u}));
}

MlpModel defaults() {
  MlpModel m{};
  m.layers = 3;
  m.width = 16;
  m.norm = MlpNorm::pre;
  m.eps = 1e-6;
  m.activation = Activation::relu;
  return m;
}

} // namespace

Problem mlp_problem() {
  Problem p;
  p.kind = "mlp";
  p.title = "Multilayer perceptron";
  p.meaning = "A small network learns fixed batches of random numbers by heart: N(0, 1) targets, or random classes.";
  p.formula = "L = mean of (f(x) − y)²,  or −ln softmax(f(x))[class];  blocks h ← W RMSNorm(h), B act(A RMSNorm(h))";
  p.source =
      "RMSNorm: Zhang, Sennrich 1910.07467; ReLU²: So et al. 2109.08668; GELU, SiLU: Hendrycks, Gimpel 1606.08415";
  p.keys = mlp_keys(defaults());
  const std::vector<Setting> own = {
      word("loss", "mse",
           {{"mse", "mean over batch and outputs of (f(x) − y)²"}, {"cross_entropy", "of random classes"}},
           "What is learned."),
      integer("batch", 32, 1, kMostRows, "Samples of one step."),
      integer("batches", 16, 1, 4096, "Batches; step t uses batch t mod their number."),
      boolean("embedding", false, "A first matrix from inputs to features; without it inputs are features."),
      integer("inputs", 16, 1, kMostRows, "Inputs, with an embedding; else as many as features."),
      boolean("head", false, "A last matrix from features to outputs; without it features are outputs."),
      integer("outputs", 10, 2, kMostRows, "Outputs or classes, with a head; else as many as features.")};
  p.keys.insert(p.keys.end(), own.begin(), own.end());
  p.elements = elements;
  p.emit = emit;
  p.data = data;
  p.start = start;
  return p;
}

} // namespace polarscope
