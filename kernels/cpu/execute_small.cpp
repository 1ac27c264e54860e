// Compiled once per instruction set (POLARSCOPE_ISA: its name and _small), without contraction.
#include "kernels/small.hpp"

#include "kernels/cpu/flush.hpp"
#include "kernels/cpu/small_team.hpp"
#include "kernels/interpret.hpp"

#if defined(__AVX2__)
#  include "kernels/cpu/pack.hpp"

#  include <cstring>
#endif

POLARSCOPE_KERNELS_BEGIN

namespace {

bool run(const Program& p, float* block, const double* hparams, std::uint64_t seed, std::uint64_t step, bool starting,
         const Op* ops, std::uint32_t count) {
  SmallTeam<float> team;
  Context<SmallTeam<float>> c{team, p, block, hparams, seed, step, starting};
  run_list(c, ops, count);
  return c.stopped;
}

#if defined(__AVX2__)

using PackTeam = SmallTeam<Pack>;

constexpr std::uint64_t kStepsAtOnce = 16; // whose records wait in packs: they stay in the first-level cache

// A pack's memory: its members' elements and hyperparameters, and the records of its last steps.
struct PackMemory {
  PackMemory(const PackProgram& p, void* memory)
      : block(static_cast<Pack*>(memory)), records(block + p.element_count),
        hparams(reinterpret_cast<WidePack*>(records + kStepsAtOnce * p.program.record_size)) {}
  Pack* block;
  Pack* records; // a whole number of times kPack
  WidePack* hparams;
};
std::size_t pack_bytes(const PackProgram& p) {
  const std::size_t packs = p.element_count + kStepsAtOnce * p.program.record_size;
  return packs * sizeof(Pack) + p.program.hparam_count * sizeof(WidePack);
}

// From the members to the pack. Lanes that no member has repeat the last one's numbers.
SeedPack gather(const PackProgram& p, Member* const* m, int count, const PackMemory& pack) {
  SeedPack seeds;
  auto* elements = reinterpret_cast<float*>(pack.block);
  auto* hparams = reinterpret_cast<double*>(pack.hparams);
  auto* words = reinterpret_cast<std::uint64_t*>(&seeds);
  for (int lane = 0; lane < kPack; ++lane) {
    const Member& from = *m[lane < count ? lane : count - 1];
    const float* block = static_cast<const float*>(from.block);
    for (std::uint32_t k = 0; k < p.element_count; ++k) elements[k * kPack + lane] = block[p.elements[k]];
    for (std::uint32_t h = 0; h < p.program.hparam_count; ++h) hparams[h * kPack + lane] = from.hparams[h];
    words[lane] = from.seed;
    words[kPack + lane] = from.seed >> 32;
  }
  return seeds;
}

void scatter(const PackProgram& p, const Pack* block, int lane, Member& m) {
  const auto* elements = reinterpret_cast<const float*>(block);
  float* to = static_cast<float*>(m.block);
  for (std::uint32_t k = 0; k < p.element_count; ++k) to[p.elements[k]] = elements[k * kPack + lane];
}

// Records of the steps [first, last) since the members' own begin, of each member only those that it made.
void keep_records(const PackProgram& p, const Pack* records, Member* const* m, int count, std::uint64_t first,
                  std::uint64_t last, const std::uint64_t* made) {
  const std::uint64_t size = p.program.record_size, all = (last - first) * size;
  for (std::uint64_t k = 0; k < all; k += kPack) {
    PackFloats rows[kPack];
    POLARSCOPE_UNROLL(16)
    for (int i = 0; i < kPack; ++i) rows[i] = records[k + static_cast<std::uint64_t>(i)].v;
    transpose(rows);
    for (int lane = 0; lane < count; ++lane) {
      const std::uint64_t end = (made[lane] < last ? made[lane] : last) * size, at = first * size + k;
      if (!m[lane]->records || at >= end) continue;
      float* to = static_cast<float*>(m[lane]->records) + at;
      if (end - at >= kPack) std::memcpy(to, &rows[lane], sizeof rows[lane]);
      else std::memcpy(to, &rows[lane], (end - at) * sizeof(float));
    }
  }
}

void advance(const PackProgram& p, Member* const* m, int count, std::uint64_t steps, void* memory,
             std::uint64_t* made) {
  const FlushDenormals flush;
  const PackMemory pack(p, memory);
  const SeedPack seeds = gather(p, m, count, pack);
  PackTeam team;
  const std::uint64_t begin = m[0]->step;
  int going = 0;
  for (int lane = 0; lane < count; ++lane) {
    const bool goes = m[lane]->status == MemberStatus::ok;
    made[lane] = goes ? steps : 0;
    going += goes;
  }
  for (std::uint64_t first = 0, last; first < steps && going > 0; first = last) {
    last = steps - first < kStepsAtOnce ? steps : first + kStepsAtOnce;
    for (std::uint64_t k = first; k < last; ++k) {
      Context<PackTeam> c{team, p.program, pack.block, pack.hparams, seeds, begin + k, false};
      begin_step(c);
      run_list(c, p.program.step, p.program.step_count);
      write_record(c, pack.records + (k - first) * p.program.record_size);
      if (!any_(c.stopped)) continue;
      // A member that has diverged keeps the state it stopped in; its lane goes on with numbers that nobody takes.
      for (int lane = 0; lane < count; ++lane) {
        if (!c.stopped.of(lane) || m[lane]->status != MemberStatus::ok) continue;
        made[lane] = k + 1;
        m[lane]->status = MemberStatus::diverged;
        m[lane]->diverged_at = m[lane]->step = begin + k + 1;
        scatter(p, pack.block, lane, *m[lane]);
        --going;
      }
    }
    keep_records(p, pack.records, m, count, first, last, made);
  }
  for (int lane = 0; lane < count; ++lane) {
    if (m[lane]->status != MemberStatus::ok) continue;
    scatter(p, pack.block, lane, *m[lane]);
    m[lane]->step = begin + steps;
  }
}

constexpr int kMembers = kPack;

#else

constexpr int kMembers = 0;
constexpr std::size_t (*pack_bytes)(const PackProgram&) = nullptr;
constexpr void (*advance)(const PackProgram&, Member* const*, int, std::uint64_t, void*, std::uint64_t*) = nullptr;

#endif

} // namespace

extern const SmallExecutor kSmallExecutor;
const SmallExecutor kSmallExecutor = {run, kMembers, pack_bytes, advance};

POLARSCOPE_KERNELS_END
