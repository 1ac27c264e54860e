// Compiled once per instruction set (POLARSCOPE_ISA).
#include "kernels/cpu/execute_packs.hpp"

#include "kernels/cpu/flush.hpp"
#include "kernels/cpu/pack_team.hpp"
#include "kernels/interpret.hpp"

POLARSCOPE_KERNELS_BEGIN

namespace {

constexpr std::uint64_t kStepsAtOnce = 16; // whose records wait in packs: they stay in the first-level cache

// Where the parts of a pack's memory begin, in packs.
struct Parts {
  std::size_t scratch, records, hparams, all; // the block comes first
};
Parts parts_of(const PackProgram& p) {
  Parts at{};
  at.scratch = p.element_count;
  at.records = at.scratch + p.program.scratch_size;
  at.hparams = at.records + kStepsAtOnce * p.program.record_size;
  at.all = at.hparams + 2 * p.program.hparam_count;
  return at;
}
std::size_t memory_bytes(const PackProgram& p) { return parts_of(p).all * sizeof(Pack); }

// Between members' own blocks and the pack. Lanes that no member has repeat the last one's numbers.
void gather(const PackProgram& p, Member* const* m, int count, float* pack) {
  for (int lane = 0; lane < kPack; ++lane) {
    const float* from = static_cast<const float*>(m[lane < count ? lane : count - 1]->block);
    for (std::uint32_t k = 0; k < p.element_count; ++k) pack[k * kPack + lane] = from[p.elements[k]];
  }
}
void scatter(const PackProgram& p, const float* pack, int lane, Member& m) {
  float* to = static_cast<float*>(m.block);
  for (std::uint32_t k = 0; k < p.element_count; ++k) to[p.elements[k]] = pack[k * kPack + lane];
}

SeedPack seeds_of(Member* const* m, int count) {
  std::int64_t words[2][kPack];
  for (int lane = 0; lane < kPack; ++lane) {
    const std::uint64_t seed = m[lane < count ? lane : count - 1]->seed;
    words[0][lane] = static_cast<std::int64_t>(seed & 0xFFFFFFFFu);
    words[1][lane] = static_cast<std::int64_t>(seed >> 32);
  }
  SeedPack seeds;
  for (int w = 0; w < 2; ++w)
    for (int k = 0; k < kPack / 2; ++k) {
      seeds.low[w][k] = words[w][k];
      seeds.high[w][k] = words[w][kPack / 2 + k];
    }
  return seeds;
}

void fill_hparams(const PackProgram& p, Member* const* m, int count, WidePack* to) {
  for (std::uint32_t h = 0; h < p.program.hparam_count; ++h)
    for (int k = 0; k < kPack / 2; ++k) {
      to[h].low[k] = m[k < count ? k : count - 1]->hparams[h];
      to[h].high[k] = m[kPack / 2 + k < count ? kPack / 2 + k : count - 1]->hparams[h];
    }
}

// Records of `steps` steps from the pack's to a member's own, whose first of these is number `first`.
void keep_records(const PackProgram& p, const float* records, int lane, Member& m, std::uint64_t first,
                  std::uint64_t steps) {
  if (!m.records) return;
  float* to = static_cast<float*>(m.records) + first * p.program.record_size;
  const std::uint64_t numbers = steps * p.program.record_size;
  for (std::uint64_t k = 0; k < numbers; ++k) to[k] = records[k * kPack + static_cast<std::uint64_t>(lane)];
}

void advance(const PackProgram& p, Member* const* m, int count, std::uint64_t steps, void* memory,
             std::uint64_t* made) {
  const FlushDenormals flush;
  const Parts at = parts_of(p);
  Pack* const block = static_cast<Pack*>(memory);
  Pack* const records = block + at.records;
  auto* const hparams = reinterpret_cast<WidePack*>(block + at.hparams);
  gather(p, m, count, reinterpret_cast<float*>(block));
  fill_hparams(p, m, count, hparams);
  const SeedPack seeds = seeds_of(m, count);
  PackTeam team(block + at.scratch, p.program.scratch_size);
  const Task task = step_task(p.program, 1);
  const std::uint64_t begin = m[0]->step;
  int going = count;
  for (int lane = 0; lane < count; ++lane) made[lane] = steps;

  for (std::uint64_t first = 0; first < steps && going > 0; first += kStepsAtOnce) {
    const std::uint64_t now = steps - first < kStepsAtOnce ? steps - first : kStepsAtOnce;
    for (std::uint64_t k = 0; k < now; ++k) {
      Context<PackTeam> c{team, p.program, block, hparams, seeds, begin + first + k, false};
      begin_step(c);
      run_list(c, task.ops, task.count);
      write_record(c, records + k * p.program.record_size);
      if (!any_(c.stopped)) continue;
      // A member that has diverged keeps the state it stopped in; its lane goes on with numbers that nobody takes.
      for (int lane = 0; lane < count; ++lane) {
        if (!c.stopped.v[lane] || made[lane] < steps || m[lane]->status != MemberStatus::ok) continue;
        made[lane] = first + k + 1;
        m[lane]->status = MemberStatus::diverged;
        m[lane]->diverged_at = begin + made[lane];
        scatter(p, reinterpret_cast<const float*>(block), lane, *m[lane]);
        --going;
      }
    }
    for (int lane = 0; lane < count; ++lane)
      if (made[lane] > first)
        keep_records(p, reinterpret_cast<const float*>(records), lane, *m[lane], first,
                     made[lane] - first < now ? made[lane] - first : now);
  }
  for (int lane = 0; lane < count; ++lane) {
    if (m[lane]->status == MemberStatus::ok) scatter(p, reinterpret_cast<const float*>(block), lane, *m[lane]);
    m[lane]->step = begin + made[lane];
  }
}

} // namespace

#define POLARSCOPE_TEXT_(x) #x
#define POLARSCOPE_TEXT(x) POLARSCOPE_TEXT_(x)
extern const PackExecutor kPackExecutor;
const PackExecutor kPackExecutor = {POLARSCOPE_TEXT(POLARSCOPE_ISA), kPack, memory_bytes, advance};

POLARSCOPE_KERNELS_END
