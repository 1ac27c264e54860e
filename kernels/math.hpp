// Elementary functions for op bodies, by name so that a packed scalar can overload them.
//
// In float, exp_, log_, sincos_turns_ and atan2_ are this file's own polynomials: they inline and vectorise, and they are the same
// operations on every device, so that devices differ by fused multiply-adds only. Largest errors seen over all floats
// (tests/kernels/math_test.cpp): exp_ 1.1 ulp, log_ 1 ulp, sincos_turns_ 1e-7 absolute,
// atan2_ 3e-7 relative. Numbers below 2⁻¹²⁶ count as zero,
// as everywhere in an executor. In double they are the library's.
#pragma once

#include "kernels/isa.hpp"

#include <cmath>
#include <cstdint>

POLARSCOPE_KERNELS_BEGIN

#if defined(__CUDA_ARCH__)
POLARSCOPE_FN std::uint32_t bits_(float x) { return __float_as_uint(x); }
POLARSCOPE_FN float from_bits_(std::uint32_t u) { return __uint_as_float(u); }
#else
POLARSCOPE_FN std::uint32_t bits_(float x) { return __builtin_bit_cast(std::uint32_t, x); }
POLARSCOPE_FN float from_bits_(std::uint32_t u) { return __builtin_bit_cast(float, u); }
#endif

template <class R> POLARSCOPE_FN R sel(bool condition, R a, R b) { return condition ? a : b; }
template <class R> POLARSCOPE_FN R max_(R a, R b) { return a > b ? a : b; }
template <class R> POLARSCOPE_FN R min_(R a, R b) { return a < b ? a : b; }
template <class R> POLARSCOPE_FN bool finite_(R x) { return x - x == R(0); }

// The square root and the absolute value are instructions everywhere.
POLARSCOPE_FN float sqrt_(float x) { return ::sqrtf(x); }
POLARSCOPE_FN double sqrt_(double x) { return ::sqrt(x); }
POLARSCOPE_FN float abs_(float x) { return ::fabsf(x); }
POLARSCOPE_FN double abs_(double x) { return ::fabs(x); }

// eˣ = 2ⁿ eʳ with n = round(x / ln 2) and |r| ≤ ln 2 / 2; polynomial: Cephes expf.
POLARSCOPE_FN float exp_(float x) {
  constexpr float kRound = 12582912.0f; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2ⁿ in two factors, so that n = 128 does not overflow before the end.
  const std::int32_t k = static_cast<std::int32_t>(bits_(shifted) - bits_(kRound));
  const std::int32_t half = k >> 1;
  const float low = from_bits_(static_cast<std::uint32_t>(half + 127) << 23);
  const float high = from_bits_(static_cast<std::uint32_t>(k - half + 127) << 23);
  const float y = p * low * high;
  return sel(x > 88.7228317f, from_bits_(0x7F800000u), sel(x < -87.3365402f, 0.0f, y));
}
POLARSCOPE_FN double exp_(double x) { return ::exp(x); }

// ln x = e ln 2 + ln m with m in [√½, √2); polynomial: Cephes logf.
POLARSCOPE_FN float log_(float x) {
  const std::uint32_t u = bits_(x) - 0x3F3504F3u; // bits of √½: the exponent field then counts from there
  const float e = static_cast<float>(static_cast<std::int32_t>(u) >> 23);
  const float m = from_bits_((u & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float y = p * m * z - e * 2.12194440e-4f - 0.5f * z;
  y = m + y + e * 0.693359375f;
  const float infinity = from_bits_(0x7F800000u);
  y = sel(x >= infinity, infinity, y);
  y = sel(x < 1.17549435e-38f, -infinity, y);
  return sel(x < 0.0f || x != x, from_bits_(0x7FC00000u), y);
}
POLARSCOPE_FN double log_(double x) { return ::log(x); }

template <class R> struct SinCos { R sin, cos; };

// sin and cos of 2π t for |t| ≤ 2²⁰: the reduction is exact. Polynomials: Cephes sinf, cosf on [−π/4, π/4].
POLARSCOPE_FN SinCos<float> sincos_turns_(float t) {
  constexpr float kRound = 12582912.0f;
  const float shifted = 4.0f * t + kRound;
  const std::uint32_t quadrant = bits_(shifted) & 3u; // kRound is a multiple of 4
  const float r = (t - 0.25f * (shifted - kRound)) * 6.28318530717958648f;
  const float z = r * r;
  const float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
  const float c =
      ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  const bool swap = (quadrant & 1u) != 0;
  const float sine = sel(swap, c, s), cosine = sel(swap, s, c);
  return {sel((quadrant & 2u) != 0, -sine, sine), sel(((quadrant + 1u) & 2u) != 0, -cosine, cosine)};
}
POLARSCOPE_FN SinCos<double> sincos_turns_(double t) {
  const double x = 6.283185307179586476925 * (t - ::nearbyint(t));
  return {::sin(x), ::cos(x)};
}

// Angle of (x, y), for finite arguments: tan reduced to [0, √2 − 1] in two steps; polynomial: Cephes atanf.
POLARSCOPE_FN float atan2_(float y, float x) {
  const float ax = abs_(x), ay = abs_(y);
  const float low = min_(ax, ay), high = max_(ax, ay);
  const bool wide = low > 0.41421356f * high;
  const float t = sel(high > 0.0f, sel(wide, low - high, low) / sel(wide, low + high, high), 0.0f);
  const float z = t * t;
  float p = 8.05374449538e-2f;
  p = p * z - 1.38776856032e-1f;
  p = p * z + 1.99777106478e-1f;
  p = p * z - 3.33329491539e-1f;
  float angle = sel(wide, 0.785398163397448f, 0.0f) + (p * z * t + t);
  angle = sel(ay > ax, 1.57079632679490f - angle, angle);
  angle = sel(x < 0.0f, 3.14159265358979f - angle, angle);
  angle = sel(y < 0.0f, -angle, angle);
  return sel(x != x || y != y, from_bits_(0x7FC00000u), angle);
}
POLARSCOPE_FN double atan2_(double y, double x) { return ::atan2(y, x); }

// Rare in a step: the library's.
POLARSCOPE_FN float log1p_(float x) { return ::log1pf(x); }
POLARSCOPE_FN double log1p_(double x) { return ::log1p(x); }
POLARSCOPE_FN float expm1_(float x) { return ::expm1f(x); }
POLARSCOPE_FN double expm1_(double x) { return ::expm1(x); }
POLARSCOPE_FN float sin_(float x) { return ::sinf(x); }
POLARSCOPE_FN double sin_(double x) { return ::sin(x); }
POLARSCOPE_FN float cos_(float x) { return ::cosf(x); }
POLARSCOPE_FN double cos_(double x) { return ::cos(x); }
POLARSCOPE_FN float pow_(float x, float y) { return ::powf(x, y); }
POLARSCOPE_FN double pow_(double x, double y) { return ::pow(x, y); }

// Below this a norm counts as zero: normalising gives zero (algorithms.md §0).
template <class R> struct Tiny;
template <> struct Tiny<float> { static constexpr float value = 1e-30f; };
template <> struct Tiny<double> { static constexpr double value = 1e-300; };

POLARSCOPE_KERNELS_END
