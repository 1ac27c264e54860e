#include "tests/support/emulated_cuda.hpp"

#include "kernels/emulate/execute.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

namespace polarscope::kernels {

struct CudaGroup {
  Program program;
  std::vector<Op> start, step;
  std::vector<Slot> slots;
  std::vector<double> constants;
  std::vector<std::uint16_t> recorded;
  std::size_t scalar = 4, block_bytes = 0;
  std::vector<std::vector<double>> blocks; // doubles for their alignment
  std::vector<std::vector<double>> hparams;
  std::vector<CudaMember> members;
  std::vector<double> scratch;
};

} // namespace polarscope::kernels

namespace polarscope::test {

namespace {

using namespace kernels;

const BlockShape kShape{8, 4, LaneOrder::shuffled, 7};

const EmulatedExecutor& executor(const CudaGroup* g) { return g->scalar == 4 ? kEmulatedF32 : kEmulatedF64; }
std::size_t at(int i) { return static_cast<std::size_t>(i); }
std::byte* block(CudaGroup* g, int member) { return reinterpret_cast<std::byte*>(g->blocks[at(member)].data()); }

Member view(CudaGroup* g, int member) {
  const CudaMember& c = g->members[at(member)];
  Member m;
  m.block = block(g, member);
  m.hparams = g->hparams[at(member)].data();
  m.seed = c.seed;
  m.step = c.step;
  m.status = c.diverged ? MemberStatus::diverged : MemberStatus::ok;
  m.diverged_at = c.diverged_at;
  return m;
}

void put_back(CudaGroup* g, int member, const Member& m) {
  CudaMember& c = g->members[at(member)];
  c.step = m.step;
  c.diverged = m.status == MemberStatus::diverged;
  c.diverged_at = m.diverged_at;
}

int calls_left = -1;
bool fails() {
  if (calls_left > 0) --calls_left;
  return calls_left == 0;
}

long long memory_left = -1; // bytes
bool out_of_memory = false; // the last call lacked memory, and nothing else was wrong

const char* error() { return out_of_memory ? "emulated memory is full" : "emulated"; }
int free_memory(std::size_t* bytes) {
  *bytes = memory_left < 0 ? std::size_t{1} << 40 : static_cast<std::size_t>(memory_left);
  return 0;
}
int probe(char* line, std::size_t size) { return std::snprintf(line, size, "emulated block"), 0; }

int open(const Program& p, std::size_t scalar, std::size_t block_bytes, CudaGroup** out) {
  auto* g = new CudaGroup;
  g->program = p;
  g->start.assign(p.start, p.start + p.start_count);
  g->step.assign(p.step, p.step + p.step_count);
  g->slots.assign(p.slots, p.slots + p.slot_count);
  g->constants.assign(p.constants, p.constants + p.constant_count);
  g->recorded.assign(p.recorded, p.recorded + p.recorded_count);
  g->program.start = g->start.data();
  g->program.step = g->step.data();
  g->program.slots = g->slots.data();
  g->program.constants = g->constants.data();
  g->program.recorded = g->recorded.data();
  g->scalar = scalar;
  g->block_bytes = block_bytes;
  g->scratch.resize(p.scratch_size);
  *out = g;
  return 0;
}
void close(CudaGroup* g) {
  if (memory_left >= 0) memory_left += static_cast<long long>(g->blocks.size() * g->block_bytes);
  delete g;
}
int resident(const CudaGroup*) { return 1; }

int add(CudaGroup* g, std::uint64_t seed) {
  out_of_memory = false;
  if (fails()) return kCudaFailed;
  if (memory_left >= 0) {
    out_of_memory = memory_left < static_cast<long long>(g->block_bytes);
    if (out_of_memory) return kCudaOutOfMemory;
    memory_left -= static_cast<long long>(g->block_bytes);
  }
  g->blocks.emplace_back(g->block_bytes / sizeof(double) + 1);
  g->hparams.emplace_back(g->program.hparam_count);
  g->members.emplace_back();
  g->members.back().seed = seed;
  return 0;
}
int get_members(CudaGroup* g, int first, int count, CudaMember* out) {
  return fails() ? 1 : (std::copy_n(g->members.begin() + first, count, out), 0);
}
int set_member(CudaGroup* g, int member, const CudaMember* in) {
  return fails() ? 1 : (g->members[at(member)] = *in, 0);
}
int set_hparams(CudaGroup* g, int member, const double* row) {
  return fails() ? 1 : (g->hparams[at(member)].assign(row, row + g->program.hparam_count), 0);
}
int write(CudaGroup* g, int member, std::size_t offset, const void* from, std::size_t bytes) {
  return fails() ? 1 : (std::memcpy(block(g, member) + offset, from, bytes), 0);
}
int read(CudaGroup* g, int member, std::size_t offset, void* to, std::size_t bytes) {
  return fails() ? 1 : (std::memcpy(to, block(g, member) + offset, bytes), 0);
}
int copy(CudaGroup* g, int from, int to) {
  g->blocks[at(to)] = g->blocks[at(from)];
  g->hparams[at(to)] = g->hparams[at(from)];
  g->members[at(to)] = g->members[at(from)];
  return 0;
}

int start(CudaGroup* g, const int* members, int count, CudaRecords sink, void* user) {
  if (fails()) return 1;
  std::vector<double> record(g->program.record_size);
  for (int i = 0; i < count; ++i) {
    Member m = view(g, members[i]);
    m.records = record.data();
    if (!executor(g).start(kShape, g->program, m, g->scratch.data()).ok) return 1;
    sink(user, i, record.data(), 1);
  }
  return 0;
}

// In chunks of at most three steps, as a small ring would make them.
int advance(CudaGroup* g, const int* members, int count, std::uint64_t steps, CudaRecords sink, void* user) {
  std::vector<double> records(3 * g->program.record_size);
  for (std::uint64_t done = 0; done < steps; done += 3)
    for (int i = 0; i < count; ++i) {
      Member m = view(g, members[i]);
      m.records = records.data();
      const std::uint64_t before = m.step;
      if (!executor(g).advance(kShape, g->program, m, std::min<std::uint64_t>(3, steps - done), g->scratch.data()).ok)
        return 1;
      put_back(g, members[i], m);
      if (m.step > before) sink(user, i, records.data(), m.step - before);
    }
  return fails() ? 1 : 0; // after records were handed out, as a launch may fail in the middle of a burst
}

int run_ops(CudaGroup* g, const int* members, int count, const OpRange* range) {
  if (fails()) return 1;
  for (int i = 0; i < count; ++i)
    if (!executor(g).run_ops(kShape, g->program, view(g, members[i]), *range, g->scratch.data()).ok) return 1;
  return 0;
}

} // namespace

void emulated_cuda_fails_after(int calls) { calls_left = calls < 0 ? -1 : calls + 1; }
void emulated_cuda_has_memory(long long bytes) { memory_left = bytes; }

const kernels::CudaModule& emulated_cuda() {
  static const CudaModule module = {
      kCudaModuleVersion, error,       probe, free_memory, open, close, resident, add,    get_members,
      set_member,         set_hparams, write, read,        copy, start, advance,  run_ops};
  return module;
}

} // namespace polarscope::test
