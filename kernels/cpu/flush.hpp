// Numbers below the normal range count as zero while an executor runs: part of the numbers contract. Decaying moments
// would otherwise cost several times the step. The CUDA module does the same in single precision (-ftz=true); in double
// precision a GPU has no such mode and keeps them, which differs by less than 1e-307.
#pragma once

#include "kernels/isa.hpp"

#if defined(__x86_64__)
#  include <immintrin.h>
#endif

POLARSCOPE_KERNELS_BEGIN

// Sets flush-to-zero and denormals-are-zero for this thread, and puts the caller's setting back.
class FlushDenormals {
public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(before_); }

private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
    __asm__ volatile("msr fpcr, %0" : : "r"(before_ | (1ull << 24)));
  }
  ~FlushDenormals() { __asm__ volatile("msr fpcr, %0" : : "r"(before_)); }

private:
  unsigned long long before_;
#else
  FlushDenormals() = default;
  ~FlushDenormals() {}
#endif

public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

POLARSCOPE_KERNELS_END
