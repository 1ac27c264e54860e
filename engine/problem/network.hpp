// Networks as a graph of values, from which forward pass, loss and backward pass are written into a step program.
//
//   Network net(build, batch);
//   const Value x = net.data(inputs), w = net.weight(parameter);
//   net.square_loss(net.linear(net.rms_norm(x, 1e-6, "x̂"), w, "z"), targets, 1.0 / outputs, loss);
//   net.emit();
//
// Nodes are functions of values, a weight being a value like any other: it may be normalised before use, or be used twice.
// What is used several times gets the sum of its gradients. emit() sees the whole graph: it computes nothing for data, puts
// ReLU and residual sums into the product before them, normalises in place, and lets gradients share a few buffers.
//
// A new kind of node: one function here, one forward and one backward emission in network.cpp.
#pragma once

#include "engine/program.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace polarscope {

// In the order of kernels::ActivationKind.
enum class Activation : std::uint8_t { relu, relu2, gelu, silu, tanh };

class Network {
public:
  struct Value {
    int id = -1;
  };

  // `batch`: rows of every activation. `prefix` of its slots' names, where a program has several networks.
  Network(ProgramBuilder& build, std::uint32_t batch, std::string prefix = {})
      : build_(build), batch_(batch), prefix_(std::move(prefix)) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // A data slot: as many rows as a step reads, or a whole number of times as many, of which step t reads part t mod parts.
  Value data(SlotId slot);
  Value weight(int parameter);
  // A frozen matrix, such as a teacher's: takes no gradient.
  Value constant(SlotId slot);

  // α x Wᵀ: x rows × inputs, w outputs × inputs. `name` of the value: what the program's text and the inspector call it.
  Value linear(Value x, Value w, std::string name, double alpha = 1);
  Value rms_norm(Value x, double eps, std::string name);
  Value activate(Value x, Activation f, std::string name);
  // h + α f
  Value add(Value h, Value f, double alpha, std::string name);
  // x diag(g): learned gains, g a vector
  Value scale_columns(Value x, Value g, std::string name);

  // The loss, once: k Σ (z − y)² over the batch, to metric column `column`.
  void square_loss(Value z, SlotId targets, double k, std::uint32_t column);
  // Mean over the batch of the cross-entropy of softmax(z) and one label per row.
  void cross_entropy_loss(Value z, SlotId labels, std::uint32_t column);

  // Writes everything. Forward pass and loss stand between begin_loss and end_loss; `begun` where the caller has begun.
  void emit(bool begun = false);
  // Writes the forward pass alone, at a cadence, with no way back; returns the slot of `result`.
  SlotId emit_values(Value result, int every = 1);

private:
  enum class Kind { linear, rms_norm, activation, add, scale_columns, square_loss, cross_entropy };

  struct ValueInfo {
    SlotId slot = kNone; // of a node's result: given when the node is emitted
    std::uint32_t rows, cols;
    std::string name;
    int producer = -1;
    int parameter = -1;
    bool fixed = false; // data, weights: never overwritten
    std::vector<int> consumers = {};
    bool kept = false; // the way back reads it
    bool wants_gradient = false;
    // The way back: gradient = scale × contents of the slot.
    SlotId gradient = kNone;
    double scale = 1;
  };

  struct Node {
    Kind kind;
    Value a, b, out;   // b: weight, summand or gains
    double number = 1; // α, ε or the loss's factor
    Activation activation = Activation::relu;
    SlotId target = kNone;
    std::uint32_t column = 0;
    SlotId factors = kNone; // rms_norm: one number per row
    bool relu = false;      // linear: does the activation that follows it
    int sum = -1;           // linear: does the residual sum that follows it
    bool done = false;      // its work is done in another node's operation,
    int at = -1;            // the one whose number this is; else its own
    bool masked = false;    // activation: the way back is done in the normalisation that follows it
  };

  ValueInfo& info(Value v) { return values_[static_cast<std::size_t>(v.id)]; }
  Node& node(int k) { return nodes_[static_cast<std::size_t>(k)]; }
  Value value(ValueInfo v);
  Value result(Node n, std::uint32_t rows, std::uint32_t cols, std::string name);
  int only_consumer(Value v); // −1 where there are several or none
  bool may_overwrite(Value v, int consumer);

  void fuse();
  void mark_kept();
  void emit_forward(int k);
  void forward_linear(int k);
  void forward_rms_norm(int k);
  void forward_add(int k);
  void forward_loss(const Node& n);
  void emit_backward(int k);
  void backward_linear(const Node& n, SlotId dz, double scale);
  void backward_rms_norm(const Node& n, SlotId dy, double scale);
  void backward_activation(const Node& n, SlotId dy, double scale);
  void backward_scale(const Node& n, SlotId dy, double scale);

  // Where a contribution to v's gradient goes, and what it is added to (kNone: nothing yet).
  struct Target {
    SlotId slot, added_to;
  };
  // `reusable`: a buffer that the operation may overwrite if nothing else holds it.
  Target target(Value v, SlotId reusable = kNone);
  // A contribution that is there already: scale × contents of the slot.
  void give(Value v, SlotId slot, double scale);
  SlotId acquire(std::uint32_t rows, std::uint32_t cols);
  void hold(SlotId slot) { ++holders_[slot]; }
  void release(SlotId slot) { --holders_[slot]; }
  SlotId activation_slot(Value v);
  void write(Op op, std::string text, int parameter = -1);
  const std::string& name_of(Value v) { return info(v).name; }

  ProgramBuilder& build_;
  std::uint32_t batch_;
  std::string prefix_;
  std::uint16_t every_ = 1;
  std::vector<ValueInfo> values_;
  std::vector<Node> nodes_;
  std::map<SlotId, int> holders_; // gradient buffers, and how many gradients each holds
};

using NetworkValue = Network::Value;

} // namespace polarscope
