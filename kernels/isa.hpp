// Which instruction set this translation unit is compiled for.
//
// Everything in kernels/ that contains code lives in an inline namespace named after the instruction set, so that
// the linker never merges a function compiled for AVX-512 with its namesake for SSE4. Plain data types (op.hpp)
// are shared by all of them.
#pragma once

#ifndef POLARSCOPE_ISA
#  define POLARSCOPE_ISA host
#endif

#define POLARSCOPE_KERNELS_BEGIN                                                                                       \
  namespace polarscope::kernels {                                                                                      \
  inline namespace POLARSCOPE_ISA {
#define POLARSCOPE_KERNELS_END                                                                                         \
  }                                                                                                                    \
  }

#if defined(__CUDACC__)
#  define POLARSCOPE_FN __device__ __forceinline__
#  define POLARSCOPE_ONCE __device__ __forceinline__
#  define POLARSCOPE_UNROLL(n) _Pragma("unroll")
#else
#  define POLARSCOPE_FN inline __attribute__((always_inline))
// The switch over all bodies: on the CPU one copy per scalar serves every caller, or compiling takes three times as long.
#  define POLARSCOPE_ONCE __attribute__((noinline))
#  define POLARSCOPE_PRAGMA_(x) _Pragma(#  x)
#  define POLARSCOPE_UNROLL(n) POLARSCOPE_PRAGMA_(GCC unroll n)
#endif
