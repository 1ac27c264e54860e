#include "engine/problem/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace polarscope {

namespace {

constexpr std::uint32_t flag(bool on, std::uint32_t bit) { return on ? bit : 0; }

const char* symbol(Activation f) {
  switch (f) {
  case Activation::relu: return "ReLU";
  case Activation::relu2: return "ReLU²";
  case Activation::gelu: return "GELU";
  case Activation::silu: return "SiLU";
  case Activation::tanh: return "tanh";
  }
  return "";
}

// "2 ", or nothing for 1.
std::string factor(double k) { return k == 1 ? "" : fmt::format("{:.6g} ", k); }
std::string assignment(SlotId added_to) { return added_to == kNone ? "=" : "+="; }

} // namespace

// --- the graph

Network::Value Network::value(ValueInfo v) {
  values_.push_back(std::move(v));
  return {static_cast<int>(values_.size()) - 1};
}

Network::Value Network::data(SlotId slot) {
  const SlotInfo& s = build_.info(slot);
  assert(s.rows % batch_ == 0);
  ValueInfo v{slot, s.rows, s.cols, s.name};
  v.fixed = true;
  return value(std::move(v));
}

Network::Value Network::constant(SlotId slot) {
  const SlotInfo& s = build_.info(slot);
  ValueInfo v{slot, s.rows, s.cols, s.name};
  v.fixed = true;
  return value(std::move(v));
}

Network::Value Network::weight(int parameter) {
  const ParamInfo& p = build_.parameter(parameter);
  ValueInfo v{p.weight, p.rows, p.cols, p.name};
  v.parameter = parameter;
  v.fixed = true;
  v.wants_gradient = true;
  return value(std::move(v));
}

Network::Value Network::result(Node n, std::uint32_t rows, std::uint32_t cols, std::string name) {
  const int k = static_cast<int>(nodes_.size());
  bool wanted = false;
  for (const Value input : {n.a, n.b}) {
    if (input.id < 0) continue;
    info(input).consumers.push_back(k);
    wanted = wanted || info(input).wants_gradient;
  }
  if (!name.empty()) {
    ValueInfo v{kNone, rows, cols, std::move(name)};
    v.producer = k;
    v.wants_gradient = wanted;
    n.out = value(std::move(v));
  }
  nodes_.push_back(n);
  return n.out;
}

Network::Value Network::linear(Value x, Value w, std::string name, double alpha) {
  assert(info(x).cols == info(w).cols);
  const std::uint32_t rows = info(x).fixed && info(x).parameter < 0 ? batch_ : info(x).rows;
  return result({Kind::linear, x, w, {}, alpha}, rows, info(w).rows, std::move(name));
}

Network::Value Network::rms_norm(Value x, double eps, std::string name) {
  const std::uint32_t rows = info(x).fixed && info(x).parameter < 0 ? batch_ : info(x).rows;
  return result({Kind::rms_norm, x, {}, {}, eps}, rows, info(x).cols, std::move(name));
}

Network::Value Network::activate(Value x, Activation f, std::string name) {
  return result({Kind::activation, x, {}, {}, 1, f}, info(x).fixed ? batch_ : info(x).rows, info(x).cols,
                std::move(name));
}

Network::Value Network::add(Value h, Value f, double alpha, std::string name) {
  assert(info(h).cols == info(f).cols);
  return result({Kind::add, h, f, {}, alpha}, info(f).fixed ? batch_ : info(f).rows, info(f).cols, std::move(name));
}

Network::Value Network::scale_columns(Value x, Value g, std::string name) {
  assert(info(x).cols == info(g).cols && info(g).parameter >= 0 && info(g).rows == 1);
  return result({Kind::scale_columns, x, g, {}}, info(x).fixed ? batch_ : info(x).rows, info(x).cols, std::move(name));
}

void Network::square_loss(Value z, SlotId targets, double k, std::uint32_t column) {
  Node n{Kind::square_loss, z, {}, {}, k};
  n.target = targets;
  n.column = column;
  result(n, 0, 0, "");
}

void Network::cross_entropy_loss(Value z, SlotId labels, std::uint32_t column) {
  Node n{Kind::cross_entropy, z, {}, {}};
  n.target = labels;
  n.column = column;
  result(n, 0, 0, "");
}

// --- what can be done together

int Network::only_consumer(Value v) { return info(v).consumers.size() == 1 ? info(v).consumers.front() : -1; }

// A node's result may take its input's place when nobody reads the input later.
bool Network::may_overwrite(Value v, int consumer) {
  const ValueInfo& i = info(v);
  return !i.fixed && !i.kept &&
         std::all_of(i.consumers.begin(), i.consumers.end(), [&](int k) { return node(k).at <= consumer; });
}

void Network::fuse() {
  for (int k = 0; k < static_cast<int>(nodes_.size()); ++k) {
    Node& n = node(k);
    n.at = k;
    const int before = info(n.a).producer;
    if (n.kind == Kind::activation && n.activation == Activation::relu && before >= 0 &&
        node(before).kind == Kind::linear && only_consumer(n.a) == k) {
      node(before).relu = true;
      n.done = true;
      n.at = before;
    }
    if (n.kind == Kind::rms_norm && before >= 0 && node(before).kind == Kind::activation &&
        node(before).activation == Activation::relu && only_consumer(n.a) == k)
      node(before).masked = true;
    if (n.kind != Kind::add) continue;
    const int branch = info(n.b).producer;
    if (branch < 0 || node(branch).kind != Kind::linear || node(branch).relu || only_consumer(n.b) != k) continue;
    const ValueInfo& h = info(n.a);
    if (h.producer > branch || (h.fixed && h.rows != batch_)) continue;
    node(branch).sum = k;
    n.done = true;
    n.at = branch;
  }
}

void Network::mark_kept() {
  for (const Node& n : nodes_) {
    if (n.out.id < 0 || !info(n.out).wants_gradient) continue;
    // Of a ReLU the sign of its output is enough, which a normalisation in its place leaves as it is.
    const bool relu = n.kind == Kind::activation && n.activation == Activation::relu;
    const bool reads_input = n.kind == Kind::linear || n.kind == Kind::scale_columns || n.kind == Kind::activation;
    if (reads_input && !relu) info(n.a).kept = true;
    if (n.kind == Kind::linear) info(n.b).kept = true;
    if (n.kind == Kind::rms_norm || (relu && !n.masked)) info(n.out).kept = true;
  }
}

// --- forward

void Network::write(Op op, std::string text, int parameter) {
  op.every = every_;
  build_.set_parameter(parameter);
  build_.emit(op, std::move(text));
}

SlotId Network::activation_slot(Value v) {
  ValueInfo& i = info(v);
  if (i.slot == kNone)
    i.slot = build_.slot(prefix_ + i.name, Role::scratch, i.rows, i.cols, "computed on the way forward");
  return i.slot;
}

void Network::forward_linear(int k) {
  const Node n = node(k);
  const ValueInfo x = info(n.a), w = info(n.b);
  const std::uint32_t word = kernels::kTransposeB | flag(x.rows != info(n.out).rows, kernels::kStepRowsA) |
                             flag(n.relu, kernels::kProductRelu);
  std::string text = fmt::format("{}{} {}ᵀ", factor(n.number), x.name, w.name);
  SlotId residual = kNone, out = kNone;
  if (n.sum >= 0) {
    const Node sum = node(n.sum);
    const SlotId h = info(sum.a).slot;
    out = info(sum.out).slot = may_overwrite(sum.a, k) ? h : activation_slot(sum.out);
    residual = h;
    const double alpha = n.number * sum.number;
    text = fmt::format("{} = {} + {}{} {}ᵀ", name_of(sum.out), name_of(sum.a), factor(alpha), x.name, w.name);
    write(make_op(OpCode::product, {out, x.slot, w.slot, residual}, {}, build_.constants({alpha, 1}), word),
          std::move(text), w.parameter);
    return;
  }
  const Value shown = n.relu ? node(only_consumer(n.out)).out : n.out;
  out = activation_slot(shown);
  info(n.out).slot = out;
  text = n.relu ? fmt::format("{} = ReLU({})", name_of(shown), text) : fmt::format("{} = {}", name_of(shown), text);
  write(make_op(OpCode::product, {out, x.slot, w.slot}, {}, build_.constants({n.number, 0}), word), std::move(text),
        w.parameter);
}

void Network::forward_rms_norm(int k) {
  Node& n = node(k);
  const ValueInfo x = info(n.a);
  if (may_overwrite(n.a, k)) info(n.out).slot = x.slot;
  const SlotId out = activation_slot(n.out);
  n.factors = build_.slot(prefix_ + name_of(n.out) + ".factors", Role::scratch, 1, info(n.out).rows,
                          "1/√(mean square + ε) of every row");
  write(make_op(OpCode::rms_rows, {x.slot, out, n.factors}, {}, build_.constants({n.number})),
        fmt::format("{} = {}/rms({})", name_of(n.out), x.name, x.name), x.parameter);
}

void Network::forward_add(int k) {
  const Node n = node(k);
  if (may_overwrite(n.a, k)) info(n.out).slot = info(n.a).slot;
  else if (may_overwrite(n.b, k)) info(n.out).slot = info(n.b).slot;
  write(make_op(OpCode::add_times, {info(n.a).slot, info(n.b).slot, activation_slot(n.out)}, {},
                build_.constants({n.number})),
        fmt::format("{} = {} + {}{}", name_of(n.out), name_of(n.a), factor(n.number), name_of(n.b)));
}

void Network::forward_loss(const Node& n) {
  ValueInfo& z = info(n.a);
  const int self = static_cast<int>(&n - nodes_.data());
  z.gradient = may_overwrite(n.a, self) ? z.slot : acquire(z.rows, z.cols);
  hold(z.gradient);
  const std::string& target = build_.info(n.target).name;
  if (n.kind == Kind::square_loss)
    write(make_op(OpCode::square_loss, {z.slot, n.target, z.gradient}, {}, build_.constants({n.number}), n.column),
          fmt::format("L = {}Σ({} − {})² ; ∂{}", factor(n.number), z.name, target, z.name));
  else
    write(make_op(OpCode::cross_entropy_loss, {z.slot, n.target, z.gradient}, {}, 0, n.column),
          fmt::format("L = mean of ln Σ e^{} − {}[{}] ; ∂{}", z.name, z.name, target, z.name));
}

void Network::emit_forward(int k) {
  const Node& n = node(k);
  if (n.done) return;
  switch (n.kind) {
  case Kind::linear: return forward_linear(k);
  case Kind::rms_norm: return forward_rms_norm(k);
  case Kind::add: return forward_add(k);
  case Kind::square_loss:
  case Kind::cross_entropy: return forward_loss(n);
  case Kind::activation:
    if (may_overwrite(n.a, k)) info(n.out).slot = info(n.a).slot;
    write(make_op(OpCode::activation, {info(n.a).slot, activation_slot(n.out)}, {}, 0,
                  static_cast<std::uint32_t>(n.activation)),
          fmt::format("{} = {}({})", name_of(n.out), symbol(n.activation), name_of(n.a)));
    return;
  case Kind::scale_columns:
    write(make_op(OpCode::scale_columns, {info(n.a).slot, info(n.b).slot, activation_slot(n.out)}),
          fmt::format("{} = {} ∘ {}", name_of(n.out), name_of(n.a), name_of(n.b)), info(n.b).parameter);
    return;
  }
}

// --- backward

SlotId Network::acquire(std::uint32_t rows, std::uint32_t cols) {
  for (const auto& [slot, holders] : holders_)
    if (holders == 0 && build_.info(slot).rows == rows && build_.info(slot).cols == cols) return slot;
  const SlotId slot = build_.slot(fmt::format("gradient_{}", holders_.size()), Role::scratch, rows, cols,
                                  "gradient of the loss by activations, on its way back");
  holders_[slot] = 0;
  return slot;
}

Network::Target Network::target(Value v, SlotId reusable) {
  ValueInfo& i = info(v);
  const SlotId before = i.gradient;
  if (i.parameter >= 0) {
    i.gradient = build_.parameter(i.parameter).gradient;
    return {i.gradient, before};
  }
  if (before == kNone) {
    const bool reuse = reusable != kNone && holders_[reusable] == 1;
    i.gradient = reuse ? reusable : acquire(i.rows, i.cols);
    hold(i.gradient);
    return {i.gradient, kNone};
  }
  assert(i.scale == 1 && "only what is used once has another scale");
  if (holders_[before] == 1) return {before, before};
  i.gradient = acquire(i.rows, i.cols); // somebody still reads what it is so far
  hold(i.gradient);
  release(before);
  return {i.gradient, before};
}

void Network::give(Value v, SlotId slot, double scale) {
  ValueInfo& i = info(v);
  if (!i.wants_gradient) return;
  if (i.gradient == kNone && i.parameter < 0 && (scale == 1 || i.consumers.size() == 1)) {
    i.gradient = slot;
    i.scale = scale;
    hold(slot);
    return;
  }
  const Target t = target(v);
  write(make_op(OpCode::add_times, {t.added_to, slot, t.slot}, {}, build_.constants({scale})),
        fmt::format("∂{} {} {}", i.name, assignment(t.added_to), factor(scale) + "∂ of the sum"), i.parameter);
}

void Network::backward_linear(const Node& n, SlotId dz, double scale) {
  const double alpha = scale * n.number;
  const std::string z = "∂" + name_of(n.out);
  if (info(n.b).wants_gradient) {
    const Target t = target(n.b);
    const ValueInfo x = info(n.a), w = info(n.b);
    write(make_op(OpCode::product, {t.slot, dz, x.slot, t.added_to}, {}, build_.constants({alpha, 1}),
                  kernels::kTransposeA | flag(x.rows != info(n.out).rows, kernels::kStepRowsB)),
          fmt::format("∂{} {} {}{}ᵀ {}", w.name, assignment(t.added_to), factor(alpha), z, x.name), w.parameter);
  }
  if (info(n.a).wants_gradient) {
    const Target t = target(n.a);
    const ValueInfo x = info(n.a), w = info(n.b);
    write(make_op(OpCode::product, {t.slot, dz, w.slot, t.added_to}, {}, build_.constants({alpha, 1})),
          fmt::format("∂{} {} {}{} {}", x.name, assignment(t.added_to), factor(alpha), z, w.name), w.parameter);
  }
}

void Network::backward_rms_norm(const Node& n, SlotId dy, double scale) {
  const int before = info(n.a).producer;
  const bool masked = before >= 0 && node(before).kind == Kind::activation && node(before).masked;
  const Target t = target(n.a, dy);
  const ValueInfo x = info(n.a), y = info(n.out);
  write(make_op(OpCode::rms_rows_backward, {dy, y.slot, n.factors, t.slot, t.added_to}, {}, build_.constants({scale}),
                flag(masked, kernels::kReluMask)),
        fmt::format("∂{} {} (∂{} − {} mean(∂{} ∘ {}))/rms{}", x.name, assignment(t.added_to), y.name, y.name, y.name,
                    y.name, masked ? ", where ReLU is open" : ""),
        x.parameter);
}

void Network::backward_activation(const Node& n, SlotId dy, double scale) {
  if (n.masked) return give(n.a, dy, scale); // the normalisation after it has done it
  const Target t = target(n.a, dy);
  const SlotId x = n.activation == Activation::relu ? info(n.out).slot : info(n.a).slot;
  write(make_op(OpCode::activation_backward, {dy, x, t.slot, t.added_to}, {}, build_.constants({scale}),
                static_cast<std::uint32_t>(n.activation)),
        fmt::format("∂{} {} {}∂{} ∘ {}′", name_of(n.a), assignment(t.added_to), factor(scale), name_of(n.out),
                    symbol(n.activation)));
}

void Network::backward_scale(const Node& n, SlotId dy, double scale) {
  const Target gains = target(n.b);
  // The operation adds nothing to the gradient of gains: what comes to one that is there already has a place of its own.
  const bool adds = gains.added_to != kNone;
  const SlotId part = adds ? acquire(1, info(n.b).cols) : gains.slot;
  if (adds) hold(part);
  const Target t = info(n.a).wants_gradient ? target(n.a, dy) : Target{kNone, kNone};
  const std::string& g = name_of(n.b);
  write(make_op(OpCode::scale_columns_backward, {dy, info(n.a).slot, info(n.b).slot, part, t.slot, t.added_to}, {},
                build_.constants({scale})),
        fmt::format("∂{}{} = Σ ∂{} ∘ {} ; ∂{} {} ∂{} ∘ {}", g, adds ? "′" : "", name_of(n.out), name_of(n.a),
                    name_of(n.a), assignment(t.added_to), name_of(n.out), g),
        info(n.b).parameter);
  if (!adds) return;
  write(make_op(OpCode::add_times, {gains.added_to, part, gains.slot}, {}, build_.constants({1})),
        fmt::format("∂{} += ∂{}′", g, g), info(n.b).parameter);
  release(part);
}

void Network::emit_backward(int k) {
  const Node& n = node(k);
  if (n.out.id < 0) return;
  const ValueInfo out = info(n.out);
  if (!out.wants_gradient || out.gradient == kNone) return;
  switch (n.kind) {
  case Kind::linear: backward_linear(n, out.gradient, out.scale); break;
  case Kind::rms_norm: backward_rms_norm(n, out.gradient, out.scale); break;
  case Kind::activation: backward_activation(n, out.gradient, out.scale); break;
  case Kind::scale_columns: backward_scale(n, out.gradient, out.scale); break;
  case Kind::add:
    give(n.a, out.gradient, out.scale);
    give(n.b, out.gradient, out.scale * n.number);
    break;
  case Kind::square_loss:
  case Kind::cross_entropy: break;
  }
  release(out.gradient);
}

SlotId Network::emit_values(Value result, int every) {
  every_ = static_cast<std::uint16_t>(every);
  fuse();
  info(result).kept = true;
  for (int k = 0; k < static_cast<int>(nodes_.size()); ++k) emit_forward(k);
  build_.set_parameter(-1);
  return info(result).slot;
}

void Network::emit(bool begun) {
  fuse();
  mark_kept();
  if (!begun) build_.begin_loss();
  for (int k = 0; k < static_cast<int>(nodes_.size()); ++k) emit_forward(k);
  build_.end_loss();
  for (int k = static_cast<int>(nodes_.size()) - 1; k >= 0; --k) emit_backward(k);
  build_.set_parameter(-1);
}

} // namespace polarscope
