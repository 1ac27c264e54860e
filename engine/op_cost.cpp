#include "engine/op_cost.hpp"

#include <algorithm>
#include <iterator>

namespace polarscope {

namespace {

// One operation as its line in ops.def sees it: shapes of its slots, word and constants.
struct OpView {
  const StepProgram& program;
  const Op& op;
  std::uint32_t word = op.word;

  double rows(int k) const { return has(k) ? program.layout()[op.slot[k]].rows : 0; }
  double cols(int k) const { return has(k) ? program.layout()[op.slot[k]].cols : 0; }
  double size(int k) const { return rows(k) * cols(k); }
  double small(int k) const { return std::min(rows(k), cols(k)); }
  double large(int k) const { return std::max(rows(k), cols(k)); }
  double constant(std::uint32_t k) const { return program.constants()[op.constant + k]; }
  int has(int k) const { return op.slot[k] != kNone ? 1 : 0; }
  bool takes(int k) const { return op.hparam[k] != kNone; }
};

Flops about(double count) { return {count, Flops::Kind::about}; }
Flops at_most(double count) { return {count, Flops::Kind::at_most}; }

// One-sided Jacobi rotations of all pairs among `count` rows, with `across` numbers turned along. A sweep looks at every
// pair and turns nearly all of them but in the last two; random matrices of side 8 to 64 take 6 to 9.
double jacobi(double count, double length, double across) {
  constexpr double kSweeps = 7;
  return kSweeps * count * (count - 1) / 2 * (12 * length + 6 * across);
}

// The exact polar factor of a matrix in wide orientation.
double polar(double small, double large) {
  return jacobi(small, large, small) + 3 * small * large + 2 * small * small * large;
}
double polar(const OpView& c) { return polar(c.small(0), c.large(0)); }

// X ← aX + (bXXᵀ + c(XXᵀ)²)X as often as the op's word says: the Gram matrix and its square are symmetric.
double polynomial(const OpView& c) {
  const double small = c.small(0), large = c.large(0), half = small * (small + 1) / 2;
  const double steps = c.word >> 3;
  return steps * (half * (2 * large + 2 * small + 4) + small * large * (2 * small + 3));
}

// Values of kernels/ops/optimizer.hpp's gains at a sum, and slopes, in the order of GainMap.
double gain(std::uint32_t map) {
  constexpr double kValues[] = {4, 1, 2, 2};
  return kValues[std::min<std::size_t>(map, std::size(kValues) - 1)];
}
double gain_slope(std::uint32_t map) {
  constexpr double kSlopes[] = {3, 0, 0, 1};
  return kSlopes[std::min<std::size_t>(map, std::size(kSlopes) - 1)];
}

// Every evaluation that the search for λ may make: the first, the doublings, the halvings and the last.
double dual_polar(const OpView& c) {
  const double each = (c.word >> 3) == 0 ? polar(c) : polynomial(c);
  return (2 + c.constant(5) + c.constant(6)) * (each + 10 * c.size(0));
}

double stiefel_dual(const OpView& c) {
  return c.constant(2) * (polynomial(c) + (4 * c.small(0) + 6) * c.size(1)) + 4 * c.small(0) * c.size(1);
}

// A product with F, Householder's QR and the basis that it makes; NeMo's order takes a second product, in every call.
double basis_refresh(const OpView& c) {
  const double n = c.rows(0), qr = (4.0 / 3 + 2) * n * n * n;
  return (c.word & 2) != 0 ? qr + 4 * n * n * n : (qr + 2 * n * n * n) / c.constant(0);
}

double lanczos(const OpView& c) {
  const double side = c.small(0), steps = std::min<double>(side, kernels::kMostLanczosSteps);
  return steps * (4 * c.size(0) + 4 * (steps + 1) * side + 200) + 2 * c.size(0);
}

// Of networks: a side of A or B that several batches share tells nothing, so the shared length is taken from the other.
double product(const OpView& c) {
  const bool ta = (c.word & kernels::kTransposeA) != 0, tb = (c.word & kernels::kTransposeB) != 0;
  const double of_b = tb ? c.cols(2) : c.rows(2);
  const double inner = !ta ? c.cols(1) : (c.word & kernels::kStepRowsA) != 0 ? of_b : c.rows(1);
  const double each = 2 * inner + 1 + 2 * c.has(3);
  return (c.word & kernels::kSymmetric) != 0 ? each * c.rows(0) * (c.rows(0) + 1) / 2 : each * c.size(0);
}

// Values and slopes of kernels/ops/network.hpp's activations, in the order of ActivationKind.
double activation(std::uint32_t kind) {
  constexpr double kValues[] = {1, 1, 11, 5, 8};
  return kValues[std::min<std::size_t>(kind, std::size(kValues) - 1)];
}
double slope(std::uint32_t kind) {
  constexpr double kSlopes[] = {0, 1, 18, 9, 10};
  return kSlopes[std::min<std::size_t>(kind, std::size(kSlopes) - 1)];
}

} // namespace

const char* flops_kind_name(Flops::Kind kind) {
  return kind == Flops::Kind::exact ? "exactly" : kind == Flops::Kind::about ? "about" : "at most";
}

Flops op_flops(const StepProgram& program, const Op& op) {
  const OpView c{program, op};
  switch (op.code) {
#define POLARSCOPE_OP(name, slots, flops, doc)                                                                         \
  case OpCode::name:                                                                                                   \
    return flops;
#include "kernels/ops.def"
#undef POLARSCOPE_OP
  case OpCode::count_: break;
  }
  return {};
}

bool is_optimizer_state(const StepProgram& program, SlotId slot) {
  const SlotInfo& info = program.slots()[slot];
  if (info.role != Role::state || info.parameter < 0) return false;
  const auto touches = [&](SlotId other) { // itself, or some of its rows
    return other != kNone && (other == slot || program.slots()[other].view_of == slot);
  };
  for (std::size_t i = 0; i < program.step_ops().size(); ++i) {
    const Op& op = program.step_ops()[i];
    if (program.step_text()[i].phase != Phase::metric && std::any_of(std::begin(op.slot), std::end(op.slot), touches))
      return true;
  }
  return false;
}

} // namespace polarscope
