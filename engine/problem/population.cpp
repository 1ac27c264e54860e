// Losses of which expectation and gradient are known in closed form (algorithms.md §E): two layers with a ReLU, a product of
// linear layers, a matrix factorisation. No sampling: every step sees the population.
#include "engine/problem/emit.hpp"
#include "engine/problem/network.hpp"
#include "engine/problem/problem.hpp"
#include "engine/problem/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace polarscope {

Problem two_layer_relu_problem();
Problem deep_linear_problem();
Problem matrix_factorization_problem();

namespace {

std::uint32_t natural(const ProblemValues& v, const char* key) { return static_cast<std::uint32_t>(v.integer(key)); }

Setting start_size() {
  return log_number("start_size", 1, 0, 1e6, "Standard deviation of the start, in units of 1/√inputs of each matrix.");
}

// A matrix of N(0, (size/√cols)²).
SlotContents gaussian(std::uint64_t seed, Stream stream, std::size_t rows, std::size_t cols, double size) {
  SlotContents w = normal_numbers(seed, stream, rows * cols);
  for (double& x : w) x *= size / std::sqrt(static_cast<double>(cols));
  return w;
}

// Matrices of these shapes, one after the other from one stream.
std::map<std::string, SlotContents> starts(const std::vector<ParamInfo>& shapes, std::uint64_t seed, double size) {
  std::size_t count = 0;
  for (const ParamInfo& p : shapes) count += std::size_t{p.rows} * p.cols;
  const SlotContents numbers = normal_numbers(seed, Stream::start, count);
  std::map<std::string, SlotContents> out;
  auto next = numbers.begin();
  for (const ParamInfo& p : shapes) {
    const auto end = next + static_cast<std::ptrdiff_t>(std::size_t{p.rows} * p.cols);
    SlotContents& w = out[p.name];
    w.assign(next, end);
    next = end;
    for (double& x : w) x *= size / std::sqrt(static_cast<double>(p.cols));
  }
  return out;
}

ParamInfo shape(std::string name, std::uint32_t rows, std::uint32_t cols) {
  ParamInfo p;
  p.name = std::move(name);
  p.rows = rows;
  p.cols = cols;
  return p;
}

// --- two layers with a ReLU

struct TwoLayers {
  std::uint32_t inputs, hidden, outputs;
};
TwoLayers two_layers(const ProblemValues& v) {
  return {natural(v, "inputs"), natural(v, "hidden"), natural(v, "outputs")};
}

void emit_two_layers(const ProblemValues& v, ProgramBuilder& build) {
  const TwoLayers d = two_layers(v);
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const int first = build.parameter("W1", d.hidden, d.inputs, Invariance::none),
            second = build.parameter("W2", d.outputs, d.hidden, Invariance::none);
  build.parameter(first).layer = 0;
  build.parameter(second).layer = 1;
  const ParamInfo w1 = build.parameter(first), w2 = build.parameter(second);
  const SlotId phi = build.slot("target", Role::data, d.outputs, d.inputs, "the linear map Φ to be learned");
  const auto square = [&](const char* name, const char* meaning) {
    return build.slot(name, Role::scratch, d.hidden, d.hidden, meaning);
  };
  const SlotId k = square("K", "products of the hidden rows, W1 W1ᵀ"), s = square("S", "W2ᵀ W2"),
               h = square("H", "E[h hᵀ] of the hidden units h"), q = square("Q", "shares of the rows in ∂W1");
  const SlotId f = build.slot("F", Role::scratch, d.hidden, d.inputs, "W2ᵀ Φ");
  const auto product = [&](int parameter, std::initializer_list<SlotId> slots, double alpha, double beta,
                           std::uint32_t word, const char* text) {
    build.set_parameter(parameter);
    build.emit(make_op(OpCode::product, slots, {}, build.constants({alpha, beta}), word), text);
  };
  build.begin_loss();
  product(first, {k, w1.weight, w1.weight}, 1, 0, kernels::kTransposeB | kernels::kSymmetric, "K = W1 W1ᵀ");
  product(second, {s, w2.weight, w2.weight}, 1, 0, kernels::kTransposeA | kernels::kSymmetric, "S = W2ᵀ W2");
  product(second, {f, w2.weight, phi}, 1, 0, kernels::kTransposeA, "F = W2ᵀ Φ");
  build.set_parameter(-1);
  build.emit(make_op(OpCode::relu_kernel, {k, s, h, q}), "H = E[h hᵀ] ; Q");
  build.emit(make_op(OpCode::relu_population_loss, {s, h, f, w1.weight, phi}, {}, 0, loss),
             "L = ½ (⟨S, H⟩ − ⟨F, W1⟩ + ‖Φ‖²)");
  build.end_loss();
  product(first, {w1.gradient, q, w1.weight, f}, 1, -0.5, 0, "∂W1 = Q W1 − ½ F");
  product(second, {w2.gradient, phi, w1.weight}, -0.5, 0, kernels::kTransposeB, "∂W2 = −½ Φ W1ᵀ");
  product(second, {w2.gradient, w2.weight, h, w2.gradient}, 1, 1, 0, "∂W2 += W2 H");
  build.set_parameter(-1);
}

std::map<std::string, SlotContents> target_data(const ProblemValues& v, std::uint64_t seed) {
  return {{"target", gaussian(seed, Stream::teacher, natural(v, "outputs"), natural(v, "inputs"), 1)}};
}

std::map<std::string, SlotContents> start_two_layers(const ProblemValues& v, std::uint64_t seed) {
  const TwoLayers d = two_layers(v);
  return starts({shape("W1", d.hidden, d.inputs), shape("W2", d.outputs, d.hidden)}, seed, v.number("start_size"));
}

// --- a product of linear layers

std::vector<ParamInfo> linear_layers(const ProblemValues& v) {
  const std::uint32_t layers = natural(v, "layers");
  std::vector<ParamInfo> out;
  std::uint32_t cols = natural(v, "inputs");
  for (std::uint32_t l = 1; l <= layers; ++l) {
    const std::uint32_t rows = l == layers ? natural(v, "outputs") : natural(v, "hidden");
    out.push_back(shape(fmt::format("W{}", l), rows, cols));
    cols = rows;
  }
  return out;
}

void emit_deep_linear(const ProblemValues& v, ProgramBuilder& build) {
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const std::vector<ParamInfo> layers = linear_layers(v);
  const std::uint32_t inputs = natural(v, "inputs"), outputs = natural(v, "outputs");
  for (std::size_t l = 0; l < layers.size(); ++l)
    build.parameter(build.parameter(layers[l].name, layers[l].rows, layers[l].cols, Invariance::none)).layer =
        static_cast<int>(l);
  // The population's second moment is I: its root is as good as any sample.
  const SlotId x = build.slot("inputs", Role::data, inputs, inputs, "the identity: one row per direction of the input");
  const SlotId y = build.slot("target", Role::data, inputs, outputs, "Φᵀ, what the product's transpose should be");
  Network net(build, inputs);
  Network::Value h = net.data(x);
  for (std::size_t l = 0; l < layers.size(); ++l)
    h = net.linear(h, net.weight(static_cast<int>(l)), fmt::format("h{}", l + 1));
  net.square_loss(h, y, 0.5, loss);
  net.emit();
}

std::map<std::string, SlotContents> deep_linear_data(const ProblemValues& v, std::uint64_t seed) {
  const std::size_t inputs = natural(v, "inputs"), outputs = natural(v, "outputs");
  SlotContents identity(inputs * inputs), transposed(inputs * outputs);
  const SlotContents phi = gaussian(seed, Stream::teacher, outputs, inputs, 1);
  for (std::size_t i = 0; i < inputs; ++i) {
    identity[i * inputs + i] = 1;
    for (std::size_t j = 0; j < outputs; ++j) transposed[i * outputs + j] = phi[j * inputs + i];
  }
  return {{"inputs", identity}, {"target", transposed}};
}

std::map<std::string, SlotContents> start_deep_linear(const ProblemValues& v, std::uint64_t seed) {
  return starts(linear_layers(v), seed, v.number("start_size"));
}

// --- a factorisation

void emit_factorization(const ProblemValues& v, ProgramBuilder& build) {
  const std::uint32_t dim = natural(v, "dim"), rank = natural(v, "rank");
  const auto loss = static_cast<std::uint32_t>(declare_loss(build));
  const int index = build.parameter("U", dim, rank, Invariance::none);
  const ParamInfo u = build.parameter(index);
  const SlotId m = build.slot("target", Role::data, dim, dim, "the symmetric matrix M"),
               r = build.slot("residual", Role::scratch, dim, dim, "U Uᵀ, then ½ (U Uᵀ − M)");
  build.set_parameter(index);
  build.begin_loss();
  build.emit(make_op(OpCode::product, {r, u.weight, u.weight}, {}, build.constants({1, 0}),
                     kernels::kTransposeB | kernels::kSymmetric),
             "R = U Uᵀ");
  build.emit(make_op(OpCode::square_loss, {r, m, r}, {}, build.constants({0.25}), loss),
             "L = ¼ ‖R − M‖² ; ∂R = ½ (R − M)");
  build.end_loss();
  build.emit(make_op(OpCode::product, {u.gradient, r, u.weight}, {}, build.constants({2, 0})), "∂U = 2 ∂R U");
}

// M = V Vᵀ, V of N(0, 1/target_rank): its trace is dim.
std::map<std::string, SlotContents> factorization_data(const ProblemValues& v, std::uint64_t seed) {
  const std::size_t dim = natural(v, "dim"), rank = natural(v, "target_rank");
  const SlotContents factor = gaussian(seed, Stream::teacher, dim, rank, 1);
  SlotContents m(dim * dim);
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j < dim; ++j)
      for (std::size_t k = 0; k < rank; ++k) m[i * dim + j] += factor[i * rank + k] * factor[j * rank + k];
  return {{"target", m}};
}

std::map<std::string, SlotContents> start_factorization(const ProblemValues& v, std::uint64_t seed) {
  return starts({shape("U", natural(v, "dim"), natural(v, "rank"))}, seed, v.number("start_size"));
}

Setting size(const char* name, long value, const char* meaning) { return integer(name, value, 1, kMostRows, meaning); }

} // namespace

Problem two_layer_relu_problem() {
  Problem p;
  p.kind = "two_layer_relu";
  p.title = "Two layers, whole population";
  p.meaning = "A ReLU layer and a linear one learn a linear map of Gaussian inputs; the gradient is the exact "
              "expectation. The loss is a difference of sums: in f32 what is below about 1e-7 ‖Φ‖² is rounding, of "
              "either sign; f64 resolves 1e-16 of it.";
  p.formula = "L = ½ E‖W2 relu(W1 x) − Φx‖²,  x ~ N(0, I)";
  p.source = "arc-cosine kernel: Cho, Saul 2009; setting: RMNP 2603.20527";
  p.keys = {size("inputs", 16, "Inputs."), size("hidden", 32, "Hidden units."), size("outputs", 8, "Outputs."),
            start_size()};
  p.elements = [](const ProblemValues& v) {
    const double widest = std::max(v.number("inputs"), v.number("outputs"));
    return v.number("hidden") * std::max(widest, v.number("hidden"));
  };
  p.emit = emit_two_layers;
  p.data = target_data;
  p.start = start_two_layers;
  return p;
}

Problem deep_linear_problem() {
  Problem p;
  p.kind = "deep_linear";
  p.title = "Deep linear network";
  p.meaning = "A product of matrices learns a linear map of Gaussian inputs; the gradient is the exact expectation.";
  p.formula = "L = ½ E‖W_L … W_1 x − Φx‖² = ½ ‖W_L … W_1 − Φ‖²,  x ~ N(0, I)";
  p.source = "Saxe, McClelland, Ganguli 1312.6120";
  p.keys = {integer("layers", 3, 1, 64, "Matrices: L."), size("inputs", 16, "Inputs."),
            size("hidden", 16, "Units of every layer in between."), size("outputs", 16, "Outputs."), start_size()};
  p.elements = [](const ProblemValues& v) {
    const double widest = std::max({v.number("inputs"), v.number("hidden"), v.number("outputs")});
    return widest * widest;
  };
  p.emit = emit_deep_linear;
  p.data = deep_linear_data;
  p.start = start_deep_linear;
  return p;
}

Problem matrix_factorization_problem() {
  Problem p;
  p.kind = "matrix_factorization";
  p.title = "Matrix factorisation";
  p.meaning = "A tall matrix times its own transpose learns a symmetric matrix of low rank.";
  p.formula = "L = ¼ ‖U Uᵀ − M‖²,  ∂U = (U Uᵀ − M) U";
  p.keys = {size("dim", 32, "Rows of U, side of M."), size("rank", 8, "Columns of U."),
            size("target_rank", 4, "Rank of M."), start_size()};
  p.elements = [](const ProblemValues& v) {
    return v.number("dim") * std::max({v.number("dim"), v.number("rank"), v.number("target_rank")});
  };
  p.emit = emit_factorization;
  p.data = factorization_data;
  p.start = start_factorization;
  return p;
}

} // namespace polarscope
