// Steps members on the GPU: one block per member, K steps per launch, every op body inlined into one switch.
//
// Two kernels: a member's whole state in shared memory, or all of it in global memory (L2); mixing both behind one base
// pointer would turn every access into a generic one. Hyperparameters are read from device memory at each step, so a
// live edit is one copy. Records are written by the kernel into pinned host memory, in two halves: while the host
// empties one the device fills the other.
#define POLARSCOPE_ISA cuda

#include "kernels/cuda/module.h"
#include "kernels/cuda/team.cuh"
#include "kernels/interpret.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

namespace polarscope::kernels {

namespace {

constexpr int kThreads = 128;
constexpr std::size_t kRingBytes = std::size_t{16} << 20; // of pinned memory, both halves

enum class Work : std::uint32_t { start, steps, ops };

// One launch. Pointers are the device's.
struct Launch {
  Program program;
  Work work;
  std::uint64_t steps;
  OpRange range;
  const int* which;         // member of each block
  CudaMember* members;      // by member
  void* blocks;             // by member
  const double* hparams;    // by member
  void* scratch;            // by block of the grid; the global kernel's
  void* records;            // pinned: by block of the grid, `steps` records each
  std::uint64_t* made;      // pinned: by block of the grid
  std::uint32_t block_size; // scalars
};

template <class Team, class R>
__device__ __forceinline__ void work_on(const Launch& w, const Program& p, Team& team, R* block, CudaMember& m) {
  const double* hparams = w.hparams + static_cast<std::size_t>(w.which[blockIdx.x]) * p.hparam_count;
  R* records = w.records ? static_cast<R*>(w.records) + blockIdx.x * w.steps * p.record_size : nullptr;
  const Task task = w.work == Work::start   ? start_task(p)
                    : w.work == Work::steps ? step_task(p, w.steps)
                                            : range_task(p, w.range);
  const std::uint64_t step = m.step;
  const bool stands = w.work == Work::steps && m.diverged != 0;
  team.sync(); // everybody has read what one thread writes below
  Burst burst{0, false};
  if (!stands) burst = run_task(team, p, block, hparams, m.seed, step, task, records);
  team.single([&] {
    if (w.made) w.made[blockIdx.x] = burst.made;
    if (w.work != Work::steps) return;
    m.step = step + burst.made;
    if (burst.stopped) {
      m.diverged = 1;
      m.diverged_at = step + burst.made;
    }
  });
}

template <class T> __device__ __forceinline__ T* take(unsigned char*& memory, std::size_t count) {
  T* p = reinterpret_cast<T*>(memory);
  memory += (count * sizeof(T) + 63) / 64 * 64;
  return p;
}

template <class T> __device__ __forceinline__ void load_array(T* to, const T* from, std::size_t count) {
  const auto* source = reinterpret_cast<const std::uint32_t*>(from);
  auto* target = reinterpret_cast<std::uint32_t*>(to);
  for (std::size_t i = threadIdx.x; i < count * sizeof(T) / 4; i += kThreads) target[i] = source[i];
}

constexpr std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Shared memory that the resident kernel needs, in the order it is taken.
std::size_t resident_bytes(const Program& p, std::size_t scalar, std::size_t block_bytes) {
  return lines(2 * kThreads / kWarp * sizeof(double)) + lines(block_bytes) + lines(p.scratch_size * scalar) +
         lines(p.start_count * sizeof(Op)) + lines(p.step_count * sizeof(Op)) + lines(p.slot_count * sizeof(Slot)) +
         lines(p.constant_count * sizeof(double));
}

template <class R> __global__ void __launch_bounds__(kThreads) resident_kernel(Launch w) {
  extern __shared__ __align__(64) unsigned char shared[];
  unsigned char* memory = shared;
  double* partials = take<double>(memory, 2 * kThreads / kWarp);
  R* block = take<R>(memory, w.block_size);
  R* scratch = take<R>(memory, w.program.scratch_size);
  Program p = w.program;
  Op* start = take<Op>(memory, p.start_count);
  Op* step = take<Op>(memory, p.step_count);
  Slot* slots = take<Slot>(memory, p.slot_count);
  double* constants = take<double>(memory, p.constant_count);
  load_array(start, p.start, p.start_count);
  load_array(step, p.step, p.step_count);
  load_array(slots, p.slots, p.slot_count);
  load_array(constants, p.constants, p.constant_count);
  p.start = start;
  p.step = step;
  p.slots = slots;
  p.constants = constants;

  const int member = w.which[blockIdx.x];
  R* home = static_cast<R*>(w.blocks) + static_cast<std::size_t>(member) * w.block_size;
  for (std::uint32_t i = threadIdx.x; i < w.block_size; i += kThreads) block[i] = home[i];
  __syncthreads();
  CudaTeam<R, kThreads> team(partials, scratch);
  work_on(w, p, team, block, w.members[member]);
  __syncthreads();
  for (std::uint32_t i = threadIdx.x; i < w.block_size; i += kThreads) home[i] = block[i];
}

template <class R> __global__ void __launch_bounds__(kThreads) global_kernel(Launch w) {
  __shared__ double partials[2 * kThreads / kWarp];
  const int member = w.which[blockIdx.x];
  R* block = static_cast<R*>(w.blocks) + static_cast<std::size_t>(member) * w.block_size;
  CudaTeam<R, kThreads> team(partials, static_cast<R*>(w.scratch) + blockIdx.x * std::size_t{w.program.scratch_size});
  work_on(w, w.program, team, block, w.members[member]);
}

thread_local char last_error[256] = "";

int fail(const char* what, const char* why) {
  std::snprintf(last_error, sizeof last_error, "%s: %s", what, why);
  return kCudaFailed;
}

// The runtime remembers an error until it is asked for: here, or a later launch would be blamed for it.
int check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return 0;
  cudaGetLastError();
  fail(what, cudaGetErrorString(code));
  return code == cudaErrorMemoryAllocation ? kCudaOutOfMemory : kCudaFailed;
}

// Device memory of one type that grows and keeps its contents.
class DeviceBytes {
public:
  DeviceBytes() = default;
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  ~DeviceBytes() { cudaFree(data_); }
  char* get() const { return data_; }
  // At least `size` bytes, room for more of the same where there is any; new bytes are zero. What was there stays where
  // there is no memory for it.
  int grow(std::size_t size) {
    if (size <= size_) return 0;
    std::size_t bigger = std::max(size, 2 * size_);
    char* fresh = nullptr;
    int e = check(cudaMalloc(&fresh, bigger), "device memory");
    if (e == kCudaOutOfMemory && bigger > size) e = check(cudaMalloc(&fresh, bigger = size), "device memory");
    if (e) return e;
    e = check(cudaMemset(fresh + size_, 0, bigger - size_), "device memory");
    if (!e && size_) e = check(cudaMemcpy(fresh, data_, size_, cudaMemcpyDeviceToDevice), "device memory");
    if (e) {
      cudaFree(fresh);
      return e;
    }
    cudaFree(data_);
    data_ = fresh;
    size_ = bigger;
    return 0;
  }

private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace

struct CudaGroup {
  Program program; // pointers are the device's
  std::size_t scalar = 4, block_bytes = 0, record_bytes = 0, shared_bytes = 0;
  bool resident = false;
  int members = 0;
  DeviceBytes arrays; // the program's ops, slots, constants, recorded slots
  DeviceBytes blocks, states, hparams, which, scratch;
  cudaStream_t stream = nullptr;
  char* ring = nullptr; // pinned, two halves
  std::size_t half_bytes = 0;
  std::uint64_t* made = nullptr; // pinned: two halves of made_room
  std::size_t made_room = 0;
  cudaEvent_t filled[2] = {nullptr, nullptr};

  ~CudaGroup() {
    if (stream) cudaStreamSynchronize(stream);
    for (cudaEvent_t e : filled)
      if (e) cudaEventDestroy(e);
    if (stream) cudaStreamDestroy(stream);
    cudaFreeHost(ring);
    cudaFreeHost(made);
  }
};

namespace {

// The program's arrays in one allocation, each on its own lines.
int upload_program(CudaGroup& g, const Program& p) {
  struct Part {
    const void* from;
    std::size_t bytes;
    std::size_t at = 0;
  };
  Part parts[] = {{p.start, p.start_count * sizeof(Op)},
                  {p.step, p.step_count * sizeof(Op)},
                  {p.slots, p.slot_count * sizeof(Slot)},
                  {p.constants, p.constant_count * sizeof(double)},
                  {p.recorded, p.recorded_count * sizeof(std::uint16_t)}};
  std::size_t size = 64;
  for (Part& part : parts) {
    part.at = size;
    size += lines(part.bytes);
  }
  if (int e = g.arrays.grow(size)) return e;
  for (const Part& part : parts)
    if (part.bytes)
      if (int e = check(cudaMemcpy(g.arrays.get() + part.at, part.from, part.bytes, cudaMemcpyHostToDevice),
                        "upload of the program"))
        return e;
  const char* base = g.arrays.get();
  g.program = p;
  g.program.start = reinterpret_cast<const Op*>(base + parts[0].at);
  g.program.step = reinterpret_cast<const Op*>(base + parts[1].at);
  g.program.slots = reinterpret_cast<const Slot*>(base + parts[2].at);
  g.program.constants = reinterpret_cast<const double*>(base + parts[3].at);
  g.program.recorded = reinterpret_cast<const std::uint16_t*>(base + parts[4].at);
  return 0;
}

// Opens the kernel to all the shared memory a block may have, and says how much of it is left for members. The limit
// belongs to the kernel, not to a group: setting it to one group's size would lower it for the others.
template <class R> int allow_shared(std::size_t& room) {
  int most = 0;
  if (int e = check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), "device")) return e;
  cudaFuncAttributes kernel{};
  if (int e = check(cudaFuncGetAttributes(&kernel, resident_kernel<R>), "kernel")) return e;
  room = static_cast<std::size_t>(most) - kernel.sharedSizeBytes;
  return check(
      cudaFuncSetAttribute(resident_kernel<R>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(room)),
      "shared memory");
}

// Room for one step's records in each half, and for as many more as fit where memory allows.
int make_ring(CudaGroup& g, std::size_t one_step) {
  std::size_t half_bytes = std::max(kRingBytes / 2, one_step);
  if (one_step <= g.half_bytes) return 0;
  cudaFreeHost(g.ring);
  g.ring = nullptr;
  g.half_bytes = 0;
  int e = check(cudaHostAlloc(&g.ring, 2 * half_bytes, cudaHostAllocMapped), "pinned memory");
  if (e == kCudaOutOfMemory && half_bytes > one_step) {
    half_bytes = one_step;
    e = check(cudaHostAlloc(&g.ring, 2 * half_bytes, cudaHostAllocMapped), "pinned memory");
  }
  if (!e) g.half_bytes = half_bytes;
  return e;
}

int make_counters(CudaGroup& g, std::size_t count) {
  if (count <= g.made_room) return 0;
  const std::size_t room = std::max(count, 2 * g.made_room);
  std::uint64_t* made = nullptr;
  if (int e = check(cudaHostAlloc(&made, 2 * room * sizeof(std::uint64_t), cudaHostAllocMapped), "pinned memory"))
    return e;
  cudaFreeHost(g.made);
  g.made = made;
  g.made_room = room;
  return 0;
}

Launch make_launch(CudaGroup& g, Work work) {
  Launch w{};
  w.program = g.program;
  w.work = work;
  w.which = reinterpret_cast<const int*>(g.which.get());
  w.members = reinterpret_cast<CudaMember*>(g.states.get());
  w.blocks = g.blocks.get();
  w.hparams = reinterpret_cast<const double*>(g.hparams.get());
  w.scratch = g.scratch.get();
  w.block_size = static_cast<std::uint32_t>(g.block_bytes / g.scalar);
  return w;
}

int launch(CudaGroup& g, const Launch& w, int count) {
  const unsigned blocks = static_cast<unsigned>(count);
  if (g.resident) {
    if (g.scalar == 4) resident_kernel<float><<<blocks, kThreads, g.shared_bytes, g.stream>>>(w);
    else resident_kernel<double><<<blocks, kThreads, g.shared_bytes, g.stream>>>(w);
  } else {
    if (g.scalar == 4) global_kernel<float><<<blocks, kThreads, 0, g.stream>>>(w);
    else global_kernel<double><<<blocks, kThreads, 0, g.stream>>>(w);
  }
  return check(cudaGetLastError(), "launch") ? kCudaFailed : 0; // what went before has been done
}

// Room for a launch of so many members: their numbers, counters, and the scratch of the global kernel.
int reserve(CudaGroup& g, std::size_t n) {
  if (int e = g.which.grow(n * sizeof(int))) return e;
  if (int e = make_counters(g, n)) return e;
  return g.resident ? 0 : g.scratch.grow(n * g.program.scratch_size * g.scalar);
}

int prepare(CudaGroup& g, const int* members, int count) {
  const auto n = static_cast<std::size_t>(count);
  if (int e = reserve(g, n)) return e;
  return check(cudaMemcpy(g.which.get(), members, n * sizeof(int), cudaMemcpyHostToDevice), "members of a burst");
}

// One chunk of a burst: `steps` steps of each member into one half of the ring.
struct Chunk {
  int half = 0;
  std::uint64_t steps = 0;
};

int launch_chunk(CudaGroup& g, Work work, int count, const Chunk& c) {
  Launch w = make_launch(g, work);
  w.steps = c.steps;
  w.records = g.ring + static_cast<std::size_t>(c.half) * g.half_bytes;
  w.made = g.made + static_cast<std::size_t>(c.half) * g.made_room;
  if (int e = launch(g, w, count)) return e;
  return check(cudaEventRecord(g.filled[c.half], g.stream), "event");
}

int drain_chunk(CudaGroup& g, int count, const Chunk& c, CudaRecords sink, void* user) {
  if (int e = check(cudaEventSynchronize(g.filled[c.half]), "burst")) return e;
  const char* records = g.ring + static_cast<std::size_t>(c.half) * g.half_bytes;
  const std::uint64_t* made = g.made + static_cast<std::size_t>(c.half) * g.made_room;
  for (int i = 0; i < count; ++i)
    if (made[i]) sink(user, i, records + static_cast<std::size_t>(i) * c.steps * g.record_bytes, made[i]);
  return 0;
}

int burst(CudaGroup& g, Work work, const int* members, int count, std::uint64_t steps, CudaRecords sink, void* user) {
  if (count == 0 || steps == 0) return 0;
  if (int e = prepare(g, members, count)) return e;
  const std::size_t one_step = static_cast<std::size_t>(count) * g.record_bytes;
  if (int e = make_ring(g, one_step)) return e;
  const std::uint64_t room = std::max<std::uint64_t>(1, g.half_bytes / std::max<std::size_t>(one_step, 1));
  Chunk previous;
  for (std::uint64_t done = 0; done < steps;) {
    const Chunk now{1 - previous.half, std::min(room, steps - done)};
    if (int e = launch_chunk(g, work, count, now)) return e;
    if (previous.steps)
      if (int e = drain_chunk(g, count, previous, sink, user)) return e;
    previous = now;
    done += now.steps;
  }
  return drain_chunk(g, count, previous, sink, user);
}

// ---- the table ----------------------------------------------------------------------------------------------------

const char* module_error() { return last_error; }

int module_probe(char* line, std::size_t size) {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaErrorInsufficientDriver || code == cudaErrorNoDevice || (code == cudaSuccess && count == 0)) {
    std::snprintf(line, size, "no GPU: %s",
                  code == cudaErrorInsufficientDriver ? "driver absent or too old" : "no device");
    cudaGetLastError();
    return kCudaFailed;
  }
  cudaDeviceProp device{};
  const cudaError_t told = code == cudaSuccess ? cudaGetDeviceProperties(&device, 0) : code;
  if (check(told, "device")) {
    std::snprintf(line, size, "no GPU: %s", cudaGetErrorString(told));
    return kCudaFailed;
  }
  cudaFuncAttributes attributes{};
  if (cudaFuncGetAttributes(&attributes, resident_kernel<float>) != cudaSuccess) {
    cudaGetLastError();
    std::snprintf(line, size, "no GPU: %s has compute capability %d.%d, for which this module was not built",
                  device.name, device.major, device.minor);
    return kCudaFailed;
  }
  std::snprintf(line, size, "%s, %d multiprocessors", device.name, device.multiProcessorCount);
  return 0;
}

int module_free_memory(std::size_t* bytes) {
  std::size_t total = 0;
  return check(cudaMemGetInfo(bytes, &total), "device memory");
}

int module_open(const Program& p, std::size_t scalar_bytes, std::size_t block_bytes, CudaGroup** out) {
  auto* g = new (std::nothrow) CudaGroup;
  if (!g) {
    fail("group", "out of memory");
    return kCudaOutOfMemory;
  }
  g->scalar = scalar_bytes;
  g->block_bytes = block_bytes;
  g->record_bytes = p.record_size * scalar_bytes;
  g->shared_bytes = resident_bytes(p, scalar_bytes, block_bytes);
  std::size_t room = 0;
  int e = scalar_bytes == 4 ? allow_shared<float>(room) : allow_shared<double>(room);
  g->resident = !e && g->shared_bytes <= room;
  if (!e) e = upload_program(*g, p);
  // A blocking stream: copies and clears on the default stream are then ordered with the launches.
  if (!e) e = check(cudaStreamCreate(&g->stream), "stream");
  for (cudaEvent_t& event : g->filled)
    if (!e) e = check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event");
  if (e) {
    delete g;
    return e;
  }
  *out = g;
  return 0;
}

void module_close(CudaGroup* g) { delete g; }
int module_resident(const CudaGroup* g) { return g->resident ? 1 : 0; }

int module_set_member(CudaGroup* g, int member, const CudaMember* in) {
  return check(cudaMemcpy(g->states.get() + static_cast<std::size_t>(member) * sizeof *in, in, sizeof *in,
                          cudaMemcpyHostToDevice),
               "member");
}

int module_get_members(CudaGroup* g, int first, int count, CudaMember* out) {
  return check(cudaMemcpy(out, g->states.get() + static_cast<std::size_t>(first) * sizeof *out,
                          static_cast<std::size_t>(count) * sizeof *out, cudaMemcpyDeviceToHost),
               "members");
}

int module_add(CudaGroup* g, std::uint64_t seed) {
  const auto n = static_cast<std::size_t>(g->members) + 1;
  if (int e = g->blocks.grow(n * g->block_bytes)) return e;
  if (int e = g->states.grow(n * sizeof(CudaMember))) return e;
  if (int e = g->hparams.grow(std::max<std::size_t>(64, n * g->program.hparam_count * sizeof(double)))) return e;
  if (int e = reserve(*g, n)) return e;
  ++g->members;
  CudaMember m;
  m.seed = seed;
  return module_set_member(g, g->members - 1, &m);
}

int module_set_hparams(CudaGroup* g, int member, const double* row) {
  const std::size_t bytes = g->program.hparam_count * sizeof(double);
  return check(
      cudaMemcpy(g->hparams.get() + static_cast<std::size_t>(member) * bytes, row, bytes, cudaMemcpyHostToDevice),
      "hyperparameters");
}

int module_write(CudaGroup* g, int member, std::size_t offset, const void* from, std::size_t bytes) {
  return check(cudaMemcpy(g->blocks.get() + static_cast<std::size_t>(member) * g->block_bytes + offset, from, bytes,
                          cudaMemcpyHostToDevice),
               "upload");
}

int module_read(CudaGroup* g, int member, std::size_t offset, void* to, std::size_t bytes) {
  return check(cudaMemcpy(to, g->blocks.get() + static_cast<std::size_t>(member) * g->block_bytes + offset, bytes,
                          cudaMemcpyDeviceToHost),
               "download");
}

int module_copy(CudaGroup* g, int from, int to) {
  const auto row = [&](DeviceBytes& memory, std::size_t bytes) {
    if (!bytes) return 0;
    return check(cudaMemcpy(memory.get() + static_cast<std::size_t>(to) * bytes,
                            memory.get() + static_cast<std::size_t>(from) * bytes, bytes, cudaMemcpyDeviceToDevice),
                 "copy");
  };
  if (int e = row(g->blocks, g->block_bytes)) return e;
  if (int e = row(g->states, sizeof(CudaMember))) return e;
  return row(g->hparams, g->program.hparam_count * sizeof(double));
}

int module_start(CudaGroup* g, const int* members, int count, CudaRecords sink, void* user) {
  return burst(*g, Work::start, members, count, 1, sink, user);
}

int module_advance(CudaGroup* g, const int* members, int count, std::uint64_t steps, CudaRecords sink, void* user) {
  return burst(*g, Work::steps, members, count, steps, sink, user);
}

int module_run_ops(CudaGroup* g, const int* members, int count, const OpRange* range) {
  if (count == 0) return 0;
  if (int e = prepare(*g, members, count)) return e;
  Launch w = make_launch(*g, Work::ops);
  w.range = *range;
  if (int e = launch(*g, w, count)) return e;
  return check(cudaStreamSynchronize(g->stream), "ops");
}

constexpr CudaModule kModule = {
    kCudaModuleVersion, module_error, module_probe,       module_free_memory, module_open,        module_close,
    module_resident,    module_add,   module_get_members, module_set_member,  module_set_hparams, module_write,
    module_read,        module_copy,  module_start,       module_advance,     module_run_ops};

} // namespace

} // namespace polarscope::kernels

extern "C" const polarscope::kernels::CudaModule* polarscope_cuda_module() { return &polarscope::kernels::kModule; }
