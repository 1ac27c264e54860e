#include "engine/problem/mlp_model.hpp"

#include "engine/problem/emit.hpp"
#include "engine/problem/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace polarscope {

namespace {

constexpr int kTangencyEvery = 16; // three passes over a weight, of a loss that is invariant by construction
// ε, beside a mean square of about 1, up to which a loss counts as ignoring norms: beyond it the gradient's radial share
// ε/(mean square + ε) moves the norm over a run.
constexpr double kLargestNegligibleEps = 1e-4;

struct MlpParameter {
  std::string name;
  std::uint32_t rows, cols;
  ParamRole role;
  int layer;
  Invariance invariance;
  bool exact; // the loss is invariant to rounding, not up to ε
};

// f(cx) is a power of c times f(x), for c > 0.
bool homogeneous(Activation f) { return f == Activation::relu || f == Activation::relu2; }

bool normalizes_activations(const MlpModel& m) { return m.norm == MlpNorm::pre || m.norm == MlpNorm::sandwich; }

// Does what a normalisation of activations follows lose its size?
bool forgets_size(const MlpModel& m) { return normalizes_activations(m) && m.eps <= kLargestNegligibleEps; }

bool last_activation(const MlpModel& m, std::uint32_t layer) { return layer + 1 < m.layers || m.head; }

// Does a normalisation of activations follow block `layer` with nothing but its activation in between?
bool normalised_after(const MlpModel& m, std::uint32_t layer) {
  if (m.norm == MlpNorm::sandwich) return true;
  return m.norm == MlpNorm::pre && m.residual == 0 && last_activation(m, layer);
}

void add_gains(std::vector<MlpParameter>& out, const MlpModel& m, std::string name, std::uint32_t cols, int layer) {
  if (m.gains && normalizes_activations(m))
    out.push_back({std::move(name), 1, cols, ParamRole::vector, layer, Invariance::none, false});
}

// Matrix of a block; `through`: an activation stands between it and what follows.
MlpParameter matrix(const MlpModel& m, std::string name, std::uint32_t rows, std::uint32_t cols, std::uint32_t layer,
                    bool through) {
  MlpParameter p{std::move(name), rows, cols, ParamRole::matrix, static_cast<int>(layer), Invariance::none, true};
  if (m.norm == MlpNorm::row) p.invariance = Invariance::row;
  else if (forgets_size(m) && normalised_after(m, layer) && (!through || homogeneous(m.activation)))
    p.invariance = Invariance::matrix;
  if (p.invariance == Invariance::matrix) p.exact = m.eps == 0;
  return p;
}

std::vector<MlpParameter> parameters_of(const MlpModel& m) {
  std::vector<MlpParameter> out;
  if (m.embedding) {
    const bool invariant = forgets_size(m) && m.residual == 0;
    out.push_back({"embedding", m.width, m.inputs, ParamRole::embedding, -1,
                   invariant ? Invariance::matrix : Invariance::none, m.eps == 0});
  }
  for (std::uint32_t l = 0; l < m.layers; ++l) {
    const int layer = static_cast<int>(l);
    add_gains(out, m, fmt::format("g{}", l + 1), m.width, layer);
    if (m.expansion == 0) {
      out.push_back(matrix(m, fmt::format("W{}", l + 1), m.width, m.width, l, last_activation(m, l)));
    } else {
      const std::uint32_t hidden = m.expansion * m.width;
      out.push_back(matrix(m, fmt::format("A{}", l + 1), hidden, m.width, l, true));
      out.push_back(matrix(m, fmt::format("B{}", l + 1), m.width, hidden, l, false));
    }
    if (m.norm == MlpNorm::sandwich) add_gains(out, m, fmt::format("o{}", l + 1), m.width, layer);
  }
  if (!m.head) return out;
  add_gains(out, m, "g_head", m.width, -1);
  out.push_back({"head", m.outputs, m.width, ParamRole::head, -1, Invariance::none, false});
  return out;
}

// Writes the forward pass; parameters are found by name.
class Forward {
public:
  Forward(const MlpModel& m, ProgramBuilder& build, Network& net) : m_(m), build_(build), net_(net) {}

  Network::Value run(Network::Value x) {
    Network::Value h = m_.embedding ? net_.linear(x, weight("embedding"), "h0") : x;
    for (std::uint32_t l = 0; l < m_.layers; ++l) {
      const Network::Value f = block(h, l);
      h = m_.residual == 0 ? f : net_.add(h, f, m_.residual, fmt::format("h{}", l + 1));
    }
    if (!m_.head) return h;
    return net_.linear(normalised(h, "h_head", "g_head"), weight("head"), "z");
  }

private:
  Network::Value weight(const std::string& name) {
    const auto& all = build_.parameters();
    const auto it = std::find_if(all.begin(), all.end(), [&](const ParamInfo& p) { return p.name == name; });
    assert(it != all.end());
    return net_.weight(static_cast<int>(it - all.begin()));
  }

  // Of a block: with its rows brought to norm 1 where the model says so.
  Network::Value linear(Network::Value x, const std::string& w, std::uint32_t inputs, const std::string& name) {
    if (m_.norm != MlpNorm::row) return net_.linear(x, weight(w), name);
    return net_.linear(x, net_.rms_norm(weight(w), 0, w + "_unit"), name, 1 / std::sqrt(static_cast<double>(inputs)));
  }

  Network::Value normalised(Network::Value h, const std::string& name, const std::string& gains) {
    if (!normalizes_activations(m_)) return h;
    const Network::Value y = net_.rms_norm(h, m_.eps, name);
    return m_.gains ? net_.scale_columns(y, weight(gains), name + "_scaled") : y;
  }

  Network::Value block(Network::Value h, std::uint32_t l) {
    const std::string number = std::to_string(l + 1);
    const Network::Value x = normalised(h, "x" + number, "g" + number);
    Network::Value f;
    if (m_.expansion == 0) {
      f = linear(x, "W" + number, m_.width, "z" + number);
      if (last_activation(m_, l)) f = net_.activate(f, m_.activation, "a" + number);
    } else {
      f = linear(x, "A" + number, m_.width, "z" + number);
      f = net_.activate(f, m_.activation, "a" + number);
      f = linear(f, "B" + number, m_.expansion * m_.width, "f" + number);
    }
    return m_.norm == MlpNorm::sandwich ? normalised(f, "y" + number, "o" + number) : f;
  }

  const MlpModel& m_;
  ProgramBuilder& build_;
  Network& net_;
};

std::string norm_word(MlpNorm n) {
  switch (n) {
  case MlpNorm::pre: return "pre";
  case MlpNorm::sandwich: return "sandwich";
  case MlpNorm::none: return "none";
  case MlpNorm::row: return "row";
  }
  return "";
}

constexpr const char* kActivationWords[] = {"relu", "relu2", "gelu", "silu"};

} // namespace

std::vector<Setting> mlp_keys(const MlpModel& d) {
  const std::string residual = d.residual == 0 ? "none" : d.residual == 1 ? "sum" : "mean";
  Setting eps =
      log_number("norm_eps", d.eps, 0, 1,
                 "ε of the normalisation: at 0 the loss ignores norms exactly; above 1e-4 nothing is promised.");
  eps.formula = "x/√(mean(x²) + ε)";
  return {integer("layers", d.layers, 1, 64, "Blocks of the network: L."),
          integer("width", d.width, 2, kMostRows, "Features between blocks."),
          integer("expansion", d.expansion, 0, 16,
                  "Hidden features of a block per feature; 0: a block is a single square matrix."),
          word("norm", norm_word(d.norm),
               {{"pre", "RMSNorm before every block, and before the head"},
                {"sandwich", "RMSNorm before and after every block, and before the head"},
                {"none", "no normalisation"},
                {"row", "every row of a block's matrices divided by its norm, activations left alone"}},
               "What is normalised."),
          std::move(eps),
          boolean("norm_gains", d.gains, "Learned gains, one per feature, after every normalisation of activations."),
          word("activation", kActivationWords[static_cast<std::size_t>(d.activation)],
               {{"relu", "max(x, 0)"},
                {"relu2", "max(x, 0)²"},
                {"gelu", "the tanh form: ½x(1 + tanh(√(2/π)(x + 0.044715x³)))"},
                {"silu", "x/(1 + e⁻ˣ)"}},
               "Nonlinearity inside a block; without residual and expansion: between blocks."),
          word("residual", residual, {{"none", "h ← f(h)"}, {"sum", "h ← h + f(h)"}, {"mean", "h ← h + f(h)/L"}},
               "How a block acts on the features that it gets.")};
}

MlpModel mlp_of(const ProblemValues& v) {
  const auto natural = [&](const char* key) { return static_cast<std::uint32_t>(v.integer(key)); };
  MlpModel m{};
  m.layers = natural("layers");
  m.width = natural("width");
  m.expansion = natural("expansion");
  const std::string norm = v.word("norm"), activation = v.word("activation"), residual = v.word("residual");
  for (const MlpNorm n : {MlpNorm::pre, MlpNorm::sandwich, MlpNorm::none, MlpNorm::row})
    if (norm == norm_word(n)) m.norm = n;
  m.eps = v.number("norm_eps");
  m.gains = v.flag("norm_gains");
  const auto word = std::find(std::begin(kActivationWords), std::end(kActivationWords), activation);
  m.activation = static_cast<Activation>(word - std::begin(kActivationWords));
  m.residual = residual == "none" ? 0 : residual == "sum" ? 1 : 1.0 / m.layers;
  m.inputs = m.outputs = m.width;
  return m;
}

double mlp_largest(const MlpModel& m, double batch) {
  const double hidden = double(std::max(1u, m.expansion)) * m.width;
  double most = std::max(hidden * m.width, batch * hidden);
  if (m.embedding) most = std::max(most, double(m.inputs) * m.width);
  if (m.head) most = std::max({most, double(m.outputs) * m.width, batch * m.outputs});
  return most;
}

void declare_mlp(const MlpModel& m, ProgramBuilder& build) {
  for (const MlpParameter& p : parameters_of(m)) {
    const int index = build.parameter(p.name, p.rows, p.cols, p.invariance, p.role == ParamRole::vector);
    build.parameter(index).role = p.role;
    build.parameter(index).layer = p.layer;
  }
}

Network::Value mlp_forward(const MlpModel& m, ProgramBuilder& build, Network& net, Network::Value x) {
  return Forward(m, build, net).run(x);
}

void emit_mlp_invariants(const MlpModel& m, ProgramBuilder& build) {
  const std::vector<MlpParameter> all = parameters_of(m);
  for (std::size_t k = 0; k < all.size(); ++k)
    if (all[k].invariance != Invariance::none)
      emit_gradient_invariant(build, static_cast<int>(k), {kTangencyEvery, all[k].exact ? 0 : m.eps});
}

std::map<std::string, SlotContents> mlp_start(const MlpModel& m, std::uint64_t seed) {
  const std::vector<MlpParameter> all = parameters_of(m);
  std::size_t count = 0;
  for (const MlpParameter& p : all) count += std::size_t{p.rows} * p.cols;
  const SlotContents numbers = normal_numbers(seed, Stream::start, count);
  std::map<std::string, SlotContents> out;
  auto next = numbers.begin();
  for (const MlpParameter& p : all) {
    SlotContents& w = out[p.name];
    w.assign(next, next + static_cast<std::ptrdiff_t>(std::size_t{p.rows} * p.cols));
    next += static_cast<std::ptrdiff_t>(w.size());
    for (double& x : w) x = p.role == ParamRole::vector ? 1 : x / std::sqrt(static_cast<double>(p.cols));
  }
  return out;
}

} // namespace polarscope
