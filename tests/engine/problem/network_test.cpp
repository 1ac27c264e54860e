// The builder of forward and backward passes on graphs that no problem has: values used twice, shared weights, branches.
#include "tests/support/catch.hpp"
#include "tests/support/oracle.hpp"

#include "engine/host_member.hpp"
#include "engine/problem/emit.hpp"
#include "engine/problem/network.hpp"
#include "kernels/cpu/execute.hpp"

#include <cmath>
#include <functional>

using namespace polarscope;
using namespace polarscope::test;

namespace {

constexpr std::uint32_t kRows = 5, kWidth = 6;

// A program with square parameters, one batch of data and the graph that `make` draws.
class Graph {
public:
  using Make = std::function<Network::Value(Network&, Network::Value x, const std::vector<Network::Value>& w)>;

  Graph(int weights, const Make& make, bool classes = false) {
    ProgramBuilder build(Precision::f64);
    const auto loss = static_cast<std::uint32_t>(declare_loss(build));
    for (int k = 0; k < weights; ++k)
      build.parameter("W" + std::to_string(k), k == 2 ? 1 : kWidth, kWidth, Invariance::none, k == 2);
    const SlotId x = build.slot("x", Role::data, kRows, kWidth),
                 y = build.slot("y", Role::data, kRows, classes ? 1 : kWidth);
    Network net(build, kRows);
    std::vector<Network::Value> w;
    for (int k = 0; k < weights; ++k) w.push_back(net.weight(k));
    const Network::Value z = make(net, net.data(x), w);
    if (classes) net.cross_entropy_loss(z, y, loss);
    else net.square_loss(z, y, 0.5, loss);
    net.emit();
    program_ = build.finish();
    member_ = std::make_unique<HostMember>(program_, std::vector<double>{}, 1);
    Dice dice(3);
    member_->write(program_->find_slot("x"), dice.normals(kRows * kWidth));
    Numbers targets = dice.normals(kRows * (classes ? 1 : kWidth));
    for (double& v : targets) v = classes ? static_cast<double>(dice.integer(0, kWidth - 1)) : v;
    member_->write(program_->find_slot("y"), targets);
    for (const ParamInfo& p : program_->parameters())
      member_->write(p.weight, dice.normals(std::size_t{p.rows} * kWidth));
  }

  // Largest difference between a parameter's gradient and central differences of the loss, relative to its norm.
  double error() {
    double worst = 0;
    for (const ParamInfo& p : program_->parameters()) {
      const Numbers w = member_->read(p.weight);
      run(program_->step_ops().size());
      const Numbers got = member_->read(p.gradient);
      const Numbers numeric = finite_difference(
          [&](const Numbers& at) {
            member_->write(p.weight, at);
            run(program_->loss_ops().second);
            return member_->read(static_cast<SlotId>(program_->view().metric_slot))[0];
          },
          w);
      member_->write(p.weight, w);
      if (norm(numeric) < 1e-8) return 1;
      worst = std::max(worst, norm(minus(got, numeric)) / norm(numeric));
    }
    return worst;
  }

  const StepProgram& program() const { return *program_; }

private:
  void run(std::size_t ops) {
    const kernels::CpuExecutors* all = kernels::cpu_executors("v2");
    if (!all) all = kernels::cpu_executors("base");
    all->f64.run_range(program_->view(), member_->member(), 0, static_cast<std::uint32_t>(ops), member_->scratch());
  }

  std::shared_ptr<const StepProgram> program_;
  std::unique_ptr<HostMember> member_;
};

constexpr double kGood = 1e-6;

} // namespace

TEST_CASE("network: a value used several times gets the sum of its gradients", "[network]") {
  for (const bool classes : {false, true}) {
    // h in three branches, two of which add up with factors
    Graph fan(
        3,
        [](Network& net, auto x, const auto& w) {
          const auto h = net.activate(net.linear(x, w[0], "h"), Activation::silu, "a");
          const auto left = net.linear(h, w[1], "left", 0.7), right = net.scale_columns(h, w[2], "right");
          const auto sum = net.add(left, right, -0.4, "sum");
          return net.add(sum, h, 0.3, "z");
        },
        classes);
    CHECK(fan.error() < kGood);
  }
}

TEST_CASE("network: a weight used twice, once normalised by rows", "[network]") {
  Graph tied(1, [](Network& net, auto x, const auto& w) {
    const auto h = net.activate(net.linear(x, w[0], "z1"), Activation::tanh, "a1");
    return net.linear(h, net.rms_norm(w[0], 0, "unit"), "z2");
  });
  CHECK(tied.error() < kGood);
}

TEST_CASE("network: gains used twice get both gradients", "[network]") {
  for (const bool classes : {false, true}) {
    Graph twice(
        3,
        [](Network& net, auto x, const auto& w) {
          const auto h = net.scale_columns(net.linear(x, w[0], "z1"), w[2], "h1");
          const auto a = net.activate(h, Activation::tanh, "a");
          return net.scale_columns(net.linear(a, w[1], "z2"), w[2], "z");
        },
        classes);
    CHECK(twice.error() < kGood);
    Graph data(
        3,
        [](Network& net, auto x, const auto& w) { // three times, once on data, which takes no gradient
          const auto h = net.linear(net.scale_columns(x, w[2], "scaled"), w[0], "z1");
          const auto f = net.linear(net.scale_columns(h, w[2], "left"), w[1], "f");
          return net.add(net.scale_columns(h, w[2], "right"), f, 0.6, "z");
        },
        classes);
    CHECK(data.error() < kGood);
  }
}

TEST_CASE("network: a residual stream read by two branches, neither normalised in its place too early", "[network]") {
  Graph streams(2, [](Network& net, auto x, const auto& w) {
    const auto h0 = net.linear(x, w[0], "h0");
    const auto f = net.linear(net.rms_norm(h0, 1e-6, "n1"), w[1], "f");
    const auto h1 = net.add(h0, f, 0.5, "h1");
    const auto g = net.linear(net.rms_norm(h1, 1e-6, "n2"), w[0], "g");
    return net.add(h1, g, 2, "h2");
  });
  CHECK(streams.error() < kGood);
  // both sums are done by the products before them, in place
  for (const Op& op : streams.program().step_ops()) CHECK(op.code != OpCode::add_times);
}

TEST_CASE("network: a ReLU whose output is used twice is not merged with a normalisation", "[network]") {
  Graph shared(2, [](Network& net, auto x, const auto& w) {
    const auto a = net.activate(net.linear(x, w[0], "z"), Activation::relu, "a");
    return net.add(a, net.linear(net.rms_norm(a, 1e-6, "n"), w[1], "f"), 1, "h");
  });
  CHECK(shared.error() < kGood);
}

TEST_CASE("network: a ReLU of a sum, and the square of a plain layer on itself", "[network]") {
  Graph sum(2, [](Network& net, auto x, const auto& w) {
    const auto h = net.linear(x, w[0], "h");
    const auto s = net.add(h, net.linear(h, w[1], "f"), 1, "s");
    return net.rms_norm(net.activate(s, Activation::relu, "a"), 1e-6, "z");
  });
  CHECK(sum.error() < kGood);
  Graph itself(1, [](Network& net, auto x, const auto& w) {
    const auto h = net.linear(x, w[0], "h");
    return net.add(h, h, 0.5, "z");
  });
  CHECK(itself.error() < kGood);
}

TEST_CASE("network: nothing is computed for the gradient of data", "[network]") {
  Graph chain(1, [](Network& net, auto x, const auto& w) { return net.linear(net.linear(x, w[0], "h"), w[0], "z"); });
  std::size_t products = 0;
  for (const Op& op : chain.program().step_ops()) products += op.code == OpCode::product ? 1 : 0;
  CHECK(products == 5); // two forward, two for the weight, one for h
  CHECK(chain.error() < kGood);
}
