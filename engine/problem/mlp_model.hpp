// Multilayer perceptrons for several problems: the keys that describe one, its parameters and its forward pass.
#pragma once

#include "engine/problem/network.hpp"
#include "engine/problem/problem.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace polarscope {

enum class MlpNorm { pre, sandwich, none, row };

// A stack of blocks h ← f(h) or h ← h + α f(h) on features of `width`. A block is one matrix W or, with an expansion e,
// two: A (e·width × width), the activation, B (width × e·width).
struct MlpModel {
  std::uint32_t layers, width, expansion; // expansion 0: one matrix to a block
  MlpNorm norm;
  double eps; // of the normalisation
  bool gains; // learned gains after it
  Activation activation;
  double residual; // α; 0: no residual sum
  bool embedding, head;
  std::uint32_t inputs, outputs; // features of the data, outputs of the network
};

// Keys layers, width, expansion, norm, norm_eps, norm_gains, activation, residual, with these defaults.
std::vector<Setting> mlp_keys(const MlpModel& defaults);

// The model that the keys describe. Embedding, head, inputs and outputs are the problem's to set.
MlpModel mlp_of(const ProblemValues& values);

// Elements of the largest parameter or activation.
double mlp_largest(const MlpModel& m, double batch);

// Its parameters, in the order of the forward pass. Roles, layers and invariances are declared.
void declare_mlp(const MlpModel& m, ProgramBuilder& build);

// Forward pass from the network's input; declare_mlp came before. Returns the outputs.
Network::Value mlp_forward(const MlpModel& m, ProgramBuilder& build, Network& net, Network::Value x);

// Live checks that gradients are orthogonal where the loss ignores norms; after the backward pass.
void emit_mlp_invariants(const MlpModel& m, ProgramBuilder& build);

// Matrices of N(0, 1/inputs), gains of 1.
std::map<std::string, SlotContents> mlp_start(const MlpModel& m, std::uint64_t seed);

} // namespace polarscope
