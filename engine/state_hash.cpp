#include "engine/state_hash.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace polarscope {

namespace {

// FNV-1a over 64-bit words; the shift carries high bits down, which a multiplication alone never does.
void add(std::uint64_t& hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x100000001B3ull;
  hash ^= hash >> 32;
}

constexpr std::uint64_t kBasis = 0xCBF29CE484222325ull;

std::uint64_t bits(double x, Precision precision) {
  if (precision == Precision::f64)
    return std::bit_cast<std::uint64_t>(std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x);
  return std::bit_cast<std::uint32_t>(std::isnan(x) ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(x));
}

} // namespace

std::uint64_t hash_member(const StepProgram& program, const MemberGroup& group, int member) {
  std::uint64_t hash = kBasis;
  std::vector<double> values;
  for (std::size_t i = 0; i < program.slots().size(); ++i) {
    const SlotInfo& slot = program.slots()[i];
    const bool persistent = slot.role == Role::hparam || slot.role == Role::param || slot.role == Role::state;
    if (!persistent) continue;
    values.resize(std::size_t{slot.rows} * slot.cols);
    group.read_slot(member, static_cast<SlotId>(i), values);
    for (const double x : values) add(hash, bits(x, program.precision()));
  }
  return hash;
}

std::uint64_t hash_of_hashes(std::span<const std::uint64_t> hashes) {
  if (hashes.size() == 1) return hashes.front();
  std::uint64_t hash = kBasis;
  for (const std::uint64_t h : hashes) add(hash, h);
  return hash;
}

} // namespace polarscope
