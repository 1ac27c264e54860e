#include "engine/conform_inputs.hpp"

#include "engine/problem/random.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace polarscope {

namespace {

constexpr std::uint64_t kSeed = 20;
constexpr std::uint64_t kMiddle = 25; // steps of a run that is in its middle; bases are refreshed every ten by default

std::vector<double> normals(const HostMember& m, SlotId slot, std::uint64_t seed, double scale = 1) {
  const SlotInfo& s = m.program().slots()[slot];
  std::vector<double> out = normal_numbers(seed, Stream::start, std::size_t{s.rows} * s.cols);
  for (double& x : out) x *= scale;
  return out;
}

// Orthonormal rows by Gram and Schmidt, twice.
std::vector<double> orthonormal(std::size_t n, std::uint64_t seed) {
  std::vector<double> q = normal_numbers(seed, Stream::reference, n * n);
  for (std::size_t i = 0; i < n; ++i) {
    double* row = q.data() + i * n;
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t k = 0; k < i; ++k) {
        const double* other = q.data() + k * n;
        double along = 0;
        for (std::size_t j = 0; j < n; ++j) along += row[j] * other[j];
        for (std::size_t j = 0; j < n; ++j) row[j] -= along * other[j];
      }
    double square = 0;
    for (std::size_t j = 0; j < n; ++j) square += row[j] * row[j];
    for (std::size_t j = 0; j < n; ++j) row[j] /= std::sqrt(square);
  }
  return q;
}

// Eigenvalues from 2 down to ¼, as far apart as so many can be. `deficient`: of the smaller half nothing is left.
std::vector<double> factor(const std::vector<double>& basis, std::size_t n, bool deficient) {
  std::vector<double> f(n * n);
  for (std::size_t k = 0; k < n; ++k) {
    const double value = 2 * std::exp2(-3 * static_cast<double>(k) / static_cast<double>(n));
    if (deficient && 2 * k >= n && n > 1) break;
    const double* q = basis.data() + k * n;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) f[i * n + j] += value * q[i] * q[j];
  }
  for (std::size_t i = 0; i < n; ++i) // symmetric to the bit
    for (std::size_t j = 0; j < i; ++j) f[i * n + j] = f[j * n + i];
  return f;
}

std::size_t side(const HostMember& m, SlotId slot) { return m.program().slots()[slot].rows; }

// The base value and the current one: ops of the middle of a step read the latter.
void set_hparam(HostMember& m, std::uint16_t column, double value) {
  m.set_hparam(column, value);
  std::vector<double> now = m.read(0);
  now[column] = value;
  m.write(0, now);
}

// Slot k of the op gets other numbers.
void fill(HostMember& m, const Op& op, int k, double scale = 1) {
  m.write(op.slot[k], normals(m, op.slot[k], kSeed, scale));
}

void multiply(HostMember& m, SlotId slot, double factor_) {
  std::vector<double> values = m.read(slot);
  for (double& x : values) x *= factor_;
  m.write(slot, values);
}

void refresh_inputs(HostMember& m, const Op& op, int round) {
  const std::size_t n = side(m, op.slot[0]);
  const auto period = static_cast<std::uint64_t>(m.program().constants()[op.constant]);
  m.write(op.slot[0], factor(orthonormal(n, kSeed), n, false));
  m.write(op.slot[1], orthonormal(n, kSeed + 1));
  std::vector<double> squares = normals(m, op.slot[2], kSeed + 2);
  for (double& x : squares) x *= x;
  m.write(op.slot[2], squares);
  m.member().step = round == 0 ? 0 : 3 * period; // the eigenvectors themselves; nearer to them
}

} // namespace

Inputs make_inputs(HostMember& m, const Op& op, int round) {
  switch (op.code) {
  case OpCode::factor_power: { // word 1: a root on the range only
    const std::size_t n = side(m, op.slot[0]);
    if (round > (op.word == 1 ? 1 : 0)) return Inputs::none;
    m.write(op.slot[0], factor(orthonormal(n, kSeed), n, round == 1));
    return Inputs::made_up;
  }
  case OpCode::refresh_basis:
    if (round > 1) return Inputs::none;
    refresh_inputs(m, op, round);
    return Inputs::made_up;
  default: break;
  }
  if (round == 0) return Inputs::of_the_run;
  if (round > 1) return Inputs::none;
  switch (op.code) {
  case OpCode::isometry_violation:
  case OpCode::basis_violation:
  case OpCode::mean_violation:
  case OpCode::norm_violation: fill(m, op, 0); return Inputs::made_up;
  case OpCode::band_violation:
  case OpCode::ball_violation: fill(m, op, 0, 100); return Inputs::made_up;
  case OpCode::gradient_tangency:
  case OpCode::gradient_tangency_rows:
  case OpCode::tangency_violation: fill(m, op, 1); return Inputs::made_up;
  case OpCode::gain_decay:
  case OpCode::shrink:
    set_hparam(m, op.hparam[0], 0.5);
    set_hparam(m, op.hparam[1], 0.5);
    return Inputs::made_up;
  case OpCode::gain_floor: set_hparam(m, op.hparam[0], 20); return Inputs::made_up;
  case OpCode::balance_gains: multiply(m, op.slot[3], 4); return Inputs::made_up;
  case OpCode::bound_lengths: // half of the bound, of both signs
    m.write(op.slot[0], [&] {
      std::vector<double> x = normals(m, op.slot[0], kSeed);
      for (double& v : x) v = std::copysign(0.5 * m.program().constants()[op.constant], v);
      return x;
    }());
    return Inputs::made_up;
  default: return Inputs::none;
  }
}

void make_well_conditioned(HostMember& m) {
  bool any = false;
  for (const Op& op : m.program().step_ops()) {
    if (op.code != OpCode::refresh_basis) continue;
    const std::size_t n = side(m, op.slot[0]);
    const std::vector<double> basis = orthonormal(n, kSeed + op.slot[0]);
    m.write(op.slot[0], factor(basis, n, false));
    m.write(op.slot[1], basis);
    any = true;
  }
  if (any) m.member().step = kMiddle;
}

} // namespace polarscope
