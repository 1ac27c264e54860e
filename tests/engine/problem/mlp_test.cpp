// The mlp problem: gradients against two oracles, batches, what it declares, and the peers' workload step by step.
#include "engine/workload.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hand_run.hpp"
#include "tests/support/oracle_mlp.hpp"
#include "tests/support/rig.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace polarscope;
using namespace polarscope::test;

namespace {

using Values = std::map<std::string, SettingValue>;
using Weights = MlpOracle::Weights<double>;

struct Variant {
  MlpOracle oracle;
  Values values;
  std::string name;
};

constexpr std::size_t kBatch = 7, kBatches = 3;

Variant variant(const MlpOracle& o, std::size_t inputs = 5, std::size_t outputs = 6) {
  const auto whole = [](std::size_t n) { return SettingValue(static_cast<long>(n)); };
  Variant v{o, {}, ""};
  v.values = {{"layers", whole(o.layers)},
              {"width", whole(o.width)},
              {"expansion", whole(o.expansion)},
              {"norm", o.norm},
              {"norm_eps", o.eps},
              {"norm_gains", o.gains},
              {"activation", o.activation},
              {"residual", std::string(o.alpha == 0   ? "none"
                                       : o.alpha == 1 ? "sum"
                                                      : "mean")},
              {"loss", std::string(o.classes ? "cross_entropy" : "mse")},
              {"batch", whole(kBatch)},
              {"batches", whole(kBatches)},
              {"embedding", o.embedding},
              {"inputs", whole(inputs)},
              {"head", o.head},
              {"outputs", whole(outputs)}};
  for (const auto& [key, value] : v.values) v.name += fmt::format("{}={} ", key, to_text(value));
  return v;
}

// Every combination of norm, activation, residual, expansion and gains; the rest by chance.
std::vector<Variant> variants() {
  std::vector<Variant> all;
  Dice dice(1);
  const auto throws = [&](double share) { return dice.uniform() < share; };
  for (const char* norm : {"pre", "sandwich", "none", "row"})
    for (const char* activation : {"relu", "relu2", "gelu", "silu"})
      for (const double alpha : {0.0, 1.0, 0.5})
        for (const int form : {0, 1, 2, 3}) {
          MlpOracle o;
          o.layers = 2;
          o.width = 9;
          o.expansion = form / 2 ? 2 : 0;
          o.norm = norm;
          o.activation = activation;
          o.alpha = alpha;
          o.gains = form % 2 == 1;
          const bool may_be_zero = o.activation.starts_with("relu"); // a whole row, which no norm without ε divides
          o.eps = !may_be_zero && throws(0.5) ? 0 : 1e-3;
          o.embedding = throws(0.5);
          o.head = throws(0.6);
          o.classes = throws(0.4);
          all.push_back(variant(o));
        }
  return all;
}

struct Inputs {
  Numbers inputs, targets;
};

// What step t sees of the data.
Inputs batch_of(const Rig& rig, const MlpOracle& o, std::size_t t) {
  const auto part = [&](const Numbers& all) {
    const std::size_t size = all.size() / kBatches, first = t % kBatches * size;
    return Numbers(all.begin() + static_cast<long>(first), all.begin() + static_cast<long>(first + size));
  };
  return {part(rig.read("inputs")), part(rig.read(o.classes ? "labels" : "targets"))};
}

Weights weights_of(const Rig& rig) {
  Weights w;
  for (const ParamInfo& p : rig.program().parameters()) w[p.name] = rig.read(p.name);
  return w;
}

// Away from the start, gains included.
void shake(Rig& rig, std::uint64_t seed) {
  Dice dice(seed);
  for (const ParamInfo& p : rig.program().parameters()) {
    Numbers w = rig.read(p.name);
    for (double& x : w) x += 0.3 * dice.normal();
    rig.write(p.name, w);
  }
}

} // namespace

TEST_CASE("mlp: loss and every parameter's gradient are those of the formula, by dual numbers and by differences",
          "[problem][mlp]") {
  for (const Variant& v : variants()) {
    INFO(v.name);
    Rig rig("mlp", v.values, 3);
    shake(rig, 5);
    const Inputs data = batch_of(rig, v.oracle, 0);
    const Weights w = weights_of(rig);
    rig.gradient();
    CHECK(rig.padding_is_zero());
    const double loss = v.oracle.loss(w, data.inputs, data.targets, kBatch);
    CHECK(std::abs(rig.metric("loss") - loss) < 1e-12 * (1 + loss));
    for (const ParamInfo& p : rig.program().parameters()) {
      INFO(p.name);
      rig.gradient();
      const Numbers got = rig.read(p.name + ".gradient");
      const Numbers want = v.oracle.gradient(w, p.name, data.inputs, data.targets, kBatch);
      REQUIRE(norm(want) > 1e-9);
      CHECK(norm(minus(got, want)) < 1e-12 * (1 + norm(want)));
      const Numbers numeric = finite_difference(
          [&](const Numbers& x) {
            rig.write(p.name, x);
            return rig.loss();
          },
          w.at(p.name));
      rig.write(p.name, w.at(p.name));
      CHECK(norm(minus(numeric, want)) < 1e-5 * (1 + norm(want))); // the loss bends sharply where a norm is small
    }
  }
}

TEST_CASE("mlp: single precision agrees with double", "[problem][mlp]") {
  for (const Variant& v : variants()) {
    INFO(v.name);
    Rig exact("mlp", v.values, 3), single("mlp", v.values, 3, {.precision = Precision::f32});
    exact.gradient();
    single.gradient();
    CHECK(single.metric("loss") == Approx(exact.metric("loss")).epsilon(1e-5));
    for (const ParamInfo& p : exact.program().parameters()) {
      const Numbers want = exact.read(p.name + ".gradient");
      CHECK(norm(minus(single.read(p.name + ".gradient"), want)) < 2e-5 * (1e-2 + norm(want)));
    }
  }
}

TEST_CASE("mlp: step t uses batch t modulo their number, in place", "[problem][mlp]") {
  for (const bool classes : {false, true}) {
    MlpOracle o;
    o.layers = 2;
    o.width = 6;
    o.head = classes;
    o.classes = classes;
    const Variant v = variant(o);
    Rig rig("mlp", v.values, 8, {.lr = 0});
    const Weights w = weights_of(rig);
    const Numbers data = rig.read("inputs");
    rig.start();
    double before = 0;
    for (std::size_t t = 0; t < 2 * kBatches + 1; ++t) {
      const Inputs now = batch_of(rig, o, t);
      REQUIRE(rig.step());
      CHECK(std::abs(rig.metric("loss") - o.loss(w, now.inputs, now.targets, kBatch)) < 1e-13);
      CHECK(std::abs(rig.metric("loss") - before) > 1e-6);
      before = rig.metric("loss");
    }
    CHECK(rig.read("inputs") == data);
    CHECK(rig.program().slots()[rig.program().find_slot("inputs")].batches == kBatches);
  }
}

TEST_CASE("mlp: the loss ignores the norm of exactly those weights that are declared invariant", "[problem][mlp]") {
  std::size_t invariant = 0, free = 0;
  for (Variant v : variants()) {
    v.oracle.eps = 0;
    v.values["norm_eps"] = 0.0;
    INFO(v.name);
    Rig rig("mlp", v.values, 4);
    shake(rig, 6);
    const double loss = rig.loss();
    for (const ParamInfo& p : rig.program().parameters()) {
      INFO(p.name);
      if (p.role == ParamRole::vector) continue; // gains may be undone by the next normalisation
      const Numbers w = rig.read(p.name);
      rig.write(p.name, scaled(w, 1.7));
      const double whole = std::abs(rig.loss() - loss) / (1 + loss);
      Numbers uneven = w;
      for (std::size_t i = 0; i < p.rows; ++i)
        for (std::size_t j = 0; j < p.cols; ++j) uneven[i * p.cols + j] *= 0.4 + static_cast<double>(i);
      rig.write(p.name, uneven);
      const double rows = std::abs(rig.loss() - loss) / (1 + loss);
      rig.write(p.name, w);
      (p.invariance == Invariance::none ? free : invariant)++;
      if (p.invariance == Invariance::none) CHECK(whole > 1e-9);
      else CHECK(whole < 1e-12);
      if (p.invariance == Invariance::row) CHECK(rows < 1e-12);
      else if (p.rows > 1) CHECK(rows > 1e-9);
    }
    // and each of them is checked while running
    std::size_t watched = 0;
    for (const ParamInfo& p : rig.program().parameters()) watched += p.invariance == Invariance::none ? 0 : 1;
    CHECK(rig.program().invariants().size() == watched);
  }
  CHECK(invariant > 50);
  CHECK(free > 50);
}

TEST_CASE("mlp: gradients of invariant weights stay tangential while training", "[problem][mlp]") {
  for (const Precision precision : {Precision::f64, Precision::f32})
    for (const double eps : {0.0, 1e-6}) {
      MlpOracle o;
      o.layers = 3;
      o.width = 12;
      o.eps = eps;
      Rig rig("mlp", variant(o).values, 2, {.precision = precision, .lr = 0.1});
      REQUIRE(rig.program().invariants().size() == 2); // the last matrix meets no normalisation
      rig.start();
      double worst = 0;
      for (int step = 0; step < 320; ++step) {
        REQUIRE(rig.step());
        for (const InvariantColumn& c : rig.program().invariants()) {
          CHECK(c.exact == (eps == 0));
          const double x = rig.metric(rig.program().metrics()[static_cast<std::size_t>(c.column)].name);
          CHECK(std::isnan(x) == (rig.steps() % 16 != 0));
          if (std::isnan(x)) continue;
          worst = std::max(worst, x);
          CHECK(x < c.tolerance / 3);
        }
      }
      // with ε the radial part is small, but it is there
      if (precision == Precision::f64) CHECK((worst > 1e-12) == (eps > 0));
    }
}

TEST_CASE("mlp: with a large ε the loss sees norms, and nothing is promised of them", "[problem][mlp]") {
  for (const char* problem : {"mlp", "teacher_student", "digits"}) {
    INFO(problem);
    for (const double eps : {1e-6, 1e-4, 2e-4, 0.01, 1.0}) {
      INFO(eps);
      const bool promised = eps <= 1e-4;
      HandRun run(fmt::format("[scene]\ntitle = \"t\"\nsteps = 300\n[problem]\nkind = \"{}\"\nnorm_eps = "
                              "{}\nresidual = \"none\"\n[[run]]\noptimizer = \"adamw\"\n",
                              problem, eps));
      const StepProgram& p = run.program();
      const auto invariant = [](const ParamInfo& w) { return w.invariance != Invariance::none; };
      CHECK(std::any_of(p.parameters().begin(), p.parameters().end(), invariant) == promised);
      CHECK(p.invariants().empty() != promised);
      CHECK(p.theory().empty() != promised);
    }
  }
  // rows of a weight are normalised without ε
  Rig rows("mlp", {{"norm", std::string("row")}, {"norm_eps", 1.0}});
  CHECK(rows.program().invariants().size() == 3);

  HandRun run("[scene]\ntitle = \"t\"\nsteps = 300\n[problem]\nkind = \"mlp\"\nnorm_eps = 1.0\n"
              "[[run]]\noptimizer = \"sgd\"\nhparam.lr = 0.1\n");
  const double before = norm(run.read("W1"));
  REQUIRE(run.step(200));
  CHECK(norm(run.read("W1")) < 0.98 * before); // the gradient is not tangential
}

TEST_CASE("mlp: parameters have roles and layers", "[problem][mlp]") {
  MlpOracle o;
  o.layers = 2;
  o.expansion = 2;
  o.norm = "sandwich";
  o.gains = o.embedding = o.head = true;
  Rig rig("mlp", variant(o).values);
  std::map<std::string, std::pair<ParamRole, int>> got;
  std::vector<std::string> names;
  for (const ParamInfo& p : rig.program().parameters()) {
    names.push_back(p.name);
    got[p.name] = {p.role, p.layer};
    CHECK(p.vector == (p.role == ParamRole::vector));
  }
  CHECK(names ==
        std::vector<std::string>{"embedding", "g1", "A1", "B1", "o1", "g2", "A2", "B2", "o2", "g_head", "head"});
  CHECK(got["embedding"] == std::pair{ParamRole::embedding, -1});
  CHECK(got["g1"] == std::pair{ParamRole::vector, 0});
  CHECK(got["B2"] == std::pair{ParamRole::matrix, 1});
  CHECK(got["head"] == std::pair{ParamRole::head, -1});
}

TEST_CASE("mlp: gradients pass through few buffers, and nothing is computed for the data", "[problem][mlp]") {
  Rig rig("mlp", {{"layers", 12L}});
  int buffers = 0, products = 0;
  for (const SlotInfo& s : rig.program().slots()) buffers += s.name.rfind("gradient_", 0) == 0 ? 1 : 0;
  for (const Op& op : rig.program().step_ops()) products += op.code == OpCode::product ? 1 : 0;
  CHECK(buffers <= 2);
  CHECK(products == 3 * 12 - 1);
}

namespace {

// The peers' workload (three square matrices, RMSNorm before each, ReLU between) and its six optimizers, naively.
class WorkloadFormulas {
public:
  WorkloadFormulas(Weights start, Numbers inputs, Numbers targets, std::size_t batch)
      : w_(std::move(start)), inputs_(std::move(inputs)), targets_(std::move(targets)), batch_(batch) {}

  std::vector<double> run(const std::string& optimizer, int steps) {
    std::vector<double> losses;
    if (optimizer == "md")
      for (const auto& [name, w] : w_) {
        const Numbers gain(n, std::log(std::exp(1.0) - 1)), none(n);
        split_[name] = {scaled(w, std::sqrt(n) / norm(w)), Numbers(n * n), {gain, none, none}, {gain, none, none}};
      }
    for (int t = 0; t < steps; ++t) {
      for (const auto& [name, s] : split_) w_[name] = s.weight();
      const Weights g = gradients(static_cast<std::size_t>(t) % 16, losses);
      for (auto& [name, s] : split_) s.update(t + 1, g.at(name));
      if (!split_.empty()) continue;
      for (auto& [name, w] : w_) update(optimizer, t + 1, w, g.at(name), m_[name], v_[name]);
    }
    return losses;
  }

private:
  static constexpr std::size_t n = 16;

  // Forward and backward for the whole batch, layer by layer.
  Weights gradients(std::size_t batch, std::vector<double>& losses) const {
    Weights g;
    for (const char* name : {"W1", "W2", "W3"}) g[name].assign(n * n, 0);
    double loss = 0;
    for (std::size_t s = 0; s < batch_; ++s) {
      const double* x = &inputs_[(batch * batch_ + s) * n];
      const double* y = &targets_[(batch * batch_ + s) * n];
      Numbers a(x, x + n), h[3], z[3];
      double root[3];
      for (int l = 0; l < 3; ++l) {
        double square = 0;
        for (const double v : a) square += v * v;
        root[l] = std::sqrt(square / n + 1e-6);
        h[l] = scaled(a, 1 / root[l]);
        z[l] = MlpOracle::times(w_.at("W" + std::to_string(l + 1)), h[l]);
        a = z[l];
        for (double& v : a) v = l < 2 ? std::max(v, 0.0) : v;
      }
      const double share = 1.0 / static_cast<double>(n * batch_);
      Numbers dz(n);
      for (std::size_t j = 0; j < n; ++j) {
        loss += (a[j] - y[j]) * (a[j] - y[j]) * share;
        dz[j] = 2 * share * (a[j] - y[j]);
      }
      for (int l = 2; l >= 0; --l) {
        const std::string name = "W" + std::to_string(l + 1);
        Numbers dh(n);
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t j = 0; j < n; ++j) {
            g[name][i * n + j] += dz[i] * h[l][j];
            dh[j] += dz[i] * w_.at(name)[i * n + j];
          }
        if (l == 0) break;
        const double along = dot(dh, h[l]) / n;
        for (std::size_t j = 0; j < n; ++j) dz[j] = z[l - 1][j] > 0 ? (dh[j] - along * h[l][j]) / root[l] : 0;
      }
    }
    losses.push_back(loss);
    return g;
  }

  static Numbers product(const Numbers& a, const Numbers& b) {
    Numbers c(n * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
    return c;
  }

  static Numbers orthogonalised(const Numbers& d) {
    Numbers x = scaled(d, 1 / (norm(d) + 1e-7));
    for (int step = 0; step < 5; ++step) {
      Numbers transposed(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) transposed[j * n + i] = x[i * n + j];
      const Numbers a = product(x, transposed), aa = product(a, a);
      Numbers b(n * n);
      for (std::size_t i = 0; i < n * n; ++i) b[i] = -4.7750 * a[i] + 2.0315 * aa[i];
      const Numbers bx = product(b, x);
      for (std::size_t i = 0; i < n * n; ++i) x[i] = 3.4445 * x[i] + bx[i];
    }
    return x;
  }

  static Numbers nesterov(Numbers& m, const Numbers& g) {
    Numbers d(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) {
      m[i] = 0.95 * m[i] + 0.05 * g[i];
      d[i] = 0.05 * g[i] + 0.95 * m[i];
    }
    return d;
  }

  // MD: W = softplus(a) ∘ H ∘ softplus(b), H of norm √n; every gradient from the old values.
  struct Gain {
    Numbers x, m, v;
    double value(std::size_t i) const { return std::log(1 + std::exp(x[i])); }
    void update(int t, const Numbers& g) {
      for (std::size_t i = 0; i < n; ++i) {
        const double slope = g[i] / (1 + std::exp(-x[i]));
        m[i] = 0.9 * m[i] + 0.1 * slope;
        v[i] = 0.95 * v[i] + 0.05 * slope * slope;
        x[i] -= 1e-3 * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.95, t))) + 1e-8);
      }
    }
  };
  struct Split {
    Numbers h, m;
    Gain row, column;
    Numbers weight() const {
      Numbers w(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) w[i * n + j] = row.value(i) * h[i * n + j] * column.value(j);
      return w;
    }
    void update(int t, const Numbers& g) {
      Numbers of_h(n * n), of_row(n), of_column(n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          const std::size_t k = i * n + j;
          of_h[k] = g[k] * row.value(i) * column.value(j);
          of_row[i] += g[k] * h[k] * column.value(j);
          of_column[j] += g[k] * h[k] * row.value(i);
        }
      h = minus(h, scaled(orthogonalised(nesterov(m, of_h)), 0.02));
      h = scaled(h, std::sqrt(n) / norm(h));
      row.update(t, of_row);
      column.update(t, of_column);
    }
  };

  static void update(const std::string& optimizer, int t, Numbers& w, const Numbers& g, Numbers& m, Numbers& v) {
    if (m.empty()) m.assign(w.size(), 0), v.assign(w.size(), 0);
    if (optimizer == "sgd") {
      for (std::size_t i = 0; i < w.size(); ++i) w[i] -= 0.1 * g[i];
      return;
    }
    if (optimizer == "adam") {
      for (std::size_t i = 0; i < w.size(); ++i) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.95 * v[i] + 0.05 * g[i] * g[i];
        w[i] -= 1e-3 * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.95, t))) + 1e-8);
      }
      return;
    }
    Numbers d = nesterov(m, g);
    if (optimizer == "muonh") {
      const double rho = norm(w);
      d = orthogonalised(d);
      for (std::size_t i = 0; i < w.size(); ++i) w[i] -= 0.02 * rho * d[i] / std::max(norm(d), 1e-10);
      w = scaled(w, rho / norm(w));
      return;
    }
    if (optimizer == "muon") d = orthogonalised(d);
    else
      for (std::size_t i = 0; i < n; ++i) {
        double square = 0;
        for (std::size_t j = 0; j < n; ++j) square += d[i * n + j] * d[i * n + j];
        for (std::size_t j = 0; j < n; ++j) d[i * n + j] /= std::max(std::sqrt(square), 1e-12);
      }
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= 0.02 * d[i];
  }

  Weights w_, m_, v_;
  std::map<std::string, Split> split_;
  Numbers inputs_, targets_;
  std::size_t batch_;
};

std::string workload_scene(const std::string& optimizer, const char* precision) {
  const std::string numbers = optimizer == "sgd"    ? "hparam.lr = 0.1"
                              : optimizer == "adam" ? "hparam.lr = 1e-3\nhparam.beta2 = 0.95"
                                                    : "hparam.lr = 0.02";
  return fmt::format("[scene]\ntitle = \"workload\"\nseed = 4\nsteps = 200\nprecision = \"{}\"\n[problem]\nkind = "
                     "\"mlp\"\n[[run]]\noptimizer = \"{}\"\n{}\n",
                     precision, optimizer, numbers);
}

} // namespace

TEST_CASE("mlp: at its defaults it is the peers' workload, loss by loss over 100 steps", "[problem][mlp]") {
  for (const std::string optimizer : {"sgd", "adam", "muon", "rmnp"}) {
    INFO(optimizer);
    HandRun exact(workload_scene(optimizer, "f64")), single(workload_scene(optimizer, "f32"));
    Weights start;
    for (const char* name : {"W1", "W2", "W3"}) start[name] = exact.read(name);
    WorkloadFormulas workload(start, exact.read("inputs"), exact.read("targets"), 32);
    const std::vector<double> want = workload.run(optimizer, 100);
    double worst = 0, early = 0, late = 0;
    for (std::size_t t = 0; t < want.size(); ++t) {
      REQUIRE(exact.step());
      REQUIRE(single.step());
      worst = std::max(worst, std::abs(exact.metric("loss") - want[t]) / want[t]);
      const double off = std::abs(single.metric("loss") - want[t]) / want[t];
      (t < 10 ? early : late) = std::max(t < 10 ? early : late, off);
    }
    CHECK(want.back() < want.front());
    CHECK(worst < 1e-8);
    CHECK(early < 1e-6);
    CHECK(late < 2e-4);
  }
}

TEST_CASE("every recipe that peers are compared by is its formula, loss by loss over 100 steps", "[problem][mlp]") {
  const std::vector<std::string> optimizers = workload_optimizers();
  CHECK(optimizers.size() == 6);
  for (const std::string& optimizer : optimizers) {
    INFO(optimizer);
    Workload drawn = random_workload(optimizer, 16, 8, 1, 5);
    const auto rounded = [](std::vector<double>& all) { // to what the runs take
      for (double& x : all) x = static_cast<double>(static_cast<float>(x));
      return all;
    };
    Weights start;
    for (std::size_t k = 0; k < 3; ++k) start["W" + std::to_string(k + 1)] = rounded(drawn.weights[k]);
    WorkloadFormulas formulas(start, rounded(drawn.inputs), rounded(drawn.targets), 8);
    const std::vector<double> want = formulas.run(optimizer, 100);
    auto runs = WorkloadRuns::open(drawn, {.threads = 1});
    REQUIRE(runs.ok());
    runs->advance(100);
    const auto got = runs->losses();
    double early = 0, late = 0;
    for (std::size_t t = 0; t < want.size(); ++t) {
      const double off = std::abs(got[t][0] - want[t]) / want[0];
      (t < 10 ? early : late) = std::max(t < 10 ? early : late, off);
    }
    CHECK(want.back() < want.front());
    CHECK(early < 1e-6);
    CHECK(late < 2e-4);
  }
}
