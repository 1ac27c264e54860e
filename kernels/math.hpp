// Elementary functions for op bodies, by name so that a packed scalar can overload them.
#pragma once

#include "kernels/isa.hpp"

#if !defined(__CUDACC__)
#  include <cmath>
#endif

POLARSCOPE_KERNELS_BEGIN

POLARSCOPE_FN float sqrt_(float x) { return __builtin_sqrtf(x); }
POLARSCOPE_FN double sqrt_(double x) { return __builtin_sqrt(x); }
POLARSCOPE_FN float exp_(float x) { return ::expf(x); }
POLARSCOPE_FN double exp_(double x) { return ::exp(x); }
POLARSCOPE_FN float log_(float x) { return ::logf(x); }
POLARSCOPE_FN double log_(double x) { return ::log(x); }
POLARSCOPE_FN float log1p_(float x) { return ::log1pf(x); }
POLARSCOPE_FN double log1p_(double x) { return ::log1p(x); }
POLARSCOPE_FN float expm1_(float x) { return ::expm1f(x); }
POLARSCOPE_FN double expm1_(double x) { return ::expm1(x); }
POLARSCOPE_FN float sin_(float x) { return ::sinf(x); }
POLARSCOPE_FN double sin_(double x) { return ::sin(x); }
POLARSCOPE_FN float cos_(float x) { return ::cosf(x); }
POLARSCOPE_FN double cos_(double x) { return ::cos(x); }
POLARSCOPE_FN float atan2_(float y, float x) { return ::atan2f(y, x); }
POLARSCOPE_FN double atan2_(double y, double x) { return ::atan2(y, x); }
POLARSCOPE_FN float pow_(float x, float y) { return ::powf(x, y); }
POLARSCOPE_FN double pow_(double x, double y) { return ::pow(x, y); }
POLARSCOPE_FN float abs_(float x) { return __builtin_fabsf(x); }
POLARSCOPE_FN double abs_(double x) { return __builtin_fabs(x); }
template <class R> POLARSCOPE_FN R sel(bool condition, R a, R b) { return condition ? a : b; }
template <class R> POLARSCOPE_FN R max_(R a, R b) { return a > b ? a : b; }
template <class R> POLARSCOPE_FN R min_(R a, R b) { return a < b ? a : b; }
template <class R> POLARSCOPE_FN bool finite_(R x) { return x - x == R(0); }

// Below this a norm counts as zero: normalising gives zero (algorithms.md §0).
template <class R> struct Tiny;
template <> struct Tiny<float> { static constexpr float value = 1e-30f; };
template <> struct Tiny<double> { static constexpr double value = 1e-300; };

POLARSCOPE_KERNELS_END
