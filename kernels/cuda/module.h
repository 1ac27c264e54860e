// What the optional CUDA module offers to whoever loads it: one exported function that returns a table of functions.
// Nothing here needs CUDA's headers. The module is loaded at run time, so that the program starts on machines without a
// driver.
//
// Calls on one group must not overlap. Every call returns 0 or an error; the table's error() then says why, in one line
// that is valid until the calling thread's next call. kCudaOutOfMemory: the call did nothing, and the group works on as
// before. Any other error is the device's; a CUDA context that has failed once mostly fails from then on.
#pragma once

#include "kernels/op.hpp"

#include <cstddef>
#include <cstdint>

namespace polarscope::kernels {

inline constexpr std::uint32_t kCudaModuleVersion = 2;
inline constexpr const char* kCudaModuleSymbol = "polarscope_cuda_module";
inline constexpr int kCudaFailed = 1, kCudaOutOfMemory = 2;

// Where a member stands, as the device keeps it.
struct CudaMember {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint64_t diverged_at = 0;
  std::uint32_t diverged = 0;
  std::uint32_t reserved = 0;
};

struct CudaGroup; // members of one program on the device

// What becomes of one member's records in a burst: called once per chunk, in order of steps. `records` holds `made` records.
using CudaRecords = void (*)(void* user, int index, const void* records, std::uint64_t made);

struct CudaModule {
  std::uint32_t version;

  const char* (*error)();
  // 0 when a device answers. Writes one line either way: the device's name, or why there is none.
  int (*probe)(char* line, std::size_t size);
  // Device memory that is free, in bytes.
  int (*free_memory)(std::size_t* bytes);

  // Copies the program; `program` may go away afterwards.
  int (*open)(const Program& program, std::size_t scalar_bytes, std::size_t block_bytes, CudaGroup** group);
  void (*close)(CudaGroup*);
  // Whether a member's whole state fits into shared memory, for the description.
  int (*resident)(const CudaGroup*);

  // Members are numbered 0, 1, …; a new one has a zeroed block. Makes room for a burst of all members too.
  int (*add)(CudaGroup*, std::uint64_t seed);
  int (*get_members)(CudaGroup*, int first, int count, CudaMember* out);
  int (*set_member)(CudaGroup*, int member, const CudaMember* in);
  int (*set_hparams)(CudaGroup*, int member, const double* row);
  int (*write)(CudaGroup*, int member, std::size_t offset_bytes, const void* from, std::size_t bytes);
  int (*read)(CudaGroup*, int member, std::size_t offset_bytes, void* to, std::size_t bytes);
  int (*copy)(CudaGroup*, int from, int to); // the whole block, hyperparameters and state

  // The start list of the given members, one record each.
  int (*start)(CudaGroup*, const int* members, int count, CudaRecords sink, void* user);
  // Up to `steps` steps of each, one record per step made.
  int (*advance)(CudaGroup*, const int* members, int count, std::uint64_t steps, CudaRecords sink, void* user);
  // A range of ops once for each, without records.
  int (*run_ops)(CudaGroup*, const int* members, int count, const OpRange* range);
};

} // namespace polarscope::kernels

extern "C" const polarscope::kernels::CudaModule* polarscope_cuda_module();
