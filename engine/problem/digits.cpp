// Handwritten digits of 8 × 8 pixels: a small real data set, part of it held out (assets/THIRD_PARTY.md).
#include "engine/embedded.hpp"
#include "engine/problem/emit.hpp"
#include "engine/problem/mlp_model.hpp"
#include "engine/problem/random.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace polarscope {

Problem digits_problem();

namespace {

constexpr std::uint32_t kPixels = 64, kClasses = 10;
constexpr std::size_t kSamples = 1797, kFold = 5; // every fifth sample is held out
constexpr std::size_t kHeldOut = kSamples / kFold, kTraining = kSamples - kHeldOut;

// A line of the file: 64 letters, A for 0 to Q for 16 dots of ink, then the digit.
struct Sample {
  std::string_view line;
  double pixel(std::size_t k) const { return (line[k] - 'A') / 8.0 - 1; } // from −1 to 1
  double label() const { return line[kPixels] - '0'; }
};

struct Samples {
  std::vector<Sample> training, held_out;
};

Samples read_samples() {
  const std::string_view text = embedded_file("assets/data/digits.txt").text();
  Samples out;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const Sample s{text.substr(i * (kPixels + 2), kPixels + 1)};
    (i % kFold == kFold - 1 ? out.held_out : out.training).push_back(s);
  }
  return out;
}

MlpModel model(const ProblemValues& v) {
  MlpModel m = mlp_of(v);
  m.embedding = m.head = true;
  m.inputs = kPixels;
  m.outputs = kClasses;
  return m;
}

std::size_t batches(const ProblemValues& v) { return kTraining / static_cast<std::size_t>(v.integer("batch")); }

void emit(const ProblemValues& v, ProgramBuilder& build) {
  const MlpModel m = model(v);
  const auto batch = static_cast<std::uint32_t>(v.integer("batch")), count = static_cast<std::uint32_t>(batches(v));
  const auto held_out = static_cast<std::uint32_t>(kHeldOut);
  const int every = static_cast<int>(v.integer("test_every"));
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const auto accuracy = static_cast<std::uint32_t>(build.metric("accuracy", -1, ProgramBuilder::kScalar, every));
  declare_mlp(m, build);
  const SlotId x = build.slot("inputs", Role::data, batch * count, kPixels, "pixels from −1 to 1, one image per row"),
               y = build.slot("labels", Role::data, batch * count, 1, "the digit of every image"),
               test_x =
                   build.slot("held_out_inputs", Role::data, held_out, kPixels, "images that are not learned from"),
               test_y = build.slot("held_out_labels", Role::data, held_out, 1, "their digits");
  build.set_batches(x, count);
  build.set_batches(y, count);
  // Before the way back, as the loss: both belong to the weight before the step.
  Network test(build, held_out, "held_out_");
  const SlotId outputs = test.emit_values(mlp_forward(m, build, test, test.data(test_x)), every);
  Op hits = make_op(OpCode::label_hits, {outputs, test_y}, {}, 0, accuracy);
  hits.every = static_cast<std::uint16_t>(every);
  build.emit(hits, "measure accuracy");
  Network net(build, batch);
  net.cross_entropy_loss(mlp_forward(m, build, net, net.data(x)), y, loss);
  net.emit();
  emit_mlp_invariants(m, build);
}

// The training images in an order of the seed's, as many as fill whole batches.
std::map<std::string, SlotContents> data(const ProblemValues& v, std::uint64_t seed) {
  const Samples all = read_samples();
  std::vector<std::size_t> order(kTraining);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const SlotContents keys = normal_numbers(seed, Stream::order, kTraining);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  order.resize(batches(v) * static_cast<std::size_t>(v.integer("batch")));
  std::map<std::string, SlotContents> out;
  const auto add = [&](const Sample& s, const char* inputs, const char* labels) {
    for (std::size_t k = 0; k < kPixels; ++k) out[inputs].push_back(s.pixel(k));
    out[labels].push_back(s.label());
  };
  for (const std::size_t i : order) add(all.training[i], "inputs", "labels");
  for (const Sample& s : all.held_out) add(s, "held_out_inputs", "held_out_labels");
  return out;
}

std::map<std::string, SlotContents> start(const ProblemValues& v, std::uint64_t seed) {
  return mlp_start(model(v), seed);
}

double elements(const ProblemValues& v) {
  return std::max(mlp_largest(model(v), std::max(v.number("batch"), double(kHeldOut))), double(kSamples) * kPixels);
}

MlpModel defaults() {
  MlpModel m{};
  m.layers = 2;
  m.width = 32;
  m.expansion = 2;
  m.norm = MlpNorm::pre;
  m.eps = 1e-6;
  m.activation = Activation::relu;
  m.residual = 1;
  return m;
}

} // namespace

Problem digits_problem() {
  Problem p;
  p.kind = "digits";
  p.title = "Handwritten digits";
  p.meaning = "A small network learns to read up to 1,438 handwritten digits of 8 × 8 pixels, as many as fill whole "
              "batches; 359 others test it.";
  p.formula = "L = −ln softmax(f(x))[digit]";
  p.source =
      "Alpaydin, Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0";
  p.keys = mlp_keys(defaults());
  p.keys.push_back(integer("batch", 64, 1, long(kTraining), "Images of one step."));
  p.keys.push_back(
      integer("test_every", 10, 1, 65535, "Steps from one measurement of the held-out accuracy to the next."));
  p.elements = elements;
  p.emit = emit;
  p.data = data;
  p.start = start;
  return p;
}

} // namespace polarscope
